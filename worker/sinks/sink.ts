/**
 * Where a plugin's rows go. An output passes through these states:
 *
 *     writing ──finish()──► staged ──promote()──► promoted
 *        │                    │
 *        └──abort(), failure──┴──sweep()──► gone
 *
 * - writing: a file under the attempt's own name, in a folder where no reader looks. A crash leaves it
 *   for the sweeper.
 * - staged: complete and on disk (synced, with its folder), so the receipt may be sent. Whether it
 *   counts is the sentinel's to say: it commits the receipt of one attempt and tells the worker.
 * - promoted: renamed to its final name, which carries key and generation, so it can't replace another
 *   generation's file; then the retired generation is removed. Both can be repeated at any time.
 *
 * The catalog is authoritative: what it knows as committed is promoted by whoever finds it still
 * staged, and a staged file that no running attempt owns is removed.
 */
export interface Sink {
  /** @throws {SinkError} If the output's place is outside of the sink's folder. */
  open(spec: OutputSpec): OutputWriter;
  /**
   * Makes a committed output visible, then removes those it replaces. Idempotent.
   * @throws {SinkError} If neither the staged nor the final file is there.
   */
  promote(staged: StagedOutput, retiredUris: readonly string[]): Promise<void>;
  /** Finishes what a crash left undone, by what the catalog knows. */
  sweep(catalog: SweepCatalog): Promise<SweepReport>;
  /** Aborts what is still being written; resolves when all is quiet. Idempotent. */
  close(): Promise<void>;
}

export interface OutputSpec {
  jobId: number;
  attempt: number;
  /** Grows with every output of the same key; part of the final name. */
  generation: number;
  topic: string;
  /** The topic's folder, absolute. */
  directory: string;
  pluginName: string;
  pluginVersion: string;
  /** SHA-256, hex, of root name and relative path. */
  fileId: string;
  /** SHA-256, hex, of the file's bytes. */
  sourceHash: string;
  /** Base name of the source file, for a name that people can read. */
  fileName: string;
  /** Whether each version of the file keeps its own output (mode `append`). */
  keyedBySource: boolean;
}

export interface OutputWriter {
  /**
   * Resolves when the next frame may come: memory is bounded by a few frames.
   * @param ipcStream Arrow IPC stream; its buffer is taken over and must not be used afterwards.
   * @throws {SinkError} If this or an earlier frame can't be written; nothing is left behind then.
   */
  write(ipcStream: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * @returns The output, complete and on disk.
   * @throws {SinkError} If it can't be written, or if no frame gave it a schema.
   */
  finish(): Promise<StagedOutput>;
  /** Removes what was written. Idempotent, and harmless after a failure. */
  abort(): Promise<void>;
}

export interface StagedOutput {
  topic: string;
  /** Final path, absolute. */
  uri: string;
  /** Path while it waits to be promoted, absolute. */
  staged: string;
  rows: number;
  bytes: number;
  generation: number;
}

export interface SweepCatalog {
  /** The topics' folders to look into, absolute. */
  directories: readonly string[];
  /** Outputs of accepted receipts, by where they were staged. */
  committed: readonly { uri: string; staged: string }[];
  /** Final paths that a later generation has replaced. */
  retired: readonly string[];
  /** Staged paths of attempts that still run, or whose receipt isn't decided, on any worker. */
  undecided: readonly string[];
  /** Staged files younger than this are left alone: their attempt may be newer than the catalog. */
  graceMs: number;
}

export interface SweepReport {
  promoted: string[];
  removed: string[];
  /** Final paths of committed outputs of which no file is left. */
  lost: string[];
}

/** An output that can't be written: says which, why, and what to do. */
export class SinkError extends Error {
  override name = "SinkError";
  /** Whether another attempt may do better: a full disk, yes; a column of a wrong type, no. */
  readonly retryable: boolean;
  constructor(message: string, options: ErrorOptions & { retryable?: boolean } = {}) {
    super(message, options);
    this.retryable = options.retryable ?? false;
  }
}
