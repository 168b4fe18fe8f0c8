/**
 * A worker as a process of its own, with the permissions it has in earnest, under a sentinel that the
 * test plays. What several share (the output folder, the state) lies in one `root`.
 */
import { join } from "node:path";
import type { MessageBody } from "../protocol/messages.ts";
import { launchArguments } from "../security/launch.ts";
import { FakeSentinel } from "./fake_sentinel.ts";
import { until } from "./processes.ts";
import { testPython } from "./python.ts";

export interface RealWorkerOptions {
  /** Of its sentinel's socket; tells workers of one root apart. */
  readonly name?: string;
  readonly slots?: number;
  /** Beside what every worker gets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Further options of its command line. */
  readonly args?: readonly string[];
  /** What starts it, in place of Deno itself: the words before its own. */
  readonly through?: readonly string[];
}

/** Says "up", then waits to be ended. */
export const ENDLESS = `
import time
class Handler:
    def execute(self, file_path):
        print("up", flush=True)
        time.sleep(600)
`;

/** One row for each word of the file. */
export const COUNT_ROWS = `
class Handler:
    def execute(self, file_path):
        yield {"line": open(file_path).read().split()}
`;

export class RealWorker implements AsyncDisposable {
  readonly output: string;
  readonly file: string;
  readonly sentinel: FakeSentinel;
  readonly status: Promise<Deno.CommandStatus>;
  /** What it has said on its standard error. */
  said = "";
  readonly #process: Deno.ChildProcess;
  readonly #read: Promise<void>;

  private constructor(readonly root: string, python: string, options: RealWorkerOptions) {
    const { name = "a", slots = 2, through = [], environment = {}, args: more = [] } = options;
    this.output = join(root, "out");
    this.file = join(root, "a.csv");
    const address = `ipc://${root}/${name}.sock`;
    this.sentinel = new FakeSentinel(address);
    const args = ["--connect", address, "--state", join(root, "state"), "--output", this.output];
    const launch = launchArguments("worker", [...args, "--slots", `${slots}`, ...more], root);
    const [program, ...words] = [...through, Deno.execPath(), ...launch];
    this.#process = new Deno.Command(program!, {
      args: words,
      cwd: root,
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        HOME: root,
        CASPARIAN_PYTHON: python,
        ...environment,
      },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.status = this.#process.status;
    this.#read = this.#listen();
  }

  static async start(root: string, options: RealWorkerOptions = {}): Promise<RealWorker> {
    const worker = new RealWorker(root, await testPython(), options);
    await Deno.writeTextFile(worker.file, "x\ny\nz\n");
    return worker;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Sends a job that nothing is wrong with, but for `more`. */
  dispatch(jobId: number, source_code: string, more: Partial<MessageBody<"dispatch">> = {}): void {
    this.sentinel.send("dispatch", jobId, {
      plugin_name: "lines",
      file_path: this.file,
      sinks: [{ topic: "t", uri: "parquet://output/t", mode: "replace" }],
      file_version_id: 1,
      env_hash: "system",
      source_code,
      attempt: 1,
      generation: jobId,
      ...more,
    });
  }

  /** Its answer to a job. */
  async concluded(jobId: number): Promise<MessageBody<"conclude">> {
    const { body } = await this.sentinel.next("conclude", (message) => message.jobId === jobId);
    return body;
  }

  /** Names in the topic's folder: final outputs, without what is staged. */
  visible(topic = "t"): Promise<string[]> {
    return names(join(this.output, topic), ({ isFile }) => isFile);
  }

  staged(topic = "t"): Promise<string[]> {
    return names(join(this.output, topic, ".staging"), () => true);
  }

  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits until the kernel has stopped it: a signal takes a moment. */
  async freeze(): Promise<void> {
    this.signal("SIGSTOP");
    await until("it is stopped", () => /State:\s+T/.test(statusOf(this.pid)));
  }

  /** Ends it as a power cut would. */
  async crash(): Promise<void> {
    this.signal("SIGKILL");
    await this.status;
    await this.#read;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.signal("SIGCONT");
      await this.crash();
    } catch {
      // it has ended
    }
    await this.#read;
    await this.sentinel.close();
  }

  async #listen(): Promise<void> {
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      this.said += text;
    }
  }
}

/** A folder of its own for a test; gone, with what it holds, when the test is over. */
export async function withRoot(use: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "w-" });
  try {
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function names(folder: string, wanted: (entry: Deno.DirEntry) => boolean): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.filter(wanted).map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function statusOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/status`);
  } catch {
    return "";
  }
}
