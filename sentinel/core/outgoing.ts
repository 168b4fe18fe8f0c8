/** What the core says to workers and subscribers, each message built in one place. */
import { FEATURES } from "../../protocol/messages.ts";
import type { Effect, Peer } from "./step.ts";
import type { Lease, Worker } from "./worker.ts";

export function alive(peer: Peer): Effect {
  const body = { status: "ALIVE" as const, features: [...FEATURES] };
  return { type: "send", peer, name: "heartbeat", jobId: 0, body };
}

export function err(peer: Peer, message: string): Effect {
  return { type: "send", peer, name: "err", jobId: 0, body: { message } };
}

export function abort(peer: Peer, { features }: Worker, { jobId, attempt }: Lease): Effect {
  return { type: "send", peer, name: "abort", jobId, body: features.size > 0 ? { attempt } : {} };
}

export function jobEvent(
  state: string,
  lease: Pick<Lease, "jobId" | "attempt" | "pluginName">,
  more: Readonly<Record<string, unknown>> = {},
): Effect {
  const { jobId: job_id, attempt, pluginName: plugin } = lease;
  return { type: "event", topic: "job", event: { job_id, attempt, plugin, state, ...more } };
}
