/** Reads one folder: which files it holds, which folders lie below, what can't be used and why. */
import { hash } from "node:crypto";
import type { Disk, Stamp } from "./disk.ts";
import { isIgnored } from "./ignored_names.ts";

export interface FoundFile extends Stamp {
  name: string;
}

export interface FolderListing {
  /** Nothing at all is in the folder, not even names that are ignored. */
  empty: boolean;
  files: FoundFile[];
  /** Names, not paths. */
  subfolders: string[];
  /** Name to the reason why the entry can't be read, with what to do about it. */
  problems: Map<string, string>;
  /** Equal for two listings exactly if files, sizes, times and problems are equal. */
  digest: string;
}

export interface FolderPlace {
  /** Absolute path of the root, and the same without links. */
  directory: string;
  realDirectory: string;
  /** The folder within the root: "" or "a/b". */
  folder: string;
}

/** @throws {Deno.errors.NotFound} If the folder is gone; other errors if it can't be read. */
export function listFolder(disk: Disk, place: FolderPlace): FolderListing {
  const found: FolderListing = {
    ...{ empty: true, files: [], subfolders: [], problems: new Map(), digest: "" },
  };
  const path = joinPath(place.directory, place.folder);
  for (const entry of disk.readFolder(path)) {
    found.empty = false;
    if (!isIgnored(entry.name)) addEntry(disk, place, `${path}/${entry.name}`, entry, found);
  }
  found.digest = digestOf(found);
  return found;
}

export function joinPath(folder: string, name: string): string {
  if (folder === "" || name === "") return folder + name;
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

function addEntry(
  disk: Disk,
  place: FolderPlace,
  path: string,
  entry: Deno.DirEntry,
  found: FolderListing,
): void {
  const { name } = entry;
  try {
    if (entry.isFile) {
      const { size, mtimeMs } = disk.lstat(path);
      found.files.push({ name, size, mtimeMs });
    } else if (entry.isDirectory) {
      if (name.includes("\uFFFD")) disk.lstat(path);
      found.subfolders.push(name);
    } else if (entry.isSymlink) addLink(disk, place, path, name, found);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) found.problems.set(name, reasonOf(error));
    else if (name.includes("\uFFFD")) found.problems.set(name, NOT_UTF8);
    // any other name has gone since the folder was read
  }
}

/** A link to a file inside the root is that file; links to folders are not walked, so none can circle. */
function addLink(
  disk: Disk,
  place: FolderPlace,
  path: string,
  name: string,
  found: FolderListing,
): void {
  const target = linkTarget(disk, path);
  if (target === null || !isInside(target, place.realDirectory)) {
    found.problems.set(name, target === null ? BROKEN_LINK : OUTSIDE_LINK);
    return;
  }
  const { isFile, size, mtimeMs } = disk.stat(path);
  if (isFile) found.files.push({ name, size, mtimeMs });
}

function linkTarget(disk: Disk, path: string): string | null {
  try {
    return disk.realPath(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof Deno.errors.NotCapable) return ""; // outside of what the program may read
    throw error;
  }
}

function isInside(path: string, directory: string): boolean {
  return path === directory ||
    path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);
}

const NOT_UTF8 = "Cannot read it as its name must be UTF-8: got bytes that are not; rename it";
const BROKEN_LINK = "Cannot follow the link as it must lead to a file: got none; mend or remove it";
const OUTSIDE_LINK =
  "Cannot follow the link as it must stay inside the root: it leads out; copy the file, or add its folder as a root";

/** Why something can't be read, for its owner. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) {
    return "Cannot read it as this program's user must be allowed to: permission denied; change its mode or owner";
  }
  const message = error instanceof Error ? error.message : String(error);
  return `Cannot read it as the file system must answer: ${message}; check the disk or the share`;
}

function digestOf({ files, problems }: FolderListing): string {
  let text = "";
  for (const { name, size, mtimeMs } of files) text += `${name}/${size}/${mtimeMs}/`;
  for (const [name, reason] of problems) text += `${name}//${reason}/`;
  return hash("sha256", text, "base64");
}
