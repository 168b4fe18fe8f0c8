/**
 * How a worker that was asked to stop comes to its end [pure]: running jobs may go on until the limit and
 * are killed then; after the last one its receipt may wait for an answer, but not for ever.
 */

const FAREWELL_MS = 5000;

export class Drain {
  #killAtMs = Infinity;
  #endAtMs = Infinity;
  #begun = false;

  get begun(): boolean {
    return this.#begun;
  }

  get wakeAtMs(): number {
    return Math.min(this.#killAtMs, this.#endAtMs);
  }

  /** Called again it can only shorten the limit. */
  begin(limitMs: number, nowMs: number): void {
    this.#begun = true;
    this.#killAtMs = Math.min(this.#killAtMs, nowMs + limitMs);
  }

  /** Whether it is time to kill what still runs; true once. */
  takeKill(nowMs: number): boolean {
    if (nowMs < this.#killAtMs) return false;
    this.#killAtMs = Infinity;
    return true;
  }

  /** The last job is over. @returns Whether there is nothing more to wait for. */
  isOver(quiet: boolean, nowMs: number): boolean {
    if (this.#endAtMs === Infinity) this.#endAtMs = nowMs + FAREWELL_MS;
    return quiet || nowMs >= this.#endAtMs;
  }
}
