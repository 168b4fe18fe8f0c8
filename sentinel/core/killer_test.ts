// One file that ends every worker it comes to, among many that do no harm: the real core, with workers
// that die and come back on a clock of the test's own.
import assert from "node:assert/strict";
import fc from "fast-check";
import { FEATURES } from "../../protocol/messages.ts";
import type { Change, ReadyJob } from "../store/store.ts";
import { Cluster, HEARTBEAT_MS } from "./cluster.ts";
import { effectsOf, type Step } from "./step.ts";
import { ENV, fillLanes, jobs, plugin } from "./testing.ts";

interface Scene {
  workers: number;
  slots: number;
  jobs: number;
  killers: ReadonlySet<number>;
  /** How long each job runs. */
  runMs: (jobId: number) => number;
}

/** Until the new process of a worker that died is there, and until the sentinel knows of its death. */
const RESTART_MS = 3000;
const KILL_MS = 100;
const JOIN_MS = HEARTBEAT_MS;

interface Machine {
  peer: string;
  queued: ReadyJob[];
  running: Set<number>;
}

class Play {
  readonly cluster = new Cluster(() => 0, (text) => text);
  readonly queue = new Map<number, ReadyJob>();
  readonly completed = new Set<number>();
  readonly parked = new Map<number, string>();
  readonly #machines = new Map<string, Machine>();
  /** Each job as it was when it was claimed last. */
  readonly #claimed = new Map<number, ReadyJob>();
  readonly #events: { atMs: number; do: () => void }[] = [];
  nowMs = 0;
  deaths = 0;
  #starts = 0;

  constructor(readonly scene: Scene) {
    this.cluster.setPlugins([plugin(1)]);
    for (const job of jobs(1, scene.jobs)) this.queue.set(job.jobId, job);
    for (let n = 0; n < scene.workers; n++) this.#join();
    this.#every(HEARTBEAT_MS, () => this.#beat());
  }

  /** Plays until every job has come to an end; the time that took, in ms. */
  run(): number {
    while (this.completed.size + this.parked.size < this.scene.jobs) {
      this.#plan();
      const next = this.#events.reduce((a, b) => b.atMs < a.atMs ? b : a);
      this.nowMs = next.atMs;
      const due = this.#events.filter(({ atMs }) => atMs === next.atMs);
      for (const event of due) this.#events.splice(this.#events.indexOf(event), 1);
      for (const event of due) event.do();
      assert.ok(this.nowMs < 3600_000 * 24, "it comes to no end");
    }
    return this.nowMs;
  }

