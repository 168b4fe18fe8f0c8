/**
 * Gathers what was observed into batches and sends few at a time, so that a slow store slows down the
 * scan instead of filling the memory.
 */
import type { ScanClock } from "./clock.ts";
import type {
  ArrivingFile,
  DeletedFile,
  FileName,
  Observations,
  SeenFile,
  UnreadableFile,
} from "./observations.ts";

export const BATCH_FILES_MAX = 500;
export const BATCH_AGE_MS_MAX = 100;
export const BATCHES_UNANSWERED_MAX = 4;

export interface OutboxOptions {
  rootId: number;
  clock: ScanClock;
  /** Resolves when the batch is stored. */
  send(observations: Observations): Promise<void>;
  /** What was said of these folders is not in the store. */
  onRefused(folders: Set<string>): void;
}

export class Outbox {
  #batch: Observations;
  #folders = new Set<string>();
  #files = 0;
  #firstAddedMs = 0;
  readonly #unanswered = new Map<Promise<void>, Set<string>>();
  readonly #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#batch = this.#emptyBatch();
  }

  seen(file: SeenFile): Promise<void> {
    return this.#add(this.#batch.seen, file);
  }

  deleted(file: DeletedFile): Promise<void> {
    return this.#add(this.#batch.deleted, file);
  }

  unreadable(file: UnreadableFile): Promise<void> {
    return this.#add(this.#batch.unreadable, file);
  }

  arriving(file: ArrivingFile): Promise<void> {
    return this.#add(this.#batch.arriving, file);
  }

  mended(file: FileName): Promise<void> {
    return this.#add(this.#batch.mended, file);
  }

  /** Whether the store may not know yet what was said of the folder. */
  holds(folder: string): boolean {
    return this.#folders.has(folder) ||
      [...this.#unanswered.values()].some((folders) => folders.has(folder));
  }

  async flushIfOld(): Promise<void> {
    if (this.#options.clock.nowMs() - this.#firstAddedMs >= BATCH_AGE_MS_MAX) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#files === 0) return;
    const [batch, folders] = [this.#batch, this.#folders];
    [this.#batch, this.#folders, this.#files] = [this.#emptyBatch(), new Set(), 0];
    while (this.#unanswered.size >= BATCHES_UNANSWERED_MAX) {
      await Promise.race(this.#unanswered.keys());
    }
    const answer = this.#options.send(batch)
      .catch(() => this.#options.onRefused(folders))
      .finally(() => this.#unanswered.delete(answer));
    this.#unanswered.set(answer, folders);
  }

  /** Resolves when all that was added is answered. */
  async drain(): Promise<void> {
    await this.flush();
    while (this.#unanswered.size > 0) await Promise.all(this.#unanswered.keys());
  }

  async #add<T extends FileName>(list: T[], file: T): Promise<void> {
    if (this.#files === 0) this.#firstAddedMs = this.#options.clock.nowMs();
    list.push(file);
    this.#folders.add(file.folder);
    this.#files++;
    if (this.#files >= BATCH_FILES_MAX) await this.flush();
    else await this.flushIfOld();
  }

  #emptyBatch(): Observations {
    const { rootId } = this.#options;
    return { rootId, seen: [], deleted: [], unreadable: [], arriving: [], mended: [] };
  }
}
