/** What the store knows of the files of a root, read in the scanner's thread by a connection of its own. */
import { DatabaseSync } from "node:sqlite";
import type { KnownFiles } from "../scanner/known_files.ts";
import { statement } from "./statement.ts";

const LIVE = `deleted_at_ms IS NULL AND current_version_id IS NOT NULL`;
const FOLDER = `SELECT name, size, mtime_ms FROM files
  WHERE root_id = :rootId AND folder = :folder AND ${LIVE}`;
const FOLDERS = `SELECT DISTINCT folder FROM files WHERE root_id = :rootId AND ${LIVE}`;

/** @param path The database's file; it must exist. */
export function openKnownFiles(path: string): KnownFiles {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2000 });
  const sql = {
    folder: statement<{ name: string; size: number; mtime_ms: number }>(db, FOLDER),
    folders: statement<{ folder: string }>(db, FOLDERS),
  };
  return {
    folder: (rootId, folder) =>
      new Map(
        sql.folder.all({ rootId, folder })
          .map(({ name, size, mtime_ms: mtimeMs }) => [name, { size, mtimeMs }]),
      ),
    folders: (rootId) => sql.folders.all({ rootId }).map(({ folder }) => folder),
    close: () => db.close(),
  };
}
