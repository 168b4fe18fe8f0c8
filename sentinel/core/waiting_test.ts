import assert from "node:assert/strict";
import { type ActivePlugin } from "./plugin.ts";
import { ClusterWorld, ENV, job, jobs, plugin } from "./testing.ts";
import { waitingBecause, type WaitingJob } from "./waiting.ts";

const READY: WaitingJob = { rootId: 1, notBeforeMs: 0, lostWorkers: 0, ahead: 0 };
/** 12:03:02 UTC. */
const NOW_MS = Date.UTC(2026, 0, 31, 12, 3, 2);

interface Case {
  because: string | null;
  plugin?: Partial<ActivePlugin>;
  job?: Partial<WaitingJob>;
  arrange?: (world: ClusterWorld) => void;
}

const joined = (world: ClusterWorld, ...peers: string[]) => {
  for (const peer of peers) world.join(peer, `worker-${peer}`, { slots: 1 });
};
const ready = (world: ClusterWorld) => joined(world, "a");
const unbuilt = (world: ClusterWorld) => void world.join("a", "w1", { envs: [], slots: 1 });
const building = (world: ClusterWorld) => {
  unbuilt(world);
  world.dispatches([job(1)]);
  world.nowMs += 12_000;
};

/** In the order of importance: of two that hold, the first is told. */
const CASES: readonly Case[] = [
  {
    because: "the plugin is paused: by Ann; to go on: casparian plugins resume p1",
    plugin: { paused: "by Ann" },
  },
  { because: "retry at 12:03:10 UTC, in 8 s", job: { notBeforeMs: NOW_MS + 8000 } },
  { because: "no worker is connected" },
  {
    because: "the only worker drains",
    arrange: (world) => {
      ready(world);
      world.cluster.drain("worker-a", true);
    },
  },
  {
    because: "all 2 workers drain",
    arrange: (world) => {
      joined(world, "a", "b");
      world.cluster.drain("worker-a", true);
      const body = { status: "IDLE" as const, draining: true };
      world.says("b", { name: "heartbeat", jobId: 0, body });
    },
  },
  { because: "its environment is not built on any worker yet", arrange: unbuilt },
  { because: "environment building since 12 s", arrange: building },
  {
    because: "environment failed to build, tried again in 30 s: no such package",
    arrange: (world) => {
      building(world);
      const body = { env_hash: ENV, interpreter_path: "", error: "no such package" };
      world.says("a", { name: "env_ready", jobId: 0, body });
    },
  },
  {
    because: "limit on plugin 'p1': 2 of 2 jobs run",
    plugin: { jobsMax: 2 },
    arrange: (world) => {
      ready(world);
      world.dispatches(jobs(1, 9));
    },
  },
  {
    because: "limit on root 'in': 1 of 1 jobs run",
    arrange: (world) => {
      ready(world);
      world.cluster.lanes.setRootLimits(new Map([[1, { name: "in", jobsMax: 1 }]]));
      world.dispatches(jobs(1, 9));
    },
  },
  {
    because: "4 workers were lost with it: it runs alone, as soon as a worker is empty",
    job: { lostWorkers: 4 },
    arrange: ready,
  },
  {
    because: "1 worker was lost with it: only few such jobs share a worker",
    job: { lostWorkers: 1 },
    arrange: ready,
  },
  { because: "behind 40,112 of the same plugin", job: { ahead: 40_112 }, arrange: ready },
  {
    because: "the worker has no free slot",
    arrange: (world) => {
      ready(world);
      world.dispatches(jobs(1, 2));
    },
  },
  {
    because: "no worker has a free slot: 2 are busy",
    arrange: (world) => {
      joined(world, "a", "b");
      world.dispatches(jobs(1, 4));
    },
  },
  {
    because: "worker worker-a empties itself for job 9, which must run alone",
    arrange: (world) => {
      ready(world);
      world.dispatches([job(1)]);
      world.dispatches([job(9, { lostWorkers: 4 })]);
    },
  },
  { because: null, arrange: ready },
];

Deno.test("a waiting job says why, in words that name the cause and the time", () => {
  for (const { because, plugin: over, job, arrange } of CASES) {
    const world = new ClusterWorld(plugin(1, over));
    world.nowMs = NOW_MS;
    arrange?.(world);
    assert.equal(world.waiting(1, { ...READY, ...job }) ?? null, because);
  }
});

Deno.test("a store that refuses goes before everything, a version that is not active before the rest", () => {
  const world = new ClusterWorld(plugin(1, { paused: "by Ann" }));
  const told = (pluginId: number, problem: string | null) =>
    world.cluster.waitingBecause(pluginId, READY, problem, world.nowMs);
  assert.equal(told(1, "disk full")?.text, "the store refuses to commit: disk full");
  assert.equal(told(9, null)?.text, "this version of the plugin is not active");
});

Deno.test("only what a person must end is held", () => {
  const held = (over: Partial<ActivePlugin>, storeProblem: string | null = null) => {
    const { lanes } = new ClusterWorld().cluster;
    const view = { plugin: plugin(1, over), workers: [], lanes, storeProblem, nowMs: 0 };
    return waitingBecause(view, READY)?.held;
  };
  assert.deepEqual([held({ paused: "x" }), held({}), held({}, "disk full")], [true, false, false]);
});

Deno.test("of a plugin as a whole only what concerns all of its jobs is told", () => {
  const world = new ClusterWorld();
  ready(world);
  world.cluster.lanes.setRootLimits(new Map([[1, { name: "in", jobsMax: 1 }]]));
  world.dispatches([job(1)]);
  assert.equal(world.waiting(1), undefined);
  world.dispatches([job(2, { rootId: 2 })]);
  assert.equal(world.waiting(1), "the worker has no free slot");
});
