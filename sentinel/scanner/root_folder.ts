/**
 * The folder of one root on the disk.
 *
 * A share that is unmounted leaves no folder, an empty one, or another one in its place. None of that
 * means that the files are deleted, so each is an error of the root as a whole.
 */
import type { Disk } from "./disk.ts";
import { type FolderListing, type FoundFile, joinPath, listFolder } from "./folder_listing.ts";
import { type NameRules, nameRules, type NameRulesOptions } from "./name_rules.ts";

export interface RootPlace extends NameRulesOptions {
  rootId: number;
  name: string;
  /** Absolute path. */
  directory: string;
  /** Absolute paths that are not walked if they lie inside the root: our own outputs and state. */
  excludedFolders: readonly string[];
  /** A share, whose clock and inodes are not ours; null: as its file system says. */
  pollOnly?: boolean | null;
}

export class RootUnavailable extends Error {
  override name = "RootUnavailable";
}

export class RootFolder {
  readonly #disk: Disk;
  readonly #place: RootPlace;
  readonly rules: NameRules;
  /** The network file system that it lies on, when it was last opened. */
  fileSystem: string | null = null;
  #realDirectory = "";
  #identity = "";
  #excluded = new Set<string>();

  constructor(disk: Disk, place: RootPlace) {
    this.#disk = disk;
    this.#place = place;
    this.rules = nameRules(place);
    this.#detect();
  }

  /** Other hosts change its files: there are no events for that, and its clock and inodes are theirs. */
  get isShare(): boolean {
    return this.#place.pollOnly ?? this.fileSystem !== null;
  }

  /** Must come before the first `list`, and again before each pass. @throws {RootUnavailable} */
  open(): void {
    this.#identity = this.#identityNow();
    this.#detect();
    this.#realDirectory = this.#realPath(this.#place.directory);
    this.#excluded = new Set(this.#place.excludedFolders.map((path) => this.#realPath(path)));
  }

  path(folder: string, name: string): string {
    return joinPath(this.#place.directory, joinPath(folder, name));
  }

  /** A file as it is now, links followed. @throws What Deno throws. */
  find(folder: string, { name, marker }: FoundFile): FoundFile {
    const { size, mtimeMs, ctimeMs, inode } = this.#disk.stat(this.path(folder, name));
    return { name, size, mtimeMs, ctimeMs, inode: this.isShare ? null : inode, marker };
  }

  /**
   * One folder, its subfolders without those that are not walked.
   * @throws {RootUnavailable} If the root's own folder can't be read; what Deno throws for those below.
   */
  list(folder: string): FolderListing {
    const { directory } = this.#place;
    const place = { directory, realDirectory: this.#realDirectory, folder };
    const rules = { rules: this.rules, trustsInodes: !this.isShare };
    const list = () => listFolder(this.#disk, { ...place, ...rules });
    const listing = this.#orUnavailable(folder, list);
    listing.subfolders = listing.subfolders.filter((name) => {
      return !this.#excluded.has(joinPath(this.#realDirectory, joinPath(folder, name)));
    });
    return listing;
  }

  /** @throws {RootUnavailable} If it is no longer the folder that was opened. */
  mustBeTheSame(): void {
    if (this.#identityNow() !== this.#identity) {
      throw this.unavailable("another folder took its place during the scan");
    }
  }

  unavailable(reason: string, cause?: unknown): RootUnavailable {
    const { name, directory } = this.#place;
    const message = `Cannot scan root ${name} as its folder must be there: got ${reason}; ` +
      `mount ${directory} again or remove the root`;
    return new RootUnavailable(message, { cause });
  }

  #detect(): void {
    this.fileSystem = this.#disk.networkFileSystem(this.#place.directory);
  }

  #identityNow(): string {
    return this.#orUnavailable("", () => this.#disk.identity(this.#place.directory));
  }

  #orUnavailable<T>(folder: string, ask: () => T): T {
    try {
      return ask();
    } catch (error) {
      if (folder !== "") throw error;
      throw this.unavailable(error instanceof Error ? error.message : String(error), error);
    }
  }

  #realPath(path: string): string {
    try {
      return this.#disk.realPath(path);
    } catch {
      return path; // not there yet, or outside of what the program may read
    }
  }
}
