import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, type Migration, readMigrations } from "./migrate.ts";
import { readyJobs } from "./scheduling_conformance.ts";
import { openSqliteStore } from "./sqlite.ts";
import { StoreError } from "./store_error.ts";

const ONE: Migration = { name: "0001_one.sql", sql: "CREATE TABLE one (x INTEGER) STRICT" };
const TWO: Migration = { name: "0002_two.sql", sql: "CREATE TABLE two (x INTEGER) STRICT" };

function tables(db: DatabaseSync): unknown[] {
  const text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('one', 'two')";
  return db.prepare(text).all().map(({ name }) => name);
}

Deno.test("migrate() applies what is missing, in order and once", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db, [ONE], 1);
  migrate(db, [ONE, TWO], 2);
  migrate(db, [ONE, TWO], 3);
  assert.deepEqual(tables(db), ["one", "two"]);
  const ledger = db.prepare("SELECT applied_at_ms AS at FROM schema_migrations ORDER BY name")
    .all();
  assert.deepEqual(ledger.map(({ at }) => at), [1, 2]);
});

Deno.test("migrate() refuses a newer database and a file that changed, touching neither", () => {
  using db = new DatabaseSync(":memory:");
  migrate(db, [ONE, TWO], 1);
  assert.throws(() => migrate(db, [ONE], 2), (error) => {
    return error instanceof StoreError && /newer version.*'0002_two.sql'/.test(error.message);
  });
  const changed = { ...ONE, sql: `${ONE.sql} ` };
  assert.throws(() => migrate(db, [changed, TWO], 2), /'0001_one.sql' is not the one/);
});

Deno.test("migrate() undoes a file that fails half-way", () => {
  using db = new DatabaseSync(":memory:");
  assert.throws(() => migrate(db, [{ ...ONE, sql: `${ONE.sql}; SELECT nonsense` }], 1));
  assert.deepEqual(tables(db), []);
  migrate(db, [ONE], 2);
  assert.deepEqual(tables(db), ["one"]);
});

Deno.test("a database that cannot be used is named, with what to do", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const open = (name: string) => openSqliteStore(`${dir}/${name}`, () => 1);
    await Deno.writeTextFile(
      `${dir}/text`,
      "no database, but long enough to be read as one\n".repeat(50),
    );
    assert.throws(() => open("text"), /Cannot open the database .*text.*move that file away/);
    assert.throws(() => open("no/such/folder"), /Check that its folder exists/);
    await open("good").close();
    using holder = new DatabaseSync(`${dir}/good`);
    holder.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    assert.throws(() => open("good"), /Stop the program that holds it/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

// Jobs that waited under the first release must not be forgotten by lanes that came later.
Deno.test("a queue of the first release is read by the lanes of this one", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/db`;
    {
      using db = new DatabaseSync(path);
      const all = readMigrations(new URL("./migrations/sqlite/", import.meta.url));
      migrate(db, all.filter(({ name }) => name.startsWith("0001")), 1);
      db.exec(`
        INSERT INTO source_roots VALUES (7, 'in', '/in', 0, 1, NULL);
        INSERT INTO files VALUES (3, 7, '', 'a', 1, 1, 5, NULL, NULL), (4, 7, '', 'b', 1, 1, 6, NULL, NULL);
        INSERT INTO file_versions VALUES (5, 3, 'A', 1, 1), (6, 4, 'B', 1, 1);
        INSERT INTO plugin_manifests (id, name, version, source_code, source_hash, pattern, topics,
          manifest, status, created_at_ms) VALUES (2, 'p', '1', '', '', '[]', '[]', '{}', 'ACTIVE', 1);
        INSERT INTO processing_jobs (plugin_id, plugin_name, file_id, file_version_id, generation, state,
          lost_workers, created_at_ms)
          VALUES (2, 'p', 3, 5, 1, 'QUEUED', 0, 1), (2, 'p', 4, 6, 2, 'QUEUED', 2, 1);`);
    }
    const store = openSqliteStore(path, () => 1);
    const jobs = await readyJobs(store, 2);
    assert.deepEqual(
      jobs.map(({ filePath, rootId, lostWorkers }) => [filePath, rootId, lostWorkers]),
      [
        ["/in/a", 7, 0],
        ["/in/b", 7, 2],
      ],
    );
    await store.close();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
