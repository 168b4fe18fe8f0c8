/** Brings a database to this program's schema: numbered files, checksummed, forward only. */
import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "./store_error.ts";

export interface Migration {
  /** File name without folder, e.g. `0001_first.sql`; its order is the order of names. */
  name: string;
  sql: string;
}

const LEDGER = `CREATE TABLE IF NOT EXISTS schema_migrations (
  name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at_ms INTEGER NOT NULL) STRICT`;

/**
 * Applies what is missing, each file in a transaction of its own.
 * @throws {StoreError} If the database was made by a newer program, or a file changed since.
 */
export function migrate(db: DatabaseSync, migrations: readonly Migration[], nowMs: number): void {
  db.exec(LEDGER);
  const applied = new Map(
    (db.prepare("SELECT name, checksum FROM schema_migrations").all() as {
      name: string;
      checksum: string;
    }[]).map((row) => [row.name, row.checksum]),
  );
  const known = new Set(migrations.map(({ name }) => name));
  const foreign = [...applied.keys()].find((name) => !known.has(name));
  if (foreign) {
    throw new StoreError(
      `Cannot use this database as it was written by a newer version of Casparian Flow: it has ` +
        `migration '${foreign}'. Start the newer version, or give another --database.`,
    );
  }
  for (const migration of migrations) apply(db, migration, applied.get(migration.name), nowMs);
}

function apply(
  db: DatabaseSync,
  { name, sql }: Migration,
  earlier: string | undefined,
  nowMs: number,
): void {
  const checksum = createHash("sha256").update(sql).digest("hex");
  if (earlier === checksum) return;
  if (earlier !== undefined) {
    throw new StoreError(
      `Cannot use this database as its migration '${name}' is not the one of this program ` +
        `(checksum ${earlier.slice(0, 12)}, expected ${checksum.slice(0, 12)}). ` +
        `Start the version that made it, or give another --database.`,
    );
  }
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(sql);
    db.prepare("INSERT INTO schema_migrations VALUES (?, ?, ?)").run(name, checksum, nowMs);
    db.exec("COMMIT");
  } catch (cause) {
    db.exec("ROLLBACK");
    throw cause;
  }
}

/** The migrations of a folder, in order. */
export function readMigrations(folder: URL): Migration[] {
  return [...Deno.readDirSync(folder)]
    .map(({ name }) => name)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, sql: Deno.readTextFileSync(new URL(name, folder)) }));
}
