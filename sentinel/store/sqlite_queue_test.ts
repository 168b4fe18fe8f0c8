import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { migrate, readMigrations } from "./migrate.ts";
import { READY, READY_ROOTS } from "./sqlite_queue.ts";

/** What SQLite would do for a statement, on an empty database of the newest schema. */
function planOf(text: string): string[] {
  using db = new DatabaseSync(":memory:");
  migrate(db, readMigrations(new URL("./migrations/sqlite/", import.meta.url)), 1);
  return db.prepare(`EXPLAIN QUERY PLAN ${text}`).all().map(({ detail }) => `${detail}`);
}

const INDEX = { "= 0": "jobs_ready", "> 0": "jobs_suspect" } as const;

for (const [lostWorkers, index] of Object.entries(INDEX)) {
  const which = lostWorkers as keyof typeof INDEX;

  Deno.test(`the head of a lane is read by ${index}, however many jobs wait behind it`, () => {
    const plan = planOf(READY(which));
    assert.equal(plan[0], `SEARCH j USING INDEX ${index} (plugin_id=? AND root_id=?)`);
    assert.ok(!plan.some((step) => /SCAN|TEMP B-TREE/.test(step)), plan.join("\n"));
  });

  Deno.test(`a plugin's lanes are found by ${index}, from one root to the next`, () => {
    const plan = planOf(READY_ROOTS(which));
    const next = `SEARCH processing_jobs USING INDEX ${index} (plugin_id=? AND root_id>?)`;
    assert.ok(plan.includes(next), plan.join("\n"));
    assert.ok(!plan.some((step) => /SCAN processing_jobs|TEMP B-TREE/.test(step)), plan.join("\n"));
  });
}
