/**
 * How attempts end: by a receipt, or by the loss of their lease.
 *
 * A receipt counts only from the holder of the current lease. Any other is answered as late, unless
 * it is the very one that was accepted before and whose ACK was lost: then it is answered the same
 * way again, or its worker would throw away an output that the catalog holds.
 */
import type { MessageBody, MessageOf, Output } from "../../protocol/messages.ts";
import type { AttemptEnd, KeyedOutput } from "../store/store.ts";
import { strike } from "./breaker.ts";
import type { Cluster } from "./cluster.ts";
import { jobEvent } from "./outgoing.ts";
import { type RetryRules, type Verdict, verdict } from "./retry.ts";
import { type Effect, effects, type Step, step } from "./step.ts";
import { killerMessage } from "./suspects.ts";
import { has, type Lease, noteJobMs, type Worker } from "./worker.ts";

/** After a REJECTED the worker gets nothing for this long: it is at its limit, not we at fault. */
const FULL_MS = 200;

/** Queued again at once, counted as nothing. */
const AGAIN: Verdict = { countsAs: "nothing", next: { state: "QUEUED", notBeforeMs: 0 } };

/** Of a plugin version that is not active any more: its jobs are superseded. */
const NO_RETRIES: RetryRules = { retries: 0, memoryMb: null, memoryMbMax: null };

type Decision = Pick<Verdict, "countsAs"> & { next: Verdict["next"] | { state: "CANCELLED" } };

export function concluded(
  cluster: Cluster,
  worker: Worker,
  { jobId, body }: MessageOf<"conclude">,
  nowMs: number,
): Step[] {
  const lease = worker.leases.get(jobId);
  const attempt = body.attempt ?? lease?.attempt;
  if (!lease || attempt !== lease.attempt) return [repeated(worker, jobId, body, attempt ?? 0)];
  cluster.removeLease(jobId);
  if (body.metrics.run_ms !== undefined) noteJobMs(worker, body.metrics.run_ms);
  const end: AttemptEnd = {
    jobId,
    attempt: lease.attempt,
    workerId: worker.workerId,
    nowMs,
    metrics: body.metrics,
  };
  switch (body.status) {
    case "SUCCESS":
      return [completed(cluster, worker, lease, end, body)];
    case "FAILED":
      return [failed(cluster, worker, lease, end, body)];
    case "ABORTED":
      return [aborted(cluster, worker, lease, end)];
    case "REJECTED":
      worker.fullUntilMs = nowMs + FULL_MS;
      return [rejected(cluster, lease, end)];
  }
}

/** A lease that nobody renewed, or a cancelled job whose worker does not obey. */
export function lostLease(cluster: Cluster, worker: Worker, lease: Lease, nowMs: number): Step {
  cluster.removeLease(lease.jobId);
  const cancelled = lease.cancelBeforeMs !== null;
  const { workerId } = worker;
  const { countsAs, next } = unlessCancelled(
    lease,
    verdict("worker_lost", true, lease, NO_RETRIES, nowMs, cluster.jitter()),
  );
  const message = next.state === "FAILED"
    ? killerMessage(lease.jobId, workerId, lease.lostWorkers)
    : `Worker ${workerId} was lost while it held this job`;
  return step({
    type: "fail",
    jobId: lease.jobId,
    attempt: lease.attempt,
    workerId,
    nowMs,
    metrics: {},
    status: "LOST",
    errorKind: cancelled ? "aborted" : "worker_lost",
    message,
    countsAs,
    next,
  }, () => [
    ...moved(cluster, lease, next.state),
    { type: "note", message, fields: { job: lease.jobId, attempt: lease.attempt } },
  ]);
}

function completed(
  cluster: Cluster,
  worker: Worker,
  lease: Lease,
  end: AttemptEnd,
  body: MessageBody<"conclude">,
): Step {
  const outputs = keyedOutputs(cluster, lease, body);
  const rows = outputs.reduce((sum, output) => sum + output.rows, 0);
  return step({ type: "complete", ...end, outputs }, ({ applied, retired, refused }) => {
    const success = applied && refused === undefined;
    const message = refused ?? (applied ? "committed" : "late: the job was taken back");
    return [
      ...ack(worker, end, success, message, retired),
      ...(applied ? [jobEvent(success ? "COMPLETED" : "FAILED", lease, { rows })] : []),
    ];
  });
}

/** Outputs with their topics' modes; a plain v4 worker names artifacts, written in place. */
function keyedOutputs(
  cluster: Cluster,
  lease: Lease,
  body: MessageBody<"conclude">,
): KeyedOutput[] {
  const sinks = cluster.plugin(lease.pluginId)?.sinks ?? [];
  const modeOf = (topic: string) => sinks.find((sink) => sink.topic === topic)?.mode ?? "replace";
  const outputs: Output[] = body.outputs ?? body.artifacts.map((artifact) => ({
    topic: artifact.topic ?? sinks[0]?.topic ?? "output",
    uri: artifact.uri ?? "",
    rows: body.metrics.rows ?? 0,
    bytes: body.metrics.bytes ?? 0,
    staged: "",
    generation: 0,
  }));
  return outputs.map((output) => ({ ...output, mode: modeOf(output.topic) }));
}

