/** A worker process as the scheduler sees it. */
import type { Feature, MessageBody } from "../../protocol/messages.ts";
import type { Peer } from "./step.ts";
import type { Emptying } from "./suspects.ts";

export interface Lease {
  jobId: number;
  pluginId: number;
  pluginName: string;
  rootId: number;
  filePath: string;
  attempt: number;
  failures: number;
  lostWorkers: number;
  /** The limit it was raised to after a memory death. */
  memoryMb: number | null;
  untilMs: number;
  /** An operator cancelled it: when it is given up if the worker does not answer. */
  cancelBeforeMs: number | null;
}

export type EnvironmentState =
  | { state: "ready" }
  | { state: "preparing"; sinceMs: number }
  | { state: "failed"; problem: string; retryAtMs: number };

export interface Worker {
  workerId: string;
  /** Null while it is not connected: after a restart of the sentinel, or when its socket is gone. */
  peer: Peer | null;
  /** Empty for a plain v4 worker: no receipt ack, no attempt, no logs. */
  features: ReadonlySet<string>;
  slots: number;
  host: string;
  version: string;
  sandbox: string;
  lastSeenMs: number;
  /** Told us it has no slot: nothing is sent to it until then. */
  fullUntilMs: number;
  /** An operator wants it to take no new jobs, or it is stopping by itself. */
  draining: Draining;
  /** By the latest plan. */
  emptying: Emptying | null;
  /** Running average of its jobs' run times; null before the first one. */
  jobMs: number | null;
  leases: Map<number, Lease>;
  environments: Map<string, EnvironmentState>;
  /** Environments for which it has a warm template: a job of theirs begins without starting Python. */
  warm: ReadonlySet<string>;
}

/** By an operator's word, which the store keeps, or by the worker's own. */
export interface Draining {
  byOperator: boolean;
  byItself: boolean;
}

/** A plain v4 worker has 4 slots, and may still refuse a DISPATCH right after a CONCLUDE. */
const PLAIN_IN_FLIGHT_MAX = 3;
/** What waits at hand for a slot should last until the next DISPATCH: a round trip, and two turns' commits. */
const PREFETCH_MS = 50;
const PREFETCH_PER_SLOT_MAX = 15;
/** How much the latest job weighs in the average. */
const LATEST_SHARE = 0.1;

/**
 * Jobs it may hold: its slots and a few more, so that no slot waits for a round trip and two fsyncs.
 * Long jobs are not hoarded: another worker may be free before this one.
 */
export function creditOf(worker: Worker): number {
  if (worker.features.size === 0) return Math.min(worker.slots, PLAIN_IN_FLIGHT_MAX);
  const lasting = Math.ceil(PREFETCH_MS / Math.max(1, worker.jobMs ?? PREFETCH_MS));
  return worker.slots * (1 + Math.min(lasting, PREFETCH_PER_SLOT_MAX));
}

/** @param runMs How long a job of this worker ran, as the worker measured it. */
export function noteJobMs(worker: Worker, runMs: number): void {
  worker.jobMs = (worker.jobMs ?? runMs) * (1 - LATEST_SHARE) + runMs * LATEST_SHARE;
}

/** Nothing new is given to a worker that drains; what it has it finishes. */
export function isDraining({ draining }: Worker): boolean {
  return draining.byOperator || draining.byItself;
}

/** Connected, and meant to be given work. */
export function isServing(worker: Worker): boolean {
  return worker.peer !== null && !isDraining(worker);
}

export function isReady(worker: Worker, envHash: string): boolean {
  return worker.environments.get(envHash)?.state === "ready";
}

export function has(worker: Worker, feature: Feature): boolean {
  return worker.features.has(feature);
}

export function newWorker(
  workerId: string,
  peer: Peer | null,
  body: MessageBody<"identify"> | null,
  nowMs: number,
): Worker {
  return {
    workerId,
    peer,
    features: new Set(body?.features ?? []),
    slots: body?.slots ?? 4,
    host: body?.host ?? "",
    version: body?.version ?? "",
    sandbox: body?.sandbox ?? "",
    lastSeenMs: nowMs,
    fullUntilMs: 0,
    draining: { byOperator: false, byItself: false },
    emptying: null,
    jobMs: null,
    leases: new Map(),
    environments: new Map((body?.envs ?? []).map((hash) => [hash, { state: "ready" }])),
    warm: new Set(),
  };
}
