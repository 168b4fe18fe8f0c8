/**
 * What the core decides, as data. A step is one guarded change of the store and what follows from
 * it; nothing is sent before the change is durable, and `then` knows whether its guard held.
 */
import type { MessageBody, MessageName } from "../../protocol/messages.ts";
import type { Change, Outcome, ReadyJob } from "../store/store.ts";
import type { ActivePlugin } from "./plugin.ts";

/** A connection: the ROUTER's routing id in hex. A worker that reconnects has another one. */
export type Peer = string;

export type Effect =
  | {
    [N in MessageName]: {
      type: "send";
      peer: Peer;
      name: N;
      jobId: number;
      body: MessageBody<N>;
    };
  }[MessageName]
  | { type: "dispatch"; peer: Peer; job: ReadyJob; attempt: number; plugin: ActivePlugin }
  | { type: "prepare"; peer: Peer; envHash: string }
  | { type: "event"; topic: EventTopic; event: Readonly<Record<string, unknown>> }
  | { type: "plugins_changed" }
  | { type: "rescan"; filePath: string }
  | { type: "note"; message: string; fields: Readonly<Record<string, unknown>> };

export type EventTopic = "job" | "worker" | "log" | "pulse" | "plugin";

export interface Step {
  change: Change | null;
  /** Called once, after the commit. Pure but for the core's own memory. */
  then(outcome: Outcome): Effect[];
}

const NOTHING_STORED: Outcome = { applied: true };

/** Effects that need nothing stored. */
export function effects(...list: Effect[]): Step {
  return { change: null, then: () => list };
}

export function step(change: Change, then: (outcome: Outcome) => Effect[] = () => []): Step {
  return { change, then };
}

/** Matches outcomes to the steps that had a change, in order. */
export function effectsOf(steps: readonly Step[], outcomes: readonly Outcome[]): Effect[] {
  let next = 0;
  return steps.flatMap(({ change, then }) =>
    then(change === null ? NOTHING_STORED : outcomes[next++] ?? NOTHING_STORED)
  );
}
