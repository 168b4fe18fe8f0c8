/** What can happen to a worker's session and what it can ask for [pure]: see session.ts. */
import type { Message, MessageBody, MessageName } from "../protocol/messages.ts";
import type { LogLevel } from "../protocol/ports.ts";
import type { Landed, Pending } from "./catalog_calls.ts";
import type { CancelCause } from "./early_end.ts";
import type { Job } from "./job_slots.ts";
import type { Receipt } from "./receipts.ts";
import type { StagedOutput } from "./sinks/sink.ts";

export type Progress = NonNullable<MessageBody<"heartbeat">["progress"]>;
export interface Malformed {
  reason: string;
  /** Not if it was a broken ERR. */
  answer: boolean;
  /** That of a DISPATCH, else 0. */
  jobId: number;
}
export function unexpected(name: MessageName): Malformed {
  return { reason: `${name} is nothing a worker can be sent`, answer: true, jobId: 0 };
}

export type SessionEvent =
  | { type: "start" }
  /** `warm`: the environments whose Python is started. */
  | { type: "tick"; progress: Progress; warm?: readonly string[] }
  | { type: "message"; message: Message }
  /** What came was no message. */
  | { type: "malformed" } & Malformed
  | { type: "logged"; jobId: number; body: MessageBody<"log"> }
  /** The job's Python part is over. */
  | { type: "ran"; job: Job }
  | { type: "ended"; job: Job; receipt: Receipt }
  /** Ends every "promote" and "recover", also with nothing landed; `again`: the disk refused some. */
  | { type: "promoted"; landed: Landed[]; again?: boolean }
  | { type: "environment"; body: MessageBody<"env_ready"> }
  | { type: "resolved"; body: MessageBody<"resolved"> }
  | { type: "tried"; body: MessageBody<"tried"> }
  | { type: "drain"; limitMs: number };

export type Effect =
  | { [N in MessageName]: { type: "send"; name: N; jobId: number; body: MessageBody<N> } }[
    MessageName
  ]
  | { type: "reconnect" }
  | { type: "run"; job: Job }
  | { type: "kill"; job: Job; cause: CancelCause }
  | { type: "promote"; receipt: Receipt; retired: readonly string[] }
  | { type: "discard"; staged: readonly StagedOutput[] }
  | { type: "retire"; uris: readonly string[] }
  /** What the catalog holds unpromoted: all of it, or there may be more. */
  | { type: "recover"; pending: readonly Pending[]; isAll: boolean }
  | { type: "prepare"; body: MessageBody<"prepare_env"> }
  | { type: "resolve"; body: MessageBody<"resolve"> }
  | { type: "try"; body: MessageBody<"try"> }
  | { type: "log"; level: LogLevel; message: string }
  | { type: "finished" };
