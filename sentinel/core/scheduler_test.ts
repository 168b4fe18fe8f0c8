import assert from "node:assert/strict";
import { ClusterWorld, job, jobs, plugin, pluginRow } from "./testing.ts";

/** The plugin of each dispatched job: jobs of plugin n have ids from n × 1000. */
function pluginsOf(dispatches: readonly string[]): number[] {
  return dispatches.map((dispatch) => Math.floor(parseInt(dispatch) / 1000));
}

Deno.test("a plugin with a million files cannot starve one with ten", () => {
  const world = new ClusterWorld(plugin(1), plugin(2));
  world.join("a", "w1", { slots: 10 });
  const million = jobs(1000, 256, { pluginId: 1 });
  const ten = jobs(2000, 10, { pluginId: 2 });
  const served = pluginsOf(world.dispatches([...million, ...ten]));
  assert.equal(served.length, 20);
  assert.equal(served.filter((id) => id === 2).length, 10);
  assert.deepEqual(served.slice(0, 4), [1, 2, 1, 2]);
});

Deno.test("priority comes before fairness", () => {
  const world = new ClusterWorld(plugin(1), plugin(2));
  world.join("a", "w1", { slots: 2 });
  const urgent = jobs(2000, 3, { pluginId: 2, priority: 5 });
  const served = pluginsOf(world.dispatches([...jobs(1000, 9), ...urgent]));
  assert.deepEqual(served, [2, 2, 2, 1]);
});

Deno.test("a paused plugin gets nothing, and keeps nobody waiting", () => {
  const world = new ClusterWorld(plugin(1, { paused: "by Ann" }), plugin(2));
  world.join("a", "w1", { slots: 4 });
  const ready = [...jobs(1000, 9, { priority: 9 }), ...jobs(2000, 2, { pluginId: 2 })];
  assert.deepEqual(pluginsOf(world.dispatches(ready)), [2, 2]);
  assert.match(world.waiting(1)!, /by Ann/);
});

Deno.test("a job whose environment is not ready never blocks those behind it", () => {
  const world = new ClusterWorld(plugin(1, { envHash: "unbuilt" }), plugin(2));
  world.join("a", "w1", { slots: 1 });
  const ready = [...jobs(1000, 9, { priority: 9 }), ...jobs(2000, 1, { pluginId: 2 })];
  assert.deepEqual(pluginsOf(world.dispatches(ready)), [2]);
  assert.deepEqual(world.effects.filter(({ type }) => type === "prepare"), [
    { type: "prepare", peer: "a", envHash: "unbuilt" },
  ]);
});

Deno.test("jobs go to the worker with the larger share of its credit free", () => {
  const world = new ClusterWorld();
  world.join("a", "small", { slots: 1 });
  world.join("b", "large", { slots: 3 });
  const served = world.dispatches(jobs(1, 4)).map((dispatch) => dispatch.split("@")[1]);
  assert.deepEqual(served.toSorted(), ["a", "b", "b", "b"]);
});

Deno.test("the shorter jobs are, the more of them are kept at hand, within a bound", () => {
  const atHand = (runMs: number) => {
    const world = new ClusterWorld();
    world.join("a", "w1", { slots: 2 });
    world.dispatches([job(1)]);
    world.concludes("a", 1, { attempt: 1, metrics: { run_ms: runMs } });
    return world.dispatches(jobs(10, 50)).length;
  };
  const slots = 2;
  assert.equal(atHand(1000), slots * (1 + 1));
  assert.equal(atHand(20), slots * (1 + 3));
  assert.equal(atHand(1), slots * (1 + 15));
});

Deno.test("a worker that is not connected gets nothing", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.cluster.peerGone("a", world.nowMs);
  assert.deepEqual(world.dispatches([job(1)]), []);
  assert.equal(world.waiting(1), "no worker is connected");
});

Deno.test("plugins share the slots by their weights", () => {
  const world = new ClusterWorld(plugin(1, { weight: 3 }), plugin(2));
  world.join("a", "w1", { slots: 8 });
  const ready = [...jobs(1000, 50), ...jobs(2000, 50, { pluginId: 2 })];
  const served = pluginsOf(world.dispatches(ready));
  assert.deepEqual([1, 2].map((id) => served.filter((served) => served === id).length), [12, 4]);
});

