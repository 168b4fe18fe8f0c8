import assert from "node:assert/strict";
import { LOST_WORKERS_MAX } from "./retry.ts";
import { suspectsMax } from "./suspects.ts";
import { ClusterWorld, job, jobs } from "./testing.ts";

const LAST_LIFE = { lostWorkers: LOST_WORKERS_MAX - 1 };

/** Ids of the jobs that these dispatches are of, by peer. */
function byPeer(dispatches: readonly string[]): Record<string, number[]> {
  const peers: Record<string, number[]> = {};
  for (const [jobId, peer] of dispatches.map((dispatch) => dispatch.split("@"))) {
    (peers[peer!] ??= []).push(Number(jobId));
  }
  return peers;
}

Deno.test("with each worker that a suspect lost, half as many may share a worker, never none", () => {
  assert.deepEqual([1, 2, 3].map((lost) => suspectsMax(8, lost)), [4, 2, 1]);
  assert.deepEqual([1, 2, 3].map((lost) => suspectsMax(1, lost)), [1, 1, 1]);
});

Deno.test("few suspects share a worker, and what never lost one fills the other slots", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 8 });
  const suspects = [...jobs(1, 20, { lostWorkers: 1 }), ...jobs(21, 20, { lostWorkers: 2 })];
  const served = world.dispatches([...suspects, ...jobs(100, 50)]).map((text) => parseInt(text));
  assert.deepEqual(served.filter((id) => id < 100), [1, 2, 3, 4]);
  assert.equal(served.length, 16);
});

Deno.test("who lost most decides how many suspects share a worker, whoever was there first", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 8 });
  const first = [job(1, { lostWorkers: 2 })];
  assert.deepEqual(world.dispatches(first), ["1@a"]);
  assert.deepEqual(world.dispatches(jobs(2, 5, { lostWorkers: 1 })), ["2@a"]);
});

Deno.test("a job on its last life gets an empty worker, and nothing joins it there", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 2 });
  world.join("b", "w2", { slots: 2 });
  const ready = [...jobs(2, 20), job(1, LAST_LIFE)];
  const served = byPeer(world.dispatches(ready));
  assert.deepEqual(Object.values(served).map(({ length }) => length).toSorted(), [1, 4]);
  assert.ok(Object.values(served).some(([id]) => id === 1));
  assert.deepEqual(
    world.dispatches(jobs(50, 9)),
    [],
    "the other worker is full, and this one closed",
  );
});

Deno.test("a job on its last life is no reason to join: the worker stays closed to others", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 4 });
  assert.deepEqual(world.dispatches([job(1, LAST_LIFE)]), ["1@a"]);
  assert.deepEqual(world.dispatches(jobs(2, 9)), []);
  world.concludes("a", 1, { attempt: 1 });
  assert.equal(world.dispatches(jobs(2, 9)).length, 8);
});

Deno.test("of two jobs on their last lives none joins a busy worker, nor the other", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 4 });
  world.dispatches([job(10)]);
  world.join("b", "w2", { slots: 4 });
  assert.deepEqual(world.dispatches([job(1, LAST_LIFE), job(2, LAST_LIFE)]), ["1@b"]);
  world.concludes("a", 10, { attempt: 1 });
  assert.deepEqual(world.dispatches(), ["2@a"]);
});

Deno.test("where no worker is empty, the emptiest gets nothing more, and the others go on", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 2 });
  world.join("b", "w2", { slots: 2 });
  const first = byPeer(world.dispatches(jobs(10, 7)));
  const [[emptiest, held], [other]] = Object.entries(first)
    .toSorted(([, a], [, b]) => a.length - b.length) as [[string, number[]], [string, number[]]];
  const waiting = [job(1, LAST_LIFE), ...jobs(100, 50)];
  world.dispatches(waiting);
  for (const jobId of held) {
    world.concludes(emptiest, jobId, { attempt: 1 });
    const served = byPeer(world.dispatches());
    assert.ok(!served[emptiest] || held.at(-1) === jobId, "it is being emptied");
  }
  assert.equal(world.cluster.lease(1)?.worker.peer, emptiest);
  world.concludes(other, first[other]![0]!, { attempt: 1 });
  assert.equal(byPeer(world.dispatches())[other]?.length, 1);
});

Deno.test("a worker whose jobs run for hours is emptied for half of the time only", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 2 });
  world.dispatches([job(10)]);
  const isFilled = () => {
    const filled = world.dispatches([job(1, LAST_LIFE), job(50)]);
    for (const text of filled) world.concludes("a", parseInt(text), { attempt: 1 });
    return filled.join();
  };
  const minutes = (count: number) => world.nowMs += count * 60_000;
  assert.equal(isFilled(), "");
  minutes(9);
  assert.equal(isFilled(), "");
  minutes(2);
  assert.equal(isFilled(), "50@a");
  minutes(10);
  assert.equal(isFilled(), "", "and then it is tried again");
});

Deno.test("a job on its last life waits for no environment that others could build", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { envs: [] });
  assert.deepEqual(world.dispatches([job(1, LAST_LIFE)]), []);
  assert.equal(world.effects.filter(({ type }) => type === "prepare").length, 1);
});

Deno.test("all that a lost worker held are suspects, and the message of the last says what to do", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 2 });
  world.dispatches([job(1), job(2)]);
  world.ticks(8001);
  const lost = world.changes.filter((change) => change.type === "fail");
  assert.deepEqual(lost.map(({ jobId, countsAs }) => [jobId, countsAs]), [
    [1, "lost_worker"],
    [2, "lost_worker"],
  ]);
  world.join("b", "w2");
  world.dispatches([job(3, LAST_LIFE)]);
  world.ticks(8001);
  const { message, next, errorKind } = world.change("fail")!;
  assert.deepEqual([next.state, errorKind], ["FAILED", "worker_lost"]);
  assert.match(message!, /killer file: worker w2 .* `casparian retry 3`/);
});
