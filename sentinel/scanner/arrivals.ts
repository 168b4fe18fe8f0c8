/**
 * Files that are there and not taken yet, each in one of these states:
 *
 *     settling ──still for the settle time──► ready ──its end is there──► (taken)
 *        ▲                                      └──not there──► open ──its tail changed──► settling
 *        └── size, time, tail or inode changed, in any state     └──still for the patience──► ready, as it is
 *     unmarked ──its marker comes──► ready        (where a root asks for markers; this one waits for ever)
 *
 * A file is still from its mtime on, as far as that is to be believed: see {@link Arrivals.admit}. The
 * wall clock only tells a file's age when it is first seen; what is waited for is measured by a clock that
 * nobody sets back. Whoever takes a file that is ready looks at it once more, and puts it back if need be.
 */
import type { ScanClock } from "./clock.ts";
import { sameStamp, type Stamp } from "./disk.ts";
import { DueQueue } from "./due_queue.ts";
import type { FoundFile } from "./folder_listing.ts";
import type { MissingEnd } from "./formats/missing_end.ts";

/** Files tracked one by one; those beyond wait for the next pass. */
export const UNSETTLED_MAX = 100_000;
/** Even without a settle time a file in motion is not asked about all the time. */
const PUT_BACK_MS_MIN = 100;
/** On a share only what is older than any clock can be wrong is taken for old. */
const CLOCK_SKEW_MS_MAX = 24 * 3_600_000;
/** A time in whole seconds may come of a file system that rounds down to seconds, or to even ones. */
const MTIME_GRAIN_MS = 1_999;
/** ctime comes in whole seconds, rounded down. */
const CTIME_GRAIN_MS = 999;

export interface Arrival {
  folder: string;
  file: FoundFile;
  /** On the clock that only runs forward. */
  stillSinceMs: number;
  /** Its last bytes when it was first found as it is now; null if nobody had to wait. */
  tail: string | null;
  /** What was not there when it was last looked through. */
  missing: MissingEnd | null;
  /** It was seen changing. */
  isMoving: boolean;
  /** When it was last found as it is. */
  seenAtMs: number;
}

export interface ArrivalTimes {
  settleMs: number;
  /** How long a file without its end must be still to be taken as it is. */
  patienceMs: number;
  /** How often the tail of such a file is looked at. */
  relookMs: number;
}

export interface ArrivalsParts {
  times: ArrivalTimes;
  clock: ScanClock;
  /** Neither the clock nor the inodes of the root's file system are to be believed. */
  isShare(): boolean;
  /** The last bytes of a file that has to wait; null if it can't be read. */
  tailOf(folder: string, file: FoundFile): string | null;
}

interface Tracked extends Arrival {
  dueMs: number;
}

export class Arrivals {
  readonly #folders = new Map<string, Map<string, Tracked>>();
  readonly #queue = new DueQueue<Tracked>();
  readonly #parts: ArrivalsParts;
  #size = 0;

  constructor(parts: ArrivalsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#size;
  }

  /** When to take again; never later than the first file is due. */
  get nextDueMs(): number {
    return this.#queue.nextDueMs;
  }

  /**
   * Keeps those of a folder's changed files that must wait, instead of all it kept of that folder. A file's
   * age is that of its mtime, but: of ctime if its mtime is not newer than the one known, since then it
   * does not date the change; at most the time since it was last seen otherwise; on a share nothing, unless
   * it is older than clocks differ.
   * @param known The stamps that the store has.
   * @returns The rest, ready to be taken.
   */
  admit(
    folder: string,
    changed: readonly FoundFile[],
    known: ReadonlyMap<string, Stamp> = new Map(),
  ): Arrival[] {
    const before = this.#folders.get(folder);
    const nowMs = this.#nowMs();
    this.drop(folder);
    return changed.flatMap((file) => {
      const tracked = this.#track(folder, file, before?.get(file.name), known.get(file.name));
      if (tracked.dueMs <= nowMs) return [tracked];
      this.#keep(tracked);
      return [];
    });
  }

