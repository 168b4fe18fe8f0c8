/** Reads one folder: which files it holds, which folders lie below, what can't be used and why. */
import { hash } from "node:crypto";
import type { Disk, Stamp } from "./disk.ts";
import type { Marker, NameRules } from "./name_rules.ts";

export interface FoundFile extends Stamp {
  name: string;
  /** Where files count only beside their marker: whether it is there, or older than the file. */
  marker: "there" | "missing" | "stale" | null;
}

export interface FolderListing {
  /** Nothing at all is in the folder, not even names that are ignored. */
  empty: boolean;
  files: FoundFile[];
  /** Names, not paths. */
  subfolders: string[];
  /** Name to the reason why the entry can't be read, with what to do about it. */
  problems: Map<string, string>;
  /** Equal for two listings exactly if files, their stamps and problems are equal. */
  digest: string;
}

export interface FolderPlace {
  /** Absolute path of the root, and the same without links. */
  directory: string;
  realDirectory: string;
  /** The folder within the root: "" or "a/b". */
  folder: string;
  rules: NameRules;
  /** See {@link Stamp}. */
  trustsInodes: boolean;
}

/** @throws {Deno.errors.NotFound} If the folder is gone; other errors if it can't be read. */
export function listFolder(disk: Disk, place: FolderPlace): FolderListing {
  const found: FolderListing = {
    ...{ empty: true, files: [], subfolders: [], problems: new Map(), digest: "" },
  };
  const { folder, rules, directory } = place;
  const markers = new Map<string, number>();
  const path = joinPath(directory, folder);
  for (const entry of disk.readFolder(path)) {
    const { name } = entry;
    found.empty = false;
    if (rules.marker?.isMarker(name)) addMarker(disk, path, name, markers);
    else if (!rules.isIgnored(folder, name)) addEntry(disk, place, `${path}/${name}`, entry, found);
  }
  if (rules.marker !== null) markFiles(found.files, rules.marker, markers);
  found.digest = digestOf(found);
  return found;
}

export function joinPath(folder: string, name: string): string {
  if (folder === "" || name === "") return folder + name;
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

function addMarker(disk: Disk, path: string, name: string, markers: Map<string, number>): void {
  try {
    markers.set(name, disk.lstat(`${path}/${name}`).mtimeMs);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function markFiles(files: FoundFile[], marker: Marker, markers: ReadonlyMap<string, number>): void {
  for (const file of files) {
    const markedAtMs = markers.get(marker.of(file.name));
    if (markedAtMs === undefined) file.marker = "missing";
    else file.marker = markedAtMs < file.mtimeMs ? "stale" : "there";
  }
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
      found.files.push(foundFile(name, disk.lstat(path), place));
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
  const stamp = disk.stat(path);
  if (stamp.isFile) found.files.push(foundFile(name, stamp, place));
}

function foundFile(name: string, stamp: Stamp, { trustsInodes }: FolderPlace): FoundFile {
  const { size, mtimeMs, ctimeMs } = stamp;
  return { name, size, mtimeMs, ctimeMs, inode: trustsInodes ? stamp.inode : null, marker: null };
}

function linkTarget(disk: Disk, path: string): string | null {
  try {
    return disk.realPath(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.FilesystemLoop) {
      return null;
    }
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
  for (const { name, size, mtimeMs, ctimeMs, inode } of files) {
    text += `${name}/${size}/${mtimeMs}/`;
    if (inode !== null) text += `${ctimeMs}/${inode}/`;
  }
  for (const [name, reason] of problems) text += `${name}//${reason}/`;
  return hash("sha256", text, "base64");
}
