/**
 * What plugins print and log, gathered into LOG messages: sent soon enough to be watched live, in
 * batches big enough that a plugin which prints 50 MB costs little, and bounded for each job.
 */
import {
  LOG_JOB_BYTES_MAX,
  LOG_LINES_MAX,
  LOG_MESSAGE_BYTES_MAX,
  LOG_MESSAGE_COST_BYTES,
} from "../protocol/ids.ts";
import type { LogLine, MessageBody } from "../protocol/messages.ts";
import type { Clock } from "../protocol/ports.ts";
import type { Job } from "./job_slots.ts";
import { bytesText } from "./quantities.ts";

const FLUSH_MS = 250;
/** As JSON; with one more line it still fits a payload. */
const BATCH_BYTES_MAX = 512 * 1024;
/** JSON's worst case is six bytes for a character. */
const LINE_CHARS_MAX = LOG_MESSAGE_BYTES_MAX;
const WARNING = 4;

export type SendLog = (jobId: number, body: MessageBody<"log">) => void;

/** Takes one job's lines. `close` sends the last of them, so it comes before the job's receipt. */
export interface JobLog {
  add(level: number, text: string): void;
  close(): void;
}

export class LogCapture {
  readonly #open = new Set<BatchedLog>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly clock: Clock, private readonly send: SendLog) {}

  /** @param bytesMax After so many bytes of text one line says that the rest is left out. */
  open(job: Pick<Job, "id" | "attempt">, bytesMax = LOG_JOB_BYTES_MAX): JobLog {
    const log = new BatchedLog(bytesMax, this.clock, {
      send: (lines) => this.send(job.id, { attempt: job.attempt, lines }),
      waiting: () => this.#flushSoon(log),
      closed: () => this.#open.delete(log),
    });
    return log;
  }

  #flushSoon(log: BatchedLog): void {
    this.#open.add(log);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const waiting of this.#open) waiting.flush();
      this.#open.clear();
    }, FLUSH_MS);
  }

  /** Sends all that waits. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const log of this.#open) log.flush();
    this.#open.clear();
  }
}

class BatchedLog implements JobLog {
  #lines: LogLine[] = [];
  #batchBytes = 0;
  #jobBytes = 0;

  constructor(
    private readonly bytesMax: number,
    private readonly clock: Clock,
    private readonly on: {
      send(lines: LogLine[]): void;
      waiting(): void;
      closed(): void;
    },
  ) {}

  add(level: number, text: string): void {
    if (this.#jobBytes > this.bytesMax) return;
    this.#jobBytes += text.length + LOG_MESSAGE_COST_BYTES;
    if (this.#jobBytes <= this.bytesMax) {
      for (const piece of pieces(text)) this.#push(level, piece);
    } else {
      this.#push(
        WARNING,
        `The log is truncated here: it may hold ${bytesText(this.bytesMax)} a job`,
      );
    }
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#batchBytes = 0;
    this.on.send(lines);
  }

  close(): void {
    this.flush();
    this.on.closed();
  }

  #push(level: number, text: string): void {
    const bytes = jsonBytes(text);
    if (this.#batchBytes + bytes > BATCH_BYTES_MAX) this.flush();
    if (this.#lines.push([this.clock.nowMs(), level, text]) === 1) this.on.waiting();
    this.#batchBytes += bytes;
    if (this.#lines.length >= LOG_LINES_MAX) this.flush();
  }
}

/** Text longer than a line may be, cut into lines. */
function* pieces(text: string): Generator<string> {
  if (text.length <= LINE_CHARS_MAX) return yield text;
  for (let at = 0; at < text.length; at += LINE_CHARS_MAX) {
    yield text.slice(at, at + LINE_CHARS_MAX);
  }
}

/** At least the bytes that the text takes as JSON in UTF-8, with room for time, level and commas. */
function jsonBytes(text: string): number {
  const escaped = JSON.stringify(text);
  // deno-lint-ignore no-control-regex
  const bytesPerChar = /^[\x00-\x7f]*$/.test(escaped) ? 1 : 3;
  return escaped.length * bytesPerChar + LOG_MESSAGE_COST_BYTES;
}
