/**
 * Warm Python for every job: templates by environment, children by plugin artifact, both kept while
 * they are of use. A job takes an idle child of its artifact or a new fork; a child that failed, was
 * killed, grew or served long enough does not come back.
 */
import { templateFolder, TEMPLATES_MAX } from "../security/permissions.ts";
import { PluginDied, type PluginJob, type PluginRun, TemplateError } from "./plugin_run.ts";
import { type Lease, PooledRun } from "./pooled_run.ts";
import { type Launch, TemplateProcess } from "./template_process.ts";
import { WarmTemplate } from "./warm_template.ts";

export {
  type ChildExit,
  PluginDied,
  PluginError,
  type PluginJob,
  type PluginRun,
  TemplateError,
} from "./plugin_run.ts";
export type { Launch, TemplatePlace } from "./template_process.ts";

export interface TemplatesOptions {
  readonly launch: Launch;
  /** Folder for sockets and scratch folders; made with mode 0700, a short path (sockets want that). */
  readonly folder: string;
  /** A template without work for so long is ended, except the one used last. */
  readonly idleMs?: number;
  /** An idle child holds a few MiB, and whatever its plugin keeps. */
  readonly childIdleMs?: number;
  readonly templatesMax?: number;
  /** Of one template. */
  readonly childrenIdleMax?: number;
  /** How long a template may leave a ping without an answer before it is killed. */
  readonly silentMs?: number;
  /** How long a cancelled plugin may take to end by itself: with `silentMs` still under a second. */
  readonly cancelGraceMs?: number;
  readonly nowMs?: () => number;
}

const DEFAULTS = {
  idleMs: 600_000,
  childIdleMs: 60_000,
  templatesMax: 8,
  childrenIdleMax: 16,
  silentMs: 500,
  cancelGraceMs: 400,
  nowMs: () => performance.now(),
};
const SWEEP_MS = 5_000;

export class Templates {
  readonly #options: typeof DEFAULTS & TemplatesOptions;
  readonly #warm = new Map<string, WarmTemplate>();
  readonly #runs = new Set<PluginRun>();
  readonly #ending = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  /** Of the templates' folders in use. */
  readonly #numbers = new Set<number>();
  #sweeper: ReturnType<typeof setInterval> | undefined;

  constructor(options: TemplatesOptions) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Nothing starts before the run's frames are read. */
  run(job: PluginJob): PluginRun {
    const run: PluginRun = new PooledRun(
      job,
      () => this.#lend(job, run),
      this.#options.cancelGraceMs,
    );
    return run;
  }

  /** Paths of the interpreters that are started and warm, for whatever data roots. */
  warmInterpreters(): string[] {
    const warm = [...this.#warm].filter(([, { isWarm }]) => isWarm);
    return warm.map(([key]) => interpreterOf(key));
  }

  /** Ends what has been idle for too long. Called every few seconds; a test calls it by hand. */
  sweep(): void {
    const sinceMs = this.#options.nowMs() - this.#options.idleMs;
    for (const warm of this.#warm.values()) warm.endIdle(this.#options.childIdleMs);
    const byUse = [...this.#warm].toSorted(([, a], [, b]) => a.usedMs - b.usedMs);
    for (const [key, warm] of byUse.slice(0, -1)) {
      if (!warm.isBusy && warm.usedMs <= sinceMs) this.#drop(key, warm);
    }
  }

  /** Ends all runs and all processes; resolves when none is left. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#sweeper);
    for (const run of this.#runs) run.kill("The worker is stopping");
    for (const [key, warm] of this.#warm) this.#drop(key, warm);
    while (this.#ending.size > 0) await Promise.all(this.#ending);
    await Deno.remove(this.#options.folder, { recursive: true }).catch(() => {});
  }

  async #lend(job: PluginJob, run: PluginRun): Promise<Lease> {
    if (this.#stopping.signal.aborted) throw new PluginDied("The worker is stopping");
    this.#sweeper ??= setInterval(() => this.sweep(), SWEEP_MS);
    this.#runs.add(run);
    try {
      const { child, giveBack } = await this.#lendWarm(job);
      return { child, giveBack: () => void (this.#runs.delete(run), giveBack()) };
    } catch (error) {
      this.#runs.delete(run);
      throw error;
    }
  }

  async #lendWarm(job: PluginJob): Promise<Lease> {
    const warm = this.#warmOf(job);
    try {
      return await warm.lend(job);
    } catch (error) {
      if (!warm.isGone || this.#stopping.signal.aborted) throw error;
      this.#forget(keyOf(job), warm); // it died before this job began, and nobody had noticed
      return await this.#warmOf(job).lend(job);
    }
  }

  #warmOf(job: PluginJob): WarmTemplate {
    const key = keyOf(job);
    const known = this.#warm.get(key);
    if (known !== undefined) return known;
    this.#makeRoom();
    const started = this.#start(job);
    const { childrenIdleMax, nowMs } = this.#options;
    const warm = new WarmTemplate(started, childrenIdleMax, nowMs);
    this.#warm.set(key, warm);
    started.then((template) => template.gone).catch(() => {}).then(() => this.#forget(key, warm));
    return warm;
  }

  async #start(job: PluginJob): Promise<TemplateProcess> {
    const { folder, launch, silentMs } = this.#options;
    const number = this.#takeNumber();
    try {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
      const template = await TemplateProcess.start({
        launch,
        folder: templateFolder(folder, number),
        interpreterPath: job.interpreterPath,
        dataRoots: job.dataRoots,
        silentMs,
        signal: this.#stopping.signal,
      });
      template.gone.then(() => this.#numbers.delete(number));
      return template;
    } catch (error) {
      this.#numbers.delete(number);
      throw error;
    }
  }

  #takeNumber(): number {
    for (let number = 0; number < TEMPLATES_MAX; number++) {
      if (!this.#numbers.has(number)) {
        this.#numbers.add(number);
        return number;
      }
    }
    throw new TemplateError(
      `Cannot start Python as a worker has at most ${TEMPLATES_MAX} at once: all are in use`,
    );
  }

  #makeRoom(): void {
    const excess = this.#warm.size + 1 - this.#options.templatesMax;
    const unused = [...this.#warm].filter(([, warm]) => !warm.isBusy)
      .toSorted(([, a], [, b]) => a.usedMs - b.usedMs);
    for (const [key, warm] of unused.slice(0, Math.max(0, excess))) this.#drop(key, warm);
  }

  /** A template that died, or never became one, makes way for the next. */
  #forget(key: string, warm: WarmTemplate): void {
    if (this.#warm.get(key) === warm) this.#warm.delete(key);
  }

  #drop(key: string, warm: WarmTemplate): void {
    this.#forget(key, warm);
    const ended = warm.close().then(() => void this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}

/** Templates are shared by whoever may see the same files with the same environment. */
function keyOf(job: PluginJob): string {
  return JSON.stringify([job.interpreterPath, ...job.dataRoots.toSorted()]);
}

function interpreterOf(key: string): string {
  return JSON.parse(key)[0];
}
