/**
 * What the scanner asks of a file system, and nothing more: a test hands in one that fails on demand.
 *
 * All but the hashing is synchronous: measured over 50,000 files, readDirSync and lstatSync take
 * 150 ms where the asynchronous calls take seconds. That is why scanning has a thread of its own.
 */
import { createHash } from "node:crypto";

/**
 * What tells one content of a file from the next without reading it. Deno 2.9 gives times in whole
 * milliseconds (node:fs does too, `mtimeNs` included, at twice the cost): two changes within the same
 * millisecond that leave the size alone look like one.
 */
export interface Stamp {
  /** In bytes. */
  size: number;
  /** Of the last change, in milliseconds since the epoch; only ever compared. */
  mtimeMs: number;
}

export interface Disk {
  /** @throws {Deno.errors.NotFound} If there is no such folder; other errors of Deno's as they come. */
  readFolder(path: string): Iterable<Deno.DirEntry>;
  /** Of the entry itself, a link included. */
  lstat(path: string): Stamp;
  /** Of what a link points to; for all else the same as `lstat`. */
  stat(path: string): Stamp & { isFile: boolean; isDirectory: boolean };
  /** The path without links. */
  realPath(path: string): string;
  /** Names the folder itself: another one mounted at the same path has another identity. */
  identity(path: string): string;
  /**
   * SHA-256 of the bytes, lower-case hex. Memory is one chunk, whatever the file's size.
   * @param breathe Awaited after every chunk, so that the thread can hear; what it throws ends the reading.
   */
  hash(path: string, breathe: () => Promise<void>): Promise<string>;
}

const HASH_CHUNK_BYTES = 1 << 20;

export function openDisk(): Disk {
  const chunk = new Uint8Array(HASH_CHUNK_BYTES); // shared: the thread hashes one file at a time
  return {
    readFolder: (path) => Deno.readDirSync(path),
    lstat: (path) => stampOf(Deno.lstatSync(path)),
    stat: (path) => {
      const info = Deno.statSync(path);
      return { ...stampOf(info), isFile: info.isFile, isDirectory: info.isDirectory };
    },
    realPath: (path) => Deno.realPathSync(path),
    identity: (path) => {
      const { dev, ino } = Deno.statSync(path);
      return `${dev}:${ino}`;
    },
    hash: (path, breathe) => hashFile(path, chunk, breathe),
  };
}

export function sameStamp(a: Stamp | undefined, b: Stamp): boolean {
  return a !== undefined && a.size === b.size && a.mtimeMs === b.mtimeMs;
}

function stampOf(info: Deno.FileInfo): Stamp {
  return { size: info.size, mtimeMs: info.mtime?.getTime() ?? 0 };
}

async function hashFile(
  path: string,
  chunk: Uint8Array,
  breathe: () => Promise<void>,
): Promise<string> {
  using file = Deno.openSync(path);
  const hash = createHash("sha256");
  for (let bytes = file.readSync(chunk); bytes !== null; bytes = file.readSync(chunk)) {
    hash.update(chunk.subarray(0, bytes));
    await breathe();
  }
  return hash.digest("hex");
}
