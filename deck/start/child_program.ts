import { launchArguments } from "../../security/launch.ts";

/** The pipe ends with the program, but for a plugin that got hold of it and outlives the worker. */
const LAST_LINES_MS = 500;

export interface ProgramEnd {
  readonly code: number;
  readonly signal: Deno.Signal | null;
}

/**
 * A sentinel or a worker as a child, with exactly its own permissions.
 *
 * It has a process group of its own, so that Ctrl-C reaches only its parent, who ends it in order. Its
 * standard input is a pipe that nobody writes to: should the parent be killed, the pipe ends, and
 * `--exit-with-stdin` makes the child end as well.
 */
export class ChildProgram {
  readonly #child: Deno.ChildProcess;
  readonly ended: Promise<ProgramEnd>;

  constructor(
    program: "sentinel" | "worker",
    args: readonly string[],
    cwd: string,
    onLine: (line: string) => void,
  ) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: launchArguments(program, [...args, "--exit-with-stdin"], cwd),
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
      detached: true,
    }).spawn();
    const read = readLines(this.#child.stderr, onLine);
    this.ended = this.#child.status.then(async ({ code, signal }) => {
      this.#child.stdin.close().catch(() => {}); // its other end is gone already
      await Promise.race([read, delay(LAST_LINES_MS)]);
      return { code, signal };
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Asks it to end; kills it after `limitMs`. Resolves when it has ended. */
  async stop(limitMs: number): Promise<void> {
    this.#signal("SIGTERM");
    const limit = setTimeout(() => this.kill(), limitMs);
    await this.ended;
    clearTimeout(limit);
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // "Child process has already terminated"
    }
  }
}

async function readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onLine: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  }
  if (rest !== "") onLine(rest);
}

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
