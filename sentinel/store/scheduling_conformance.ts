/** For tests: the part of store_conformance.ts that is about lanes, retries, breakers and limits. */
import assert from "node:assert/strict";
import type { Outcome, ReadyJob, Store } from "./store.ts";
import type { StoreWorld } from "./store_conformance.ts";

/** All ready jobs of a plugin version, over its lanes, in the order in which they are to run. */
export async function readyJobs(store: Store, pluginId: number): Promise<ReadyJob[]> {
  const lanes = await store.readyLanes(pluginId);
  const jobs = await Promise.all(lanes.map((lane) => store.readyJobs(lane, 1000)));
  return jobs.flat().toSorted((a, b) => b.priority - a.priority || a.jobId - b.jobId);
}

/** A job that is claimed and fails; `pauseAfter` failures in a row pause its plugin. */
async function strike(world: StoreWorld, job: ReadyJob, pauseAfter: number): Promise<Outcome> {
  await world.claim(job);
  const { jobId } = job;
  const [outcome] = await world.store.commit([{
    type: "fail",
    ...{ jobId, attempt: job.attempt + 1, workerId: "w", nowMs: 6, metrics: {} },
    ...{ status: "FAILED", errorKind: "plugin", message: "m", countsAs: "failure" },
    strike: { pauseAfter, lastFailure: `the last in job ${jobId}` },
    next: { state: "FAILED" },
  }]);
  return outcome!;
}

