/**
 * LOG messages on their way to the sentinel [pure]. One that is away, or does not keep up, must not fill
 * this worker's memory, nor libzmq's: some wait here, and beyond that the oldest go; a line of the job's
 * log then says how many.
 */
import type { MessageOf } from "../protocol/messages.ts";

type Log = MessageOf<"log">;

const MIB = 1024 * 1024;
/** Sent since the sentinel was heard last. It speaks every 2 s, or else it is not reading either. */
const UNHEARD_BYTES_MAX = 32 * MIB;
const WAITING_BYTES_MAX = 16 * MIB;
/** Of a line beside its text. */
const LINE_BYTES = 32;
const WARNING = 4;

export class LogFlow {
  #waiting: { log: Log; bytes: number }[] = [];
  #waitingBytes = 0;
  #unheardBytes = 0;
  /** What had to go, by job. */
  readonly #dropped = new Map<number, { log: Log; lines: number }>();

  constructor(private readonly send: (log: Log) => void) {}

  /** @param talks Whether the sentinel is there. */
  offer(log: Log, talks: boolean): void {
    this.#keep({ log, bytes: bytesOf(log) });
    if (talks) this.#sendDue();
  }

  /** The sentinel has said something. */
  heard(talks: boolean): void {
    this.#unheardBytes = 0;
    if (talks) this.#sendDue();
  }

  #sendDue(): void {
    while (this.#waiting.length > 0 && this.#unheardBytes < UNHEARD_BYTES_MAX) {
      const { log, bytes } = this.#take();
      this.#unheardBytes += bytes;
      this.#sendGap(log);
      this.send(log);
    }
  }

  #keep(entry: { log: Log; bytes: number }): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.bytes;
    while (this.#waitingBytes > WAITING_BYTES_MAX) this.#drop(this.#take().log);
  }

  #take(): { log: Log; bytes: number } {
    const entry = this.#waiting.shift()!;
    this.#waitingBytes -= entry.bytes;
    return entry;
  }

  #drop(log: Log): void {
    const before = this.#dropped.get(log.jobId)?.lines ?? 0;
    this.#dropped.set(log.jobId, { log, lines: before + log.body.lines.length });
  }

  /** What to say in the job's log ahead of the next message that there is of it. */
  #sendGap({ jobId }: Log): void {
    const gap = this.#dropped.get(jobId);
    if (gap === undefined) return;
    this.#dropped.delete(jobId);
    const { attempt, lines } = gap.log.body;
    const text = `${gap.lines} pieces of the log are lost here, as the sentinel did not take them`;
    const atMs = lines.at(-1)?.[0] ?? 0;
    this.send({ name: "log", jobId, body: { attempt, lines: [[atMs, WARNING, text]] } });
  }
}

function bytesOf({ body }: Log): number {
  return body.lines.reduce((sum, [, , text]) => sum + text.length + LINE_BYTES, 0);
}
