/** The source roots: stored, watched by the scanner, and told to whoever starts us next. */
import { ControlError, type ParsedParams, type Result } from "../protocol/control.ts";
import type { Clock, Logger } from "../protocol/ports.ts";
import type { ScanSummary } from "./scanner/observations.ts";
import type { Scanner } from "./scanner/scanner.ts";
import type { RootRow, Store } from "./store/store.ts";

/** Files that were still changing are looked at again after their settle time, and not much sooner. */
const RESCAN_DURATIONS = 10;

export interface RootsParts {
  store: Store;
  scanner: Pick<Scanner, "setRoots" | "scanNow">;
  clock: Clock;
  logger: Logger;
  mayRead(directory: string): boolean;
  /** Told after each change: the launcher must know the roots before it can grant them. */
  onChanged(roots: readonly RootRow[]): void;
}

export class Roots {
  #rows: RootRow[] = [];
  /** The last walk of each root since the start. */
  readonly #scanned = new Map<number, { summary: ScanSummary; atMs: number }>();
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  constructor(readonly parts: RootsParts) {}

  async start(): Promise<void> {
    await this.#reload();
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Stores the root and begins to watch it; the same name again moves it to another folder. */
  async add(params: ParsedParams<"roots.add">): Promise<Result<"roots.add">> {
    const directory = params.directory.replace(/(?<=.)\/+$/, "");
    const name = params.name ?? (await this.#nameFor(directory));
    if (!directory.startsWith("/")) {
      throw new ControlError(
        "invalid",
        `Cannot watch a folder that is not absolute: got ${directory}`,
      );
    }
    if (!this.parts.mayRead(directory)) {
      throw new ControlError(
        "conflict",
        `Cannot watch ${directory} as this sentinel was started without permission to read it: ` +
          `start it again with --root ${name}=${directory}`,
      );
    }
    const rootId = await this.parts.store.addRoot({
      name,
      directory,
      settleMs: params.settle_ms,
      pollMs: params.poll_ms,
    });
    await this.#reload();
    return { root_id: rootId, name };
  }

  async remove(name: string): Promise<void> {
    if (!await this.parts.store.removeRoot(name, this.parts.clock.nowMs())) {
      throw new ControlError("not_found", `There is no root '${name}'`);
    }
    await this.#reload();
  }

  async list(): Promise<Result<"roots.list">> {
    this.#rows = await this.parts.store.roots();
    return {
      roots: this.#rows.map((row) => {
        const last = this.#scanned.get(row.id);
        return {
          ...row,
          problem: last?.summary.problem?.message ?? null,
          last_scan_ms: last?.atMs ?? null,
        };
      }),
    };
  }

  /** @param name Of one root; all without it. */
  async scan(name?: string): Promise<Result<"scan.run">> {
    const root = name === undefined ? undefined : this.#rows.find((row) => row.name === name);
    if (name !== undefined && !root) {
      throw new ControlError("not_found", `There is no root '${name}'`);
    }
    const summaries = await this.parts.scanner.scanNow(root?.id);
    const sum = (of: (summary: ScanSummary) => number) =>
      summaries.reduce((total, summary) => total + of(summary), 0);
    const problem = summaries.find((summary) => summary.problem)?.problem;
    if (problem) throw new ControlError("unavailable", problem.message);
    return {
      files: sum(({ files }) => files),
      folders: sum(({ folders }) => folders),
      unsettled: sum(({ unsettled }) => unsettled),
      problems: sum(({ unreadable }) => unreadable),
      duration_ms: sum(({ durationMs }) => durationMs),
    };
  }

  scanned(summary: ScanSummary): void {
    const last = this.#scanned.get(summary.rootId)?.summary;
    this.#scanned.set(summary.rootId, { summary, atMs: this.parts.clock.nowMs() });
    if (summary.problem && summary.problem.message !== last?.problem?.message) {
      this.parts.logger.log("warning", summary.problem.message);
    }
    const settleMs = this.#rows.find(({ id }) => id === summary.rootId)?.settle_ms ?? 0;
    if (summary.unsettled > 0) this.#scanAgain(summary, settleMs);
  }

  /** What is not scanned yet, for people; empty when every root was walked and all files are still. */
  waitingFor(): string[] {
    return this.#rows.flatMap(({ id, name }) => {
      const last = this.#scanned.get(id)?.summary;
      if (!last) return [`the first scan of root '${name}'`];
      if (last.problem) return [];
      return last.unsettled > 0 ? [`${last.unsettled} files in '${name}' that still change`] : [];
    });
  }

  /** The root that a file lies in is walked soon. */
  rescan(filePath: string): void {
    const root = this.#rows.find(({ directory }) => filePath.startsWith(`${directory}/`));
    if (root) this.parts.scanner.scanNow(root.id).catch(() => {/* it is stopping */});
  }

  get files(): { files: number; problems: number } {
    return this.#rows.reduce((sum, { files, problems }) => ({
      files: sum.files + files,
      problems: sum.problems + problems,
    }), { files: 0, problems: 0 });
  }

  async refreshCounts(): Promise<void> {
    this.#rows = await this.parts.store.roots();
  }

  #scanAgain({ rootId, durationMs }: ScanSummary, settleMs: number): void {
    clearTimeout(this.#timers.get(rootId));
    const delayMs = Math.max(settleMs, durationMs * RESCAN_DURATIONS) + 50;
    const again = () => this.parts.scanner.scanNow(rootId).catch(() => {/* it is stopping */});
    this.#timers.set(rootId, setTimeout(again, delayMs));
  }

  async #reload(): Promise<void> {
    this.#rows = await this.parts.store.roots();
    this.parts.scanner.setRoots(this.#rows.map((row) => ({
      rootId: row.id,
      name: row.name,
      directory: row.directory,
      settleMs: row.settle_ms,
      pollMs: row.poll_ms,
    })));
    this.parts.onChanged(this.#rows);
  }

  /** The folder's own name, or with a number when another root has it already. */
  async #nameFor(directory: string): Promise<string> {
    const rows = await this.parts.store.roots();
    const same = rows.find((row) => row.directory === directory);
    if (same) return same.name;
    const base = directory.split("/").at(-1) || "root";
    const taken = new Set(rows.map(({ name }) => name));
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base}-${n}`;
    return name;
  }
}
