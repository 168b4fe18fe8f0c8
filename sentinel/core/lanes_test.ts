import assert from "node:assert/strict";
import type { LaneKey, ReadyJob } from "../store/store.ts";
import { type Lane, LANE_JOBS_MAX, Lanes, type PluginLanes } from "./lanes.ts";
import { jobs, plugin } from "./testing.ts";

const LANE: LaneKey = { pluginId: 1, rootId: 1, suspects: false };

/** Lanes of these plugins, each with one lane of root 1. */
function lanesOf(...plugins: ReturnType<typeof plugin>[]): Lanes {
  const lanes = new Lanes();
  lanes.setPlugins(plugins);
  for (const { pluginId } of plugins) lanes.discover(pluginId, [{ ...LANE, pluginId }]);
  return lanes;
}

function onlyLane(lanes: Lanes): { from: PluginLanes; lane: Lane } {
  const [from] = lanes.all();
  return { from: from!, lane: from!.lanes[0]! };
}

function takeFirst(lanes: Lanes, count = 1): ReadyJob[] {
  const { from, lane } = onlyLane(lanes);
  return Array.from({ length: count }, () => {
    const job = lane.jobs[0]!;
    lanes.take(from, lane, job, 1);
    return job;
  });
}

Deno.test("a lane is read again when it runs low, but not when the store has no more", () => {
  const lanes = lanesOf(plugin());
  const hungry = () => lanes.hungry().length;
  assert.equal(hungry(), 1);
  lanes.fill(LANE, jobs(1, LANE_JOBS_MAX - 1), LANE_JOBS_MAX);
  takeFirst(lanes, LANE_JOBS_MAX - 1);
  assert.equal(hungry(), 0, "it was not full, so the store has no more");
  lanes.refresh(1);
  assert.deepEqual(lanes.undiscovered(), [1]);
  lanes.discover(1, [LANE]);
  assert.equal(hungry(), 1);
  lanes.fill(LANE, jobs(1000, LANE_JOBS_MAX), LANE_JOBS_MAX);
  takeFirst(lanes, LANE_JOBS_MAX - 64);
  assert.equal(hungry(), 0);
  takeFirst(lanes);
  assert.equal(hungry(), 1);
});

Deno.test("a job whose claim is not settled is not offered twice", () => {
  const lanes = lanesOf(plugin());
  const offered = () => onlyLane(lanes).lane.jobs.map(({ jobId }) => jobId);
  lanes.fill(LANE, jobs(1, 2), 9);
  assert.equal(takeFirst(lanes)[0]?.jobId, 1);
  lanes.fill(LANE, jobs(1, 2), 9);
  assert.deepEqual(offered(), [2]);
  lanes.settled(1);
  lanes.fill(LANE, jobs(1, 2), 9);
  assert.deepEqual(offered(), [1, 2]);
});

Deno.test("a version that stays active keeps its windows, another one loses its lanes", () => {
  const lanes = lanesOf(plugin(1), plugin(2));
  lanes.fill(LANE, jobs(1, 5), 9);
  takeFirst(lanes);
  lanes.setPlugins([plugin(1, { paused: "now" })]);
  const { from, lane } = onlyLane(lanes);
  assert.deepEqual([lane.jobs.length, from.plugin.paused], [4, "now"]);
  assert.equal([...lanes.all()].length, 1);
});

// A limit is an operator's, and means the plugin or the root, not one version of it.
Deno.test("what runs is counted by plugin name and by root, over all versions", () => {
  const lanes = lanesOf(plugin(1));
  lanes.fill(LANE, jobs(1, 5), 9);
  takeFirst(lanes, 2);
  lanes.began("p1", 2);
  assert.deepEqual([lanes.runningOfPlugin("p1"), lanes.runningOfRoot(1)], [3, 2]);
  lanes.released("p1", 1);
  assert.deepEqual([lanes.runningOfPlugin("p1"), lanes.runningOfRoot(1)], [2, 1]);
});

Deno.test("a lane that may not be served now is not read: paused, or plugin or root at its limit", () => {
  const hungry = (over: Parameters<typeof plugin>[1], rootLimit?: number) => {
    const lanes = lanesOf(plugin(1, over));
    if (rootLimit) lanes.setRootLimits(new Map([[1, { name: "in", jobsMax: rootLimit }]]));
    lanes.began("p1", 1);
    return lanes.hungry().length;
  };
  assert.deepEqual([hungry({ paused: "x" }), hungry({ jobsMax: 1 }), hungry({}, 1)], [0, 0, 0]);
  assert.deepEqual([hungry({}), hungry({ jobsMax: 2 }), hungry({}, 2)], [1, 1, 1]);
});

Deno.test("with many lanes each is read less far ahead, so that all of them stay small", () => {
  const windows = [1, 64, 512, 10_000].map((count) => {
    const lanes = new Lanes();
    lanes.setPlugins([plugin(1)]);
    lanes.discover(1, Array.from({ length: count }, (_, n) => ({ ...LANE, rootId: n })));
    return lanes.windowJobs();
  });
  assert.deepEqual(windows, [256, 256, 32, 16]);
});
