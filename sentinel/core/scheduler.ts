/**
 * Which job goes where, decided without doing anything: the same lanes, workers and time always give
 * the same picks. Highest priority first; among equals the plugin with the fewest running jobs for its
 * weight, so that a plugin with a million files cannot starve one with ten; then who waited longest.
 *
 * Of the workers that have the environment ready, one whose slot is free now goes before one where the
 * job would queue, one with a warm template before one that must start Python, then the one with the
 * largest share of its credit free.
 *
 * What cannot be served now (no worker, a root or plugin at its limit, a suspect without room) is passed
 * over for this plan: it never blocks those behind it.
 */
import type { ReadyJob } from "../store/store.ts";
import type { Lane, Lanes, PluginLanes } from "./lanes.ts";
import type { ActivePlugin } from "./plugin.ts";
import { Room } from "./room.ts";
import { isEmptied, isOnLastLife } from "./suspects.ts";
import { isReady, type Worker } from "./worker.ts";

export interface Assignment {
  worker: Worker;
  plugin: ActivePlugin;
  job: ReadyJob;
}

export interface Plan {
  assignments: Assignment[];
  /** Environments to build, as jobs wait for them and this worker has room. */
  preparations: { worker: Worker; envHash: string }[];
  /** A worker that is to become empty for a job on its last life, if one is. */
  emptying: { worker: Worker; jobId: number } | null;
}

/** Assignments of one turn: bounds the transaction and the burst of messages. */
const ASSIGNMENTS_MAX = 1024;

export function plan(
  lanes: Lanes,
  workers: readonly Worker[],
  turn: number,
  nowMs: number,
): Plan {
  return new Planning(lanes, workers, turn, nowMs).result();
}

class Planning {
  readonly #plan: Plan = { assignments: [], preparations: [], emptying: null };
  readonly #rooms: Set<Room>;
  readonly #open: Set<PluginLanes>;
  /** Suspects for which no worker has room now. */
  readonly #closed = new Set<Lane>();

  constructor(
    private readonly lanes: Lanes,
    workers: readonly Worker[],
    private readonly turn: number,
    private readonly nowMs: number,
  ) {
    const rooms = workers.map((worker) => new Room(worker, nowMs));
    this.#rooms = new Set(rooms.filter(({ free }) => free > 0));
    this.#open = new Set([...lanes.all()].filter(({ plugin }) => plugin.paused === null));
  }

  result(): Plan {
    this.#emptyOneForLastLife();
    while (this.#rooms.size > 0 && this.#plan.assignments.length < ASSIGNMENTS_MAX) {
      const next = this.#next();
      if (next === null) break;
      this.#serve(next.from, next.lane);
    }
    return this.#plan;
  }

