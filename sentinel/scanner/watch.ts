/**
 * Hints from the operating system: in which folder something happened. They may be lost, late or
 * doubled; a folder that is made and filled at once gives no hint for the files in it.
 */
import { ignoresPath, type NameRules } from "./name_rules.ts";

export interface Watch {
  close(): void;
}

export interface WatchOptions {
  /** Absolute path. */
  directory: string;
  /** Absolute paths whose events are of no interest. */
  excludedFolders: readonly string[];
  rules: NameRules;
  /** The folder within the directory, "" for its own. */
  onHint(folder: string): void;
  /** There will be no more hints. */
  onEnd(error: unknown): void;
}

/** @throws {Error} If the system has no watches left, or the folder is not there. */
export function watchFolder(options: WatchOptions): Watch {
  const directory = Deno.realPathSync(options.directory);
  const excluded = options.excludedFolders.map((path) => `${path}/`);
  const watcher = Deno.watchFs(directory);
  let closed = false;
  const isExcluded = (path: string) => excluded.some((folder) => `${path}/`.startsWith(folder));
  (async () => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access") continue; // reading and hashing are accesses, too
      for (const path of paths.filter((path) => !isExcluded(path))) {
        const folder = folderOf(path, directory, options.rules);
        if (folder !== null) options.onHint(folder);
      }
    }
  })().catch((error) => closed ? undefined : options.onEnd(error));
  return {
    close: () => {
      if (!closed) watcher.close();
      closed = true;
    },
  };
}

/** The folder that holds the path, relative to the directory; null if scanning would ignore the path. */
export function folderOf(path: string, directory: string, rules: NameRules): string | null {
  if (!path.startsWith(`${directory}/`)) return null;
  const inside = path.slice(directory.length + 1);
  const slash = inside.lastIndexOf("/");
  const [folder, name] = [inside.slice(0, Math.max(0, slash)), inside.slice(slash + 1)];
  if (rules.marker?.isMarker(name)) return folder;
  return ignoresPath(rules, folder, name) ? null : folder;
}
