import type { Stamp } from "./disk.ts";
import type { PendingFile } from "./pending.ts";

/** What the store knows of the files that live, as of its last commit. Read in the scanner's thread. */
export interface KnownFiles {
  /** The live files directly in a folder ("" is the root's own), by name. */
  folder(rootId: number, folder: string): Map<string, Stamp>;
  /** Every folder that holds a live file. */
  folders(rootId: number): string[];
  /** What was told to be in the way of files, and not yet to be over. */
  pending(rootId: number): PendingFile[];
  close(): void;
}