  /** Keeps a file that was found changed just now: an mtime long ago proves nothing then. */
  putBack(arrival: Arrival, file: FoundFile, tail: string | null): Arrival {
    const nowMs = this.#nowMs();
    const isNew = !sameStamp(arrival.file, file);
    const ageMs = isNew ? Math.min(this.#ageMs(file, undefined), nowMs - arrival.seenAtMs) : 0;
    const { settleMs } = this.#parts.times;
    const dueMs = nowMs - ageMs + settleMs;
    return this.#keep({
      ...{ folder: arrival.folder, file, tail, missing: null, isMoving: true },
      ...{ stillSinceMs: nowMs - ageMs, seenAtMs: nowMs },
      dueMs: dueMs > nowMs ? dueMs : nowMs + Math.max(settleMs, PUT_BACK_MS_MIN),
    });
  }

  /** Keeps a file whose end was not there. */
  keepOpen(arrival: Arrival, tail: string, missing: MissingEnd): Arrival {
    const nowMs = this.#nowMs();
    const { patienceMs, relookMs } = this.#parts.times;
    const dueMs = Math.min(arrival.stillSinceMs + patienceMs, nowMs + relookMs);
    return this.#keep({ ...arrival, tail, missing, seenAtMs: nowMs, dueMs });
  }

  /** Whether it has been waited for long enough: then it is taken as it is. */
  isOverdue({ stillSinceMs }: Arrival): boolean {
    return this.#nowMs() >= stillSinceMs + this.#parts.times.patienceMs;
  }

  /** Takes out every file that is due. */
  takeDue(): Arrival[] {
    const due = this.#queue.takeDue(this.#nowMs());
    for (const { folder, file } of due) this.#forget(folder, file.name);
    return due;
  }

  drop(folder: string): void {
    for (const tracked of this.#folders.get(folder)?.values() ?? []) {
      this.#queue.remove(tracked);
      this.#size--;
    }
    this.#folders.delete(folder);
  }

  /** Those that will be taken by themselves: not one that lacks its marker for longer than the patience. */
  *awaited(): Iterable<Arrival> {
    for (const files of this.#folders.values()) {
      for (const tracked of files.values()) {
        if (tracked.file.marker !== "missing" || !this.isOverdue(tracked)) yield tracked;
      }
    }
  }

  /** Those of a folder, with how long each still waits. */
  *of(folder: string): Iterable<{ arrival: Arrival; waitMs: number }> {
    const nowMs = this.#nowMs();
    for (const tracked of this.#folders.get(folder)?.values() ?? []) {
      yield { arrival: tracked, waitMs: tracked.dueMs - nowMs };
    }
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs();
  }

  #track(
    folder: string,
    file: FoundFile,
    before: Tracked | undefined,
    known: Stamp | undefined,
  ): Tracked {
    const nowMs = this.#nowMs();
    if (before !== undefined && sameStamp(before.file, file)) {
      const same = { ...before, file, seenAtMs: nowMs };
      const isDated = file.marker === before.file.marker;
      return isDated ? same : { ...same, dueMs: this.#dueMs(same) };
    }
    let ageMs = this.#ageMs(file, known);
    if (before !== undefined) ageMs = Math.min(ageMs, nowMs - before.seenAtMs);
    const fresh = { folder, file, stillSinceMs: nowMs - ageMs, tail: null, missing: null };
    const tracked = { ...fresh, isMoving: before !== undefined, seenAtMs: nowMs };
    const dueMs = this.#dueMs(tracked);
    const isWaiting = dueMs > nowMs && dueMs < Infinity;
    const tail = isWaiting ? this.#parts.tailOf(folder, file) : null;
    return { ...tracked, tail, dueMs };
  }

  /** How long it has been as it is, as well as that can be told. */
  #ageMs(file: FoundFile, known: Stamp | undefined): number {
    return Math.max(0, this.#parts.clock.wallMs() - this.#changedAtMs(file, known));
  }

  #changedAtMs({ mtimeMs, ctimeMs, inode }: FoundFile, known: Stamp | undefined): number {
    const nowMs = this.#parts.clock.wallMs();
    const isDated = known === undefined || mtimeMs > known.mtimeMs;
    if (this.#parts.isShare()) {
      const changedAtMs = isDated ? Math.max(mtimeMs, ctimeMs ?? mtimeMs) : nowMs;
      return nowMs - changedAtMs > CLOCK_SKEW_MS_MAX ? changedAtMs : nowMs;
    }
    if (isDated) return mtimeMs % 1000 === 0 ? mtimeMs + MTIME_GRAIN_MS : mtimeMs;
    return inode === null || ctimeMs === null ? nowMs : ctimeMs + CTIME_GRAIN_MS;
  }

  #dueMs({ file, stillSinceMs }: Arrival): number {
    if (file.marker === "there") return -Infinity;
    if (file.marker === "missing") return Infinity;
    if (file.marker === "stale") return stillSinceMs + this.#parts.times.patienceMs;
    return stillSinceMs + this.#parts.times.settleMs;
  }

  #keep(tracked: Tracked): Arrival {
    const { folder, file: { name } } = tracked;
    const files = this.#folders.get(folder) ?? new Map<string, Tracked>();
    const before = files.get(name);
    if (before === undefined && this.#size >= UNSETTLED_MAX) return tracked;
    if (before !== undefined) this.#queue.remove(before);
    else this.#size++;
    this.#folders.set(folder, files.set(name, tracked));
    this.#queue.add(tracked);
    return tracked;
  }

  #forget(folder: string, name: string): void {
    const files = this.#folders.get(folder);
    if (files?.delete(name)) this.#size--;
    if (files?.size === 0) this.#folders.delete(folder);
  }
}
