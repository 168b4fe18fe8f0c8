import assert from "node:assert/strict";
import type { RunningJob } from "../store/store.ts";
import { LEASE_MS } from "./cluster.ts";
import { ClusterWorld, ENV, job, jobs, plugin } from "./testing.ts";

const RUNNING: RunningJob = {
  jobId: 7,
  pluginId: 1,
  pluginName: "p1",
  rootId: 1,
  attempt: 2,
  failures: 0,
  lostWorkers: 1,
  memoryMb: null,
  workerId: "w1",
  cancelled: false,
};

// Goal: the lease is inclusive, so a heartbeat exactly on the limit still counts.
Deno.test("a lease holds until its limit, and its job is given away only after it", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  assert.deepEqual(world.dispatches([job(1)]), ["1@a"]);
  assert.equal(world.change("claim")?.leaseUntilMs, world.nowMs + LEASE_MS);
  world.ticks(LEASE_MS);
  assert.deepEqual(world.changes, []);
  world.ticks(1);
  const lost = world.change("fail");
  assert.deepEqual([lost?.jobId, lost?.status, lost?.countsAs], [1, "LOST", "lost_worker"]);
  assert.equal(world.change("worker_lost")?.workerId, "w1");
  assert.deepEqual(world.cluster.workers(), []);
});

Deno.test("only a heartbeat that names the job renews its lease", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { slots: 2 });
  world.dispatches(jobs(1, 2));
  for (let second = 0; second < LEASE_MS / 1000; second++) {
    world.ticks(1000);
    world.beats("a", [2]);
  }
  world.ticks(1);
  assert.deepEqual(world.changes.map((change) => "jobId" in change && change.jobId), [1]);
  assert.ok(world.cluster.lease(2));
});

Deno.test("a lease of a worker that fell silent ends with it, however young the lease is", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.nowMs += LEASE_MS - 1;
  world.dispatches([job(1)]);
  world.ticks(2);
  assert.equal(world.change("fail")?.jobId, 1);
});

Deno.test("a plain v4 worker's empty heartbeat is the life of all its jobs", () => {
  const world = new ClusterWorld();
  world.joinPlain("a");
  assert.equal(world.dispatches(jobs(1, 5)).length, 3);
  world.nowMs += LEASE_MS;
  world.says("a", { name: "heartbeat", jobId: 0, body: { status: "ALIVE" } });
  world.ticks(LEASE_MS);
  assert.equal(world.change("fail"), undefined);
  world.ticks(1);
  assert.equal(world.changes.filter(({ type }) => type === "fail").length, 3);
});

Deno.test("a worker that comes back under another peer keeps its leases", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.dispatches([job(1)]);
  world.cluster.peerGone("a", world.nowMs);
  assert.equal(world.cluster.workers()[0]?.peer, null);
  world.nowMs += 1000;
  world.join("b", "w1");
  world.ticks(LEASE_MS);
  assert.equal(world.change("fail"), undefined);
  world.concludes("b", 1, { attempt: 1 });
  assert.equal(world.change("complete")?.workerId, "w1");
  assert.equal(world.sent("ack")[0]?.peer, "b");
});

Deno.test("a worker whose socket is gone has a moment to come back, then its jobs are given away", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.dispatches([job(1)]);
  world.cluster.peerGone("a", world.nowMs);
  world.ticks(1500);
  assert.equal(world.change("fail"), undefined);
  world.ticks(1);
  assert.equal(world.change("fail")?.jobId, 1);
});

Deno.test("after a restart running jobs wait a fresh lease for their worker", () => {
  const world = new ClusterWorld();
  world.cluster.restore([RUNNING], world.nowMs);
  assert.equal(world.cluster.lanes.runningOfPlugin("p1"), 1);
  world.says("a", { name: "heartbeat", jobId: 0, body: { status: "IDLE" } });
  assert.equal(world.sent("err").length, 1, "a stranger is asked to identify itself");
  world.ticks(LEASE_MS);
  assert.equal(world.change("fail"), undefined);
  world.join("a", "w1");
  world.concludes("a", 7, { attempt: 2 });
  assert.equal(world.change("complete")?.attempt, 2);
  assert.equal(world.cluster.lanes.runningOfPlugin("p1"), 0);
});

Deno.test("nothing is dispatched for a claim that the store refused", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  assert.deepEqual(world.dispatches([job(1)], { applied: false }), []);
  assert.equal(world.cluster.lease(1), undefined);
  assert.deepEqual(world.cluster.lanes.undiscovered(), [1], "the queue is read again");
});

