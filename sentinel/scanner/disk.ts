/**
 * What the scanner asks of a file system, and nothing more: a test hands in one that fails on demand.
 *
 * All but the reading of whole files is synchronous: measured over 50,000 files, readDirSync and
 * lstatSync take 150 ms where the asynchronous calls take seconds. That is why scanning has a thread of
 * its own.
 */
import { statfsSync } from "node:fs";
import { networkFileSystem } from "./network_file_systems.ts";
import { openReading, type Reading } from "./reading.ts";

/**
 * What tells one content of a file from the next without reading it. Deno 2.9 gives mtime in whole
 * milliseconds and ctime in whole seconds (node:fs does too, at twice the cost).
 */
export interface Stamp {
  /** In bytes. */
  size: number;
  /** Of the last change, in milliseconds since the epoch, as the file's owner likes it to be. */
  mtimeMs: number;
  /** Of the last change of content, name or mode, which only the system sets; null if unknown. */
  ctimeMs: number | null;
  /** Null if unknown, or not to be believed, as on a share: then ctime is no evidence either. */
  inode: number | null;
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
  /** The network file system that a folder lies on, such as "nfs"; null for a local one. */
  networkFileSystem(path: string): string | null;
  /** Opens a file to be read; one at a time. */
  open(path: string): Reading;
}

export function openDisk(): Disk {
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
    networkFileSystem: (path) => {
      try {
        return networkFileSystem(statfsSync(path).type);
      } catch {
        return null; // the folder is not there, or the system does not tell
      }
    },
    open: openReading(),
  };
}

/**
 * Whether a file is as it was, as far as can be told without reading it. Inode and ctime are asked where
 * both are known: they give away what was written with its old mtime put back.
 */
export function sameStamp(a: Stamp | undefined, b: Stamp): boolean {
  return a !== undefined && a.size === b.size && a.mtimeMs === b.mtimeMs &&
    (a.inode === null || b.inode === null || a.inode === b.inode && a.ctimeMs === b.ctimeMs);
}

function stampOf({ size, mtime, ctime, ino }: Deno.FileInfo): Stamp {
  const mtimeMs = mtime?.getTime() ?? 0;
  return { size, mtimeMs, ctimeMs: ctime?.getTime() ?? null, inode: ino };
}
