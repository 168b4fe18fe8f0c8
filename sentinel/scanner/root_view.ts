/**
 * What one root looked like when it was last read, and the work of reading a part of it again.
 *
 * In memory is one digest per folder: a folder whose digest is unchanged needs no question to the
 * store. A folder without a digest (null) is compared with the store the next time; it loses its digest
 * whenever something in it is arriving, unreadable, or was told to the store and refused. The store is
 * the authority on what is known, the disk on what is there; this view may be forgotten at any time.
 */
import { waitsBecause } from "./arrival_words.ts";
import { type Arrival, Arrivals, type ArrivalTimes } from "./arrivals.ts";
import type { ScanClock } from "./clock.ts";
import { type Disk, sameStamp } from "./disk.ts";
import { type FolderListing, joinPath, reasonOf } from "./folder_listing.ts";
import type { KnownFiles } from "./known_files.ts";
import { ignoresPath, type NameRules } from "./name_rules.ts";
import type { Outbox } from "./outbox.ts";
import { Pending } from "./pending.ts";
import { RootFolder, type RootPlace } from "./root_folder.ts";
import { tailOf, takeFile, type Taking, type TakingParts } from "./taking.ts";

/** A file that waits for longer is told to be arriving; most have been taken by then. */
const UNTOLD_MS_MAX = 3_000;

export interface RootViewParts {
  disk: Disk;
  known: KnownFiles;
  outbox: Outbox;
  clock: ScanClock;
  breathe: () => Promise<void>;
}

export type Visit =
  | { state: "listed"; files: number; subfolders: string[]; ready: Arrival[] }
  | { state: "gone" | "unreadable" };

export class RootView {
  readonly arrivals: Arrivals;
  readonly pending = new Pending();
  /** Files told so far. */
  seen = 0;
  deleted = 0;
  readonly #rootId: number;
  readonly #folder: RootFolder;
  readonly #times: ArrivalTimes;
  readonly #parts: RootViewParts;
  readonly #taking: TakingParts;
  readonly #digests = new Map<string, string | null>();
  /** Whether what the store knows has been taken over: folders among the digests, and what is pending. */
  #seeded = false;

