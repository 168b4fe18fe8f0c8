/** A forked process that runs the jobs of one plugin artifact, one at a time. */
import type { BridgeFrame } from "../protocol/bridge.ts";
import type { BridgeConnection } from "./bridge_server.ts";
import {
  type ChildExit,
  deathOf,
  type PluginDied,
  PluginError,
  type PluginJob,
} from "./plugin_run.ts";
import type { TemplateProcess } from "./template_process.ts";

/**
 * A plugin that leaks a little with each file is replaced before it matters. A fresh fork copies the
 * memory it touches: its first file costs 7 to 30 ms of CPU, which at every 200th was a tenth of all.
 */
const JOBS_MAX = 1000;
const GROWTH_KIB_MAX = 200 * 1024;
const GROWTH_FACTOR_MAX = 1.5;
const EXIT_LIMIT_MS = 1_000;

export class WarmChild {
  /** Set by the first job; nothing of any plugin is in the process before. */
  #serves: string | undefined;
  #memoryBytes: number | undefined;
  usedMs = 0;
  #jobs = 0;
  #firstRssKib = 0;
  #rssKib = 0;
  #leftSomething = false;
  #state: "idle" | "busy" | "gone" = "idle";

  /**
   * @param exited Resolves once the process is gone; without details if its template went first.
   * @param signals Ends the process: at once with all it started, or by asking.
   */
  constructor(
    readonly name: string,
    private readonly connection: BridgeConnection,
    readonly exited: Promise<ChildExit | undefined>,
    private readonly signals: Pick<TemplateProcess, "kill" | "cancel" | "limit">,
  ) {
    exited.then((exit) => this.#leave(exit));
  }

  /** Whether it may run another job. */
  get reusable(): boolean {
    return this.#state === "idle" && this.#jobs < JOBS_MAX && this.connection.idle &&
      !this.#leftSomething && !this.#hasGrown;
  }

  /** Whether it was made for jobs like this: of one artifact, under one memory limit. */
  isFor(job: PluginJob): boolean {
    return this.#serves === kindOf(job);
  }

  /** @throws As `PluginRun.frames`. Whatever is thrown, this process is not to be used again. */
  async *run(job: PluginJob): AsyncGenerator<BridgeFrame, void> {
    this.#begin();
    await this.connection.send(this.#requestOf(job)).catch(() => {}); // its end is told by the read
    for await (const frame of this.connection.frames(job.beforeLarge)) {
      if (frame.type === "error") throw new PluginError(frame.message);
      if (frame.type === "end") return this.#finish();
      if (frame.type === "progress") this.#note(frame.json);
      yield frame;
    }
    throw await this.#death();
  }

  kill(): void {
    this.signals.kill(this.name);
    this.connection.close();
  }

  cancel(): void {
    this.signals.cancel(this.name);
  }

  #requestOf(job: PluginJob): Record<string, unknown> {
    const first = this.#jobs++ === 0;
    if (first) this.#dedicate(job);
    return {
      job_id: job.jobId,
      attempt: job.attempt,
      file_path: job.filePath,
      file_version_id: job.fileVersionId,
      plugin_name: job.pluginName,
      ...(first ? { plugin_code: job.pluginCode, plugin_file: `${job.pluginName}.py` } : {}),
      ...(first && job.memoryBytes !== undefined ? { memory_bytes: job.memoryBytes } : {}),
      ...(job.logBytes === undefined ? {} : { log_bytes: job.logBytes }),
      ...(job.config === undefined ? {} : { config: job.config }),
      ...(job.topics.length === 0 ? {} : { topic: job.topics[0], topics: job.topics }),
    };
  }

  #dedicate(job: PluginJob): void {
    this.#serves = kindOf(job);
    this.#memoryBytes = job.memoryBytes;
    if (job.memoryBytes !== undefined) this.signals.limit(this.name, job.memoryBytes);
  }

  /** What a process sent before its end is still to be read, unless nobody waits for it any more. */
  #leave(exit: ChildExit | undefined): void {
    if (this.#state === "idle" || exit === undefined) this.connection.close();
    this.#state = "gone";
  }

  async #death(): Promise<PluginDied> {
    // A plugin may close the connection and yet go on.
    const limit = setTimeout(() => this.kill(), EXIT_LIMIT_MS);
    const exit = await this.exited;
    clearTimeout(limit);
    return deathOf(exit, this.#memoryBytes);
  }

  #begin(): void {
    if (this.#state === "idle") this.#state = "busy"; // for good, unless the job comes to its end
  }

  #finish(): void {
    if (this.#state === "busy") this.#state = "idle";
    if (this.#firstRssKib === 0) this.#firstRssKib = this.#rssKib;
  }

  #note(progress: Record<string, unknown>): void {
    if (typeof progress.rss_kib === "number") this.#rssKib = progress.rss_kib;
    if (progress.last === true) this.#leftSomething = true; // threads or processes
  }

  get #hasGrown(): boolean {
    const first = this.#firstRssKib;
    return this.#rssKib > Math.max(first * GROWTH_FACTOR_MAX, first + GROWTH_KIB_MAX);
  }
}

/** Jobs of two kinds never share a process. */
function kindOf(job: PluginJob): string {
  return `${job.artifactHash} ${job.memoryBytes ?? ""}`;
}