  /** The plugin whose turn it is, with its lane whose head goes first. */
  #next(): { from: PluginLanes; lane: Lane } | null {
    let best: { from: PluginLanes; lane: Lane } | null = null;
    for (const from of this.#open) {
      const lane = this.#laneOf(from);
      if (lane === null) this.#open.delete(from);
      else if (best === null || this.#goesFirst(from, lane, best.from, best.lane)) {
        best = { from, lane };
      }
    }
    return best;
  }

  #laneOf({ plugin, lanes }: PluginLanes): Lane | null {
    if (this.lanes.isPluginFull(plugin)) return null;
    let best: Lane | null = null;
    for (const lane of lanes) {
      if (lane.jobs.length === 0 || this.#closed.has(lane)) continue;
      if (this.lanes.isRootFull(lane.rootId)) continue;
      if (best === null || isBefore(lane.jobs[0]!, best.jobs[0]!)) best = lane;
    }
    return best;
  }

  #goesFirst(from: PluginLanes, lane: Lane, other: PluginLanes, otherLane: Lane): boolean {
    const priority = lane.jobs[0]!.priority - otherLane.jobs[0]!.priority;
    if (priority !== 0) return priority > 0;
    const share = this.#share(from.plugin) - this.#share(other.plugin);
    return share !== 0 ? share < 0 : from.servedAt < other.servedAt;
  }

  #share({ name, weight }: ActivePlugin): number {
    return this.lanes.runningOfPlugin(name) / weight;
  }

  #serve(from: PluginLanes, lane: Lane): void {
    const { envHash } = from.plugin;
    for (const job of lane.suspects ? lane.jobs : lane.jobs.slice(0, 1)) {
      const room = this.#roomFor(job, envHash);
      if (room) return this.#assign(from, lane, job, room);
    }
    if (lane.suspects && this.#someRoomIsReady(envHash)) {
      this.#closed.add(lane);
      return;
    }
    this.#open.delete(from);
    this.#prepare(envHash);
  }

  #assign(from: PluginLanes, lane: Lane, job: ReadyJob, room: Room): void {
    this.lanes.take(from, lane, job, this.turn);
    this.#plan.assignments.push({ worker: room.worker, plugin: from.plugin, job });
    room.give(job);
    if (room.free === 0) this.#rooms.delete(room);
  }

  #roomFor(job: ReadyJob, envHash: string): Room | null {
    let best: Room | null = null;
    for (const room of this.#rooms) {
      if (!isReady(room.worker, envHash) || !room.admits(job)) continue;
      if (best === null || isBetter(room, best, envHash)) best = room;
    }
    return best;
  }

  #someRoomIsReady(envHash: string): boolean {
    return [...this.#rooms].some(({ worker }) => isReady(worker, envHash));
  }

  /**
   * A job on its last life needs a worker for itself: an empty one, or else the one that is emptiest gets
   * nothing more until it is. One job at a time, so that the others go on.
   */
  #emptyOneForLastLife(): void {
    for (const { from, lane, job } of this.#onLastLife()) {
      const room = this.#emptiest(from.plugin.envHash);
      if (room === null) continue;
      if (room.held === 0) return this.#assign(from, lane, job, room);
      const { worker } = room;
      this.#plan.emptying = { worker, jobId: job.jobId };
      const begins = worker.emptying === null;
      if (begins || isEmptied(worker.emptying, this.nowMs)) this.#rooms.delete(room);
      return;
    }
  }

  *#onLastLife(): Generator<{ from: PluginLanes; lane: Lane; job: ReadyJob }> {
    for (const from of this.#open) {
      if (this.lanes.isPluginFull(from.plugin)) continue;
      for (const lane of from.lanes) {
        const job = lane.suspects ? lane.jobs.find(isOnLastLife) : undefined;
        if (job && !this.lanes.isRootFull(lane.rootId)) yield { from, lane, job };
      }
    }
  }

  #emptiest(envHash: string): Room | null {
    let emptiest: Room | null = null;
    for (const room of this.#rooms) {
      if (!isReady(room.worker, envHash)) continue;
      if (emptiest === null || room.held < emptiest.held) emptiest = room;
    }
    return emptiest;
  }

  #prepare(envHash: string): void {
    if (this.#plan.preparations.some((preparation) => preparation.envHash === envHash)) return;
    const worker = pickBuilder(this.#rooms, envHash, this.nowMs);
    if (worker) this.#plan.preparations.push({ worker, envHash });
  }
}

function isBefore(job: ReadyJob, other: ReadyJob): boolean {
  if (job.priority !== other.priority) return job.priority > other.priority;
  return job.jobId < other.jobId;
}

function isBetter(room: Room, other: Room, envHash: string): boolean {
  if (room.hasFreeSlot !== other.hasFreeSlot) return room.hasFreeSlot;
  const isWarm = room.worker.warm.has(envHash);
  if (isWarm !== other.worker.warm.has(envHash)) return isWarm;
  return room.freeShare > other.freeShare;
}

/** A worker to build the environment on, unless one with room already does. */
function pickBuilder(rooms: Iterable<Room>, envHash: string, nowMs: number): Worker | null {
  let best: Room | null = null;
  for (const room of rooms) {
    const environment = room.worker.environments.get(envHash);
    if (environment?.state === "preparing") return null;
    if (environment?.state === "failed" && environment.retryAtMs > nowMs) continue;
    if (best === null || room.free > best.free) best = room;
  }
  return best?.worker ?? null;
}
