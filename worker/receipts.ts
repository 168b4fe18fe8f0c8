/**
 * The outbox of receipts [pure]: what this worker has done and the sentinel has not yet acknowledged.
 *
 * A receipt is sent when its job ends, again every `RESEND_MS`, and again after each reconnect, until an
 * ACK comes. Only then does its output become visible (success) or go away (a late receipt). A job has
 * at most one receipt here: a newer attempt of it means that the sentinel has given up the older one.
 */
import type { MessageBody } from "../protocol/messages.ts";
import type { StagedOutput } from "./sinks/sink.ts";

export const RESEND_MS = 10_000;

export interface Receipt {
  readonly jobId: number;
  readonly attempt: number;
  readonly body: MessageBody<"conclude">;
  /** What waits to be promoted, or discarded, once the answer is there. */
  readonly staged: readonly StagedOutput[];
}

export class Outbox {
  /** Oldest sending first: a receipt moves to the end each time it is sent. */
  readonly #entries = new Map<number, { receipt: Receipt; sentAtMs: number }>();

  get size(): number {
    return this.#entries.size;
  }

  jobIds(): number[] {
    return [...this.#entries.keys()];
  }

  get(jobId: number): Receipt | undefined {
    return this.#entries.get(jobId)?.receipt;
  }

  /** Keeps a receipt that is yet to be sent. */
  add(receipt: Receipt): void {
    this.#entries.delete(receipt.jobId);
    this.#entries.set(receipt.jobId, { receipt, sentAtMs: -Infinity });
  }

  sent(receipt: Receipt, nowMs: number): void {
    if (!this.#entries.delete(receipt.jobId)) return;
    this.#entries.set(receipt.jobId, { receipt, sentAtMs: nowMs });
  }

  /** Those never sent, and those sent so long ago that the answer must be lost. */
  due(nowMs: number): Receipt[] {
    const due: Receipt[] = [];
    for (const { receipt, sentAtMs } of this.#entries.values()) {
      if (sentAtMs + RESEND_MS <= nowMs) due.push(receipt);
    }
    return due;
  }

  /** When the next one is due; Infinity if nothing waits. */
  get dueAtMs(): number {
    let earliestMs = Infinity;
    for (const { sentAtMs } of this.#entries.values()) {
      earliestMs = Math.min(earliestMs, sentAtMs + RESEND_MS);
    }
    return earliestMs;
  }

  /** The connection is lost, and with it whatever was under way: all are due. */
  forgetSending(): void {
    for (const entry of this.#entries.values()) entry.sentAtMs = -Infinity;
  }

  /** Takes out the receipt that an answer is about; none if it is about another attempt. */
  take(jobId: number, attempt?: number): Receipt | undefined {
    const receipt = this.get(jobId);
    if (attempt !== undefined && receipt?.attempt !== attempt) return undefined;
    this.#entries.delete(jobId);
    return receipt;
  }
}
