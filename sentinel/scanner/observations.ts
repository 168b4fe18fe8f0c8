/** What the scanner tells the store. Doubles are possible and must change nothing. */
export interface Observations {
  rootId: number;
  seen: SeenFile[];
  /** Files that are gone. */
  deleted: FileName[];
  /** What can't be read; told when it begins. The name "" is the folder itself: its files stay as they are. */
  unreadable: UnreadableFile[];
  /** What was unreadable and is no longer: it went away, or is told in `seen`, too. */
  mended: FileName[];
}

export interface FileName {
  /** Relative to the root, "/" between: "" or "a/b". */
  folder: string;
  name: string;
}

export interface SeenFile extends FileName {
  /** In bytes. */
  size: number;
  mtimeMs: number;
  /** SHA-256, lower-case hex, of the bytes the file had at that size and mtime. */
  contentHash: string;
}

export interface UnreadableFile extends FileName {
  /** A sentence for the file's owner, with what to do. */
  reason: string;
}

/** One walk over a whole root. */
export interface ScanSummary {
  rootId: number;
  files: number;
  folders: number;
  /** Files that were not still for long enough; looked at again when they may be. */
  unsettled: number;
  /** What can't be read now. */
  unreadable: number;
  /** Told in this pass. */
  seen: number;
  deleted: number;
  /** Batches that the store refused; what they told will be told again by the next pass. */
  refused: number;
  durationMs: number;
  /** Why the walk ended early; nothing was taken for deleted then. */
  problem: ScanProblem | null;
}

export interface ScanProblem {
  kind: "root_unavailable" | "root_removed" | "scan_failed";
  message: string;
}

export interface ScanProgress {
  rootId: number;
  files: number;
  folders: number;
}
