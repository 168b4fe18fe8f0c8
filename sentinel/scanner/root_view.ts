/**
 * What one root looked like when it was last read, and the work of reading a part of it again.
 *
 * In memory is one digest per folder: a folder whose digest is unchanged needs no question to the
 * store. A folder without a digest (null) is compared with the store the next time; it loses its digest
 * whenever something in it is unsettled, unreadable, or was told to the store and refused. The store is
 * the authority on what is known, the disk on what is there; this view may be forgotten at any time.
 */
import type { ScanClock } from "./clock.ts";
import { type Disk, sameStamp } from "./disk.ts";
import { type FolderListing, type FoundFile, joinPath, reasonOf } from "./folder_listing.ts";
import type { KnownFiles } from "./known_files.ts";
import type { Outbox } from "./outbox.ts";
import { Problems } from "./problems.ts";
import { RootFolder, type RootPlace } from "./root_folder.ts";
import { Settling } from "./settling.ts";
import { Stopped } from "./stopped.ts";

export interface RootViewParts {
  disk: Disk;
  known: KnownFiles;
  outbox: Outbox;
  clock: ScanClock;
  breathe: () => Promise<void>;
}

export type Visit =
  | { state: "listed"; files: number; subfolders: string[]; settled: FoundFile[] }
  | { state: "gone" | "unreadable" };

export class RootView {
  readonly settling: Settling;
  readonly problems = new Problems();
  /** Files told so far. */
  seen = 0;
  deleted = 0;
  readonly #rootId: number;
  readonly #folder: RootFolder;
  readonly #parts: RootViewParts;
  readonly #digests = new Map<string, string | null>();
  /** Whether the folders that the store knows are among the digests. */
  #seeded = false;

  constructor(place: RootPlace, settleMs: number, parts: RootViewParts) {
    this.#rootId = place.rootId;
    this.#folder = new RootFolder(parts.disk, place);
    this.#parts = parts;
    this.settling = new Settling(settleMs, parts.clock);
  }

  /** Must come before a pass. @throws {RootUnavailable} */
  open(): void {
    this.#folder.open();
    if (this.#seeded) return;
    for (const folder of this.#parts.known.folders(this.#rootId)) this.#digests.set(folder, null);
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
  }

  forget(): void {
    this.#digests.clear();
    this.#seeded = false;
  }

  /**
   * Reads one folder and tells what is gone from it.
   * @returns Its changed files that have settled, to be examined.
   * @throws {RootUnavailable}
   */
  async visit(folder: string): Promise<Visit> {
    const listing = await this.#list(folder);
    if (typeof listing === "string") return { state: listing };
    const { files: { length: files }, subfolders } = listing;
    const unchanged = this.#digests.get(folder) === listing.digest;
    const settled = unchanged ? [] : await this.#compare(folder, listing);
    return {
      state: "listed",
      files,
      subfolders: subfolders.map((name) => joinPath(folder, name)),
      settled,
    };
  }

  /** Hashes a file and tells it, unless it changes meanwhile: then it has to settle again. */
  async examine(folder: string, file: FoundFile): Promise<void> {
    const contentHash = await this.#hashIfStill(folder, file);
    if (contentHash === null) return this.#doubt(folder);
    this.problems.end(folder, file.name);
    this.seen++;
    const { name, size, mtimeMs } = file;
    await this.#parts.outbox.seen({ folder, name, size, mtimeMs, contentHash });
  }

  /** Tells all files of a folder that is no longer there. @throws {RootUnavailable} */
  async vanish(folder: string): Promise<void> {
    this.#digests.delete(folder);
    this.settling.drop(folder);
    for (const name of this.problems.names(folder)) await this.#endProblem(folder, name);
    await this.#delete(folder, [...(await this.#knownFiles(folder)).keys()]);
  }

  async #list(folder: string): Promise<FolderListing | "gone" | "unreadable"> {
    try {
      const listing = this.#folder.list(folder);
      if (folder === "" && listing.empty) this.#mustBeUnknown();
      await this.#endProblem(folder, "");
      return listing;
    } catch (error) {
      if (folder === "") throw error;
      if (error instanceof Deno.errors.NotFound) return "gone";
      this.#digests.set(folder, null); // remembered, so that its vanishing is noticed
      await this.#beginProblem(folder, "", reasonOf(error));
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

  async #compare(folder: string, listing: FolderListing): Promise<FoundFile[]> {
    const known = await this.#knownFiles(folder);
    const changed = listing.files.filter((file) => !sameStamp(known.get(file.name), file));
    const settled = this.settling.admit(folder, changed);
    const clean = settled.length === changed.length;
    this.#digests.set(folder, clean ? listing.digest : null); // before telling: a refusal takes it away
    const present = new Set(listing.files.map((file) => file.name));
    const isGone = (name: string) => !present.has(name) && !listing.problems.has(name);
    await this.#delete(folder, [...known.keys()].filter(isGone));
    await this.#updateProblems(folder, listing, new Set(changed.map((file) => file.name)));
    return settled;
  }

  /** A file that could not be read stays a problem until it is read: `changed` are still to be. */
  async #updateProblems(
    folder: string,
    listing: FolderListing,
    changed: Set<string>,
  ): Promise<void> {
    for (const name of this.problems.names(folder)) {
      if (!listing.problems.has(name) && !changed.has(name)) await this.#endProblem(folder, name);
    }
    for (const [name, reason] of listing.problems) await this.#beginProblem(folder, name, reason);
  }

  /** As the store will know them once all that was told is stored. */
  async #knownFiles(folder: string): Promise<ReturnType<KnownFiles["folder"]>> {
    if (this.#parts.outbox.holds(folder)) await this.#parts.outbox.drain();
    return this.#parts.known.folder(this.#rootId, folder);
  }

  async #delete(folder: string, names: string[]): Promise<void> {
    if (names.length > 0) this.#folder.mustBeTheSame();
    for (const name of names) await this.#parts.outbox.deleted({ folder, name });
    this.deleted += names.length;
  }

  async #hashIfStill(folder: string, file: FoundFile): Promise<string | null> {
    const { disk, breathe } = this.#parts;
    const path = this.#folder.path(folder, file.name);
    try {
      if (!this.#isStill(folder, file, path)) return null;
      const contentHash = await disk.hash(path, breathe);
      return this.#isStill(folder, file, path) ? contentHash : null;
    } catch (error) {
      if (error instanceof Stopped) throw error;
      // gone is no problem: the next look at the folder tells
      if (!(error instanceof Deno.errors.NotFound)) {
        await this.#beginProblem(folder, file.name, reasonOf(error));
      }
      return null;
    }
  }

  #isStill(folder: string, file: FoundFile, path: string): boolean {
    const { size, mtimeMs } = this.#parts.disk.stat(path);
    if (sameStamp(file, { size, mtimeMs })) return true;
    this.settling.putBack(folder, { name: file.name, size, mtimeMs });
    return false;
  }

  #doubt(folder: string): void {
    if (this.#digests.has(folder)) this.#digests.set(folder, null);
  }

  async #beginProblem(folder: string, name: string, reason: string): Promise<void> {
    if (!this.problems.begin(folder, name, reason)) return;
    await this.#parts.outbox.unreadable({ folder, name, reason });
  }

  async #endProblem(folder: string, name: string): Promise<void> {
    if (this.problems.end(folder, name)) await this.#parts.outbox.mended({ folder, name });
  }
}
