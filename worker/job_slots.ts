/**
 * Which jobs run, which wait and which are being finished [pure].
 *
 * A job is queued, then running (it holds a Python slot), then finishing (its rows are encoded and
 * synced while the slot serves the next job), then gone. All three are bounded, so that neither a
 * generous sentinel nor a slow disk can fill the memory.
 */
import type { MessageBody } from "../protocol/messages.ts";

/** A dispatched job; `attempt` is 0 under a plain v4 sentinel, which counts none. */
export interface Job {
  readonly id: number;
  readonly attempt: number;
  readonly body: MessageBody<"dispatch">;
}

/** Jobs beyond those running, so that a slot never waits for the next DISPATCH: short ones need a few. */
const QUEUED_PER_SLOT = 15;
/** Mostly waiting for the disk to sync, which it does for several at once. */
const FINISHING_PER_SLOT = 4;

type Held = { job: Job; stage: "queued" | "running" | "finishing" };

export class JobSlots {
  readonly #held = new Map<number, Held>();
  readonly #counts = { queued: 0, running: 0, finishing: 0 };

  constructor(readonly slots: number) {}

  get size(): number {
    return this.#held.size;
  }

  jobIds(): number[] {
    return [...this.#held.keys()];
  }

  get(jobId: number): Job | undefined {
    return this.#held.get(jobId)?.job;
  }

  /** Those that a process or a sink is busy with. */
  active(): Job[] {
    return this.#jobs((stage) => stage !== "queued");
  }

  /** @returns Whether there was room. */
  offer(job: Job): boolean {
    const room = this.slots * (1 + QUEUED_PER_SLOT) - this.#counts.running;
    if (this.#counts.queued >= room) return false;
    this.#held.set(job.id, { job, stage: "queued" });
    this.#counts.queued++;
    return true;
  }

  /** Moves queued jobs to free slots, the oldest first. */
  start(): Job[] {
    if (this.#counts.queued === 0) return [];
    const started: Job[] = [];
    for (const held of this.#held.values()) {
      if (!this.#hasFreeSlot()) break;
      if (held.stage !== "queued") continue;
      this.#move(held, "running");
      started.push(held.job);
    }
    return started;
  }

  /** The job's Python part is over: its slot is free. */
  ran(job: Job): void {
    const held = this.#held.get(job.id);
    if (held?.job === job && held.stage === "running") this.#move(held, "finishing");
  }

  /** The job is over, or never began. */
  remove(job: Job): void {
    const held = this.#held.get(job.id);
    if (held?.job !== job) return;
    this.#counts[held.stage]--;
    this.#held.delete(job.id);
  }

  isQueued(job: Job): boolean {
    return this.#held.get(job.id)?.stage === "queued";
  }

  takeQueued(): Job[] {
    const queued = this.#jobs((stage) => stage === "queued");
    for (const job of queued) this.remove(job);
    return queued;
  }

  #jobs(wanted: (stage: Held["stage"]) => boolean): Job[] {
    return [...this.#held.values()].filter(({ stage }) => wanted(stage)).map(({ job }) => job);
  }

  #hasFreeSlot(): boolean {
    return this.#counts.running < this.slots &&
      this.#counts.finishing < FINISHING_PER_SLOT * this.slots;
  }

  #move(held: Held, stage: Held["stage"]): void {
    this.#counts[held.stage]--;
    held.stage = stage;
    this.#counts[stage]++;
  }
}
