/** The receipts that a job can end with [pure], each with what both kinds of sentinel need. */
import type { ErrorKind, MessageBody } from "../protocol/messages.ts";
import type { Job } from "./job_slots.ts";
import type { Receipt } from "./receipts.ts";
import type { StagedOutput } from "./sinks/sink.ts";

type Conclude = MessageBody<"conclude">;
export type Metrics = Conclude["metrics"];

/** A traceback's end says most, its first line says whose it is; what lies between may go. */
const ERROR_CHARS_MAX = 64 * 1024;
const ERROR_HEAD_CHARS = 8 * 1024;

/** Why a job has no output: `retryable` is advice, the sentinel's retry policy decides. */
export class JobFailure extends Error {
  override name = "JobFailure";
  constructor(
    readonly kind: ErrorKind,
    message: string,
    readonly retryable = false,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** @param addressOf How an output's path is called on every host. */
export function success(
  job: Job,
  staged: readonly StagedOutput[],
  metrics: Metrics,
  addressOf: (path: string) => string = (path) => path,
): Receipt {
  const outputs = staged.map(({ topic, uri, rows, bytes, staged, generation }) => (
    { topic, uri: addressOf(uri), rows, bytes, staged: addressOf(staged), generation }
  ));
  return {
    jobId: job.id,
    attempt: job.attempt,
    staged,
    body: {
      status: "SUCCESS",
      metrics,
      artifacts: outputs.map(({ topic, uri }) => ({ topic, uri })),
      outputs,
      attempt: job.attempt,
    },
  };
}

/** A failure of kind "aborted" is an ABORTED receipt, any other a FAILED one. */
export function failure(job: Job, cause: JobFailure, metrics: Metrics = {}): Receipt {
  return {
    jobId: job.id,
    attempt: job.attempt,
    staged: [],
    body: {
      status: cause.kind === "aborted" ? "ABORTED" : "FAILED",
      metrics,
      artifacts: [],
      error_message: bounded(cause.message),
      error_kind: cause.kind,
      retryable: cause.retryable,
      attempt: job.attempt,
    },
  };
}

export function abortedReceipt(job: Job): Receipt {
  return failure(job, new JobFailure("aborted", "The job was aborted before it began"));
}

/** It would wait for ever for an answer otherwise. Another sentinel, or worker, may put it right. */
export function unreadable(reason: string): Conclude {
  return {
    status: "FAILED",
    metrics: {},
    artifacts: [],
    error_message: `Cannot run the job as its DISPATCH can not be used: ${reason}`,
    error_kind: "environment",
    retryable: true,
  };
}

/** There is no room: the job goes back to the queue at once and nothing is counted. */
export function rejection(job: Job): Conclude {
  return { status: "REJECTED", metrics: {}, artifacts: [], attempt: job.attempt };
}

/** A receipt without the fields that plain v4 does not know. */
export function plainConclude({ status, metrics, artifacts, error_message }: Conclude): Conclude {
  return { status, metrics, artifacts, ...(error_message === undefined ? {} : { error_message }) };
}

export function bounded(message: string): string {
  if (message.length <= ERROR_CHARS_MAX) return message;
  const head = message.slice(0, ERROR_HEAD_CHARS);
  const tail = message.slice(-(ERROR_CHARS_MAX - ERROR_HEAD_CHARS));
  return `${head}\n… ${message.length - ERROR_CHARS_MAX} characters left out …\n${tail}`;
}
