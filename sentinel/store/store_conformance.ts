/** For tests: what any {@link Store} must do, as a suite over a way to open one. */
import assert from "node:assert/strict";
import type { SinkMode } from "../../protocol/messages.ts";
import { arrivalConformance } from "./arrival_conformance.ts";
import { readyJobs, schedulingConformance } from "./scheduling_conformance.ts";
import type { Change, NewPlugin, ReadyJob, Store } from "./store.ts";

type Open = () => Store;

/** A store with one root, and the few moves that its tests are made of. */
export class StoreWorld {
  rootId = 0;
  nowMs = 1000;
  constructor(readonly store: Store) {}

  async start(): Promise<void> {
    const root = { name: "in", directory: "/in", settleMs: 0, pollMs: 1 };
    this.rootId = await this.store.addRoot(root);
  }

  async publish(version: string, over: Partial<NewPlugin> = {}): Promise<number> {
    const { pluginId, fresh } = await this.store.addPlugin(newPlugin(version, over));
    if (!fresh) await this.store.restagePlugin(pluginId);
    await this.store.commit([{ type: "plugin_activated", pluginId, nowMs: this.nowMs }]);
    return pluginId;
  }

  see(name: string, contentHash: string) {
    const seen = [{ folder: "d", name, size: 1, mtimeMs: this.nowMs, contentHash }];
    return this.observe({ seen });
  }

  observe(over: Partial<Parameters<Store["observe"]>[0]>) {
    const none = { rootId: this.rootId, seen: [], deleted: [], unreadable: [], mended: [] };
    return this.store.observe({ ...none, ...over }, ++this.nowMs);
  }

  /** Sees a file with this content and queues it; resolves with the job. */
  async queue(pluginId: number, name: string, contentHash: string): Promise<ReadyJob | undefined> {
    await this.want(pluginId, await this.see(name, contentHash));
    return (await readyJobs(this.store, pluginId)).at(-1);
  }

  want(pluginId: number, files: readonly { fileId: number; versionId: number }[]) {
    const wanted = files.map(({ fileId, versionId }) => (
      { pluginId, pluginName: "p", fileId, fileVersionId: versionId, priority: 0 }
    ));
    return this.store.enqueue(wanted, this.nowMs);
  }

  async claim(job: ReadyJob, workerId = "w", over: { attempt?: number; generation?: number } = {}) {
    const { jobId, generation, attempt } = job;
    const lease = {
      attempt: attempt + 1,
      generation,
      workerId,
      leaseUntilMs: 9,
      nowMs: 5,
      ...over,
    };
    const [outcome] = await this.store.commit([{ type: "claim", jobId, ...lease }]);
    return outcome!.applied;
  }

  async complete(
    job: ReadyJob,
    topics: string[],
    mode: SinkMode = "replace",
    over: { attempt?: number; workerId?: string; nowMs?: number } = {},
  ) {
    const { jobId, generation } = job;
    const outputs = topics.map((topic) => (
      { topic, uri: `${topic}:g${generation}`, staged: "s", rows: 2, bytes: 3, generation, mode }
    ));
    const end = { jobId, attempt: job.attempt + 1, workerId: "w", nowMs: 6, metrics: {}, ...over };
    const [outcome] = await this.store.commit([{ type: "complete", ...end, outputs }]);
    return outcome!;
  }

  async fail(
    job: ReadyJob,
    next: Extract<Change, { type: "fail" }>["next"],
    workerId = "w",
    over: Partial<Extract<Change, { type: "fail" }>> = {},
  ) {
    const end = { jobId: job.jobId, attempt: job.attempt + 1, workerId, nowMs: 6, metrics: {} };
    const how = {
      status: "FAILED",
      errorKind: "plugin",
      message: "m",
      countsAs: "failure",
    } as const;
    const [outcome] = await this.store.commit([{ type: "fail", ...end, ...how, next, ...over }]);
    return outcome!.applied;
  }

  async live(): Promise<string[]> {
    return (await this.store.unpromoted(1000)).map(({ uri }) => uri).sort();
  }
}

function newPlugin(version: string, over: Partial<NewPlugin> = {}): NewPlugin {
  return {
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
    nowMs: 1,
    ...over,
  };
}