function failed(
  cluster: Cluster,
  worker: Worker,
  lease: Lease,
  end: AttemptEnd,
  body: MessageBody<"conclude">,
): Step {
  const errorKind = body.error_kind ?? "plugin";
  const plugin = cluster.plugin(lease.pluginId);
  const { countsAs, next } = unlessCancelled(
    lease,
    verdict(
      errorKind,
      body.retryable ?? true,
      lease,
      plugin?.rules ?? NO_RETRIES,
      end.nowMs,
      cluster.jitter(),
    ),
  );
  const message = body.error_message ?? "The worker gave no reason";
  const failure = { status: "FAILED", errorKind, message, countsAs, next } as const;
  const counted = strike(errorKind, plugin, lease.jobId, message);
  return step({ type: "fail", ...end, ...failure, strike: counted }, ({ applied, paused }) => [
    ...ack(worker, end, applied, applied ? "noted" : "late: the job was taken back"),
    ...moved(cluster, lease, next.state),
    ...(errorKind === "file_changed" ? [rescan(lease)] : []),
    ...(paused === undefined ? [] : pluginPaused(lease, paused)),
  ]);
}

/** The breaker has tripped: told to whoever listens, and to the scheduler before its next plan. */
function pluginPaused({ pluginId, pluginName }: Lease, reason: string): Effect[] {
  const event = { plugin_id: pluginId, plugin: pluginName, status: "PAUSED", reason };
  const message = `Plugin '${pluginName}' is paused after ${reason}. ` +
    `To go on: casparian plugins resume ${pluginName}`;
  return [
    { type: "plugins_changed" },
    { type: "event", topic: "plugin", event },
    { type: "note", message, fields: {} },
  ];
}

/** The worker had no room: not the job's fault, so it is counted as nothing. */
function rejected(cluster: Cluster, lease: Lease, end: AttemptEnd): Step {
  const cancelled = lease.cancelBeforeMs !== null;
  const { next } = unlessCancelled(lease, AGAIN);
  return step({
    type: "fail",
    ...end,
    status: "REJECTED",
    errorKind: cancelled ? "aborted" : null,
    message: cancelled ? "Cancelled by an operator" : null,
    countsAs: "nothing",
    next,
  }, () => moved(cluster, lease, next.state));
}

/** By an operator's wish the job is CANCELLED; a worker that drains gives it back. */
function aborted(cluster: Cluster, worker: Worker, lease: Lease, end: AttemptEnd): Step {
  const cancelled = lease.cancelBeforeMs !== null;
  const { next } = unlessCancelled(lease, AGAIN);
  return step({
    type: "fail",
    ...end,
    status: "ABORTED",
    errorKind: cancelled ? "aborted" : null,
    message: cancelled ? "Cancelled by an operator" : null,
    countsAs: "nothing",
    next,
  }, ({ applied }) => [
    ...ack(worker, end, applied, applied ? "noted" : "late"),
    ...moved(cluster, lease, next.state),
  ]);
}

function repeated(
  worker: Worker,
  jobId: number,
  body: MessageBody<"conclude">,
  attempt: number,
): Step {
  if (body.status === "REJECTED") return effects();
  const { workerId } = worker;
  return step({ type: "repeated_receipt", jobId, attempt, workerId }, ({ applied, retired }) => [
    ...ack(
      worker,
      { jobId, attempt },
      applied,
      applied ? "committed before" : "late: not this lease",
      retired,
    ),
    {
      type: "note",
      message: applied ? "A receipt came twice" : "A late receipt was ignored",
      fields: { job: jobId, attempt, worker: workerId, status: body.status },
    },
  ]);
}

function ack(
  worker: Worker,
  { jobId, attempt }: { jobId: number; attempt: number },
  success: boolean,
  message: string,
  retired: string[] = [],
): Effect[] {
  if (!worker.peer || !has(worker, "receipt-ack")) return [];
  const body = { success, message, attempt, ...(retired.length > 0 ? { retired } : {}) };
  return [{ type: "send", peer: worker.peer, name: "ack", jobId, body }];
}

/** What an operator cancelled stays cancelled, however its attempt ends but for a failure or success. */
function unlessCancelled(lease: Lease, decided: Verdict): Decision {
  return lease.cancelBeforeMs !== null && decided.next.state === "QUEUED"
    ? { countsAs: "nothing", next: { state: "CANCELLED" } }
    : decided;
}

function moved(cluster: Cluster, lease: Lease, state: Decision["next"]["state"]): Effect[] {
  if (state === "QUEUED") cluster.lanes.refresh(lease.pluginId);
  return [jobEvent(state, lease)];
}

function rescan(lease: Lease): Effect {
  return { type: "rescan", filePath: lease.filePath };
}
