import { fileURLToPath } from "node:url";

/** The one program a worker may start; `--allow-run` holds exactly this path. */
export const LAUNCHER = fileURLToPath(new URL("./launch.sh", import.meta.url));

/** Output is a result, a lockfile for one: more than this is refused. */
const STDOUT_CHARS_MAX = 16 * 1024 * 1024;
/** How much of what a program said is kept for its error: pip and uv end with what matters. */
const STDERR_CHARS_MAX = 64 * 1024;

export type ProcessEnvironment = Readonly<Record<string, string>>;

export interface LaunchOptions {
  /** Everything the program sees; nothing is inherited. */
  readonly environment: ProcessEnvironment;
  readonly cwd?: string;
  /** What the program reads from its standard input; nothing without it. */
  readonly stdin?: string;
  /** Gets each line of standard error, where programs tell of their progress. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** After this the program and all of its process group are killed. */
  readonly limitMs?: number;
}

export interface LaunchResult {
  readonly success: boolean;
  readonly code: number;
  readonly stdout: string;
  /** The end of it. */
  readonly stderr: string;
}

/** `A=1 B=2` as words for the launcher, which starts everything with an empty environment. */
export function environmentWords(environment: ProcessEnvironment): string[] {
  return Object.entries(environment).map(([name, value]) => `${name}=${value}`);
}

/**
 * Runs a program to its end through the launcher, in a process group of its own.
 * @throws {DOMException} "AbortError" (or the signal's own reason) or "TimeoutError", after the whole
 * group was killed.
 */
export async function runToEnd(
  argv: readonly string[],
  options: LaunchOptions,
): Promise<LaunchResult> {
  return await launchToEnd(["task", ...environmentWords(options.environment), ...argv], options);
}

/** Where a program finds the folder that it is started `in`. */
export const FOLDER_DESCRIPTOR = 3;

/**
 * The launcher's arguments for one of its commands: what it starts dies with this worker.
 * @param folder To be open for it, see FOLDER_DESCRIPTOR.
 */
export function launcherArgs(words: readonly string[], folder?: string): string[] {
  const place = folder === undefined ? [] : ["in", folder];
  return ["for", `${Deno.pid}`, ...place, ...words];
}

/** The same for any of the launcher's own commands. */
export async function launchToEnd(
  words: readonly string[],
  options: Omit<LaunchOptions, "environment">,
): Promise<LaunchResult> {
  options.signal?.throwIfAborted();
  const child = new Deno.Command(LAUNCHER, {
    args: launcherArgs(words),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const ended = Promise.all([
    readAll(child.stdout),
    readLines(child.stderr, options.onLine),
    child.status,
    options.stdin === undefined ? null : writeAll(child.stdin, options.stdin),
  ]);
  const [stdout, stderr, status] = await killedOnStop(child.pid, ended, options);
  return { success: status.success, code: status.code, stdout, stderr };
}

/** Where a program is on the PATH, or `null`. */
export async function findProgram(name: string): Promise<string | null> {
  const found = await launchToEnd(["find", name], {});
  return found.success ? found.stdout.trim() : null;
}

async function killedOnStop<T>(
  pid: number,
  ended: Promise<T>,
  { signal, limitMs }: Omit<LaunchOptions, "environment">,
): Promise<T> {
  let reason: unknown;
  const stop = (why: unknown) => {
    reason ??= why;
    endGroup(pid);
  };
  const onAbort = () => stop(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  const timer = limitMs === undefined ? undefined : setTimeout(
    () => stop(new DOMException(`Not done in ${limitMs} ms`, "TimeoutError")),
    limitMs,
  );
  try {
    const result = await ended;
    if (reason !== undefined) throw reason;
    return result;
  } catch (error) {
    if (reason === undefined) endGroup(pid); // nobody reads what it still has to say
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** A program that ends without reading all of it says by its exit code whether that was right. */
async function writeAll(stream: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stream.getWriter();
  await writer.write(new TextEncoder().encode(text)).catch(() => {});
  await writer.close().catch(() => {});
}

function endGroup(pid: number): void {
  // A group that ended by itself a moment ago is all that this can fail on.
  new Deno.Command(LAUNCHER, { args: ["end", `${pid}`], stderr: "null" }).outputSync();
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.length > STDOUT_CHARS_MAX) {
      throw new RangeError(
        `Cannot read a program's output as it must be at most ${STDOUT_CHARS_MAX} characters: it is more`,
      );
    }
  }
  return text;
}

/** Hands on whole lines, the last one also without its newline; returns the end of the text. */
async function readLines(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void = () => {},
): Promise<string> {
  let text = "";
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text = (text + chunk).slice(-STDERR_CHARS_MAX);
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
  return text;
}
