/** What the scanner tells the store. Doubles are possible and must change nothing. */
export interface Observations {
  rootId: number;
  seen: SeenFile[];
  /** Files that are gone, or no longer count. */
  deleted: DeletedFile[];
  /** What can't be read; told when it begins. The name "" is the folder itself: its files stay as they are. */
  unreadable: UnreadableFile[];
  /** What is there and not taken yet; told when that takes longer than usual. */
  arriving: ArrivingFile[];
  /** What was unreadable or arriving and is no longer: it went away, or is told in `seen`, too. */
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
  /** Null where it is not known, or not to be believed. */
  ctimeMs: number | null;
  inode: number | null;
  /** SHA-256, lower-case hex, of the bytes the file had at that size and mtime. */
  contentHash: string;
  /** What is to be known of it, such as that its end was not there. */
  note: string | null;
}

export interface DeletedFile extends FileName {
  /** It is there, but the root's rules say now that it is no data. */
  ignored: boolean;
}

export interface ArrivingFile extends FileName {
  /** In bytes. */
  size: number;
  mtimeMs: number;
  /** Why it is not taken yet, and when it will be. */
  reason: string;
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
  /** Files that are not taken yet and will be by themselves; looked at again when they may be. */
  unsettled: number;
  /** The first of them: path and why. */
  unsettledSuchAs: string | null;
  /** The network file system that the root lies on; null for a local one. */
  fileSystem: string | null;
  /** Nothing is watched: changes are found by the walks only. */
  isShare: boolean;
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
