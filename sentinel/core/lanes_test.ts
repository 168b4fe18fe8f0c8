import assert from "node:assert/strict";
import { LANE_JOBS_MAX, Lanes } from "./lanes.ts";
import { jobs, plugin } from "./testing.ts";

function lanesOf(...plugins: ReturnType<typeof plugin>[]): Lanes {
  const lanes = new Lanes();
  lanes.setPlugins(plugins);
  return lanes;
}

Deno.test("a lane is read again when it runs low, but not when the store has no more", () => {
  const lanes = lanesOf(plugin());
  assert.deepEqual(lanes.hungry(), [1]);
  lanes.fill(1, jobs(1, LANE_JOBS_MAX - 1));
  const lane = lanes.get(1)!;
  for (let n = 0; n < LANE_JOBS_MAX - 1; n++) lanes.take(lane, 1);
  assert.deepEqual(lanes.hungry(), [], "it was not full, so the store has no more");
  lanes.refresh(1);
  assert.deepEqual(lanes.hungry(), [1]);
  lanes.fill(1, jobs(1000, LANE_JOBS_MAX));
  for (let n = 0; n < LANE_JOBS_MAX - 64; n++) lanes.take(lane, 1);
  assert.deepEqual(lanes.hungry(), []);
  lanes.take(lane, 1);
  assert.deepEqual(lanes.hungry(), [1]);
});

Deno.test("a job whose claim is not settled is not offered twice", () => {
  const lanes = lanesOf(plugin());
  lanes.fill(1, jobs(1, 2));
  assert.equal(lanes.take(lanes.get(1)!, 1)?.jobId, 1);
  lanes.fill(1, jobs(1, 2));
  assert.deepEqual(lanes.get(1)!.jobs.map(({ jobId }) => jobId), [2]);
  lanes.settled(1);
  lanes.fill(1, jobs(1, 2));
  assert.deepEqual(lanes.get(1)!.jobs.map(({ jobId }) => jobId), [1, 2]);
});

Deno.test("a version that stays active keeps its window and its count, another one loses its lane", () => {
  const lanes = lanesOf(plugin(1), plugin(2));
  lanes.fill(1, jobs(1, 5));
  lanes.take(lanes.get(1)!, 1);
  lanes.setPlugins([plugin(1, { paused: "now" })]);
  const lane = lanes.get(1)!;
  assert.deepEqual([lane.jobs.length, lane.running, lane.plugin.paused], [4, 1, "now"]);
  assert.equal(lanes.get(2), undefined);
  lanes.released(1);
  assert.equal(lane.running, 0);
});
