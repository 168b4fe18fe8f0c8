/** What a worker can still take in one plan: its free credit, and the company that suspects need. */
import { isOnLastLife, isSuspect, suspectsMax } from "./suspects.ts";
import type { ReadyJob } from "../store/store.ts";
import { creditOf, isServing, type Worker } from "./worker.ts";

export class Room {
  /** Jobs it may still get. */
  free: number;
  /** Jobs it holds, those of this plan included. */
  held: number;
  readonly #credit: number;
  /** Workers that each suspect on it has lost; counted when the first suspect asks. */
  #suspects: number[] | null = null;

  constructor(readonly worker: Worker, nowMs: number) {
    this.held = worker.leases.size;
    this.#credit = creditOf(worker);
    const closed = !isServing(worker) || worker.fullUntilMs > nowMs || runsAlone(worker);
    this.free = closed ? 0 : Math.max(0, this.#credit - this.held);
  }

  /** Share of its credit that is free. */
  get freeShare(): number {
    return this.free / this.#credit;
  }

  /** A job would begin at once, and not wait for one before it. */
  get hasFreeSlot(): boolean {
    return this.held < this.worker.slots;
  }

  admits(job: ReadyJob): boolean {
    if (this.free === 0) return false;
    if (!isSuspect(job)) return true;
    if (isOnLastLife(job)) return this.held === 0;
    const lost = this.#lostBySuspects();
    return lost.length < suspectsMax(this.worker.slots, Math.max(job.lostWorkers, ...lost));
  }

  give(job: ReadyJob): void {
    this.held++;
    this.free--;
    if (!isSuspect(job)) return;
    this.#lostBySuspects().push(job.lostWorkers);
    if (isOnLastLife(job)) this.free = 0;
  }

  #lostBySuspects(): number[] {
    this.#suspects ??= [...this.worker.leases.values()].filter(isSuspect)
      .map(({ lostWorkers }) => lostWorkers);
    return this.#suspects;
  }
}

/** It holds a job on its last life, which nothing may join. */
function runsAlone({ leases }: Worker): boolean {
  if (leases.size !== 1) return false;
  const [lease] = leases.values();
  return isOnLastLife(lease!);
}
