/**
 * The file a job is about: still the one that the sentinel saw? It is asked before the plugin reads it
 * and again after, as a half-written file parses surprisingly often.
 */
import { createHash } from "node:crypto";
import { JobFailure } from "./conclusions.ts";

const CHUNK_BYTES = 1024 * 1024;

/** What the sentinel saw; absent from a plain v4 one. */
export interface SeenFile {
  readonly size?: number | undefined;
  readonly mtimeMs?: number | undefined;
  /** The source root that it lies in, and where that is on this host. */
  readonly root?: { readonly name: string; readonly directory: string } | undefined;
}

/**
 * @throws {JobFailure} Of kind "file_changed" if it is gone or not as `expected`, "plugin" if it can't be
 * looked at, as trying again would not help.
 */
export async function checkFile(path: string, expected: SeenFile): Promise<SeenFile> {
  const found = await look(path, expected.root);
  if (!found.isFile) throw new JobFailure("plugin", `Cannot read ${path} as it is no regular file`);
  const mtimeMs = found.mtime?.getTime();
  if (expected.size !== undefined && found.size !== expected.size) {
    throw changed(path, `its size must be ${expected.size} bytes as seen: got ${found.size}`);
  }
  // Whole milliseconds: a sentinel may have read the same time with more digits.
  if (!sameMs(expected.mtimeMs, mtimeMs)) {
    throw changed(path, `its time must be ${timeText(expected.mtimeMs)}: got ${timeText(mtimeMs)}`);
  }
  return { ...expected, size: found.size, mtimeMs };
}

async function look(path: string, root: SeenFile["root"]): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (root && !await Deno.stat(root.directory).catch(() => null)) throw notMounted(root);
    throw asFailure(path, error);
  }
}

/** As if the file had changed: the job waits for a host that has the folder, and nothing is counted. */
function notMounted({ name, directory }: NonNullable<SeenFile["root"]>): JobFailure {
  return new JobFailure(
    "file_changed",
    `Cannot see the root '${name}' from ${Deno.hostname()} as ${directory} is not there: mount it, or ` +
      `start that worker with --map ${name}=DIR`,
    true,
  );
}

/** Lower-case SHA-256 of the file's bytes, read in pieces so that heartbeats go on. */
export async function hashFile(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const hash = createHash("sha256");
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let bytes; (bytes = await file.read(chunk)) !== null;) {
      hash.update(chunk.subarray(0, bytes));
    }
    return hash.digest("hex");
  } catch (error) {
    throw asFailure(path, error);
  }
}

export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function asFailure(path: string, cause: unknown): JobFailure {
  if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) {
    return new JobFailure("file_changed", `The file vanished: ${path}`, true, { cause });
  }
  const reason = cause instanceof Error ? cause.message : `${cause}`;
  const advice = "give the worker's user read access to it, then retry the job";
  return new JobFailure("plugin", `Cannot read ${path}: ${reason}: ${advice}`, false, { cause });
}

function changed(path: string, rule: string): JobFailure {
  return new JobFailure("file_changed", `The file changed: ${path}: ${rule}`, true);
}

function sameMs(expected: number | undefined, found: number | undefined): boolean {
  if (expected === undefined || found === undefined) return true;
  return Math.trunc(expected) === Math.trunc(found);
}

function timeText(ms: number | undefined): string {
  return ms === undefined ? "unknown" : new Date(ms).toISOString();
}
