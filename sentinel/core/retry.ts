/** When a failed job runs again, and when it is done for. One table, one function. */
import type { ErrorKind } from "../../protocol/messages.ts";

interface Policy {
  /** Attempts that may end so before the job is FAILED; `manifest` = 1 + the plugin's `retries`. */
  attemptsMax: number | "manifest";
  countsAs: "failure" | "lost_worker" | "nothing";
  backoffFirstMs: number;
}

/** A file that ends five workers is a killer, whatever its plugin says. */
const LOST_WORKERS_MAX = 5;
const BACKOFF_MAX_MS = 60_000;

const POLICIES: Readonly<Record<ErrorKind, Policy>> = {
  plugin: { attemptsMax: "manifest", countsAs: "failure", backoffFirstMs: 1000 },
  timeout: { attemptsMax: "manifest", countsAs: "failure", backoffFirstMs: 1000 },
  memory: { attemptsMax: "manifest", countsAs: "failure", backoffFirstMs: 1000 },
  contract: { attemptsMax: 1, countsAs: "failure", backoffFirstMs: 0 },
  gatekeeper: { attemptsMax: 1, countsAs: "failure", backoffFirstMs: 0 },
  environment: { attemptsMax: 3, countsAs: "failure", backoffFirstMs: 2000 },
  sink: { attemptsMax: 5, countsAs: "failure", backoffFirstMs: 2000 },
  worker_lost: { attemptsMax: LOST_WORKERS_MAX, countsAs: "lost_worker", backoffFirstMs: 0 },
  // The next scan settles it: a new version replaces the job, the same content runs again.
  file_changed: { attemptsMax: Infinity, countsAs: "nothing", backoffFirstMs: 3000 },
  aborted: { attemptsMax: Infinity, countsAs: "nothing", backoffFirstMs: 0 },
};

export interface Verdict {
  countsAs: Policy["countsAs"];
  next: { state: "FAILED" } | { state: "QUEUED"; notBeforeMs: number };
}

/**
 * @param history The job's counts before this attempt, `attempt` being this one's number.
 * @param pluginRetries MANIFEST's `retries`.
 * @param jitter A number in [0, 1): the back-off is exponential with full jitter.
 */
export function verdict(
  kind: ErrorKind,
  history: { attempt: number; failures: number; lostWorkers: number },
  pluginRetries: number,
  retryable: boolean,
  nowMs: number,
  jitter: number,
): Verdict {
  const { attemptsMax, countsAs, backoffFirstMs } = POLICIES[kind];
  const limit = attemptsMax === "manifest" ? 1 + pluginRetries : attemptsMax;
  const before = countsAs === "lost_worker"
    ? history.lostWorkers
    : countsAs === "failure"
    ? history.failures
    : 0;
  if (!retryable || before + 1 >= limit) return { countsAs, next: { state: "FAILED" } };
  const exponent = Math.min(countsAs === "nothing" ? history.attempt - 1 : before, 16);
  const ceilingMs = Math.min(BACKOFF_MAX_MS, backoffFirstMs * 2 ** exponent);
  const notBeforeMs = ceilingMs === 0 ? 0 : Math.ceil(nowMs + ceilingMs * (0.5 + jitter / 2));
  return { countsAs, next: { state: "QUEUED", notBeforeMs } };
}
