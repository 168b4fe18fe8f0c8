/**
 * Where a sink's URI is on this host [pure]. A URI names a folder by a name that each host maps for
 * itself (`--map NAME=DIR`), so that hosts may mount the same storage in different places:
 *
 *     parquet://output/orders     the folder of --output, then "orders"
 *     parquet://lake/orders       --map lake=DIR, else the folder "lake" in --output
 *     parquet:///data/out/orders  as it stands, if that is inside one of those folders
 *
 * An output is told to the sentinel by that name as well, so that a worker that has the folder
 * elsewhere can promote it or take it away; one in the folder of --output by its absolute path.
 */
import { isAbsolute, join, normalize, relative, sep } from "node:path";
import { JobFailure } from "./conclusions.ts";

export const OUTPUT_NAME = "output";
const URI = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)(\/.*)?$/;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

export interface SinkFolders {
  /** Absolute; the folder of `--output`. */
  readonly output: string;
  /** Absolute folders by name. */
  readonly maps: Readonly<Record<string, string>>;
}

/**
 * The absolute folder that `uri` stands for.
 * @throws {JobFailure} Of kind "sink", if this worker can't or may not write there.
 */
export function sinkFolder(uri: string, folders: SinkFolders): string {
  const folder = pathOf(uri, folders);
  if (!/\/\./.test(folder.slice(containing(folder, folders).length))) return folder;
  throw refusal(uri, "none of its folders may begin with a dot: what is staged lies in such");
}

function pathOf(uri: string, folders: SinkFolders): string {
  const [, scheme, name, path = ""] = URI.exec(uri) ?? [];
  if (scheme !== "parquet") throw refusal(uri, "it must start with parquet://");
  if (path.includes("\0") || path.split("/").includes("..")) {
    throw refusal(uri, `its path must hold neither ".." nor a NUL`);
  }
  return name ? join(namedFolder(uri, name, folders), path) : absoluteFolder(uri, path, folders);
}

/** Whether `path` is inside one of the folders that this worker may write to. */
export function isInFolders(path: string, folders: SinkFolders): boolean {
  return isAbsolute(path) && containing(path, folders) !== "";
}

/** The deepest of the folders that it is inside of; empty if there is none. */
function containing(path: string, { output, maps }: SinkFolders): string {
  return [output, ...Object.values(maps)].filter((folder) => isInside(folder, path))
    .reduce((deepest, folder) => folder.length > deepest.length ? folder : deepest, "");
}

/** How an output at `path` is called on every host: by the name of the mapped folder it lies in. */
export function outputAddress(path: string, { maps }: SinkFolders): string {
  const [name, folder] = Object.entries(maps)
    .filter(([name, folder]) => NAME.test(name) && isInside(folder, path))
    .reduce((deepest, map) => map[1].length > deepest[1].length ? map : deepest, ["", ""]);
  return name === "" ? path : `parquet://${name}/${relative(folder, path)}`;
}

/** Where the output of that address is on this host; `null` if it is in none of its folders. */
export function outputPath(address: string, folders: SinkFolders): string | null {
  try {
    const path = isAbsolute(address) ? address : pathOf(address, folders);
    return isInFolders(path, folders) ? path : null;
  } catch (error) {
    if (error instanceof JobFailure) return null; // a name or a scheme that this worker has no folder for
    throw error;
  }
}

function isInside(folder: string, path: string): boolean {
  const normal = normalize(path);
  return normal === folder || normal.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function namedFolder(uri: string, name: string, { output, maps }: SinkFolders): string {
  if (!NAME.test(name)) throw refusal(uri, "its folder's name must be letters, digits, _, . and -");
  if (Object.hasOwn(maps, name)) return maps[name]!;
  return name === OUTPUT_NAME ? output : join(output, name);
}

function absoluteFolder(uri: string, path: string, folders: SinkFolders): string {
  if (isInFolders(path, folders)) return normalize(path);
  throw refusal(
    uri,
    `it must be inside ${folders.output} or a mapped folder: start the worker with --map NAME=DIR`,
  );
}

function refusal(uri: string, rule: string): JobFailure {
  return new JobFailure("sink", `Cannot write to '${uri}' as ${rule}`);
}
