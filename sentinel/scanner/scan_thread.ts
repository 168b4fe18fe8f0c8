/**
 * The scanner's own thread: takes turns between the roots, one small step each, and listens between the
 * steps. Whatever a message changes is changed between two steps, so a step never sees it happen.
 */
import type { ScanClock } from "./clock.ts";
import type { Disk } from "./disk.ts";
import type { KnownFiles } from "./known_files.ts";
import type { FromThread, ToThread } from "./messages.ts";
import type { Observations, ScanSummary } from "./observations.ts";
import { RootScan, type RootSettings } from "./root_scan.ts";
import { Stopped } from "./stopped.ts";
import { type Watch, watchFolder } from "./watch.ts";

/** The thread listens at least this often. */
const BREATH_EVERY_MS = 25;
const SLEEP_MS_MAX = 60_000;

export interface ScanThreadParts {
  disk: Disk;
  clock: ScanClock;
  openKnownFiles(databasePath: string): KnownFiles;
  post(message: FromThread): void;
}

export class ScanThread {
  readonly #parts: ScanThreadParts;
  readonly #roots = new Map<number, RootScan>();
  readonly #watches = new Map<number, Watch | null>();
  readonly #answers = new Map<number, PromiseWithResolvers<void> & { rootId: number }>();
  #inbox: ToThread[] = [];
  #known: KnownFiles | null = null;
  #batchId = 0;
  #breathedAtMs = 0;
  #stopping = false;
  #wake: () => void = () => {};

  constructor(parts: ScanThreadParts) {
    this.#parts = parts;
  }

  hear(message: ToThread): void {
    if (message.type === "answer") this.#answered(message.batchId, message.stored);
    else if (message.type === "stop") this.#stop();
    else this.#inbox.push(message);
    this.#wake();
  }

  /** Works until told to stop. */
  async run(): Promise<void> {
    try {
      while (!this.#stopping) {
        for (const message of this.#inbox.splice(0)) this.#obey(message);
        if (await this.#stepAll()) await this.#breathe();
        else await this.#sleep();
      }
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    } finally {
      this.#close();
    }
  }

  async #stepAll(): Promise<boolean> {
    let did = false;
    for (const root of this.#roots.values()) did = await root.step() || did;
    return did;
  }

  async #sleep(): Promise<void> {
    let dueMs = Infinity;
    for (const root of this.#roots.values()) dueMs = Math.min(dueMs, root.nextDueMs);
    const waitMs = Math.min(dueMs - this.#parts.clock.nowMs(), SLEEP_MS_MAX);
    if (this.#inbox.length === 0 && !this.#stopping && waitMs > 0) await this.#pause(waitMs);
  }

  /** Lets messages in now and then. @throws {Stopped} */
  readonly #breathe = async (): Promise<void> => {
    const nowMs = this.#parts.clock.nowMs();
    if (nowMs - this.#breathedAtMs >= BREATH_EVERY_MS) {
      await this.#pause(0);
      this.#breathedAtMs = this.#parts.clock.nowMs();
    }
    if (this.#stopping) throw new Stopped();
  };

  async #pause(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    if (waitMs > 0) this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }

  #obey(message: ToThread): void {
    if (message.type === "open") this.#known = this.#parts.openKnownFiles(message.databasePath);
    if (message.type === "roots") this.#setRoots(message.roots);
    if (message.type === "scan") this.#roots.get(message.rootId)?.request(message.requestId);
    if (message.type === "forget") { for (const root of this.#roots.values()) root.forget(); }
  }

  #setRoots(roots: RootSettings[]): void {
    for (const [rootId, scan] of this.#roots) {
      const same = roots.find((settings) => isSame(settings, scan.settings));
      if (same === undefined) this.#removeRoot(rootId, scan);
    }
    for (const settings of roots) {
      if (!this.#roots.has(settings.rootId)) this.#addRoot(settings);
    }
  }

  #addRoot(settings: RootSettings): void {
    const scan = new RootScan(settings, {
      ...{ disk: this.#parts.disk, clock: this.#parts.clock, known: this.#known! },
      breathe: this.#breathe,
      send: (observations) => this.#send(observations),
      quiet: () => this.#quiet(settings.rootId),
      onScanned: (summary, requestIds) => this.#scanned(settings, summary, requestIds),
      onProgress: (progress) => this.#parts.post({ type: "progress", progress }),
    });
    this.#roots.set(settings.rootId, scan);
    this.#watch(settings, scan);
  }

  #removeRoot(rootId: number, scan: RootScan): void {
    this.#roots.delete(rootId);
    this.#unwatch(rootId);
    scan.remove();
  }

  #scanned(settings: RootSettings, summary: ScanSummary, requestIds: number[]): void {
    const { rootId } = settings;
    const scan = this.#roots.get(rootId);
    if (summary.problem?.kind === "root_unavailable" || summary.isShare) this.#unwatch(rootId);
    if (summary.problem === null && !this.#watches.has(rootId) && scan !== undefined) {
      this.#watch(settings, scan);
    }
    this.#parts.post({ type: "scanned", summary, requestIds });
  }

  /** Not a share: what other hosts do there gives no events, and asking for them may cost much. */
  #watch({ rootId, name, directory, excludedFolders }: RootSettings, scan: RootScan): void {
    if (scan.isShare) return;
    const { rules } = scan;
    const onHint = (folder: string) => {
      this.#roots.get(rootId)?.hint(folder);
      this.#wake();
    };
    const onEnd = (error: unknown) => {
      this.#watches.set(rootId, null); // and not tried again: the passes see everything anyway
      const message = `Cannot watch root ${name} as the system must offer watches: ${error}; ` +
        "changes are found by the periodic scan (raise fs.inotify.max_user_watches for faster notice)";
      this.#parts.post({ type: "unwatched", rootId, message });
    };
    try {
      this.#watches.set(rootId, watchFolder({ directory, excludedFolders, rules, onHint, onEnd }));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) onEnd(error);
    }
  }

  #unwatch(rootId: number): void {
    this.#watches.get(rootId)?.close();
    this.#watches.delete(rootId);
  }

  #send(observations: Observations): Promise<void> {
    if (this.#stopping) return Promise.reject(new Stopped());
    const batchId = ++this.#batchId;
    const answer = { ...Promise.withResolvers<void>(), rootId: observations.rootId };
    this.#answers.set(batchId, answer);
    this.#parts.post({ type: "observations", batchId, observations });
    return answer.promise;
  }

  async #quiet(rootId: number): Promise<void> {
    const unanswered = [...this.#answers.values()].filter((answer) => answer.rootId === rootId);
    await Promise.allSettled(unanswered.map(({ promise }) => promise));
  }

  #answered(batchId: number, stored: boolean): void {
    const answer = this.#answers.get(batchId);
    this.#answers.delete(batchId);
    if (stored) answer?.resolve();
    else answer?.reject(new Error(`Batch ${batchId} was refused`));
  }

  /** Nobody waits for an answer any more, so nothing hangs on one. */
  #stop(): void {
    this.#stopping = true;
    for (const batchId of [...this.#answers.keys()]) this.#answered(batchId, false);
  }

  #close(): void {
    for (const rootId of [...this.#watches.keys()]) this.#unwatch(rootId);
    this.#known?.close();
    this.#parts.post({ type: "stopped" });
  }
}

function isSame(a: RootSettings, b: RootSettings): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