Deno.test("a plugin at its limit gets no more, over all its versions, and others go on", () => {
  const world = new ClusterWorld(plugin(1, { jobsMax: 3 }), plugin(2));
  world.cluster.lanes.began("p1", 1); // of a version before
  world.join("a", "w1", { slots: 4 });
  const served = pluginsOf(
    world.dispatches([...jobs(1000, 50), ...jobs(2000, 50, { pluginId: 2 })]),
  );
  assert.deepEqual([1, 2].map((id) => served.filter((served) => served === id).length), [2, 6]);
  world.concludes("a", 1000, { attempt: 1 });
  assert.equal(pluginsOf(world.dispatches()).length, 1, "an end makes room for one more");
});

// The queue's first hundred thousand may all lie on a slow share: a window on one queue would show
// nothing else.
Deno.test("jobs of a root at its limit never stand before those of another root", () => {
  const world = new ClusterWorld();
  world.cluster.lanes.setRootLimits(new Map([[1, { name: "slow", jobsMax: 2 }]]));
  world.join("a", "w1", { slots: 4 });
  const served = world.dispatches([...jobs(1, 500), ...jobs(1000, 50, { rootId: 2 })]);
  const ids = served.map((text) => parseInt(text));
  assert.deepEqual(ids.filter((id) => id < 1000), [1, 2]);
  assert.equal(ids.length, 8);
  world.concludes("a", 2, { attempt: 1 });
  assert.deepEqual(world.dispatches(), ["3@a"], "the older one's turn, once its root has room");
});

Deno.test("without a limit roots of one plugin are served in the order of their jobs", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 2 });
  const mixed = [1, 2, 3, 4].map((id) => job(id, { rootId: id % 2 }));
  assert.deepEqual(world.dispatches(mixed), ["1@a", "2@a", "3@a", "4@a"]);
});

Deno.test("a warm worker goes before a cold one while it has a free slot, and not longer", () => {
  const world = new ClusterWorld();
  world.join("a", "cold", { slots: 2 });
  world.join("b", "warm", { slots: 2 });
  const body = { status: "IDLE" as const, active_job_ids: [], warm_envs: ["env"] };
  world.says("b", { name: "heartbeat", jobId: 0, body });
  assert.deepEqual(world.dispatches(jobs(1, 4)), ["1@b", "2@b", "3@a", "4@a"]);
});

Deno.test("each HEARTBEAT says anew what is warm", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  const beat = (more: { warm_envs?: string[] }) => {
    world.says("a", { name: "heartbeat", jobId: 0, body: { status: "IDLE", ...more } });
    return [...world.cluster.workers()[0]!.warm];
  };
  assert.deepEqual(beat({ warm_envs: ["e", "f"] }), ["e", "f"]);
  assert.deepEqual(beat({}), ["e", "f"], "it says nothing of it");
  assert.deepEqual(beat({ warm_envs: [] }), []);
});

Deno.test("a worker that drains gets nothing new, by an operator's word or its own", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 2 });
  world.join("b", "w2", { slots: 2 });
  world.cluster.drain("w1", true);
  assert.deepEqual(world.dispatches(jobs(1, 9)).map((text) => text.split("@")[1]), [
    ..."bbbb",
  ]);
  const drains = { status: "BUSY" as const, active_job_ids: [], draining: true };
  world.says("b", { name: "heartbeat", jobId: 0, body: drains });
  world.concludes("b", 1, { attempt: 1 });
  assert.deepEqual(world.dispatches(), []);
  world.cluster.drain("w1", false);
  assert.equal(world.dispatches(jobs(20, 9)).length, 4);
});

Deno.test("a drained worker stays so when it comes back, and after a restart of the sentinel", () => {
  const world = new ClusterWorld();
  world.cluster.drain("w1", true); // it is not here now
  world.join("a", "w1");
  assert.deepEqual(world.dispatches([job(1)]), []);
  world.join("b", "w1");
  assert.deepEqual(world.dispatches(), []);
  const restarted = new ClusterWorld();
  restarted.cluster.restore([], restarted.nowMs, ["w1"]);
  restarted.join("a", "w1");
  assert.deepEqual(restarted.dispatches([job(1)]), []);
});

Deno.test("nothing is locked or built on a worker that drains", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { envs: [] });
  world.cluster.drain("w1", true);
  world.cluster.publishing.setPlugins([pluginRow({ status: "STAGING", envHash: "new" })]);
  world.dispatches([job(1)]);
  assert.deepEqual(world.effects, []);
  world.cluster.drain("w1", false);
  world.dispatches();
  assert.ok(world.effects.some(({ type }) => type === "prepare"));
});
