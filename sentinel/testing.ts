/**
 * For tests: a root on the real disk, the real scanner thread on the real clock, a real store, and one
 * plugin that takes every file. A worker is played: each job's output is its file's hash.
 */
import { DatabaseSync } from "node:sqlite";
import { Intake } from "./intake.ts";
import { scannerRoot } from "./root_rules.ts";
import type { ScanSummary } from "./scanner/observations.ts";
import { Scanner, type ScannerRoot } from "./scanner/scanner.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Change, LaneKey, NewRoot, ReadyJob, Store } from "./store/store.ts";

export const SETTLE_MS = 150;
export const PATIENCE_MS = 2_000;
export const POLL_MS = 300;
const WAIT_MS_MAX = 60_000;
const JOBS_MAX = 200_000;

export class ArrivalSite {
  readonly directory = Deno.makeTempDirSync({ prefix: "casparian-arrival-" });
  readonly root = `${this.directory}/root`;
  readonly store: Store;
  readonly scanner: Scanner;
  readonly summaries: ScanSummary[] = [];
  readonly #clock = { nowMs: () => Date.now() };
  readonly #intake: Intake;
  readonly #database: DatabaseSync;
  #pluginId = 0;
  #changed = Promise.withResolvers<void>();

  private constructor() {
    Deno.mkdirSync(this.root);
    const databasePath = `${this.directory}/store.db`;
    this.store = openSqliteStore(databasePath, this.#clock.nowMs);
    this.#database = new DatabaseSync(databasePath, { readOnly: true });
    this.#intake = new Intake(this.store, this.#clock, () => {});
    this.scanner = new Scanner({
      databasePath,
      excludedFolders: [],
      onObservations: async (observations) => {
        await this.#intake.observed(observations);
        this.#signal();
      },
      onScanned: (summary) => {
        this.summaries.push(summary);
        this.#signal();
      },
      onFailure: (error) => this.#changed.reject(error),
    });
  }

  static async open(rules: Partial<NewRoot> = {}): Promise<ArrivalSite> {
    const site = new ArrivalSite();
    await site.#publish();
    await site.setRules(rules);
    site.scanner.start();
    return site;
  }

  /** As `roots set` does. */
  async setRules(rules: Partial<NewRoot>): Promise<void> {
    const times = { settleMs: SETTLE_MS, patienceMs: PATIENCE_MS, pollMs: POLL_MS };
    await this.store.addRoot({ name: "in", directory: this.root, ...times, ...rules });
    this.scanner.setRoots((await this.store.roots()).map(scannerRoot) as ScannerRoot[]);
  }

  write(path: string, content: string | Uint8Array): void {
    const whole = `${this.root}/${path}`;
    Deno.mkdirSync(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(whole, content);
    else Deno.writeFileSync(whole, content);
  }

  /** Resolves when something was stored, or a walk has ended. */
  change(): Promise<void> {
    return this.#changed.promise;
  }

  /** Resolves once it is true; asked after whatever is stored and every walk. */
  async until(what: string, test: () => unknown): Promise<void> {
    const timer = setTimeout(
      () => this.#changed.reject(new Error(`Waited in vain: ${what}`)),
      WAIT_MS_MAX,
    );
    try {
      while (!test()) await this.#changed.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves once all that is on the disk now was seen and taken, but for what waits for a marker. */
  async settle(): Promise<void> {
    for (;;) {
      const [summary] = await this.scanner.scanNow();
      if (summary!.problem !== null) throw new Error(summary!.problem.message);
      if (summary!.unsettled === 0) return;
      const { length } = this.summaries;
      await this.until("another walk", () => this.summaries.length > length);
    }
  }

  /** Plays a worker: every job that is ready is done. @returns Paths, in the order of their jobs. */
  async work(): Promise<string[]> {
    const lanes = await this.store.readyLanes(this.#pluginId);
    const inLane = (lane: LaneKey) => this.store.readyJobs(lane, JOBS_MAX);
    const jobs = (await Promise.all(lanes.map(inLane))).flat();
    await this.store.commit(jobs.flatMap(runOf));
    return jobs.map(({ filePath }) => filePath.slice(this.root.length + 1));
  }

  /** What the tables hold: path to the hash of the content that its live rows are of. */
  tables(): Record<string, string> {
    const rows = this.#all(`SELECT f.folder, f.name, o.staged AS hash FROM outputs o
      JOIN files f ON f.id = o.file_id WHERE o.state = 'LIVE' ORDER BY f.folder, f.name`);
    return Object.fromEntries(rows.map((row) => [pathOf(row), row.hash as string]));
  }

  /** Every content that was taken of a file, in order. */
  versions(path: string): string[] {
    return this.#all(`SELECT f.folder, f.name, v.content_hash AS hash FROM file_versions v
      JOIN files f ON f.id = v.file_id ORDER BY v.id`)
      .filter((row) => pathOf(row) === path).map((row) => row.hash as string);
  }

  /** Files by path: deleted, arriving (why), note. */
  files(): Record<string, { deleted: boolean; arriving: string | null; note: string | null }> {
    const rows = this.#all("SELECT folder, name, deleted_at_ms, arriving, note FROM files");
    return Object.fromEntries(rows.map((row) => [pathOf(row), {
      deleted: row.deleted_at_ms !== null,
      arriving: row.arriving as string | null,
      note: row.note as string | null,
    }]));
  }

  /** Jobs that there ever were, by state. */
  jobs(): Record<string, number> {
    const rows = this.#all("SELECT state, count(*) AS jobs FROM processing_jobs GROUP BY state");
    return Object.fromEntries(rows.map(({ state, jobs }) => [state, jobs])) as never;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scanner.stop();
    this.#database.close();
    await this.store.close();
    Deno.removeSync(this.directory, { recursive: true });
  }

  #signal(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #all(sql: string): Record<string, unknown>[] {
    return this.#database.prepare(sql).all() as Record<string, unknown>[];
  }

  async #publish(): Promise<void> {
    const none = { requirements: null, python: null, signature: "", publisher: "" };
    const { pluginId } = await this.store.addPlugin({
      ...{ name: "p", version: "1", sourceCode: "", sourceHash: "s", artifactHash: "a" },
      ...{ envHash: null, patterns: ["*"], topics: ["t"], manifest: {}, nowMs: 1 },
      ...none,
    });
    await this.store.commit([{ type: "plugin_activated", pluginId, nowMs: 1 }]);
    await this.store.intakeProgress(pluginId, null);
    this.#pluginId = pluginId;
    this.#intake.setRoutes(await this.store.activePlugins(), [], []);
  }
}

function runOf({ jobId, attempt, generation, contentHash: staged }: ReadyJob): Change[] {
  const lease = { jobId, attempt: attempt + 1, workerId: "w", nowMs: 1 };
  const uri = `t:${jobId}:g${generation}`;
  const mode = "replace" as const;
  const output = { topic: "t", uri, staged, rows: 1, bytes: 1, generation, mode };
  return [
    { type: "claim", ...lease, generation, leaseUntilMs: 1 },
    { type: "complete", ...lease, metrics: {}, outputs: [output] },
  ];
}

function pathOf({ folder, name }: Record<string, unknown>): string {
  return folder === "" ? `${name}` : `${folder}/${name}`;
}
