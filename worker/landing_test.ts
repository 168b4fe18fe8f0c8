import assert from "node:assert/strict";
import { join } from "node:path";
import { Landing } from "./landing.ts";
import type { Receipt } from "./receipts.ts";

/** Two hosts that have one folder mounted in different places, as `--map lake=…` says. */
async function withHosts(use: (lake: string, landing: Landing, told: string[]) => Promise<void>) {
  const lake = await Deno.makeTempDir();
  const told: string[] = [];
  const sinks = {
    promote: async ({ uri }: { uri: string }) => void await told.push(`promote ${uri}`),
    retire: async (uris: readonly string[]) => void await told.push(`retire ${uris}`),
    discard: () => Promise.resolve(),
    sweep: async (keeps: readonly string[]) => void await told.push(`sweep but ${keeps}`),
  };
  const logger = { log: (level: string, message: string) => void told.push(`${level} ${message}`) };
  try {
    await use(lake, new Landing(sinks, { output: "/out", maps: { lake } }, logger), told);
  } finally {
    await Deno.remove(lake, { recursive: true });
  }
}

function receiptOf(uri: string): Receipt {
  const output = { topic: "t", uri, staged: `${uri}.staged`, rows: 1, bytes: 1, generation: 2 };
  const body = { status: "SUCCESS", metrics: {}, artifacts: [] } as const;
  return { jobId: 7, attempt: 1, staged: [output], body: { ...body, artifacts: [] } };
}

Deno.test("what another host wrote to a shared folder is removed when it is replaced here", () =>
  withHosts(async (lake, landing, told) => {
    const receipt = receiptOf(join(lake, "t", "a.g2.parquet"));
    const landed = await landing.promote(receipt, ["parquet://lake/t/a.g1.parquet"]);
    assert.deepEqual(landed, [{ job_id: 7, uri: "parquet://lake/t/a.g2.parquet" }]);
    assert.deepEqual(told, [
      `promote ${join(lake, "t", "a.g2.parquet")}`,
      `retire ${join(lake, "t", "a.g1.parquet")}`,
    ]);
  }));

Deno.test("an output that is replaced but out of reach is told of, as it stays visible", () =>
  withHosts(async (lake, landing, told) => {
    await landing.promote(receiptOf(join(lake, "a.parquet")), ["/mnt/there/t/old.parquet"]);
    assert.match(
      told.join(),
      /warning Could not remove \/mnt\/there\/t\/old\.parquet.*--map NAME=DIR/,
    );
  }));

Deno.test("what a host that died left staged in a shared folder is promoted by another", () =>
  withHosts(async (lake, landing, told) => {
    const staged = join(lake, "a.staged");
    await Deno.writeTextFile(staged, "");
    const pending = {
      job_id: 7,
      topic: "t",
      uri: "parquet://lake/a",
      staged: "parquet://lake/a.staged",
    };
    const elsewhere = { ...pending, job_id: 8, uri: "/their/b", staged: "/their/b.staged" };
    const gone = {
      ...pending,
      job_id: 9,
      uri: "parquet://lake/c",
      staged: "parquet://lake/c.staged",
    };
    const landed = await landing.recover([pending, elsewhere, gone]);
    assert.deepEqual(landed, [{ job_id: 7, uri: "parquet://lake/a" }]);
    assert.deepEqual(told, [
      `promote ${join(lake, "a")}`,
      `sweep but ${staged},${join(lake, "c.staged")}`,
    ]);
  }));
