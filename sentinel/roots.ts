/** The source roots: stored, watched by the scanner, and told to whoever starts us next. */
import { ControlError, type ParsedParams, type Result } from "../protocol/control.ts";
import type { Clock, Logger } from "../protocol/ports.ts";
import { patienceMsOf, rootToStore, scannerRoot } from "./root_rules.ts";
import type { ScanSummary } from "./scanner/observations.ts";
import type { Scanner } from "./scanner/scanner.ts";
import type { NewRoot, RootRow, Store } from "./store/store.ts";

/** Files that were not taken are looked at again after their settle time, and not much sooner. */
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

  /**
   * Stores the root and begins to watch it; the same name again moves it to another folder. Rules that are
   * left out stay as they are.
   */
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
    const { name: _, directory: __, ...rules } = params;
    const before = this.#rows.find((row) => row.name === name);
    const rootId = await this.#save(rootToStore({ name, directory }, before, rules));
    return { root_id: rootId, name };
  }

  /** Changes rules of a root: those that are left out stay as they are. */
  async set({ name, ...rules }: ParsedParams<"roots.set">): Promise<void> {
    const before = this.#rows.find((row) => row.name === name);
    if (before === undefined) throw new ControlError("not_found", `There is no root '${name}'`);
    await this.#save(rootToStore(before, before, rules));
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
          patience_ms: patienceMsOf(row),
          file_system: last?.summary.fileSystem ?? null,
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
    const row = this.#rows.find(({ id }) => id === summary.rootId);
    if (row && summary.fileSystem !== (last?.fileSystem ?? null)) this.#tellShare(row, summary);
    if (summary.unsettled > 0) this.#scanAgain(summary, row?.settle_ms ?? 0);
  }

  /** What is not scanned yet, for people; empty when every root was walked and all files are still. */
  waitingFor(): string[] {
    return this.#rows.flatMap(({ id, name }) => {
      const last = this.#scanned.get(id)?.summary;
      if (!last) return [`the first scan of root '${name}'`];
      if (last.problem) return [];
      if (last.unsettled === 0) return [];
      const files = last.unsettled === 1 ? "1 file" : `${last.unsettled} files`;
      return [`${files} in '${name}' still arriving, such as ${last.unsettledSuchAs}`];
    });
  }

  /** The root that a file lies in is walked soon. */
  rescan(filePath: string): void {
    const root = this.#rows.find(({ directory }) => filePath.startsWith(`${directory}/`));
    if (root) this.parts.scanner.scanNow(root.id).catch(() => {/* it is stopping */});
  }

  get files(): { files: number; arriving: number; problems: number } {
    return this.#rows.reduce((sum, { files, arriving, problems }) => ({
      files: sum.files + files,
      arriving: sum.arriving + arriving,
      problems: sum.problems + problems,
    }), { files: 0, arriving: 0, problems: 0 });
  }

  async refreshCounts(): Promise<void> {
    this.#rows = await this.parts.store.roots();
  }

  #tellShare({ name, poll_ms }: RootRow, { fileSystem, isShare }: ScanSummary): void {
    if (fileSystem === null) return;
    const text = isShare
      ? `it is only polled, every ${poll_ms / 1000} s, and its clock is not believed`
      : `changes by other hosts give no events there: casparian roots set ${name} --poll-only auto`;
    this.parts.logger.log(
      isShare ? "info" : "warning",
      `Root ${name} lies on ${fileSystem}: ${text}`,
    );
  }

  #scanAgain({ rootId, durationMs }: ScanSummary, settleMs: number): void {
    clearTimeout(this.#timers.get(rootId));
    const delayMs = Math.max(settleMs, durationMs * RESCAN_DURATIONS) + 50;
    const again = () => this.parts.scanner.scanNow(rootId).catch(() => {/* it is stopping */});
    this.#timers.set(rootId, setTimeout(again, delayMs));
  }

  async #save(root: NewRoot): Promise<number> {
    const rootId = await this.parts.store.addRoot(root);
    await this.#reload();
    return rootId;
  }

  async #reload(): Promise<void> {
    this.#rows = await this.parts.store.roots();
    this.parts.scanner.setRoots(this.#rows.map(scannerRoot));
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
