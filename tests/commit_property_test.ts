/**
 * Random file operations against a memory model: whatever happens, in any order, each file ends with
 * exactly the rows of its current content by the active plugin version. Decision 0001's proof.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { openSqliteStore } from "../sentinel/store/sqlite.ts";
import { readyJobs } from "../sentinel/store/scheduling_conformance.ts";
import type { ReadyJob, Store } from "../sentinel/store/store.ts";
import type { SinkMode } from "../protocol/messages.ts";

const FILES = ["a", "b"];
const file = fc.constantFrom(...FILES);
/** A file with this content yields no rows at all, which also takes away its earlier ones. */
const EMPTY = "C";
const content = fc.constantFrom("A", "B", EMPTY);
const operation = fc.oneof(
  fc.record({ do: fc.constant("write" as const), file, content }),
  fc.record({ do: fc.constant("touch" as const), file }),
  fc.record({ do: fc.constant("copy" as const), file, to: file }),
  fc.record({ do: fc.constant("rename" as const), file, to: file }),
  fc.record({ do: fc.constant("delete" as const), file }),
  fc.record({ do: fc.constant("publish" as const), version: fc.constantFrom("v1", "v2", "v3") }),
  // Often, so that attempts of several generations of one file run at once and end in any order.
  { weight: 8, arbitrary: fc.record({ do: fc.constant("claim" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("complete" as const), which: fc.nat(9) }),
  },
  fc.record({ do: fc.constant("loseWorker" as const), which: fc.nat(9) }),
  fc.record({ do: fc.constant("lateReceipt" as const), which: fc.nat(9) }),
  fc.record({ do: fc.constant("rerun" as const), which: fc.nat(9) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

interface Attempt {
  job: ReadyJob;
  attempt: number;
  workerId: string;
  version: string;
}

/** Store and model side by side; the model is `contents`, `active` and each file's `history`. */
class World {
  readonly contents = new Map<string, string>();
  readonly history = new Map<string, Set<string>>();
  active = "v1";
  readonly versions = new Map<string, number>();
  readonly running: Attempt[] = [];
  readonly ended: Attempt[] = [];
  readonly finishedJobs: number[] = [];
  nowMs = 1000;
  workers = 0;
  rootId = 0;

  constructor(readonly store: Store, readonly mode: SinkMode) {}

  async start(): Promise<void> {
    this.rootId = await this.store.addRoot({
      name: "data",
      directory: "/data",
      settleMs: 0,
      pollMs: 1,
    });
    await this.publish("v1");
  }

  async play(operation: Operation): Promise<void> {
    this.nowMs++;
    switch (operation.do) {
      case "write":
        return await this.write(operation.file, operation.content);
      case "touch":
        return await this.write(operation.file, this.contents.get(operation.file) ?? "A");
      case "copy":
        return await this.write(operation.to, this.contents.get(operation.file) ?? "B");
      case "rename": {
        const moved = this.contents.get(operation.file);
        if (moved === undefined || operation.file === operation.to) return;
        await this.remove(operation.file);
        return await this.write(operation.to, moved);
      }
      case "delete":
        return await this.remove(operation.file);
      case "publish":
        return await this.publish(operation.version);
      case "claim":
        return void await this.claim();
      case "complete":
        return await this.end(operation.which, "complete");
      case "loseWorker":
        return await this.end(operation.which, "lost");
      case "lateReceipt":
        return await this.lateReceipt(operation.which);
      case "rerun": {
        const jobId = this.finishedJobs[operation.which % (this.finishedJobs.length || 1)];
        if (jobId !== undefined) await this.store.retry([jobId], this.nowMs);
        return;
      }
    }
  }

  async write(name: string, contentHash: string): Promise<void> {
    this.contents.set(name, contentHash);
    const seen = [{ folder: "", name, size: 1, mtimeMs: this.nowMs, contentHash }];
    const changed = await this.store.observe(
      { rootId: this.rootId, seen, deleted: [], unreadable: [], mended: [] },
      this.nowMs,
    );
    await this.want(changed);
  }

  async remove(name: string): Promise<void> {
    if (!this.contents.delete(name)) return;
    const deleted = [{ folder: "", name }];
    await this.store.observe(
      { rootId: this.rootId, seen: [], deleted, unreadable: [], mended: [] },
      this.nowMs,
    );
  }

  async want(files: readonly { fileId: number; versionId: number }[]): Promise<void> {
    const pluginId = this.versions.get(this.active)!;
    await this.store.enqueue(
      files.map(({ fileId, versionId }) => ({
        pluginId,
        pluginName: "p",
        fileId,
        fileVersionId: versionId,
        priority: 0,
      })),
      this.nowMs,
    );
  }

  async publish(version: string): Promise<void> {
    const { pluginId, fresh } = await this.store.addPlugin({
      name: "p",
      version,
      sourceCode: version,
      sourceHash: version,
      artifactHash: version,
      envHash: null,
      patterns: ["*"],
      topics: ["t"],
      manifest: {},
      requirements: null,
      python: null,
      signature: "",
      publisher: "",
      nowMs: this.nowMs,
    });
    if (!fresh) await this.store.restagePlugin(pluginId);
    await this.store.commit([{ type: "plugin_activated", pluginId, nowMs: this.nowMs }]);
    this.versions.set(version, pluginId);
    this.active = version;
    await this.want(await this.store.currentFiles(0, 100));
    await this.store.intakeProgress(pluginId, null);
  }

  async claim(): Promise<boolean> {
    const [job] = await readyJobs(this.store, this.versions.get(this.active)!);
    if (!job) return false;
    const attempt = { job, attempt: job.attempt + 1, workerId: `w${++this.workers}` };
    const [outcome] = await this.store.commit([{
      type: "claim",
      jobId: job.jobId,
      attempt: attempt.attempt,
      workerId: attempt.workerId,
      generation: job.generation,
      leaseUntilMs: this.nowMs + 10,
      nowMs: this.nowMs,
    }]);
    assert.ok(outcome!.applied, "a job that was offered can be claimed");
    this.running.push({ ...attempt, version: this.active });
    return true;
  }

  async end(which: number, how: "complete" | "lost"): Promise<void> {
    const [attempt] = this.running.splice(which % (this.running.length || 1), 1);
    if (!attempt) return;
    this.ended.push(attempt);
    if (how === "complete") return await this.receipt(attempt);
    await this.lose(attempt);
  }

  async lose(attempt: Attempt): Promise<void> {
    await this.store.commit([{
      type: "fail",
      ...this.endOf(attempt),
      status: "LOST",
      errorKind: "worker_lost",
      message: null,
      countsAs: "lost_worker",
      next: { state: "QUEUED", notBeforeMs: 0 },
    }]);
  }

  /** A receipt of an attempt that ended before must change nothing at all. */
  async lateReceipt(which: number): Promise<void> {
    const attempt = this.ended[which % (this.ended.length || 1)];
    if (!attempt) return;
    const before = await this.live();
    const runningBefore = await this.store.runningJobs();
    await this.receipt(attempt);
    await this.lose(attempt);
    assert.deepEqual(await this.live(), before);
    assert.equal((await this.store.runningJobs()).length, runningBefore.length);
  }

  endOf({ job, attempt, workerId }: Attempt) {
    return { jobId: job.jobId, attempt, workerId, nowMs: this.nowMs, metrics: {} };
  }

  async receipt(attempt: Attempt): Promise<void> {
    const { job } = attempt;
    const rows = `${attempt.version}:${job.contentHash}`;
    const uri = `${rows}:g${job.generation}`;
    const output = {
      topic: "t",
      uri,
      staged: "s",
      rows: 1,
      bytes: 1,
      generation: job.generation,
      mode: this.mode,
    };
    const [outcome] = await this.store.commit([{
      type: "complete",
      ...this.endOf(attempt),
      outputs: job.contentHash === EMPTY ? [] : [output],
    }]);
    if (!outcome!.applied) return;
    this.finishedJobs.push(job.jobId);
    const name = job.filePath.slice("/data/".length);
    if (!this.history.has(name)) this.history.set(name, new Set());
    this.history.get(name)!.add(rows);
  }

  /** The live catalog: what each output holds, by file. */
  async live(): Promise<string[]> {
    const outputs = await this.store.unpromoted(1000);
    return outputs.map(({ uri, job_id }) => `${job_id}=${uri}`).sort();
  }

  async settle(): Promise<void> {
    while (this.running.length > 0) await this.end(0, "complete");
    while (await this.claim()) await this.end(0, "complete");
  }

  async check(fileOf: (jobId: number) => string): Promise<void> {
    const found = new Map<string, string[]>(FILES.map((name) => [name, []]));
    for (const { job_id, uri } of await this.store.unpromoted(1000)) {
      found.get(fileOf(job_id))!.push(uri.replace(/:g\d+$/, ""));
    }
    for (const name of FILES) {
      const rows = found.get(name)!;
      const text = this.contents.get(name);
      const past = this.history.get(name) ?? new Set();
      assert.ok(rows.every((row) => past.has(row)), `${name} holds only what was run: ${rows}`);
      assert.equal(new Set(rows.map((row) => row.split(":")[1])).size, rows.length);
      if (this.mode === "replace") assert.ok(rows.length <= 1, `${name} owns one set: ${rows}`);
      if (text === undefined) continue;
      if (text === EMPTY && this.mode === "replace") assert.deepEqual(rows, []);
      if (text === EMPTY) continue;
      assert.ok(rows.includes(`${this.active}:${text}`), `${name} is ${text}: ${rows}`);
    }
  }
}

for (const mode of ["replace", "append"] as const) {
  Deno.test(`any sequence of file operations ends with each file's own rows (${mode})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60, size: "max" }), async (operations) => {
        const store = openSqliteStore(":memory:", () => 1);
        try {
          const world = new World(store, mode);
          await world.start();
          const files = new Map<number, string>();
          const claim = world.claim.bind(world);
          world.claim = async () => {
            const claimed = await claim();
            for (const { job } of world.running) files.set(job.jobId, job.filePath.slice(6));
            return claimed;
          };
          for (const operation of operations) await world.play(operation);
          await world.settle();
          await world.check((jobId) => files.get(jobId)!);
        } finally {
          await store.close();
        }
      }),
      { numRuns: Number(Deno.env.get("CASPARIAN_RUNS") ?? 300) },
    );
  });
}
