/** The command line as a user has it: `deno task casparian`, in a folder of its own. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { testEnvironment } from "../../worker/test_tools.ts";

export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const environment = await testEnvironment();

function command(args: readonly string[], cwd: string, stdin: "null" | "piped" = "null") {
  return new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", `--config=${join(PROJECT, "deno.json")}`, "casparian", ...args],
    cwd,
    stdin,
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    // `deno task` keeps an INIT_CWD that it finds, as under `deno task test`.
    env: { ...environment, INIT_CWD: cwd, NO_COLOR: "1" },
  });
}

/** Runs it to its end. */
export async function casparian(cwd: string, ...args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await command(args, cwd).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The JSON that a client command prints. @throws {Error} If it ends with anything but 0. */
// deno-lint-ignore no-explicit-any
export async function casparianJson(cwd: string, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await casparian(cwd, ...args, "--json");
  if (code !== 0) throw new Error(`casparian ${args.join(" ")} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

/** A `casparian` that goes on until it is told to stop. */
export class Running implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #watchers = new Set<() => void>();
  readonly status: Promise<Deno.CommandStatus>;
  /** Both outputs, as they came. */
  output = "";
  #ended = false;

  constructor(cwd: string, ...args: string[]) {
    this.#child = command(args, cwd).spawn();
    const read = [this.#read(this.#child.stdout), this.#read(this.#child.stderr)];
    this.status = this.#child.status.then(async (status) => {
      await Promise.all(read);
      this.#ended = true;
      this.#watchers.forEach((look) => look());
      return status;
    });
  }

  /** Resolves once the output holds the text. @throws {Error} If it ends or dawdles without. */
  async says(text: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const fail = (how: string) => reject(new Error(`It ${how} without "${text}": ${this.output}`));
    const look = () => {
      if (this.output.includes(text)) resolve();
      else if (this.#ended) fail("ended");
    };
    const timer = setTimeout(() => fail("went on"), WAIT_MS_MAX);
    this.#watchers.add(look);
    look();
    await promise.finally(() => {
      clearTimeout(timer);
      this.#watchers.delete(look);
    });
  }

  async stop(signal: Deno.Signal): Promise<number> {
    if (!this.#ended) this.#child.kill(signal);
    return (await this.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGTERM");
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.output += text;
      this.#watchers.forEach((look) => look());
    }
  }
}

const POLL_MS = 50;
const WAIT_MS_MAX = 60_000;

/** For what gives no signal: files and processes. @throws {Error} If it does not come true. */
export async function eventually(
  what: string,
  test: () => boolean | Promise<boolean>,
  limitS = WAIT_MS_MAX / 1000,
) {
  for (const endMs = Date.now() + limitS * 1000; !await test();) {
    if (Date.now() > endMs) throw new Error(`Waited ${limitS} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Processes whose command line holds the text, by the proc file system. */
export function processesWith(text: string): { pid: number; line: string }[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ");
      return line.includes(text) ? [{ pid: Number(name), line }] : [];
    } catch {
      return []; // it ended in between
    }
  });
}
