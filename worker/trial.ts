/**
 * A plugin tried on one file: it runs as a job would, but its rows are only looked at. `casparian run`
 * and the sentinel's TRY are both this.
 */
import type { JobFailure } from "./conclusions.ts";
import { EarlyEnd, timedOut } from "./early_end.ts";
import { asJobFailure } from "./failures.ts";
import type { JobLog } from "./log_capture.ts";
import { noCounts, type RunCounts, streamPlugin } from "./plugin_stream.ts";
import type { Preview } from "./preview.ts";
import type { PluginJob, PluginRun } from "./plugin_run.ts";
import { limitWallTime } from "./wall_time.ts";

export interface Trial {
  readonly plugins: { run(job: PluginJob): PluginRun };
  readonly job: PluginJob;
  readonly preview: Preview;
  readonly log: Pick<JobLog, "add">;
  readonly timeoutMs?: number | undefined;
  /** Ends the trial early. */
  readonly signal?: AbortSignal | undefined;
}

export interface TrialResult {
  readonly counts: RunCounts;
  readonly failure: JobFailure | undefined;
}

/** Never rejects: what goes wrong is the result's `failure`. What was yielded before stays in `preview`. */
export async function tryPlugin(trial: Trial): Promise<TrialResult> {
  const { plugins, job, preview, log, timeoutMs, signal } = trial;
  const counts = noCounts();
  if (signal?.aborted) return { counts, failure: interrupted().failure(undefined) };
  const run = plugins.run(job);
  let end: EarlyEnd | undefined;
  const stop = (reason: EarlyEnd) => run.cancel((end ??= reason).message);
  const onAbort = () => stop(interrupted());
  signal?.addEventListener("abort", onAbort);
  const inTime = limitWallTime(run, timeoutMs, () => stop(timedOut(timeoutMs!)));
  try {
    await streamPlugin(run, preview, log, counts);
    return { counts, failure: end?.failure(counts) };
  } catch (error) {
    run.kill("the trial has failed");
    return { counts, failure: end?.failure(counts) ?? asJobFailure(error, counts) };
  } finally {
    inTime();
    signal?.removeEventListener("abort", onAbort);
  }
}

const interrupted = () => new EarlyEnd("aborted", "cancelled by an interrupt");
