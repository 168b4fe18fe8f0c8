import { UsageError } from "./exit_codes.ts";

/**
 * The path in `sqlite://PATH`, as it was given: a relative one is meant from the user's folder.
 * @throws {UsageError} If the URL is not of that form.
 */
export function sqlitePath(url: string): string {
  const path = /^sqlite:\/\/(.+[^/])$/.exec(url)?.[1];
  if (path !== undefined && path !== ":memory:") return path;
  throw new UsageError(
    `Cannot open the database as it must be sqlite://PATH, such as sqlite://db.sqlite3: got ${url}`,
  );
}