  constructor(place: RootPlace, times: ArrivalTimes, parts: RootViewParts) {
    this.#rootId = place.rootId;
    this.#folder = new RootFolder(parts.disk, place);
    this.#times = times;
    this.#parts = parts;
    this.arrivals = new Arrivals({
      times,
      clock: parts.clock,
      isShare: () => this.isShare,
      tailOf: (folder, { name }) => tailOf(parts.disk, this.#folder.path(folder, name)),
    });
    const { disk, breathe } = parts;
    this.#taking = {
      ...{ disk, breathe, times, folder: this.#folder, arrivals: this.arrivals },
      hasWaited: ({ folder, file: { name } }) => this.pending.has(folder, name),
    };
  }

  get rules(): NameRules {
    return this.#folder.rules;
  }

  get isShare(): boolean {
    return this.#folder.isShare;
  }

  get fileSystem(): string | null {
    return this.#folder.fileSystem;
  }

  /** Whether {@link open} asks the store. */
  get isSeeded(): boolean {
    return this.#seeded;
  }

  /** Must come before a pass; if it is not seeded, all that was told before must be answered. @throws {RootUnavailable} */
  open(): void {
    this.#folder.open();
    if (this.#seeded) return;
    this.pending.reset(this.#parts.known.pending(this.#rootId));
    const folders = [...this.#parts.known.folders(this.#rootId), ...this.pending.folders()];
    for (const folder of folders) this.#digests.set(folder, null);
    this.#seeded = true;
  }

  /** Every folder that was there at the last look, or holds files by the store. */
  folders(): string[] {
    return [...this.#digests.keys()];
  }

  has(folder: string): boolean {
    return this.#digests.has(folder);
  }

  /** Compares the folders with the store again: something said of them did not get there. */
  refused(folders: Iterable<string>): void {
    for (const folder of folders) this.#digests.set(folder, null);
    this.#seeded = false;
  }

  forget(): void {
    this.#digests.clear();
    this.#seeded = false;
  }

  /**
   * Reads one folder and tells what is gone from it.
   * @returns Its changed files that are ready, to be examined.
   * @throws {RootUnavailable}
   */
  async visit(folder: string): Promise<Visit> {
    const listing = await this.#list(folder);
    if (typeof listing === "string") return { state: listing };
    const { files: { length: files }, subfolders } = listing;
    const unchanged = this.#digests.get(folder) === listing.digest;
    const ready = unchanged ? [] : await this.#compare(folder, listing);
    return {
      state: "listed",
      files,
      subfolders: subfolders.map((name) => joinPath(folder, name)),
      ready,
    };
  }

  /** Takes a file and tells it; unless it changed or has no end yet: then it has to wait. */
  async examine(arrival: Arrival): Promise<void> {
    const { folder, file: { name } } = arrival;
    const taking = await takeFile(arrival, this.#taking);
    if (taking.state === "taken") return await this.#seen(arrival, taking);
    this.#doubt(folder);
    if (taking.state === "unreadable") await this.#cannotRead(folder, name, taking.reason);
    const waiting = taking.state === "moved"
      ? this.arrivals.putBack(arrival, taking.file, taking.tail)
      : taking.state === "open"
      ? this.arrivals.keepOpen(arrival, taking.tail, taking.missing)
      : null;
    if (waiting !== null) await this.#isArriving(waiting);
  }

  /** Tells all files of a folder that is no longer there. @throws {RootUnavailable} */
  async vanish(folder: string): Promise<void> {
    this.#digests.delete(folder);
    this.arrivals.drop(folder);
    for (const name of this.pending.names(folder)) await this.#end(folder, name);
    await this.#delete(folder, [...(await this.#knownFiles(folder)).keys()]);
  }

  async #seen(
    { folder, file: { name, size, mtimeMs, ctimeMs, inode } }: Arrival,
    { contentHash, note }: Extract<Taking, { state: "taken" }>,
  ): Promise<void> {
    // That it was arriving may be in the outbox, and must not come behind.
    if (this.pending.end(folder, name)) await this.#parts.outbox.flush();
    this.seen++;
    const stamp = { size, mtimeMs, ctimeMs, inode };
    await this.#parts.outbox.seen({ folder, name, ...stamp, contentHash, note });
  }

  async #list(folder: string): Promise<FolderListing | "gone" | "unreadable"> {
    try {
      const listing = this.#folder.list(folder);
      if (folder === "" && listing.empty) this.#mustBeUnknown();
      await this.#end(folder, "");
      return listing;
    } catch (error) {
      if (folder === "") throw error;
      const { NotFound, NotADirectory } = Deno.errors;
      if (error instanceof NotFound || error instanceof NotADirectory) return "gone";
      this.#digests.set(folder, null); // remembered, so that its vanishing is noticed
      await this.#cannotRead(folder, "", reasonOf(error));
      return "unreadable";
    }
  }

  /** The mount point of a share that is not mounted is an empty folder. */
  #mustBeUnknown(): void {
    const folders = this.#parts.known.folders(this.#rootId).length;
    if (folders === 0) return;
    throw this.#folder.unavailable(
      `nothing in it, while ${folders} of its folders hold known files (if it is meant to be empty, ` +
        "put a file named .keep into it)",
    );
  }

  async #compare(folder: string, listing: FolderListing): Promise<Arrival[]> {
    const known = await this.#knownFiles(folder);
    const changed = listing.files.filter((file) => !sameStamp(known.get(file.name), file));
    const ready = this.arrivals.admit(folder, changed, known);
    const clean = ready.length === changed.length;
    this.#digests.set(folder, clean ? listing.digest : null); // before telling: a refusal takes it away
    const present = new Set(listing.files.map((file) => file.name));
    const isGone = (name: string) => !present.has(name) && !listing.problems.has(name);
    await this.#delete(folder, [...known.keys()].filter(isGone));
    await this.#updatePending(folder, listing, new Set(changed.map((file) => file.name)));
    return ready;
  }

  /** What was in the way of a file stays so until it is taken: `changed` are still to be. */
  async #updatePending(
    folder: string,
    listing: FolderListing,
    changed: Set<string>,
  ): Promise<void> {
    for (const name of this.pending.names(folder)) {
      if (!listing.problems.has(name) && !changed.has(name)) await this.#end(folder, name);
    }
    for (const [name, reason] of listing.problems) await this.#cannotRead(folder, name, reason);
    for (const { arrival, waitMs } of this.arrivals.of(folder)) {
      if (waitMs > UNTOLD_MS_MAX || arrival.isMoving) await this.#isArriving(arrival);
    }
  }

  /** As the store will know them once all that was told is stored. */
  async #knownFiles(folder: string): Promise<ReturnType<KnownFiles["folder"]>> {
    if (this.#parts.outbox.holds(folder)) await this.#parts.outbox.drain();
    return this.#parts.known.folder(this.#rootId, folder);
  }

  async #delete(folder: string, names: string[]): Promise<void> {
    if (names.length > 0) this.#folder.mustBeTheSame();
    for (const name of names) {
      const ignored = ignoresPath(this.rules, folder, name);
      await this.#parts.outbox.deleted({ folder, name, ignored });
    }
    this.deleted += names.length;
  }

  #doubt(folder: string): void {
    if (this.#digests.has(folder)) this.#digests.set(folder, null);
  }

  async #cannotRead(folder: string, name: string, reason: string): Promise<void> {
    if (!this.pending.begin({ folder, name, kind: "unreadable", reason })) return;
    await this.#parts.outbox.unreadable({ folder, name, reason });
  }

  async #isArriving(arrival: Arrival): Promise<void> {
    const { folder, file: { name, size, mtimeMs } } = arrival;
    const reason = waitsBecause(arrival, this.#times, this.rules.marker);
    if (!this.pending.begin({ folder, name, kind: "arriving", reason })) return;
    await this.#parts.outbox.arriving({ folder, name, size, mtimeMs, reason });
  }

  async #end(folder: string, name: string): Promise<void> {
    if (!this.pending.end(folder, name)) return;
    await this.#parts.outbox.flush(); // that it began may be in there, and must not come behind
    await this.#parts.outbox.mended({ folder, name });
  }
}
