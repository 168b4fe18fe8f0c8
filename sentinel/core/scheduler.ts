/**
 * Which job goes where, decided without doing anything: the same lanes, workers and time always give
 * the same picks. Highest priority first; among equals the plugin with the fewest running jobs, so
 * that a plugin with a million files cannot starve one with ten; then who waited longest. A lane that
 * no worker can serve is skipped: it never blocks those behind it.
 */
import type { ReadyJob } from "../store/store.ts";
import type { Lane, Lanes } from "./lanes.ts";
import { creditOf, type Worker } from "./worker.ts";

export interface Assignment {
  worker: Worker;
  lane: Lane;
  job: ReadyJob;
}

export interface Plan {
  assignments: Assignment[];
  /** Environments to build, as jobs wait for them and this worker has room. */
  preparations: { worker: Worker; envHash: string }[];
}

/** Assignments of one turn: bounds the transaction and the burst of messages. */
const ASSIGNMENTS_MAX = 1024;

export function plan(
  lanes: Lanes,
  workers: readonly Worker[],
  turn: number,
  nowMs: number,
): Plan {
  const result: Plan = { assignments: [], preparations: [] };
  const credit = new Map<Worker, number>();
  for (const worker of workers) {
    const free = worker.peer === null || worker.fullUntilMs > nowMs
      ? 0
      : creditOf(worker) - worker.leases.size;
    if (free > 0) credit.set(worker, free);
  }
  const open = [...lanes.all()].filter(({ plugin, jobs }) => !plugin.paused && jobs.length > 0);
  while (credit.size > 0 && open.length > 0 && result.assignments.length < ASSIGNMENTS_MAX) {
    const lane = open.reduce((best, lane) => goesFirst(lane, best) ? lane : best);
    const worker = pickWorker(credit, lane.plugin.envHash);
    if (!worker) {
      const { envHash } = lane.plugin;
      const asked = result.preparations.some((preparation) => preparation.envHash === envHash);
      const builder = asked ? null : pickBuilder(credit, envHash, nowMs);
      if (builder) result.preparations.push({ worker: builder, envHash });
      open.splice(open.indexOf(lane), 1);
      continue;
    }
    const job = lanes.take(lane, turn);
    if (job) {
      result.assignments.push({ worker, lane, job });
      spend(credit, worker);
    }
    if (lane.jobs.length === 0) open.splice(open.indexOf(lane), 1);
  }
  return result;
}

function goesFirst(lane: Lane, other: Lane): boolean {
  const priority = (lane.jobs[0]?.priority ?? 0) - (other.jobs[0]?.priority ?? 0);
  if (priority !== 0) return priority > 0;
  if (lane.running !== other.running) return lane.running < other.running;
  return lane.servedAt < other.servedAt;
}

/** The worker with the environment ready and the largest share of its credit free. */
function pickWorker(credit: ReadonlyMap<Worker, number>, envHash: string): Worker | null {
  let best: Worker | null = null;
  let bestFree = 0;
  for (const [worker, free] of credit) {
    if (worker.environments.get(envHash) !== "ready") continue;
    const share = free / creditOf(worker);
    if (share > bestFree) [best, bestFree] = [worker, share];
  }
  return best;
}

/** A worker to build the environment on, unless one with room already does. */
function pickBuilder(
  credit: ReadonlyMap<Worker, number>,
  envHash: string,
  nowMs: number,
): Worker | null {
  let best: Worker | null = null;
  for (const [worker, free] of credit) {
    const state = worker.environments.get(envHash);
    if (state === "preparing") return null;
    if (typeof state === "object" && state.retryAtMs > nowMs) continue;
    if (best === null || free > credit.get(best)!) best = worker;
  }
  return best;
}

function spend(credit: Map<Worker, number>, worker: Worker): void {
  const free = credit.get(worker)! - 1;
  if (free > 0) credit.set(worker, free);
  else credit.delete(worker);
}
