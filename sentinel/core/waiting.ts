/**
 * Why a queued job does not run yet, in words for people. A list of reasons in the order in which they
 * matter: the first that holds is told, so that mending it is a step forward. The same view as the
 * scheduler's (scheduler.ts), so what is told is what held the job back.
 */
import type { Lanes } from "./lanes.ts";
import type { ActivePlugin } from "./plugin.ts";
import { isEmptied, isOnLastLife, isSuspect } from "./suspects.ts";
import { creditOf, type EnvironmentState, isDraining, isReady, type Worker } from "./worker.ts";

/** What is known of the job; of a plugin as a whole only what concerns all of its jobs is told. */
export interface WaitingJob {
  rootId: number;
  /** 0: ready. */
  notBeforeMs: number;
  lostWorkers: number;
  /** Ready jobs of the same plugin version that go before it. */
  ahead: number;
}

export interface WaitingView {
  plugin: ActivePlugin | undefined;
  workers: readonly Worker[];
  lanes: Lanes;
  /** What the store said when it last refused to commit; null while it works. */
  storeProblem: string | null;
  nowMs: number;
}

export interface WaitingReason {
  text: string;
  /** It waits for a person: nothing goes on by itself. */
  held: boolean;
}

type Question = (
  view: WaitingView & { plugin: ActivePlugin },
  job: WaitingJob | null,
) => string | null;

/** @returns null when nothing holds it back: it is next. */
export function waitingBecause(view: WaitingView, job: WaitingJob | null): WaitingReason | null {
  const { plugin, storeProblem } = view;
  if (storeProblem !== null) return goesOn(`the store refuses to commit: ${storeProblem}`);
  if (!plugin) return goesOn("this version of the plugin is not active");
  if (plugin.paused !== null) {
    const next = `casparian plugins resume ${plugin.name}`;
    return { text: `the plugin is paused: ${plugin.paused}; to go on: ${next}`, held: true };
  }
  for (const question of QUESTIONS) {
    const text = question({ ...view, plugin }, job);
    if (text !== null) return goesOn(text);
  }
  return null;
}

const QUESTIONS: readonly Question[] = [
  ({ nowMs }, job) => job && job.notBeforeMs > nowMs ? retryAt(job.notBeforeMs, nowMs) : null,
  ({ workers }) => workers.some(isConnected) ? null : "no worker is connected",
  ({ workers }) => {
    const connected = workers.filter(isConnected);
    if (!connected.every(isDraining)) return null;
    return connected.length === 1
      ? "the only worker drains"
      : `all ${connected.length} workers drain`;
  },
  ({ plugin, workers, nowMs }) => environmentOf(plugin, serving(workers), nowMs),
  ({ plugin, lanes }) =>
    lanes.isPluginFull(plugin)
      ? `limit on plugin '${plugin.name}': ${lanes.runningOfPlugin(plugin.name)} of ` +
        `${plugin.jobsMax} jobs run`
      : null,
  ({ lanes }, job) => {
    const limit = job ? lanes.rootLimit(job.rootId) : undefined;
    if (!job || !limit || !lanes.isRootFull(job.rootId)) return null;
    return `limit on root '${limit.name}': ${
      lanes.runningOfRoot(job.rootId)
    } of ${limit.jobsMax} ` +
      "jobs run";
  },
  (_, job) => {
    if (!job || !isSuspect(job)) return null;
    const lost = `${job.lostWorkers} worker${
      job.lostWorkers === 1 ? " was" : "s were"
    } lost with it`;
    return isOnLastLife(job)
      ? `${lost}: it runs alone, as soon as a worker is empty`
      : `${lost}: only few such jobs share a worker`;
  },
  (_, job) =>
    job && job.ahead > 0 ? `behind ${job.ahead.toLocaleString("en")} of the same plugin` : null,
  ({ plugin, workers, nowMs }) => {
    const able = serving(workers).filter((worker) => isReady(worker, plugin.envHash));
    const free = able.filter((worker) => hasRoom(worker, nowMs));
    if (free.some(({ emptying }) => !isEmptied(emptying, nowMs))) return null;
    if (free[0]?.emptying) {
      return `worker ${free[0].workerId} empties itself for job ${free[0].emptying.jobId}, ` +
        "which must run alone";
    }
    return able.length === 1
      ? "the worker has no free slot"
      : `no worker has a free slot: ${able.length} are busy`;
  },
];

function retryAt(atMs: number, nowMs: number): string {
  const time = new Date(atMs).toISOString().slice(11, 19);
  return `retry at ${time} UTC, in ${seconds(atMs - nowMs)}`;
}

/** Null if it is ready somewhere. */
function environmentOf(
  { envHash }: ActivePlugin,
  workers: readonly Worker[],
  nowMs: number,
): string | null {
  const states = workers.flatMap(({ environments }) => environments.get(envHash) ?? []);
  if (states.some(({ state }) => state === "ready")) return null;
  const building = states.filter((state) => state.state === "preparing");
  if (building.length > 0) {
    const sinceMs = Math.min(...building.map((state) => state.sinceMs));
    return `environment building since ${seconds(nowMs - sinceMs)}`;
  }
  const failed = states.find((state) => state.state === "failed");
  return failed ? failure(failed, nowMs) : "its environment is not built on any worker yet";
}

function failure(
  { problem, retryAtMs }: Extract<EnvironmentState, { state: "failed" }>,
  nowMs: number,
): string {
  const next = retryAtMs > nowMs ? `in ${seconds(retryAtMs - nowMs)}` : "now";
  return `environment failed to build, tried again ${next}: ${problem}`;
}

function goesOn(text: string): WaitingReason {
  return { text, held: false };
}

function isConnected({ peer }: Worker): boolean {
  return peer !== null;
}

function serving(workers: readonly Worker[]): Worker[] {
  return workers.filter((worker) => isConnected(worker) && !isDraining(worker));
}

function hasRoom(worker: Worker, nowMs: number): boolean {
  return worker.fullUntilMs <= nowMs && worker.leases.size < creditOf(worker);
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1000))} s`;
}
