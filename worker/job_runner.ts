/**
 * One job as named steps: the file is the one that was seen, a warm process runs the plugin on it, its
 * batches go to the sinks, the file still is that one, the outputs are staged, a receipt says so.
 *
 * Whatever goes wrong on the way ends in a receipt as well, and nothing staged is left behind.
 */
import type { Clock } from "../protocol/ports.ts";
import { failure, type JobFailure, type Metrics, success } from "./conclusions.ts";
import { checkDispatch } from "./dispatch_check.ts";
import { type CancelCause, cancelled, EarlyEnd, timedOut } from "./early_end.ts";
import { asJobFailure } from "./failures.ts";
import type { Job } from "./job_slots.ts";
import type { LargeFrames } from "./large_frames.ts";
import type { JobLog, LogCapture } from "./log_capture.ts";
import { OutputSet } from "./output_set.ts";
import { memoryLimitOf, pluginJobOf, type PluginSetting } from "./plugin_job.ts";
import { noCounts, type RunCounts, streamPlugin } from "./plugin_stream.ts";
import type { Receipt } from "./receipts.ts";
import type { Progress } from "./session_events.ts";
import { outputAddress, sinkFolder, type SinkFolders } from "./sink_folders.ts";
import type { SinkSet } from "./sink_set.ts";
import type { OutputSpec, StagedOutput } from "./sinks/sink.ts";
import { checkFile, hashFile, hashText, type SeenFile } from "./source_file.ts";
import { limitWallTime } from "./wall_time.ts";
import type { PluginJob, PluginRun } from "./plugin_run.ts";

/** What jobs need; a stand-in for each in tests. */
export interface JobParts extends PluginSetting {
  readonly plugins: { run(job: PluginJob): PluginRun };
  readonly sinks: Pick<SinkSet, "open" | "discard">;
  readonly folders: SinkFolders;
  readonly largeFrames: LargeFrames;
  readonly logs: LogCapture;
  readonly clock: Clock;
}

export class JobRun {
  readonly counts = noCounts();
  /** Aborted with an `EarlyEnd`. */
  readonly #ended = new AbortController();
  readonly #turn;
  #began = false;

  /**
   * @param onRan Called once when the job no longer needs its Python slot.
   */
  constructor(
    readonly job: Job,
    private readonly parts: JobParts,
    private readonly onRan: () => void,
  ) {
    this.#turn = parts.largeFrames.turn();
  }

  get progress(): Progress[number] {
    return { job_id: this.job.id, rows: this.counts.rows, bytes: this.counts.bytes };
  }

  /** Ends the job early, wherever it is; its receipt says why. */
  kill(cause: CancelCause): void {
    this.#end(cancelled(cause));
  }

