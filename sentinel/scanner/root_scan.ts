/**
 * The schedule of one root. Most urgent first:
 * 1. files that are due after settling, and folders that a hint names;
 * 2. the pass over the whole root, every `pollMs`, or ten times as long as the last one took,
 *    whichever is longer: scanning never takes more than a tenth of the thread. A request brings the
 *    next pass forward; one that comes during a pass gets a pass of its own, as folders already
 *    walked may have changed.
 *
 * A pass that can't go on (the root is gone, the store can't be read) ends with the problem in its summary,
 * and what was known in memory is forgotten, so the next one compares everything with the store.
 */
import { waitsBecause } from "./arrival_words.ts";
import type { Arrival, ArrivalTimes } from "./arrivals.ts";
import { joinPath } from "./folder_listing.ts";
import { Hints } from "./hints.ts";
import type { Observations, ScanProblem, ScanProgress, ScanSummary } from "./observations.ts";
import type { NameRules } from "./name_rules.ts";
import { Outbox } from "./outbox.ts";
import { Pass } from "./pass.ts";
import { type RootPlace, RootUnavailable } from "./root_folder.ts";
import { RootView, type RootViewParts } from "./root_view.ts";
import { Stopped } from "./stopped.ts";

const PAUSE_PER_SCAN = 10;
const PROGRESS_EVERY_MS = 1_000;

export interface RootSettings extends RootPlace {
  settleMs: number;
  /** How long a file without its end must be still to be taken as it is; never less than to settle. */
  patienceMs: number;
  pollMs: number;
}

export interface RootScanParts extends Omit<RootViewParts, "outbox"> {
  /** Resolves when stored. */
  send(observations: Observations): Promise<void>;
  /** Resolves when all that was sent of this root is answered, also by who scanned it before. */
  quiet(): Promise<void>;
  /** A pass ended and all it told was answered; `requestIds` are those that asked for it. */
  onScanned(summary: ScanSummary, requestIds: number[]): void;
  onProgress(progress: ScanProgress): void;
}

interface RunningPass {
  pass: Pass;
  startedMs: number;
  progressDueMs: number;
  requestIds: number[];
  seenBefore: number;
  deletedBefore: number;
  refused: number;
}

export class RootScan {
  readonly settings: RootSettings;
  readonly #parts: RootScanParts;
  readonly #view: RootView;
  readonly #outbox: Outbox;
  readonly #hints: Hints;
  readonly #times: ArrivalTimes;
  #due: Arrival[] = [];
  #running: RunningPass | null = null;
  #passDueMs = -Infinity;
  #requestIds: number[] = [];

  constructor(settings: RootSettings, parts: RootScanParts) {
    this.settings = settings;
    this.#parts = parts;
    this.#hints = new Hints(settings.settleMs);
    const { rootId } = settings;
    const { clock, send } = parts;
    this.#outbox = new Outbox({ rootId, clock, send, onRefused: (names) => this.#refused(names) });
    const { settleMs, patienceMs, pollMs } = settings;
    this.#times = { settleMs, patienceMs: Math.max(settleMs, patienceMs), relookMs: pollMs };
    this.#view = new RootView(settings, this.#times, { ...parts, outbox: this.#outbox });
  }

  /** Nothing is watched, see {@link RootView}. */
  get isShare(): boolean {
    return this.#view.isShare;
  }

  get rules(): NameRules {
    return this.#view.rules;
  }