  #after(ms: number, work: () => void): void {
    this.#events.push({ atMs: this.nowMs + ms, do: work });
  }

  #every(ms: number, work: () => void): void {
    this.#after(ms, () => (work(), this.#every(ms, work)));
  }

  #join(): void {
    const peer = `w${++this.#starts}`;
    this.#machines.set(peer, { peer, queued: [], running: new Set() });
    const ours = { features: [...FEATURES], slots: this.scene.slots, envs: [ENV] };
    const body = { capabilities: [], worker_id: peer, ...ours };
    this.#settle(this.cluster.onMessage(peer, { name: "identify", jobId: 0, body }, this.nowMs));
  }

  #beat(): void {
    for (const { peer, queued, running } of this.#machines.values()) {
      const active_job_ids = [...running, ...queued.map(({ jobId }) => jobId)];
      const body = { status: "BUSY" as const, active_job_ids };
      this.#settle(this.cluster.onMessage(peer, { name: "heartbeat", jobId: 0, body }, this.nowMs));
    }
    this.#settle(this.cluster.tick(this.nowMs));
  }

  #plan(): void {
    const { lanes } = this.cluster;
    if (lanes.undiscovered().length > 0 || lanes.hungry().length > 0) {
      fillLanes(lanes, [...this.queue.values()]);
    }
    this.#settle(this.cluster.plan(this.nowMs));
  }

  /** The store: it applies every change. */
  #settle(steps: readonly Step[]): void {
    const changes = steps.flatMap(({ change }) => change ?? []);
    for (const change of changes) this.#apply(change);
    for (const effect of effectsOf(steps, changes.map(() => ({ applied: true })))) {
      if (effect.type === "dispatch") this.#dispatched(effect.peer, effect.job);
    }
  }

  #apply(change: Change): void {
    if (change.type === "claim") {
      this.#claimed.set(change.jobId, this.queue.get(change.jobId)!);
      this.queue.delete(change.jobId);
    }
    if (change.type === "complete") this.completed.add(change.jobId);
    if (change.type !== "fail") return;
    const job = this.#claimed.get(change.jobId)!;
    if (change.next.state === "FAILED") return void this.parked.set(job.jobId, change.message!);
    const lostWorkers = job.lostWorkers + (change.countsAs === "lost_worker" ? 1 : 0);
    this.queue.set(job.jobId, { ...job, attempt: change.attempt, lostWorkers });
  }

  #dispatched(peer: string, job: ReadyJob): void {
    const machine = this.#machines.get(peer);
    machine?.queued.push(job);
    if (machine) this.#begin(machine);
  }

  #begin(machine: Machine): void {
    const { peer, queued, running } = machine;
    while (running.size < this.scene.slots && queued.length > 0) {
      const { jobId, attempt } = queued.shift()!;
      running.add(jobId);
      if (this.scene.killers.has(jobId)) this.#after(KILL_MS, () => this.#die(machine));
      else this.#after(this.scene.runMs(jobId), () => this.#conclude(peer, jobId, attempt + 1));
    }
  }

  #conclude(peer: string, jobId: number, attempt: number): void {
    const machine = this.#machines.get(peer);
    if (!machine) return; // it died with its machine
    machine.running.delete(jobId);
    const metrics = { run_ms: this.scene.runMs(jobId) };
    const body = { status: "SUCCESS" as const, metrics, artifacts: [], attempt };
    this.#settle(this.cluster.onMessage(peer, { name: "conclude", jobId, body }, this.nowMs));
    this.#begin(machine);
  }

  #die({ peer }: Machine): void {
    if (!this.#machines.delete(peer)) return;
    this.deaths++;
    this.#after(JOIN_MS, () => this.cluster.peerGone(peer, this.nowMs)); // the next heartbeat tells
    this.#after(RESTART_MS, () => this.#join());
  }
}

Deno.test("one killer among 10,000 files is parked, and costs less than 2 % of the throughput", () => {
  const scene = { workers: 20, slots: 4, jobs: 10_000, runMs: () => 1000 };
  const peaceMs = new Play({ ...scene, killers: new Set() }).run();
  const play = new Play({ ...scene, killers: new Set([5000]) });
  const warMs = play.run();
  assert.deepEqual([...play.parked.keys()], [5000]);
  assert.equal(play.deaths, 5);
  assert.match(play.parked.get(5000)!, /killer file: .* nothing but this job, as 4 others before/);
  assert.ok(warMs < peaceMs * 1.02, `${warMs} ms with a killer, ${peaceMs} ms without`);
});

// A long job meets one killer after the other, and each time it is among the suspects.
Deno.test("an innocent is not parked for its company, however unlucky it is", () => {
  const killers = new Set([40, 80, 120, 160, 200, 240, 280]);
  const runMs = (jobId: number) => jobId === 1 ? 60_000 : 100;
  const play = new Play({ workers: 1, slots: 2, jobs: 300, killers, runMs });
  play.run();
  assert.deepEqual(new Set(play.parked.keys()), killers);
});

// fast-check prints the seed and the smallest scene that fails.
Deno.test("whatever the scene, killers are parked and nobody else is", () => {
  const scene = fc.record({
    workers: fc.integer({ min: 1, max: 4 }),
    slots: fc.integer({ min: 1, max: 8 }),
    jobs: fc.integer({ min: 1, max: 60 }),
    killers: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 30 }),
    seed: fc.nat(1000),
    longestMs: fc.constantFrom(100, 5000, 60_000),
  });
  fc.assert(
    fc.property(scene, ({ killers, seed, longestMs, ...sizes }) => {
      const guilty = new Set(killers.filter((jobId) => jobId <= sizes.jobs));
      const runMs = (jobId: number) => 10 + (jobId * 7919 + seed * 104_729) % longestMs;
      const play = new Play({ ...sizes, killers: guilty, runMs });
      play.run();
      assert.deepEqual([...play.parked.keys()].toSorted(), [...guilty].toSorted());
      assert.ok(play.deaths <= guilty.size * 5, `${play.deaths} deaths`);
    }),
    { numRuns: 150 },
  );
});