// A return to an older version queues a running job anew; its first worker may still conclude.
Deno.test("a job that is queued anew while it runs has one lease, the latest", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.dispatches([job(1)]);
  world.join("b", "w2", { slots: 2 });
  assert.deepEqual(world.dispatches([job(1, { attempt: 1, generation: 9 })]), ["1@b"]);
  assert.equal(world.cluster.lanes.runningOfPlugin("p1"), 1);
  world.concludes("a", 1, { attempt: 1 }, { applied: false });
  assert.equal(world.changes[0]?.type, "repeated_receipt");
  assert.equal(world.cluster.lease(1)?.lease.attempt, 2);
});

Deno.test("a cancelled job that its worker does not give up is CANCELLED in the end", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.dispatches([job(1)]);
  world.settle(world.cluster.cancel([1, 99], world.nowMs));
  assert.deepEqual(world.sent("abort").map(({ jobId, body }) => [jobId, body.attempt]), [[1, 1]]);
  for (let second = 0; second < 10; second++) {
    world.beats("a", [1]);
    world.ticks(1000);
    assert.equal(world.change("fail"), undefined);
  }
  world.ticks(1);
  assert.deepEqual(world.change("fail")?.next, { state: "CANCELLED" });
  assert.deepEqual(world.states(), ["CANCELLED"]);
});

// The sentinel may have been restarted, or the worker away, between the wish and its end.
Deno.test("a cancel that a worker did not hear of is told to it when it joins again", () => {
  const world = new ClusterWorld();
  world.cluster.restore([{ ...RUNNING, cancelled: true }], world.nowMs);
  world.join("a", "w1");
  assert.deepEqual(world.sent("abort").map(({ peer, jobId }) => [peer, jobId]), [["a", 7]]);
  world.concludes("a", 7, { status: "ABORTED", attempt: 2 });
  assert.deepEqual(world.change("fail")?.next, { state: "CANCELLED" });
});

Deno.test("a cancel that is asked for again does not begin its time anew", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.dispatches([job(1)]);
  world.settle(world.cluster.cancel([1], world.nowMs));
  for (let second = 0; second < 10; second++) {
    world.beats("a", [1]);
    world.ticks(1000);
    world.settle(world.cluster.cancel([1], world.nowMs));
  }
  world.ticks(1);
  assert.deepEqual(world.change("fail")?.next, { state: "CANCELLED" });
});

Deno.test("an environment that failed to build is tried again later, not at once", () => {
  const world = new ClusterWorld();
  world.join("a", "w1", { envs: [] });
  world.dispatches([job(1)]);
  const prepares = () => world.effects.filter(({ type }) => type === "prepare").length;
  assert.equal(prepares(), 1);
  world.dispatches();
  assert.equal(prepares(), 0, "it is being built");
  const body = { env_hash: ENV, interpreter_path: "", error: "no such package" };
  world.says("a", { name: "env_ready", jobId: 0, body });
  assert.equal(world.change("environment_failed")?.problem, "no such package");
  assert.match(world.waiting(1)!, /tried again in 30 s: no such package/);
  world.dispatches();
  assert.equal(prepares(), 0);
  world.nowMs += 30_000;
  world.dispatches();
  assert.equal(prepares(), 1);
});

Deno.test("plugins of one environment ask for it once", () => {
  const world = new ClusterWorld(plugin(1), plugin(2), plugin(3));
  world.join("a", "w1", { envs: [], slots: 4 });
  world.join("b", "w2", { envs: [], slots: 4 });
  world.dispatches([job(1), job(2, { pluginId: 2 }), job(3, { pluginId: 3 })]);
  assert.equal(world.effects.filter(({ type }) => type === "prepare").length, 1);
});

Deno.test("log lines of an attempt that is over are dropped", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.dispatches([job(1)]);
  const log = (attempt: number) =>
    world.says("a", { name: "log", jobId: 1, body: { attempt, lines: [[1, 0, "hello"]] } });
  log(1);
  assert.equal(world.change("log")?.attempt, 1);
  log(2);
  assert.deepEqual(world.changes, []);
});

Deno.test("the next tick is never later than what it would do", () => {
  const world = new ClusterWorld();
  world.join("a", "w1");
  world.dispatches([job(1)]);
  world.settle(world.cluster.cancel([1], world.nowMs));
  for (let passes = 0; passes < 100; passes++) {
    const next = world.cluster.nextTickMs();
    assert.ok(next > world.nowMs - 1 && next <= world.nowMs + LEASE_MS + 1);
    const early = next - 1;
    if (early > world.nowMs) assert.deepEqual(world.cluster.tick(early), []);
    world.ticks(Math.max(1, next - world.nowMs));
    if (world.change("fail")) return;
  }
  assert.fail("the lease never ended");
});
