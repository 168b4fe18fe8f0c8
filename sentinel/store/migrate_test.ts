import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, type Migration } from "./migrate.ts";
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
