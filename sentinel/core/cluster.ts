/**
 * The sentinel's functional core: who is connected, who holds which lease, what to send next.
 *
 * It holds no socket, clock, timer or database. Events go in (a message, the passing of time), steps
 * come out: guarded changes for the store, and effects for after the commit. The store is the
 * authority; what stands here is a copy that the shell rebuilds from it after a restart.
 *
 * A worker is *connected* (its peer is known), *silent* (no message for {@link LEASE_MS}: lost, its
 * jobs are given to others) or *awaited* (after a restart of the sentinel: its jobs have a fresh
 * lease, for it to identify itself again). A lease is renewed only by a heartbeat that names the job.
 */
import type { Message, MessageBody, MessageOf } from "../../protocol/messages.ts";
import type { RunningJob } from "../store/store.ts";
import { concluded, lostLease } from "./conclusions.ts";
import { Lanes } from "./lanes.ts";
import { abort, alive, err, jobEvent } from "./outgoing.ts";
import type { ActivePlugin } from "./plugin.ts";
import { Publishing } from "./publishing.ts";
import { type Assignment, plan } from "./scheduler.ts";
import { type Effect, effects, type Peer, type Step, step } from "./step.ts";
import { waitingBecause, type WaitingJob, type WaitingReason } from "./waiting.ts";
import { isServing, type Lease, newWorker, type Worker } from "./worker.ts";

/** The sentinel shows its life, and asks for a plain worker's, this often. */
export const HEARTBEAT_MS = 2000;
/** A lease without renewal, and a worker without a message, are given up after this. */
export const LEASE_MS = 8000;
/** A worker whose socket is gone has this long to come back before its jobs are given away. */
const RECONNECT_MS = 1500;
/** A cancelled job whose worker does not answer is given up after this. */
const CANCEL_MS = 10_000;
/** An environment that failed to build is tried again on the same worker after this. */
const ENVIRONMENT_RETRY_MS = 30_000;

export class Cluster {
  readonly lanes = new Lanes();
  readonly publishing: Publishing;
  readonly #workers = new Map<string, Worker>();
  readonly #peers = new Map<Peer, Worker>();
  readonly #leases = new Map<number, { worker: Worker; lease: Lease }>();
  readonly #plugins = new Map<number, ActivePlugin>();
  /** Workers that an operator drains, also those that are away: they stay so until they are resumed. */
  readonly #drained = new Set<string>();
  #turn = 0;
  #heartbeatAtMs = 0;

  /** @param jitter A number in [0, 1) for each call; @param sha256 of a text, in hex. */
  constructor(readonly jitter: () => number, sha256: (text: string) => string) {
    this.publishing = new Publishing(sha256);
  }

  /**
   * After a restart: the jobs that were running keep their workers, each with a fresh lease.
   * @param drained Workers that an operator drains.
   */
  restore(running: readonly RunningJob[], nowMs: number, drained: readonly string[] = []): void {
    for (const workerId of drained) this.#drained.add(workerId);
    for (const { cancelled, ...job } of running) {
      let worker = this.#workers.get(job.workerId);
      if (!worker) {
        worker = newWorker(job.workerId, null, null, nowMs);
        this.#workers.set(job.workerId, worker);
      }
      this.addLease(worker, {
        ...job,
        filePath: "",
        untilMs: nowMs + LEASE_MS,
        cancelBeforeMs: cancelled ? nowMs + CANCEL_MS : null,
      });
    }
  }

  setPlugins(active: readonly ActivePlugin[]): void {
    this.#plugins.clear();
    for (const plugin of active) this.#plugins.set(plugin.pluginId, plugin);
    this.lanes.setPlugins(active);
  }

  plugin(pluginId: number): ActivePlugin | undefined {
    return this.#plugins.get(pluginId);
  }

