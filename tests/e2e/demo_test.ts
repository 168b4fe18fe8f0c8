/** The README's first command, on a state folder that has nothing but uv's cache. */
import { DuckDBInstance } from "@duckdb/node-api";
import assert from "node:assert/strict";
import { join } from "node:path";
import expected from "../../demo/expected.json" with { type: "json" };
import { casparian, eventually, processesWith } from "./casparian.ts";

Deno.test("the demo ends by itself with every row that must come of it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "cf-" });
  try {
    const { code, stdout, stderr } = await casparian(folder, "start", "--demo", "--once");
    assert.equal(code, 3, stdout + stderr);
    assert.match(stdout, new RegExp(`${expected.failedFiles} files failed:`));
    assert.match(stdout, /bad_plugin\)\n +plugin: /);
    const topics = Object.entries(expected.topics).map(([topic, { rows }]) => [topic, rows]);
    assert.deepEqual(await rowCounts(join(folder, ".casparian", "output")), topics.toSorted());
    await eventually("no process is left behind", () => processesWith(folder).length === 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Rows by topic, as DuckDB counts them in the files. */
async function rowCounts(output: string): Promise<[topic: string, rows: number][]> {
  const duckdb = await DuckDBInstance.create(":memory:");
  const connection = await duckdb.connect();
  try {
    const counts: [string, number][] = [];
    // One after the other: two queries at once on one connection crash its addon.
    for (const { name: topic } of Deno.readDirSync(output)) {
      if (topic.startsWith(".")) continue; // the workers' own
      const files = join(output, topic, "*.parquet").replaceAll("'", "''");
      const counted = await connection.runAndReadAll(`SELECT count(*) FROM '${files}'`);
      counts.push([topic, Number(counted.getRows()[0]?.[0])]);
    }
    return counts.toSorted();
  } finally {
    connection.closeSync();
    duckdb.closeSync();
  }
}
