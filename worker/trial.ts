/**
 * A plugin tried on one file: it runs as a job would, but its rows are only looked at. `casparian run`
 * and the sentinel's TRY are both this.
 */
import { JobFailure } from "./conclusions.ts";
import { asJobFailure, timedOut } from "./failures.ts";
import type { JobLog } from "./log_capture.ts";
import { type RunCounts, streamPlugin } from "./plugin_stream.ts";
import type { Preview } from "./preview.ts";
import type { PluginJob, PluginRun } from "./plugin_run.ts";

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
  const counts: RunCounts = { rows: 0, batches: 0, bytes: 0, rssKib: 0 };
  let stopped: JobFailure | undefined;
  let run: PluginRun | undefined;
  const stop = (reason: JobFailure) => {
    stopped ??= reason;
    run?.kill(reason.message);
  };
  const onAbort = () => stop(new JobFailure("aborted", "The trial was interrupted"));
  trial.signal?.addEventListener("abort", onAbort);
  const { timeoutMs } = trial;
  const timer = timeoutMs === undefined
    ? undefined
    : setTimeout(() => stop(timedOut(timeoutMs)), timeoutMs);
  try {
    trial.signal?.throwIfAborted();
    run = trial.plugins.run(trial.job);
    await streamPlugin(run, trial.preview, trial.log, counts);
    return { counts, failure: stopped };
  } catch (error) {
    run?.kill("the trial has failed");
    return { counts, failure: stopped ?? asJobFailure(error) };
  } finally {
    clearTimeout(timer);
    trial.signal?.removeEventListener("abort", onAbort);
  }
}
