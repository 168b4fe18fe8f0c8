/**
 * What this worker and the sentinel's catalog tell each other about outputs [pure]: which have become
 * visible here, and which should be by now. Of the first kind one CALL at a time is under way, and all
 * that lands meanwhile goes with the next: under load a CALL reports hundreds. Saying it twice changes
 * nothing, so a lost answer only means saying it again.
 */
import type { MessageBody } from "../protocol/messages.ts";
import { PAGE_ROWS_MAX } from "../protocol/records.ts";

/** As the sentinel knows it: job and final address. */
export interface Landed {
  readonly job_id: number;
  readonly uri: string;
}

/** An output that the catalog holds live and nobody has promoted. */
export interface Pending extends Landed {
  readonly topic: string;
  readonly staged: string;
  /** What it replaces. */
  readonly retired?: readonly string[];
}

export type Answer =
  /** `isAll` is false of a page that is full: there may be more. */
  | { type: "pending"; outputs: readonly Pending[]; isAll: boolean }
  /** `retired`: of those reported, what the catalog has replaced meanwhile. */
  | { type: "reported"; retired: readonly string[] }
  | { type: "refused"; method: string; message: string };

type Call = MessageBody<"call">;
const LANDED_PER_CALL_MAX = 5000;
/**
 * What a start that died a moment ago left staged may still be wanted: its receipt may be on its way. So
 * such files stay for a minute (see sink_set.ts), and are looked at once more when that is over.
 */
const ASK_AGAIN_MS = 65_000;

export class CatalogCalls {
  #waiting: Landed[] = [];
  #underWay: Landed[] = [];
  #askId = 0;
  #reportId = 0;
  #lastId = 0;
  #askAgainAtMs = Infinity;

  /** Outputs that the catalog has not confirmed. */
  get unreported(): number {
    return this.#waiting.length + this.#underWay.length;
  }

  add(landed: readonly Landed[]): void {
    this.#waiting.push(...landed);
  }

  /** Asks for what an earlier start of a worker here had no time to promote. */
  ask(nowMs: number): Call {
    this.#askAgainAtMs = nowMs + ASK_AGAIN_MS;
    return this.#ask();
  }

  /** What could not be promoted now is asked for again, when the disk may be well. */
  askLater(nowMs: number): void {
    this.#askAgainAtMs = Math.min(this.#askAgainAtMs, nowMs + ASK_AGAIN_MS);
  }

  /** When `askAgain` has something to ask. */
  get wakeAtMs(): number {
    return this.#askAgainAtMs;
  }

  askAgain(nowMs: number): Call | undefined {
    if (nowMs < this.#askAgainAtMs) return undefined;
    this.#askAgainAtMs = Infinity;
    return this.#ask();
  }

  #ask(): Call {
    this.#askId = ++this.#lastId;
    return { id: this.#askId, method: "outputs.pending", params: {} };
  }

  /** The next report; none if nothing waits or one is under way. */
  report(): Call | undefined {
    if (this.#underWay.length > 0 || this.#waiting.length === 0) return undefined;
    this.#underWay = this.#waiting.splice(0, LANDED_PER_CALL_MAX);
    this.#reportId = ++this.#lastId;
    return { id: this.#reportId, method: "outputs.promoted", params: { outputs: this.#underWay } };
  }

  /** @returns What the answer means; nothing if it is to a CALL of before a reconnect. */
  answered({ id, result, error }: MessageBody<"reply">): Answer | undefined {
    const isAsk = id === this.#askId;
    if (!isAsk && id !== this.#reportId) return undefined;
    if (error) {
      if (!isAsk) this.lost();
      const method = isAsk ? "outputs.pending" : "outputs.promoted";
      return { type: "refused", method, message: error.message };
    }
    if (isAsk) {
      const { outputs = [] } = (result ?? {}) as { outputs?: Pending[] };
      return { type: "pending", outputs, isAll: outputs.length < PAGE_ROWS_MAX };
    }
    this.#underWay = [];
    const { retired = [] } = (result ?? {}) as { retired?: string[] };
    return { type: "reported", retired };
  }

  /** The connection is gone and with it the answers: the report goes again. */
  lost(): void {
    this.#waiting.unshift(...this.#underWay);
    this.#underWay = [];
    this.#askId = this.#reportId = 0;
  }
}
