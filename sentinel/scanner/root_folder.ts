/**
 * The folder of one root on the disk.
 *
 * A share that is unmounted leaves no folder, an empty one, or another one in its place. None of that
 * means that the files are deleted, so each is an error of the root as a whole.
 */
import type { Disk } from "./disk.ts";
import { type FolderListing, joinPath, listFolder } from "./folder_listing.ts";

export interface RootPlace {
  rootId: number;
  name: string;
  /** Absolute path. */
  directory: string;
  /** Absolute paths that are not walked if they lie inside the root: our own outputs and state. */
  excludedFolders: readonly string[];
}

export class RootUnavailable extends Error {
  override name = "RootUnavailable";
}

export class RootFolder {
  readonly #disk: Disk;
  readonly #place: RootPlace;
  #realDirectory = "";
  #identity = "";
  #excluded = new Set<string>();

  constructor(disk: Disk, place: RootPlace) {
    this.#disk = disk;
    this.#place = place;
  }

  /** Must come before the first `list`, and again before each pass. @throws {RootUnavailable} */
  open(): void {
    this.#identity = this.#identityNow();
    this.#realDirectory = this.#realPath(this.#place.directory);
    this.#excluded = new Set(this.#place.excludedFolders.map((path) => this.#realPath(path)));
  }

  path(folder: string, name: string): string {
    return joinPath(this.#place.directory, joinPath(folder, name));
  }

  /**
   * One folder, its subfolders without those that are not walked.
   * @throws {RootUnavailable} If the root's own folder can't be read; what Deno throws for those below.
   */
  list(folder: string): FolderListing {
    const { directory } = this.#place;
    const listing = this.#orUnavailable(
      folder,
      () => listFolder(this.#disk, { directory, realDirectory: this.#realDirectory, folder }),
    );
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
