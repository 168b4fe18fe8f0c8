/**
 * When a failed job runs again, and when it is done for: one table, one function. docs/reliability.md,
 * "Retries", tells the same table to people.
 */
import type { ErrorKind } from "../../protocol/messages.ts";

export interface Policy {
  /**
   * Attempts that may end so before the job is FAILED. `manifest`: 1 + the plugin's `retries`, as only
   * its author knows whether a second try is worth it; whatever the worker advises is not asked then.
   */
  attemptsMax: number | "manifest";
  countsAs: "failure" | "lost_worker" | "nothing";
  /** Ceiling of the first delay; it doubles with each attempt that counted, up to {@link BACKOFF_MAX_MS}. */
  backoffFirstMs: number;
  /** It says something about the plugin's version: so many of them in a row pause it (breaker.ts). */
  tripsBreaker: boolean;
}

/** A file that ends five workers is a killer, whatever its plugin says. */
export const LOST_WORKERS_MAX = 5;
export const BACKOFF_MAX_MS = 60_000;

const OWN_FAULT = { attemptsMax: "manifest", countsAs: "failure", backoffFirstMs: 1000 } as const;
const FOR_GOOD = { attemptsMax: 1, countsAs: "failure", backoffFirstMs: 0 } as const;
const UNCOUNTED = { attemptsMax: Infinity, countsAs: "nothing", tripsBreaker: false } as const;

export const POLICIES: Readonly<Record<ErrorKind, Policy>> = {
  plugin: { ...OWN_FAULT, tripsBreaker: true },
  timeout: { ...OWN_FAULT, tripsBreaker: true },
  // And once more with a higher limit, where MANIFEST's memory_mb_max allows it.
  memory: { ...OWN_FAULT, tripsBreaker: true },
  contract: { ...FOR_GOOD, tripsBreaker: true },
  gatekeeper: { ...FOR_GOOD, tripsBreaker: true },
  environment: { attemptsMax: 3, countsAs: "failure", backoffFirstMs: 2000, tripsBreaker: true },
  // A full disk is nobody's mistake and may take minutes to be mended: 135 s at most, 67 s on average.
  sink: { attemptsMax: 6, countsAs: "failure", backoffFirstMs: 5000, tripsBreaker: false },
  // Elsewhere at once: the worker is gone, the job may be innocent. See suspects.ts.
  worker_lost: {
    attemptsMax: LOST_WORKERS_MAX,
    countsAs: "lost_worker",
    backoffFirstMs: 0,
    tripsBreaker: false,
  },
  // The next scan settles it: a new version replaces the job, the same content runs again.
  file_changed: { ...UNCOUNTED, backoffFirstMs: 3000 },
  aborted: { ...UNCOUNTED, backoffFirstMs: 0 },
};

/** The job's counts before the attempt that ended, `attempt` being that one's number. */
export interface History {
  attempt: number;
  failures: number;
  lostWorkers: number;
  /** The limit it was raised to after a memory death; null while MANIFEST's own counts. */
  memoryMb: number | null;
}

/** What MANIFEST says of retries. */
export interface RetryRules {
  retries: number;
  memoryMb: number | null;
  memoryMbMax: number | null;
}

export interface Verdict {
  countsAs: Policy["countsAs"];
  next:
    | { state: "FAILED" }
    /** `notBeforeMs` 0: at once. `memoryMb`: the limit from now on. */
    | { state: "QUEUED"; notBeforeMs: number; memoryMb?: number };
}

/**
 * @param retryable The worker's advice; heeded where the plugin's author has no say.
 * @param jitter A number in [0, 1): the delay is uniform between nothing and its ceiling (full jitter),
 * so that jobs which failed together do not come back together.
 */
export function verdict(
  kind: ErrorKind,
  retryable: boolean,
  history: History,
  rules: RetryRules,
  nowMs: number,
  jitter: number,
): Verdict {
  const policy = POLICIES[kind];
  const raisedMb = kind === "memory" ? raisedLimitMb(history, rules) : null;
  if (raisedMb !== null) {
    const notBeforeMs = delayed(policy.backoffFirstMs, nowMs, jitter);
    return { countsAs: "nothing", next: { state: "QUEUED", notBeforeMs, memoryMb: raisedMb } };
  }
  const { countsAs } = policy;
  const before = countedBefore(countsAs, history);
  const isLast = policy.attemptsMax === "manifest"
    ? before >= rules.retries
    : !retryable || before + 1 >= policy.attemptsMax;
  if (isLast) return { countsAs, next: { state: "FAILED" } };
  const doublings = countsAs === "nothing" ? history.attempt - 1 : before;
  const ceilingMs = Math.min(BACKOFF_MAX_MS, policy.backoffFirstMs * 2 ** Math.min(doublings, 16));
  return { countsAs, next: { state: "QUEUED", notBeforeMs: delayed(ceilingMs, nowMs, jitter) } };
}

/** Once: a job that needs more than the most it may have will not get it by another try. */
function raisedLimitMb(history: History, { memoryMb, memoryMbMax }: RetryRules): number | null {
  if (memoryMbMax === null || history.memoryMb !== null) return null;
  return memoryMb === null || memoryMbMax > memoryMb ? memoryMbMax : null;
}

function countedBefore(countsAs: Policy["countsAs"], history: History): number {
  if (countsAs === "nothing") return 0;
  return countsAs === "lost_worker" ? history.lostWorkers : history.failures;
}

function delayed(ceilingMs: number, nowMs: number, jitter: number): number {
  return ceilingMs === 0 ? 0 : Math.ceil(nowMs + ceilingMs * jitter);
}