export function schedulingConformance(
  test: (behaviour: string, work: (world: StoreWorld) => Promise<void>) => void,
): void {
  test("the queue is read by lanes: plugin, root, and whether a worker was lost", async (world) => {
    const { store } = world;
    const pluginId = await world.publish("v1");
    const elsewhere = await store.addRoot({ name: "b", directory: "/b", settleMs: 0, pollMs: 1 });
    await world.queue(pluginId, "a", "A");
    const suspect = (await world.queue(pluginId, "b", "B"))!;
    const seen = [{ folder: "", name: "c", size: 1, mtimeMs: 1, contentHash: "C" }];
    await world.want(pluginId, await world.observe({ rootId: elsewhere, seen }));
    await world.claim(suspect);
    const lost = { status: "LOST", errorKind: "worker_lost", countsAs: "lost_worker" } as const;
    await world.fail(suspect, { state: "QUEUED", notBeforeMs: 0 }, "w", lost);
    const lanes = await store.readyLanes(pluginId);
    const byLane = await Promise.all(lanes.map(async (lane) => {
      const jobs = await store.readyJobs(lane, 9);
      return `${lane.rootId}${lane.suspects ? "!" : ""}: ${jobs.map((job) => job.filePath)}`;
    }));
    assert.deepEqual(
      byLane.toSorted(),
      [
        `${world.rootId}!: /in/d/b`,
        `${world.rootId}: /in/d/a`,
        `${elsewhere}: /b/c`,
      ].toSorted(),
    );
    assert.deepEqual(await store.readyLanes(pluginId + 1), []);
  });

  test("a lane gives its first jobs: higher priority first, then the older one", async (world) => {
    const { store, rootId } = world;
    const pluginId = await world.publish("v1");
    for (const name of ["a", "b", "c", "d"]) await world.queue(pluginId, name, name);
    const [a, b, c] = await readyJobs(store, pluginId);
    assert.deepEqual(await store.prioritise([c!.jobId], 5), { plugins: [pluginId], refused: [] });
    await store.prioritise([a!.jobId], -1);
    const order = await store.readyJobs({ pluginId, rootId, suspects: false }, 3);
    assert.deepEqual(order.map(({ filePath }) => filePath.at(-1)), ["c", "b", "d"]);
    await world.claim(b!);
    const { plugins, refused } = await store.prioritise([b!.jobId, 99], 9);
    assert.deepEqual(plugins, []);
    assert.match(refused[0]!.reason, /is RUNNING: only a queued job/);
    assert.match(refused[1]!.reason, /There is no job 99/);
  });

  test("a retry may bring a priority, and keeps the one before otherwise", async (world) => {
    const { store } = world;
    const pluginId = await world.publish("v1");
    const job = (await world.queue(pluginId, "a", "A"))!;
    const again = async (priority?: number) => {
      await store.cancel([job.jobId], 9);
      await store.retry([job.jobId], 9, priority);
      return (await readyJobs(store, pluginId))[0]?.priority;
    };
    assert.deepEqual([await again(7), await again(), await again(0)], [7, 7, 0]);
  });

  test("a raised memory limit stays with the job, also when it is retried", async (world) => {
    const { store } = world;
    const pluginId = await world.publish("v1");
    const job = (await world.queue(pluginId, "a", "A"))!;
    const memoryMb = async () => (await readyJobs(store, pluginId))[0]?.memoryMb;
    assert.equal(await memoryMb(), null);
    await world.claim(job);
    await world.fail(job, { state: "QUEUED", notBeforeMs: 0, memoryMb: 400 });
    assert.equal(await memoryMb(), 400);
    await world.claim(job, "w", { attempt: 2 });
    assert.equal((await store.runningJobs())[0]?.memoryMb, 400);
    await world.fail({ ...job, attempt: 1 }, { state: "FAILED" });
    await store.retry([job.jobId], 9);
    assert.equal(await memoryMb(), 400);
  });

  test("failures in a row pause a version, with the reason; a success begins anew", async (world) => {
    const { store } = world;
    const pluginId = await world.publish("v1");
    const next = async (name: string) => (await world.queue(pluginId, name, name))!;
    const paused = async () => (await store.plugin(pluginId))?.paused;
    assert.equal((await strike(world, await next("a"), 3)).paused, undefined);
    assert.equal((await strike(world, await next("b"), 3)).paused, undefined);
    const good = await next("c");
    await world.claim(good);
    await world.complete(good, []);
    for (const name of ["d", "e"]) await strike(world, await next(name), 3);
    assert.equal(await paused(), null);
    const third = await next("f");
    const reason = `3 failures in a row, the last in job ${third.jobId}`;
    assert.equal((await strike(world, third, 3)).paused, reason);
    assert.equal(await paused(), reason);
    assert.equal((await strike(world, await next("g"), 3)).paused, undefined, "it is told once");
    assert.equal(await paused(), reason);
  });

  test("a resumed plugin and a new version begin with no failures", async (world) => {
    const { store } = world;
    const fails = async (pluginId: number, count: number) => {
      const outcomes = [];
      for (let n = 0; n < count; n++) {
        const name = `${pluginId} ${world.nowMs}`;
        outcomes.push((await strike(world, (await world.queue(pluginId, name, name))!, 2)).paused);
      }
      return outcomes.map((paused) => paused !== undefined);
    };
    const v1 = await world.publish("v1");
    assert.deepEqual(await fails(v1, 2), [false, true]);
    assert.equal(await store.pausePlugin("p", null), true);
    assert.equal((await store.plugin(v1))?.paused, null);
    assert.deepEqual(await fails(v1, 2), [false, true]);
    const v2 = await world.publish("v2");
    assert.equal((await store.plugin(v2))?.paused, null);
    assert.deepEqual(await fails(v2, 2), [false, true]);
    assert.equal((await store.plugin(await world.publish("v1")))?.paused, null, "a way back");
    assert.deepEqual(await fails(v1, 2), [false, true]);
  });

  test("a breaker that is set to 0 never trips", async (world) => {
    const pluginId = await world.publish("v1");
    for (let n = 0; n < 60; n++) {
      const job = (await world.queue(pluginId, `${n}`, `${n}`))!;
      assert.equal((await strike(world, job, 0)).paused, undefined);
    }
    assert.equal((await world.store.plugin(pluginId))?.paused, null);
  });

  test("a failure whose guard did not hold is no strike", async (world) => {
    const pluginId = await world.publish("v1");
    const job = (await world.queue(pluginId, "a", "A"))!;
    await strike(world, job, 2);
    assert.equal((await strike(world, job, 2)).applied, false);
    assert.equal((await world.store.plugin(pluginId))?.paused, null);
  });

  test("what operators set of plugins, roots and workers is kept", async (world) => {
    const { store } = world;
    await world.publish("v1");
    assert.equal(await store.setPlugin("q", { weight: 2 }), false);
    assert.equal(await store.setPlugin("p", { weight: 2, pauseAfter: 0 }), true);
    await store.setPlugin("p", { jobsMax: 4, weight: null });
    const settings = { weight: null, jobsMax: 4, pauseAfter: 0 };
    assert.deepEqual([...await store.pluginSettings()], [["p", settings]]);
    assert.equal(await store.limitRoot("nowhere", 1), false);
    assert.equal(await store.limitRoot("in", 2), true);
    assert.equal((await store.roots())[0]?.jobs_max, 2);
    await store.limitRoot("in", null);
    assert.equal((await store.roots())[0]?.jobs_max, null);
    assert.equal(await store.drainWorker("w", true), false);
    const row = { id: "w", host: "", version: "", slots: 1, sandbox: "", features: [] };
    await store.commit([{ type: "worker_seen", worker: row, nowMs: 1 }]);
    assert.equal(await store.drainWorker("w", true), true);
    await store.commit([{ type: "worker_lost", workerId: "w", nowMs: 2 }]);
    assert.deepEqual(await store.drainingWorkers(), ["w"], "it may come back");
    await store.drainWorker("w", false);
    assert.deepEqual(await store.drainingWorkers(), []);
  });

  test("a cancel of a running job is kept until that attempt has ended", async (world) => {
    const { store } = world;
    const pluginId = await world.publish("v1");
    const job = (await world.queue(pluginId, "a", "A"))!;
    const cancelled = async () => (await store.runningJobs())[0]?.cancelled;
    await world.claim(job);
    assert.equal(await cancelled(), false);
    await store.cancel([job.jobId], 9);
    assert.equal(await cancelled(), true);
    await world.fail(job, { state: "QUEUED", notBeforeMs: 0 });
    await world.claim(job, "w", { attempt: 2 });
    assert.equal(await cancelled(), false);
  });
}