  /** When there is something to do again. */
  get nextDueMs(): number {
    if (this.#running !== null || this.#due.length > 0 || this.#requestIds.length > 0) {
      return -Infinity;
    }
    return Math.min(this.#passDueMs, this.#view.arrivals.nextDueMs, this.#hints.nextDueMs);
  }

  request(requestId: number): void {
    this.#requestIds.push(requestId);
  }

  /**
   * Something happened in the folder. One that is not known (new, or not walked at all) is looked for
   * from the nearest one that is; before the first pass none is, and the pass will come by.
   */
  hint(folder: string): void {
    const known = this.#nearestKnown(folder);
    if (known !== null) this.#hints.add(known, this.#parts.clock.nowMs());
  }

  /** Compares everything with the store again, soon; a pass that is under way starts anew. */
  forget(): void {
    this.#view.forget();
    this.#hints.clear();
    this.#requestIds.push(...this.#running?.requestIds ?? []);
    this.#running = null;
    this.#passDueMs = -Infinity;
  }

  /** The root is no longer ours: whoever waits for a pass is told so. */
  remove(): void {
    const message =
      `Cannot scan root ${this.settings.name} as it must stay the same meanwhile: it was removed or changed`;
    const requestIds = [...this.#running?.requestIds ?? [], ...this.#requestIds];
    this.#parts.onScanned(this.#summary({ kind: "root_removed", message }), requestIds);
  }

  /** Does one small piece of work. @returns Whether there was any. @throws {Stopped} */
  async step(): Promise<boolean> {
    const did = await this.#urgentStep() || await this.#passStep();
    await (did ? this.#outbox.flushIfOld() : this.#outbox.flush());
    return did;
  }

  async #urgentStep(): Promise<boolean> {
    if (this.#due.length === 0) {
      this.#due = this.#view.arrivals.takeDue().reverse();
    }
    const next = this.#due.pop();
    if (next !== undefined) {
      await this.#view.examine(next);
      return true;
    }
    const startedMs = this.#parts.clock.nowMs();
    const folder = this.#hints.takeDue(startedMs);
    if (folder === undefined) return false;
    await this.#look(folder).catch((error) => this.#lookFailed(error));
    this.#hints.took(folder, startedMs, this.#parts.clock.nowMs());
    return true;
  }

  async #look(folder: string): Promise<void> {
    // A folder made just now may be filled before the system watches it: it gets a second look.
    if (!this.#view.has(folder)) this.#hints.add(folder, this.#parts.clock.nowMs());
    const visit = await this.#view.visit(folder);
    if (visit.state === "gone") await this.#vanishBelow(folder);
    if (visit.state !== "listed") return;
    this.#running?.pass.met(folder);
    for (const subfolder of visit.subfolders) {
      if (!this.#view.has(subfolder)) this.#hints.addNew(subfolder, this.#parts.clock.nowMs());
    }
    this.#due.push(...visit.ready);
  }

  #nearestKnown(folder: string): string | null {
    for (let nearest = folder;; nearest = nearest.slice(0, Math.max(0, nearest.lastIndexOf("/")))) {
      if (this.#view.has(nearest)) return nearest;
      if (nearest === "") return null;
    }
  }

  async #vanishBelow(top: string): Promise<void> {
    for (const folder of this.#view.folders()) {
      if (folder === top || folder.startsWith(`${top}/`)) await this.#view.vanish(folder);
    }
  }

  /** A look is only a hint's work; whatever is wrong, the pass says so. */
  #lookFailed(error: unknown): void {
    if (error instanceof Stopped) throw error;
    this.forget();
  }

  async #passStep(): Promise<boolean> {
    const nowMs = this.#parts.clock.nowMs();
    if (this.#running === null && this.#requestIds.length === 0 && nowMs < this.#passDueMs) {
      return false;
    }
    try {
      this.#running ??= await this.#begin(nowMs);
      if (await this.#running.pass.step()) this.#tellProgress(nowMs);
      else await this.#end(null);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      this.#view.forget();
      await this.#end(problemOf(error, this.settings.name));
    }
    return true;
  }

  async #begin(nowMs: number): Promise<RunningPass> {
    if (!this.#view.isSeeded) {
      await this.#outbox.drain();
      await this.#parts.quiet();
    }
    const pass = new Pass(this.#view);
    const { seen: seenBefore, deleted: deletedBefore } = this.#view;
    const running = { pass, startedMs: nowMs, progressDueMs: nowMs + PROGRESS_EVERY_MS };
    const requestIds = this.#requestIds.splice(0);
    return { ...running, requestIds, seenBefore, deletedBefore, refused: 0 };
  }

  #tellProgress(nowMs: number): void {
    const running = this.#running!;
    if (nowMs < running.progressDueMs) return;
    running.progressDueMs = nowMs + PROGRESS_EVERY_MS;
    const { files, folders } = running.pass;
    this.#parts.onProgress({ rootId: this.settings.rootId, files, folders });
  }

  async #end(problem: ScanProblem | null): Promise<void> {
    await this.#outbox.drain();
    const summary = this.#summary(problem);
    const requestIds = this.#running?.requestIds ?? this.#requestIds.splice(0);
    this.#running = null;
    const pauseMs = Math.max(this.settings.pollMs, PAUSE_PER_SCAN * summary.durationMs);
    this.#passDueMs = this.#parts.clock.nowMs() + pauseMs;
    this.#parts.onScanned(summary, requestIds);
  }

  #summary(problem: ScanProblem | null): ScanSummary {
    const { rootId } = this.settings;
    const running = this.#running;
    const nowMs = this.#parts.clock.nowMs();
    return {
      rootId,
      files: running?.pass.files ?? 0,
      folders: running?.pass.folders ?? 0,
      ...this.#unsettled(),
      fileSystem: this.#view.fileSystem,
      isShare: this.#view.isShare,
      unreadable: this.#view.pending.count("unreadable"),
      seen: this.#view.seen - (running?.seenBefore ?? this.#view.seen),
      deleted: this.#view.deleted - (running?.deletedBefore ?? this.#view.deleted),
      refused: running?.refused ?? 0,
      durationMs: Math.round(nowMs - (running?.startedMs ?? nowMs)),
      problem,
    };
  }

  #unsettled(): Pick<ScanSummary, "unsettled" | "unsettledSuchAs"> {
    const awaited = [...this.#due, ...this.#view.arrivals.awaited()];
    const [first] = awaited;
    if (first === undefined) return { unsettled: 0, unsettledSuchAs: null };
    const because = waitsBecause(first, this.#times, this.rules.marker);
    const path = joinPath(first.folder, first.file.name);
    return { unsettled: awaited.length, unsettledSuchAs: `${path}: ${because}` };
  }

  #refused(folders: Set<string>): void {
    this.#view.refused(folders);
    if (this.#running !== null) this.#running.refused++;
  }
}

function problemOf(error: unknown, rootName: string): ScanProblem {
  if (error instanceof RootUnavailable) return { kind: "root_unavailable", message: error.message };
  const reason = error instanceof Error ? error.message : String(error);
  const message =
    `Cannot scan root ${rootName} as the walk must not fail: ${reason}; it is tried again`;
  return { kind: "scan_failed", message };
}