  workers(): Worker[] {
    return [...this.#workers.values()];
  }

  onMessage(peer: Peer, message: Message, nowMs: number): Step[] {
    if (message.name === "identify") return this.#identified(peer, message.body, nowMs);
    const worker = this.#peers.get(peer);
    if (!worker) return this.#stranger(peer, message);
    worker.lastSeenMs = nowMs;
    switch (message.name) {
      case "heartbeat":
        return this.#heartbeat(worker, message.body, nowMs);
      case "conclude":
        return concluded(this, worker, message, nowMs);
      case "log":
        return this.#logged(worker, message);
      case "env_ready":
        return this.#environmentReady(worker, message.body, nowMs);
      case "resolved":
        return this.publishing.resolved(worker, message.body);
      case "err":
        return this.#workerError(worker, message.body, nowMs);
      default:
        return [effects(err(peer, `A worker does not send ${message.name}`))];
    }
  }

  /** A message could not be routed: its peer is gone, though its worker may come back. */
  peerGone(peer: Peer, nowMs: number): void {
    const worker = this.#peers.get(peer);
    this.#peers.delete(peer);
    if (!worker || worker.peer !== peer) return;
    worker.peer = null;
    worker.lastSeenMs = Math.min(worker.lastSeenMs, nowMs - LEASE_MS + RECONNECT_MS);
    for (const lease of worker.leases.values()) {
      lease.untilMs = Math.min(lease.untilMs, nowMs + RECONNECT_MS);
    }
  }

  /** Time has passed: leases that ran out, workers that fell silent, heartbeats that are due. */
  tick(nowMs: number): Step[] {
    const steps: Step[] = [];
    for (const { worker, lease } of this.#leases.values()) {
      const disobeyed = lease.cancelBeforeMs !== null && lease.cancelBeforeMs < nowMs;
      if (disobeyed || lease.untilMs < nowMs || isSilent(worker, nowMs)) {
        steps.push(lostLease(this, worker, lease, nowMs));
      }
    }
    for (const worker of this.#workers.values()) {
      if (isSilent(worker, nowMs)) steps.push(this.#lost(worker, nowMs));
    }
    if (nowMs >= this.#heartbeatAtMs) {
      this.#heartbeatAtMs = nowMs + HEARTBEAT_MS;
      steps.push(effects(...this.#heartbeats()));
    }
    return steps;
  }

  /** When {@link tick} has something to do next. */
  nextTickMs(): number {
    let next = this.#heartbeatAtMs;
    for (const { lease } of this.#leases.values()) {
      next = Math.min(next, lease.untilMs + 1, lease.cancelBeforeMs ?? Infinity);
    }
    for (const worker of this.#workers.values()) {
      next = Math.min(next, worker.lastSeenMs + LEASE_MS + 1);
      if (worker.fullUntilMs > 0) next = Math.min(next, worker.fullUntilMs);
    }
    return next;
  }

  /** Hands out ready jobs to workers with room, and asks for the environments that jobs wait for. */
  plan(nowMs: number): Step[] {
    const workers = [...this.#workers.values()];
    for (const worker of workers) if (worker.fullUntilMs <= nowMs) worker.fullUntilMs = 0;
    const planned = plan(this.lanes, workers, ++this.#turn, nowMs);
    const { assignments, preparations, emptying } = planned;
    for (const worker of workers) {
      worker.emptying = emptying?.worker !== worker
        ? null
        : { jobId: emptying.jobId, sinceMs: worker.emptying?.sinceMs ?? nowMs };
    }
    const steps = assignments.map((assignment) => this.#claim(assignment, nowMs));
    for (const { worker, envHash } of preparations) {
      steps.push(this.#prepare(worker, envHash, nowMs));
    }
    const serving = workers.filter(isServing);
    for (const { worker, envHash } of this.publishing.preparations(serving)) {
      steps.push(this.#prepare(worker, envHash, nowMs));
    }
    return [...steps, ...this.publishing.plan(serving)];
  }

  #claim({ worker, plugin, job }: Assignment, nowMs: number): Step {
    const attempt = job.attempt + 1;
    const lease: Lease = {
      jobId: job.jobId,
      pluginId: job.pluginId,
      pluginName: plugin.name,
      rootId: job.rootId,
      filePath: job.filePath,
      attempt,
      failures: job.failures,
      lostWorkers: job.lostWorkers,
      memoryMb: job.memoryMb,
      untilMs: nowMs + LEASE_MS,
      cancelBeforeMs: null,
    };
    this.addLease(worker, lease, true);
    return step({
      type: "claim",
      jobId: job.jobId,
      attempt,
      workerId: worker.workerId,
      generation: job.generation,
      leaseUntilMs: lease.untilMs,
      nowMs,
    }, ({ applied }) => {
      this.lanes.settled(job.jobId);
      if (applied && worker.peer) {
        const { peer } = worker;
        return [
          { type: "dispatch", peer, job, attempt, plugin },
          jobEvent("RUNNING", lease, { worker: worker.workerId }),
        ];
      }
      if (!applied) this.removeLease(job.jobId);
      this.lanes.refresh(job.pluginId);
      return [];
    });
  }

  /** Running jobs that an operator cancelled: their workers are told, and have some time to obey. */
  cancel(jobIds: readonly number[], nowMs: number): Step[] {
    return jobIds.flatMap((jobId) => {
      const held = this.#leases.get(jobId);
      if (!held) return [];
      held.lease.cancelBeforeMs ??= nowMs + CANCEL_MS;
      return held.worker.peer ? [effects(abort(held.worker.peer, held.worker, held.lease))] : [];
    });
  }

  /** An operator's word about a worker, connected or not. */
  drain(workerId: string, draining: boolean): void {
    if (draining) this.#drained.add(workerId);
    else this.#drained.delete(workerId);
    const worker = this.#workers.get(workerId);
    if (worker) worker.draining.byOperator = draining;
  }

  /**
   * Why a plugin's queued jobs do not run; null when nothing holds them.
   * @param job One of them; without it what concerns all of them is told.
   */
  waitingBecause(
    pluginId: number,
    job: WaitingJob | null,
    storeProblem: string | null,
    nowMs: number,
  ): WaitingReason | null {
    const plugin = this.#plugins.get(pluginId);
    const { lanes } = this;
    return waitingBecause({ plugin, workers: this.workers(), lanes, storeProblem, nowMs }, job);
  }

  lease(jobId: number): { worker: Worker; lease: Lease } | undefined {
    return this.#leases.get(jobId);
  }

  /**
   * A job that the store queued anew has one lease, the latest: the one before holds no slot.
   * @param counted Whether its lane counts it as running already.
   */
  addLease(worker: Worker, lease: Lease, counted = false): void {
    this.removeLease(lease.jobId);
    worker.leases.set(lease.jobId, lease);
    this.#leases.set(lease.jobId, { worker, lease });
    if (!counted) this.lanes.began(lease.pluginName, lease.rootId);
  }

  removeLease(jobId: number): void {
    const held = this.#leases.get(jobId);
    if (!held) return;
    held.worker.leases.delete(jobId);
    this.#leases.delete(jobId);
    this.lanes.released(held.lease.pluginName, held.lease.rootId);
  }

  #identified(peer: Peer, body: MessageBody<"identify">, nowMs: number): Step[] {
    const workerId = body.worker_id ?? `plain-${peer}`;
    const known = this.#workers.get(workerId);
    const worker = newWorker(workerId, peer, body, nowMs);
    worker.draining.byOperator = this.#drained.has(workerId);
    if (known) {
      if (known.peer) this.#peers.delete(known.peer);
      worker.leases = known.leases;
      for (const lease of worker.leases.values()) {
        lease.untilMs = nowMs + LEASE_MS;
        this.#leases.set(lease.jobId, { worker, lease });
      }
    }
    this.#workers.set(workerId, worker);
    this.#peers.set(peer, worker);
    const { host, version, slots, sandbox } = worker;
    const features = [...worker.features];
    const row = { id: workerId, host, version, slots, sandbox, features };
    return [step({ type: "worker_seen", worker: row, nowMs }, () => [
      ...(features.length > 0 ? [alive(peer)] : []),
      // A cancel that it did not hear of: it was away, or we were.
      ...[...worker.leases.values()].filter(({ cancelBeforeMs }) => cancelBeforeMs !== null)
        .map((lease) => abort(peer, worker, lease)),
      { type: "event", topic: "worker", event: { worker: workerId, state: "connected" } },
    ])];
  }

  /** Someone we do not know, as after our restart: our own workers identify themselves on an ERR. */
  #stranger(peer: Peer, message: Message): Step[] {
    if (message.name === "err") return [];
    return [effects(err(peer, `Cannot take ${message.name} as you did not IDENTIFY`))];
  }

  #heartbeat(worker: Worker, body: MessageBody<"heartbeat">, nowMs: number): Step[] {
    if (body.warm_envs) worker.warm = new Set(body.warm_envs);
    worker.draining.byItself = body.draining ?? false;
    if (worker.leases.size === 0) return [];
    // A plain v4 worker may answer with an empty payload: its life is the life of its jobs.
    const named = body.active_job_ids ??
      (worker.features.size === 0 ? [...worker.leases.keys()] : []);
    const untilMs = nowMs + LEASE_MS;
    for (const jobId of named) {
      const lease = worker.leases.get(jobId);
      if (lease) lease.untilMs = untilMs;
    }
    const { workerId } = worker;
    return [step({ type: "renew", workerId, leaseUntilMs: untilMs, nowMs })];
  }

  #logged(worker: Worker, { jobId, body }: MessageOf<"log">): Step[] {
    if (worker.leases.get(jobId)?.attempt !== body.attempt) return [];
    return [step({ type: "log", jobId, ...body }, () => [
      { type: "event", topic: "log", event: { job_id: jobId, ...body } },
    ])];
  }

  #prepare(worker: Worker, envHash: string, nowMs: number): Step {
    worker.environments.set(envHash, { state: "preparing", sinceMs: nowMs });
    return effects({ type: "prepare", peer: worker.peer!, envHash });
  }

  #environmentReady(worker: Worker, body: MessageBody<"env_ready">, nowMs: number): Step[] {
    const { env_hash: envHash, error } = body;
    if (error !== undefined) return this.#environmentFailed(worker, envHash, error, nowMs);
    worker.environments.set(envHash, { state: "ready" });
    const bytes = body.bytes ?? null;
    return [
      step({ type: "environment_ready", envHash, bytes, nowMs }),
      ...this.publishing.environmentReady(envHash, nowMs),
    ];
  }

  #environmentFailed(worker: Worker, envHash: string, problem: string, nowMs: number): Step[] {
    const retryAtMs = nowMs + ENVIRONMENT_RETRY_MS;
    worker.environments.set(envHash, { state: "failed", problem, retryAtMs });
    return [
      step({ type: "environment_failed", envHash, problem }),
      ...this.publishing.environmentFailed(envHash, problem),
    ];
  }

  /** A plain v4 worker tells a failed build by an ERR with job 0: it builds one at a time. */
  #workerError(worker: Worker, { message }: MessageBody<"err">, nowMs: number): Step[] {
    const noted = effects({
      type: "note",
      message: "A worker reported an error",
      fields: { worker: worker.workerId, message },
    });
    const building = [...worker.environments].find(([, { state }]) => state === "preparing");
    if (worker.features.size > 0 || !building) return [noted];
    return [noted, ...this.#environmentFailed(worker, building[0], message, nowMs)];
  }

  #lost(worker: Worker, nowMs: number): Step {
    this.#workers.delete(worker.workerId);
    if (worker.peer) this.#peers.delete(worker.peer);
    this.publishing.workerLost(worker);
    const { workerId } = worker;
    return step({ type: "worker_lost", workerId, nowMs }, () => [
      { type: "event", topic: "worker", event: { worker: workerId, state: "lost" } },
      { type: "note", message: "A worker fell silent", fields: { worker: workerId } },
    ]);
  }

  #heartbeats(): Effect[] {
    return [...this.#peers.keys()].map((peer) => alive(peer));
  }
}

function isSilent(worker: Worker, nowMs: number): boolean {
  return nowMs - worker.lastSeenMs > LEASE_MS;
}
