import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { openSqliteStore } from "./sqlite.ts";
import { readyJobs } from "./scheduling_conformance.ts";
import { storeConformance, StoreWorld } from "./store_conformance.ts";

storeConformance("sqlite", () => openSqliteStore(":memory:", () => 1));

const RECOUNT_JOBS = `SELECT plugin_name, state, count(*) AS jobs FROM processing_jobs
  GROUP BY plugin_name, state ORDER BY state`;
const RECOUNT_TOPICS = `SELECT topic, count(*) AS files, sum(rows) AS rows, sum(bytes) AS bytes
  FROM outputs WHERE state = 'LIVE' GROUP BY topic ORDER BY topic`;
const RECOUNT_ROOT = `SELECT
    count(*) FILTER (WHERE current_version_id IS NOT NULL) AS files,
    count(*) FILTER (WHERE problem IS NOT NULL) AS problems
  FROM files WHERE deleted_at_ms IS NULL`;

const operation = fc.record({
  kind: fc.constantFrom("see", "see", "delete", "unreadable", "mend", "complete", "fail", "cancel"),
  name: fc.constantFrom("a", "b", "c"),
  content: fc.constantFrom("A", "B"),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function play(world: StoreWorld, pluginId: number, { kind, name, content }: Operation) {
  const place = { folder: "d", name };
  if (kind === "see") return void await world.queue(pluginId, name, content);
  if (kind === "delete") return void await world.observe({ deleted: [place] });
  if (kind === "mend") return void await world.observe({ mended: [place] });
  if (kind === "unreadable") {
    return void await world.observe({ unreadable: [{ ...place, reason: "EACCES" }] });
  }
  const [job] = await readyJobs(world.store, pluginId);
  if (!job) return;
  if (kind === "cancel") return void await world.store.cancel([job.jobId], 9);
  await world.claim(job);
  if (kind === "fail") await world.fail(job, { state: "FAILED" });
  else await world.complete(job, content === "A" ? ["t", "u"] : ["t"]);
}

// fast-check prints the seed and the shortest sequence that fails.
Deno.test("sqlite: the counts that triggers keep equal a recount, whatever was done", async () => {
  const dir = await Deno.makeTempDir();
  let runs = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40, size: "max" }), async (operations) => {
        const path = `${dir}/${++runs}`;
        const world = new StoreWorld(openSqliteStore(path, () => 1));
        using db = new DatabaseSync(path);
        const recount = (text: string) => db.prepare(text).all().map((row) => ({ ...row }));
        try {
          await world.start();
          const pluginId = await world.publish("v1");
          for (const operation of operations) await play(world, pluginId, operation);
          const { jobs, topics } = await world.store.counts();
          const counted = jobs.filter((row) => row.jobs > 0).map((row) => ({ ...row }));
          assert.deepEqual(
            counted.toSorted((a, b) => a.state.localeCompare(b.state)),
            recount(RECOUNT_JOBS),
          );
          const live = topics.filter(({ files }) => files > 0).map((row) => ({ ...row }));
          assert.deepEqual(live, recount(RECOUNT_TOPICS));
          const [root] = await world.store.roots();
          const { files, problems } = root!;
          assert.deepEqual([{ files, problems }], recount(RECOUNT_ROOT));
        } finally {
          await world.store.close();
        }
      }),
      { numRuns: 30 },
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
