/**
 * Files that have changed so lately that someone may still be writing them.
 *
 * A file is still from its mtime on, or from when it was first seen with that mtime, should the mtime
 * lie in the future (the clock of a share runs ahead). Having been still for the settle time, it is due:
 * whoever takes it then looks at it once more, and puts it back if it has changed after all. The wall
 * clock only tells a file's age when it is first seen; what is waited for is measured by a clock that
 * nobody sets back.
 */
import type { ScanClock } from "./clock.ts";
import { sameStamp } from "./disk.ts";
import type { FoundFile } from "./folder_listing.ts";

/** Files tracked one by one; those beyond wait for the next pass. */
export const UNSETTLED_MAX = 100_000;

/** Even without a settle time a file in motion is not asked about all the time. */
const PUT_BACK_MS_MIN = 100;

export interface DueFile {
  folder: string;
  file: FoundFile;
}

interface Tracked {
  file: FoundFile;
  dueMs: number;
}

export class Settling {
  readonly #folders = new Map<string, Map<string, Tracked>>();
  #size = 0;
  #nextDueMs = Infinity;

  constructor(readonly settleMs: number, readonly clock: ScanClock) {}

  get size(): number {
    return this.#size;
  }

  /** When to take again; never later than the first file is due. */
  get nextDueMs(): number {
    return this.#nextDueMs;
  }

  /** Keeps those of a folder's changed files that must wait, instead of all it kept of that folder; returns the rest. */
  admit(folder: string, changed: readonly FoundFile[]): FoundFile[] {
    const before = this.#folders.get(folder);
    const nowMs = this.clock.nowMs();
    this.drop(folder);
    return changed.filter((file) => {
      const tracked = this.#track(file, before?.get(file.name));
      if (tracked.dueMs <= nowMs) return true;
      this.#keep(folder, tracked);
      return false;
    });
  }

  /** Keeps a file that was found changed just now. */
  putBack(folder: string, file: FoundFile): void {
    const tracked = this.#track(file);
    const nowMs = this.clock.nowMs();
    // It was seen changing, so an mtime long ago proves nothing.
    if (tracked.dueMs <= nowMs) tracked.dueMs = nowMs + Math.max(this.settleMs, PUT_BACK_MS_MIN);
    this.#keep(folder, tracked);
  }

  /** Takes out every file that is due. */
  takeDue(): DueFile[] {
    const nowMs = this.clock.nowMs();
    if (nowMs < this.#nextDueMs) return [];
    const due: DueFile[] = [];
    this.#nextDueMs = Infinity;
    for (const [folder, files] of this.#folders) {
      for (const [name, tracked] of files) {
        if (tracked.dueMs <= nowMs) {
          due.push({ folder, file: tracked.file });
          this.#remove(folder, files, name);
        } else this.#nextDueMs = Math.min(this.#nextDueMs, tracked.dueMs);
      }
    }
    return due;
  }

  drop(folder: string): void {
    this.#size -= this.#folders.get(folder)?.size ?? 0;
    this.#folders.delete(folder);
  }

  #track(file: FoundFile, before?: Tracked): Tracked {
    if (before !== undefined && sameStamp(before.file, file)) return before;
    const ageMs = Math.max(0, this.clock.wallMs() - file.mtimeMs);
    return { file, dueMs: this.clock.nowMs() + this.settleMs - ageMs };
  }

  #keep(folder: string, tracked: Tracked): void {
    const files = this.#folders.get(folder) ?? new Map<string, Tracked>();
    if (this.#size >= UNSETTLED_MAX && !files.has(tracked.file.name)) return;
    this.#folders.set(folder, files);
    this.#size += files.has(tracked.file.name) ? 0 : 1;
    files.set(tracked.file.name, tracked);
    this.#nextDueMs = Math.min(this.#nextDueMs, tracked.dueMs);
  }

  #remove(folder: string, files: Map<string, Tracked>, name: string): void {
    files.delete(name);
    this.#size--;
    if (files.size === 0) this.#folders.delete(folder);
  }
}
