/**
 * Which job ended a worker? Its last words may be lost, so nobody can tell: all that it held are
 * suspects. The blame becomes exact by where suspects run, not by guessing:
 *
 * - With each worker that a job lost, half as many suspects may share a worker with it, so that a killer
 *   takes ever fewer innocents with it. What never lost a worker fills the other slots meanwhile.
 * - On its last life a job runs alone. So a file is parked as a killer only when its worker died with
 *   nothing else on it: no innocent is ever parked for its company.
 *
 * An innocent is cleared by its next run that ends. The price of one killer is five workers, and one
 * worker that empties itself for the last run.
 */
import { LOST_WORKERS_MAX } from "./retry.ts";

export function isSuspect({ lostWorkers }: { lostWorkers: number }): boolean {
  return lostWorkers > 0;
}

/** If its worker is lost once more, it is parked. */
export function isOnLastLife({ lostWorkers }: { lostWorkers: number }): boolean {
  return lostWorkers >= LOST_WORKERS_MAX - 1;
}

/** @param lostWorkers Of the suspect that lost most. @returns How many suspects a worker may hold. */
export function suspectsMax(slots: number, lostWorkers: number): number {
  return Math.max(1, slots >> lostWorkers);
}

/** A worker that is kept from new jobs, so that a job on its last life can have it for itself. */
export interface Emptying {
  jobId: number;
  sinceMs: number;
}

/** Where its jobs run for hours, a worker is filled again after this, and then emptied again. */
const EMPTYING_MS_MAX = 10 * 60_000;

/** Whether it gets nothing new now: for half of the time at most, however long its jobs run. */
export function isEmptied(emptying: Emptying | null, nowMs: number): boolean {
  if (emptying === null) return false;
  return (nowMs - emptying.sinceMs) % (2 * EMPTYING_MS_MAX) < EMPTYING_MS_MAX;
}

/** What a killer file's job says to whoever finds it. */
export function killerMessage(jobId: number, workerId: string, before: number): string {
  return `Parked as a killer file: worker ${workerId} was lost while it ran nothing but this job, as ` +
    `${before} others before it were with it among theirs. Look at what the workers' logs and the ` +
    `kernel's say of their end (memory?), mend the plugin or take the file away, and then run ` +
    `\`casparian retry ${jobId}\`.`;
}
