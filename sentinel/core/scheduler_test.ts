import assert from "node:assert/strict";
import { ClusterWorld, job, jobs, plugin } from "./testing.ts";

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