export function storeConformance(name: string, open: Open): void {
  function test(behaviour: string, work: (world: StoreWorld) => Promise<void>): void {
    Deno.test(`${name}: ${behaviour}`, async () => {
      const world = new StoreWorld(open());
      try {
        await world.start();
        await work(world);
      } finally {
        await world.store.close();
      }
    });
  }

  test("a claim needs the state, the attempt and the generation it was offered", async (world) => {
    const job = (await world.queue(await world.publish("v1"), "a", "A"))!;
    assert.equal(await world.claim(job, "w", { attempt: 2 }), false);
    assert.equal(await world.claim(job, "w", { generation: job.generation + 1 }), false);
    assert.equal(await world.claim(job), true);
    assert.equal(await world.claim(job, "w2"), false, "it runs already");
    const [running] = await world.store.runningJobs();
    assert.deepEqual([running?.workerId, running?.attempt], ["w", 1]);
  });

  test("only the holder of the lease ends an attempt, and only once", async (world) => {
    const job = (await world.queue(await world.publish("v1"), "a", "A"))!;
    await world.claim(job);
    assert.equal(await world.fail(job, { state: "FAILED" }, "another"), false);
    const stranger = { workerId: "another" };
    assert.equal((await world.complete(job, ["t"], "replace", stranger)).applied, false);
    assert.equal((await world.complete(job, ["t"], "replace", { attempt: 2 })).applied, false);
    assert.deepEqual(await world.live(), []);
    assert.equal((await world.complete(job, ["t"])).applied, true);
    assert.equal((await world.complete(job, ["t"])).applied, false);
    assert.equal(await world.fail(job, { state: "FAILED" }), false);
    const repeat = { type: "repeated_receipt", jobId: job.jobId, attempt: 1 } as const;
    const outcomes = await world.store.commit([
      { ...repeat, workerId: "w" },
      { ...repeat, workerId: "another" },
    ]);
    assert.deepEqual(outcomes.map(({ applied }) => applied), [true, false]);
  });

  test("a commit is all or nothing", async (world) => {
    const job = (await world.queue(await world.publish("v1"), "a", "A"))!;
    const { jobId, generation } = job;
    const lease = { attempt: 1, generation, workerId: "w", leaseUntilMs: 9, nowMs: 5 };
    const impossible = { type: "log", jobId, attempt: 1, lines: [[1, 0, null]] } as never;
    await assert.rejects(world.store.commit([{ type: "claim", jobId, ...lease }, impossible]));
    assert.deepEqual(await world.store.runningJobs(), []);
    assert.equal(await world.claim(job), true, "the same may be tried again");
  });

  test("a run retires what the file had before, also in topics it no longer yields", async (world) => {
    const pluginId = await world.publish("v1");
    const first = (await world.queue(pluginId, "a", "A"))!;
    await world.claim(first);
    await world.complete(first, ["t", "u"]);
    const second = (await world.queue(pluginId, "a", "B"))!;
    await world.claim(second);
    const { retired } = await world.complete(second, ["t"]);
    assert.deepEqual(retired?.toSorted(), [`t:g${first.generation}`, `u:g${first.generation}`]);
    assert.deepEqual(await world.live(), [`t:g${second.generation}`]);
  });

  test("append keeps each content's output; error refuses a second one", async (world) => {
    for (const mode of ["append", "error"] as const) {
      const pluginId = await world.publish("v1");
      const outcomes = [];
      for (const content of ["A", "B"]) {
        const job = (await world.queue(pluginId, mode, content))!;
        await world.claim(job);
        outcomes.push(await world.complete(job, [mode], mode));
      }
      const live = (await world.live()).filter((uri) => uri.startsWith(mode));
      assert.equal(live.length, mode === "append" ? 2 : 1);
      if (mode === "error") assert.match(outcomes[1]!.refused!, /mode is 'error'/);
    }
  });

  test("an output of an older generation that comes last is retired at once", async (world) => {
    const pluginId = await world.publish("v1");
    const older = (await world.queue(pluginId, "a", "A"))!;
    await world.claim(older);
    const newer = (await world.queue(pluginId, "a", "B"))!;
    await world.claim(newer);
    await world.complete(newer, []);
    const late = await world.complete(older, ["t"]);
    assert.deepEqual([late.applied, late.retired], [true, [`t:g${older.generation}`]]);
    assert.deepEqual(await world.live(), [], "the newer one yielded nothing, and owns the file");
  });

  test("an output that waits to be promoted tells what it replaces, and not what went before", async (world) => {
    const pluginId = await world.publish("v1");
    const jobs = [];
    for (const content of ["A", "B", "C"]) {
      const job = (await world.queue(pluginId, "a", content))!;
      await world.claim(job);
      await world.complete(job, ["t"], "replace", { nowMs: 10 + jobs.length });
      jobs.push(job);
    }
    const [pending, ...others] = await world.store.unpromoted(10);
    assert.deepEqual([pending?.uri, others], [`t:g${jobs[2]!.generation}`, []]);
    assert.deepEqual(pending?.retired, [`t:g${jobs[1]!.generation}`]);
  });

  test("whoever promotes what was retired meanwhile is told, also when it asks again", async (world) => {
    const pluginId = await world.publish("v1");
    const first = (await world.queue(pluginId, "a", "A"))!;
    await world.claim(first);
    await world.complete(first, ["t"]);
    const second = (await world.queue(pluginId, "a", "B"))!;
    await world.claim(second);
    await world.complete(second, ["t"]);
    const outputs = [first, second].map(({ jobId, generation }) => (
      { job_id: jobId, uri: `t:g${generation}` }
    ));
    for (let time = 0; time < 2; time++) {
      const [told] = await world.store.commit([{ type: "promoted", outputs, nowMs: 9 }]);
      assert.deepEqual(told?.retired, [`t:g${first.generation}`]);
    }
    assert.deepEqual(await world.live(), [], "all are promoted");
  });

  test("a delayed retry is not ready until the store is woken at its time", async (world) => {
    const pluginId = await world.publish("v1");
    const job = (await world.queue(pluginId, "a", "A"))!;
    await world.claim(job);
    await world.fail(job, { state: "QUEUED", notBeforeMs: 50 });
    assert.equal(await world.store.nextWakeMs(), 50);
    await world.store.commit([{ type: "wake", nowMs: 49 }]);
    assert.deepEqual(await readyJobs(world.store, pluginId), []);
    await world.store.commit([{ type: "wake", nowMs: 50 }]);
    const [again] = await readyJobs(world.store, pluginId);
    assert.deepEqual([again?.attempt, again?.failures], [1, 1]);
    assert.equal(await world.store.nextWakeMs(), null);
  });

  test("retry and cancel refuse what they cannot do, and say why", async (world) => {
    const { store } = world;
    const pluginId = await world.publish("v1");
    const job = (await world.queue(pluginId, "a", "A"))!;
    const refusal = async () => (await store.retry([job.jobId], 9)).refused[0]?.reason;
    assert.match((await refusal())!, /is QUEUED: only a finished job/);
    assert.match((await store.retry([99], 9)).refused[0]!.reason, /There is no job 99/);
    await world.claim(job);
    assert.deepEqual((await store.cancel([job.jobId], 9)).running, [job.jobId]);
    await world.fail(job, { state: "FAILED" });
    assert.match((await store.cancel([job.jobId], 9)).refused[0]!.reason, /already is FAILED/);
    assert.deepEqual(await store.retry([job.jobId], 9), { plugins: [pluginId], refused: [] });
    const [again] = await readyJobs(store, pluginId);
    assert.ok(again!.generation > job.generation);
    assert.equal((await store.cancel([job.jobId], 9)).cancelled, 1);
    await world.queue(pluginId, "a", "B");
    assert.match((await refusal())!, /was superseded by job/);
  });

  test("asking for a job twice changes nothing; new content supersedes what waits", async (world) => {
    const pluginId = await world.publish("v1");
    const files = await world.see("a", "A");
    assert.deepEqual((await world.want(pluginId, files)).queued, [pluginId]);
    assert.deepEqual((await world.want(pluginId, files)).queued, []);
    assert.deepEqual(await world.see("a", "A"), [], "a touch is no change");
    await world.queue(pluginId, "a", "B");
    const ready = await readyJobs(world.store, pluginId);
    assert.deepEqual(ready.map(({ contentHash }) => contentHash), ["B"]);
  });

  test("a deleted file's queued job is cancelled, and comes back with the file", async (world) => {
    const pluginId = await world.publish("v1");
    await world.queue(pluginId, "a", "A");
    await world.observe({ deleted: [{ folder: "d", name: "a" }] });
    assert.deepEqual(await readyJobs(world.store, pluginId), []);
    assert.deepEqual(await world.store.currentFiles(0, 9), []);
    const again = await world.queue(pluginId, "a", "A");
    assert.equal(again?.filePath, "/in/d/a");
  });

  test("a file that cannot be read is a problem until it is mended", async (world) => {
    const place = { folder: "d", name: "a" };
    const root = async () => (await world.store.roots())[0]!;
    await world.observe({ unreadable: [{ ...place, reason: "EACCES" }] });
    assert.deepEqual([(await root()).files, (await root()).problems], [0, 1]);
    await world.observe({ mended: [place] });
    assert.deepEqual([(await root()).files, (await root()).problems], [0, 0]);
    await world.see("a", "A");
    assert.deepEqual([(await root()).files, (await root()).problems], [1, 0]);
  });

  test("a version that is locked to an artifact known before gives way to that one", async (world) => {
    const { store } = world;
    const oldId = await world.publish("old");
    await world.publish("new");
    const { pluginId } = await store.addPlugin(
      newPlugin("again", { artifactHash: null, requirements: ["x"] }),
    );
    const lock = { pluginId, lockfile: "lock", envHash: "e", artifactHash: "old" };
    await store.commit([{ type: "plugin_locked", ...lock }]);
    assert.equal((await store.plugin(pluginId))?.status, "REJECTED");
    assert.equal((await store.plugin(oldId))?.status, "STAGING");
    assert.equal(await store.lockfileFor(["x"], null), "lock");
    assert.equal(await store.lockfileFor(["y"], null), null);
    assert.equal((await store.lockfile("e"))?.lockfile, "lock");
    assert.equal(await store.lockfile("f"), null);
  });

  test("when a version's backfill is done, the older one's waiting jobs are dropped", async (world) => {
    const oldId = await world.publish("v1");
    await world.queue(oldId, "a", "A");
    const newId = await world.publish("v2");
    assert.equal((await world.store.plugin(newId))?.intakeAfterFileId, 0);
    assert.equal((await readyJobs(world.store, oldId)).length, 1);
    await world.store.intakeProgress(newId, null);
    assert.equal((await readyJobs(world.store, oldId)).length, 0);
  });

  schedulingConformance(test);
  arrivalConformance(test);
}
