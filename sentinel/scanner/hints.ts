/**
 * Folders that should be looked at before the next pass.
 *
 * A folder is looked at once a settle time at most: what was written after the last look can't have
 * settled before, so nothing is lost, and a log file that grows all day costs one look per settle time.
 */

/** Hints kept; more are forgotten, which costs time but no file. */
export const HINTS_MAX = 10_000;
/** Events come in bursts: the first waits this long for the others. */
export const HINT_DELAY_MS = 50;
const LOOK_GAP_MS_MIN = 100;
/** A folder that takes long is looked at less often: looking takes a tenth of the time at most. */
const GAP_PER_LOOK = 10;

export class Hints {
  readonly #dueMs = new Map<string, number>();
  /** When each folder may be looked at again. */
  readonly #nextMs = new Map<string, number>();
  readonly #gapMs: number;

  constructor(settleMs: number) {
    this.#gapMs = Math.max(settleMs, LOOK_GAP_MS_MIN);
  }

  /** Something happened in the folder. */
  add(folder: string, nowMs: number): void {
    this.#put(folder, Math.max(nowMs + HINT_DELAY_MS, this.#nextMs.get(folder) ?? -Infinity));
  }

  /** The folder was never looked at: no reason to wait. */
  addNew(folder: string, nowMs: number): void {
    this.#put(folder, nowMs);
  }

  takeDue(nowMs: number): string | undefined {
    for (const [folder, dueMs] of this.#dueMs) {
      if (dueMs > nowMs) continue;
      this.#dueMs.delete(folder);
      if (this.#nextMs.size >= HINTS_MAX) this.#nextMs.clear();
      this.#nextMs.set(folder, nowMs + this.#gapMs);
      return folder;
    }
    return undefined;
  }

  /** The look at a folder is over. */
  took(folder: string, startedMs: number, endedMs: number): void {
    const gapMs = Math.max(this.#gapMs, GAP_PER_LOOK * (endedMs - startedMs));
    if (this.#nextMs.has(folder)) this.#nextMs.set(folder, startedMs + gapMs);
  }

  get nextDueMs(): number {
    let nextDueMs = Infinity;
    for (const dueMs of this.#dueMs.values()) nextDueMs = Math.min(nextDueMs, dueMs);
    return nextDueMs;
  }

  clear(): void {
    this.#dueMs.clear();
    this.#nextMs.clear();
  }

  #put(folder: string, dueMs: number): void {
    if (this.#dueMs.has(folder) || this.#dueMs.size >= HINTS_MAX) return;
    this.#dueMs.set(folder, dueMs);
  }
}
