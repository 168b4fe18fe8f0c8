/**
 * Watches over the source roots: finds files that are new, changed or gone, and tells them in batches.
 *
 * A periodic walk is the truth, the system's change events are hints that make it notice sooner. The
 * walking and hashing happen in a thread; this is its face in the main thread. What the callback
 * `onObservations` could not store is told again by the next walk.
 */
import type { FromThread, ToThread } from "./messages.ts";
import type { NameRulesOptions } from "./name_rules.ts";
import type { Observations, ScanProgress, ScanSummary } from "./observations.ts";
import type { RootSettings } from "./root_scan.ts";

export const SETTLE_MS_DEFAULT = 2_000;
export const POLL_MS_DEFAULT = 10_000;
const PATIENCE_SETTLE_TIMES = 10;
const PATIENCE_MS_MIN = 60_000;
const STOP_MS_MAX = 5_000;

export interface ScannerRoot extends NameRulesOptions {
  rootId: number;
  name: string;
  /** Absolute path. */
  directory: string;
  /** How long a file must be still before it counts; default 2 s. */
  settleMs?: number;
  /** How long one without its end must be still to be taken as it is; default {@link patienceMsDefault}. */
  patienceMs?: number;
  /** Nothing is watched, and neither the root's clock nor its inodes are believed; null: by its file system. */
  pollOnly?: boolean | null;
  /** Time between two walks, at least; default 10 s. A walk that takes long is repeated less often. */
  pollMs?: number;
}

export interface ScannerOptions {
  /** The store's database; the thread only reads it. */
  databasePath: string;
  /** Absolute paths of our own outputs and state, which are no sources even inside a root. */
  excludedFolders: readonly string[];
  /**
   * Stores a batch; resolves when it is durable. Up to four are under way at once, begun in order. A
   * rejection makes the next walk tell these files again.
   */
  onObservations(observations: Observations): Promise<void>;
  /** After every walk, with what is wrong with the root, if anything is. */
  onScanned?(summary: ScanSummary): void;
  onProgress?(progress: ScanProgress): void;
  /** A root gives no change events: what happens there is noticed by the next walk. */
  onUnwatched?(rootId: number, message: string): void;
  /** The thread has died of a defect; nothing is scanned until `start` is called again. */
  onFailure(error: Error): void;
  /** The thread's program; its first message is `open`. */
  startThread?(): Worker;
}

interface Waiting {
  resolve(summary: ScanSummary): void;
  reject(error: Error): void;
}

export class Scanner {
  readonly #options: ScannerOptions;
  #worker: Worker | null = null;
  #roots: RootSettings[] = [];
  #requestId = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #storing = new Set<Promise<void>>();
  #stopped = Promise.withResolvers<void>();

  constructor(options: ScannerOptions) {
    this.#options = options;
  }

  /** Safe to call twice. */
  start(): void {
    if (this.#worker !== null) return;
    const worker = this.#options.startThread?.() ?? startThread();
    this.#worker = worker;
    this.#stopped = Promise.withResolvers<void>();
    worker.onmessage = ({ data }: MessageEvent<FromThread>) => this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
    this.#post({ type: "open", databasePath: this.#options.databasePath });
    this.#post({ type: "roots", roots: this.#roots });
  }

  /** From now on these are the roots; those that stay the same go on undisturbed. */
  setRoots(roots: readonly ScannerRoot[]): void {
    const { excludedFolders } = this.#options;
    this.#roots = roots.map((root) => {
      const settleMs = root.settleMs ?? SETTLE_MS_DEFAULT;
      const times = { settleMs, patienceMs: patienceMsDefault(settleMs), pollMs: POLL_MS_DEFAULT };
      return { ...times, excludedFolders, ...root };
    });
    this.#post({ type: "roots", roots: this.#roots });
  }

  /**
   * Walks one root, or all, from the beginning.
   * @returns One summary a root, when all that the walk told is stored (or refused: see there). Files
   * that have not settled are still to come.
   * @throws {RangeError} If there is no such root. @throws {Error} If the scanner is not running.
   */
  async scanNow(rootId?: number): Promise<ScanSummary[]> {
    const roots = this.#roots.filter((root) => rootId === undefined || root.rootId === rootId);
    if (rootId !== undefined && roots.length === 0) {
      throw new RangeError(`Cannot scan root ${rootId} as it must be one of the roots: got none`);
    }
    return await Promise.all(roots.map((root) => this.#request(root.rootId)));
  }

  /** Everything is compared with the store again. */
  forgetAll(): void {
    this.#post({ type: "forget" });
  }

  /** Resolves when the thread is gone and no batch is being stored. Safe to call twice. */
  async stop(): Promise<void> {
    this.#post({ type: "stop" });
    if (this.#worker !== null) await this.#stoppedOrLate();
    this.#end(new Error("Cannot finish the scan as the scanner must run: it was stopped"));
    await Promise.all(this.#storing);
  }

  #request(rootId: number): Promise<ScanSummary> {
    if (this.#worker === null) {
      throw new Error("Cannot scan as the scanner must run: it is stopped; start it first");
    }
    const requestId = ++this.#requestId;
    const { promise, resolve, reject } = Promise.withResolvers<ScanSummary>();
    this.#waiting.set(requestId, { resolve, reject });
    this.#post({ type: "scan", rootId, requestId });
    return promise;
  }

  #hear(message: FromThread): void {
    if (message.type === "observations") this.#store(message.batchId, message.observations);
    if (message.type === "scanned") this.#scanned(message.summary, message.requestIds);
    if (message.type === "progress") this.#options.onProgress?.(message.progress);
    if (message.type === "unwatched") this.#options.onUnwatched?.(message.rootId, message.message);
    if (message.type === "failed") this.#fail(message.message);
    if (message.type === "stopped") this.#stopped.resolve();
  }

  #store(batchId: number, observations: Observations): void {
    const answer = (stored: boolean) => this.#post({ type: "answer", batchId, stored });
    const storing = this.#options.onObservations(observations)
      .then(() => answer(true), () => answer(false))
      .finally(() => this.#storing.delete(storing));
    this.#storing.add(storing);
  }

  #scanned(summary: ScanSummary, requestIds: number[]): void {
    this.#options.onScanned?.(summary);
    for (const requestId of requestIds) {
      this.#waiting.get(requestId)?.resolve(summary);
      this.#waiting.delete(requestId);
    }
  }

  async #stoppedOrLate(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, STOP_MS_MAX));
    await Promise.race([this.#stopped.promise, late]);
    clearTimeout(timer);
  }

  #fail(reason: string): void {
    const error = new Error(`Cannot go on scanning as the thread must not fail: ${reason}`);
    this.#end(error);
    this.#options.onFailure(error);
  }

  #end(error: Error): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#stopped.resolve();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #post(message: ToThread): void {
    this.#worker?.postMessage(message);
  }
}

/** Ten times the settle time, at least a minute. */
export function patienceMsDefault(settleMs: number): number {
  return Math.max(PATIENCE_SETTLE_TIMES * settleMs, PATIENCE_MS_MIN);
}

function startThread(): Worker {
  const url = new URL("./thread_main.ts", import.meta.url);
  return new Worker(url, { type: "module", name: "scanner" });
}
