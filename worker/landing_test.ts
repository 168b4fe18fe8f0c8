import assert from "node:assert/strict";
import { join } from "node:path";
import { success } from "./conclusions.ts";
import type { Job } from "./job_slots.ts";
import { Landing } from "./landing.ts";
import type { Receipt } from "./receipts.ts";
import type { StagedOutput } from "./sinks/sink.ts";

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
    const { landed } = await landing.promote(receipt, ["parquet://lake/t/a.g1.parquet"]);
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
    const { landed } = await landing.recover([pending, elsewhere, gone], true);
    assert.deepEqual(landed, [{ job_id: 7, uri: "parquet://lake/a" }]);
    assert.deepEqual(told, [
      `promote ${join(lake, "a")}`,
      `sweep but ${staged},${join(lake, "c.staged")}`,
    ]);
  }));

interface Bench {
  readonly landing: Landing;
  /** What the sinks were asked for, in order. */
  readonly did: string[];
  /** Names of outputs that the disk refuses. */
  readonly refuses: Set<string>;
  output(name: string): StagedOutput;
}

async function withBench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const did: string[] = [];
  const refuses = new Set<string>();
  const note = (what: string, path: string) => void did.push(`${what} ${path.split("/").at(-1)}`);
  const landing = new Landing(
    {
      async promote({ uri }) {
        if (refuses.has(uri.split("/").at(-1)!)) throw await Promise.resolve(new Error("No disk"));
        note("promote", uri);
      },
      retire: async (uris) => await uris.forEach((uri) => note("retire", uri)),
      discard: async (staged) => await staged.forEach(({ uri }) => note("discard", uri)),
      sweep: async (keeps) => void did.push(await `sweep but ${keeps.length}`),
    },
    { output: folder, maps: {} },
    { log() {} },
  );
  const output = (name: string) => {
    const [uri, staged] = [join(folder, name), join(folder, `${name}.staged`)];
    Deno.writeTextFileSync(staged, "");
    return { topic: "t", uri, staged, rows: 0, bytes: 0, generation: 1 };
  };
  try {
    await use({ landing, did, refuses, output });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const job: Job = { id: 7, attempt: 1, body: {} as never };

Deno.test("outputs appear before those go that they replace, and none goes outside of the folders", async () => {
  await withBench(async ({ landing, did, output }) => {
    const [a, b] = [output("a"), output("b")];
    const old = `${a.uri}.old`;
    const report = await landing.promote(success(job, [a, b], {}), [old, "/etc/passwd"]);
    assert.deepEqual(did, ["promote a", "promote b", "retire a.old"]);
    const landed = [a, b].map(({ uri }) => ({ job_id: 7, uri }));
    assert.deepEqual(report, { landed, again: false });
  });
});

Deno.test("what the disk refuses keeps what it would replace, and is to be tried again", async () => {
  await withBench(async ({ landing, did, refuses, output }) => {
    const [a, b] = [output("a"), output("b")];
    refuses.add("b");
    const report = await landing.promote(success(job, [a, b], {}), [`${a.uri}.old`]);
    assert.deepEqual([did, report.again], [["promote a"], true]);
    assert.deepEqual(report.landed, [{ job_id: 7, uri: a.uri }]);
  });
});

Deno.test("recovering removes what each output replaces, and sweeps only if it knows all", async () => {
  await withBench(async ({ landing, did, refuses, output }) => {
    const pending = ["a", "b"].map((name) => {
      const { topic, uri, staged } = output(name);
      return { job_id: 7, topic, uri, staged, retired: [`${uri}.old`] };
    });
    const elsewhere = { ...pending[0]!, uri: "/elsewhere/c", staged: "/elsewhere/c.staged" };
    refuses.add("b");
    const report = await landing.recover([...pending, elsewhere], true);
    assert.deepEqual(did, ["promote a", "retire a.old", "sweep but 2"]);
    assert.deepEqual([report.landed.length, report.again], [1, true]);
    did.length = 0;
    await landing.recover(pending.slice(0, 1), false);
    assert.deepEqual(did, ["promote a", "retire a.old"]);
  });
});