  /** Never rejects. */
  async run(): Promise<Receipt> {
    const { job, parts } = this;
    const log = parts.logs.open(job, job.body.limits?.log_bytes);
    try {
      return await this.#perform(log);
    } catch (error) {
      const cause = await this.#explain(error);
      return failure(job, cause, cause.kind === "memory" ? this.#memoryMetrics() : {});
    } finally {
      this.#turn.end();
      log.close();
    }
  }

  async #perform(log: JobLog): Promise<Receipt> {
    const { body } = this.job;
    checkDispatch(body);
    const seen = await checkFile(body.file_path, seenBySentinel(body));
    const topics = body.sinks.map((sink) => sink.topic);
    const outputs = new OutputSet(this.parts.sinks, topics, await this.#describeOutputs());
    const startedMs = this.parts.clock.nowMs();
    try {
      await this.#runPlugin(outputs, log);
      const ranMs = this.parts.clock.nowMs();
      this.onRan();
      await checkFile(body.file_path, seen);
      const staged = await this.#finish(outputs);
      const stagedMs = this.parts.clock.nowMs();
      const timing = { run_ms: ranMs - startedMs, stage_ms: stagedMs - ranMs };
      const metrics = { ...metricsOf(this.counts, staged), ...timing };
      const addressOf = (path: string) => outputAddress(path, this.parts.folders);
      return success(this.job, staged, metrics, addressOf);
    } catch (error) {
      await outputs.abort();
      throw error;
    }
  }

  async #runPlugin(outputs: OutputSet, log: JobLog): Promise<void> {
    const job = await pluginJobOf(this.job, this.parts);
    const { timeout_ms: timeoutMs } = this.job.body;
    this.#ended.signal.throwIfAborted();
    const run = this.parts.plugins.run({ ...job, beforeLarge: () => this.#turn.take() });
    run.started.then(() => this.#began = true);
    // Its `finally` runs, be it cancelled or out of time; how far it has come it tells at its end.
    const onEnd = () => {
      this.#turn.end();
      run.cancel(this.#ended.signal.reason.message);
    };
    this.#ended.signal.addEventListener("abort", onEnd);
    const inTime = limitWallTime(run, timeoutMs, () => this.#end(timedOut(timeoutMs!)));
    try {
      await streamPlugin(run, outputs, log, this.counts, job.logBytes);
    } catch (error) {
      run.kill("the job has failed"); // it may still be running: a full disk, a wrong topic
      throw error;
    } finally {
      inTime();
      this.#ended.signal.removeEventListener("abort", onEnd);
    }
  }

  async #finish(outputs: OutputSet): Promise<StagedOutput[]> {
    const staged = await outputs.finish();
    if (this.#ended.signal.aborted) await this.parts.sinks.discard(staged);
    this.#ended.signal.throwIfAborted();
    return staged;
  }

  async #describeOutputs(): Promise<(topic: string) => OutputSpec> {
    const { id, attempt, body } = this.job;
    const fileId = body.file_id ?? hashText(body.file_path);
    const sourceHash = body.content_hash ?? await hashFile(body.file_path);
    const folders = new Map(body.sinks.map(({ topic, uri, mode }) => [
      topic,
      { directory: sinkFolder(uri, this.parts.folders), keyedBySource: mode === "append" },
    ]));
    return (topic) => ({
      jobId: id,
      attempt,
      generation: body.generation ?? 0,
      topic,
      ...folders.get(topic)!,
      pluginName: body.plugin_name,
      pluginVersion: body.plugin_version ?? "0",
      fileId,
      sourceHash,
      fileName: body.file_path.slice(body.file_path.lastIndexOf("/") + 1),
    });
  }

  /** The failure to report: being ended explains the rest, and so does a file that has changed. */
  async #explain(error: unknown): Promise<JobFailure> {
    const end: unknown = this.#ended.signal.reason;
    if (end instanceof EarlyEnd) return end.failure(this.#began ? this.counts : undefined);
    const found = asJobFailure(error, this.counts);
    if (!this.#began || (found.kind !== "plugin" && found.kind !== "memory")) return found;
    const { body } = this.job;
    try {
      await checkFile(body.file_path, seenBySentinel(body));
      return found;
    } catch (reason) {
      return asJobFailure(reason);
    }
  }

  /** What a sentinel must know that would try again with more. */
  #memoryMetrics(): Metrics {
    return { memory_limit_bytes: memoryLimitOf(this.job.body, this.parts) };
  }

  #end(reason: EarlyEnd): void {
    if (!this.#ended.signal.aborted) this.#ended.abort(reason);
  }
}

function seenBySentinel({ size, mtime_ms, root }: Job["body"]): SeenFile {
  return { size, mtimeMs: mtime_ms, root };
}

function metricsOf(counts: RunCounts, staged: readonly StagedOutput[]): Metrics {
  return {
    rows: staged.reduce((sum, output) => sum + output.rows, 0),
    bytes: staged.reduce((sum, output) => sum + output.bytes, 0),
    batches: counts.batches,
    arrow_bytes: counts.bytes,
    rss_kib: counts.rssKib,
  };
}
