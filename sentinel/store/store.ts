/**
 * What the sentinel remembers, as an interface with one implementation per database.
 *
 * A job is QUEUED, RUNNING, COMPLETED, FAILED or CANCELLED. Only {@link Store.commit} moves it, each
 * move guarded in SQL by the state (and attempt and worker) it starts from, so that a decision made
 * from an older view does nothing. A lease is held by (worker process, attempt); the store is the
 * authority, the scheduler's memory a copy that may lag.
 *
 * Keys, generations and the commit: docs/decisions/0001-keys-and-the-commit.md.
 */
import type { ErrorKind, LogLine, Output, SinkMode } from "../../protocol/messages.ts";
import type { JobState, PluginStatus, Root, Rule } from "../../protocol/records.ts";

/** A queued job with all that a DISPATCH needs besides its plugin. */
export interface ReadyJob {
  jobId: number;
  pluginId: number;
  /** Attempts so far; the next lease is this plus one. */
  attempt: number;
  failures: number;
  lostWorkers: number;
  /** The limit it was raised to after a memory death; null while MANIFEST's own counts. */
  memoryMb: number | null;
  generation: number;
  priority: number;
  rootId: number;
  fileVersionId: number;
  filePath: string;
  rootName: string;
  /** The folder of its source root: what a plugin may read. */
  rootDirectory: string;
  /** SHA-256 over root name, NUL and relative path: the file's name in lineage columns. */
  fileKey: string;
  contentHash: string;
  size: number;
  mtimeMs: number;
}

/**
 * A part of the queue that is read by itself: of one plugin version, one source root, and either jobs
 * that never lost a worker or the suspects. So nothing stands before another that it must not hold up.
 */
export interface LaneKey {
  pluginId: number;
  rootId: number;
  suspects: boolean;
}

export interface RunningJob {
  jobId: number;
  pluginId: number;
  pluginName: string;
  rootId: number;
  attempt: number;
  failures: number;
  lostWorkers: number;
  memoryMb: number | null;
  workerId: string;
  /** A person has asked for its end. */
  cancelled: boolean;
}

/** What a failed attempt does to its plugin version's count of failures in a row. */
export interface BreakerStrike {
  /** As many pause it; 0: they are only counted. */
  pauseAfter: number;
  /** What follows "50 failures in a row" in the reason that people see. */
  lastFailure: string;
}

/** An attempt's end, and what becomes of its job. */
export interface AttemptEnd {
  jobId: number;
  attempt: number;
  workerId: string;
  nowMs: number;
  metrics: Readonly<Record<string, number>>;
}

export type Change =
  | {
    type: "claim";
    jobId: number;
    attempt: number;
    workerId: string;
    /** As offered: a job that was queued anew meanwhile is not claimed with an old generation. */
    generation: number;
    leaseUntilMs: number;
    nowMs: number;
  }
  | ({ type: "complete"; outputs: readonly KeyedOutput[] } & AttemptEnd)
  | ({
    type: "fail";
    status: "FAILED" | "REJECTED" | "ABORTED" | "LOST";
    errorKind: ErrorKind | null;
    message: string | null;
    /** What this attempt is counted as; a rejected one is counted as nothing. */
    countsAs: "failure" | "lost_worker" | "nothing";
    /** None where the failure says nothing about the plugin's version. */
    strike?: BreakerStrike | null;
    next:
      | { state: "FAILED" }
      | { state: "CANCELLED" }
      | { state: "QUEUED"; notBeforeMs: number; memoryMb?: number };
  } & AttemptEnd)
  | { type: "repeated_receipt"; jobId: number; attempt: number; workerId: string }
  | { type: "promoted"; outputs: readonly { job_id: number; uri: string }[]; nowMs: number }
  | { type: "renew"; workerId: string; leaseUntilMs: number; nowMs: number }
  | { type: "log"; jobId: number; attempt: number; lines: readonly LogLine[] }
  | { type: "worker_seen"; worker: WorkerRow; nowMs: number }
  | { type: "worker_lost"; workerId: string; nowMs: number }
  | { type: "wake"; nowMs: number }
  | {
    type: "plugin_locked";
    pluginId: number;
    lockfile: string;
    envHash: string;
    artifactHash: string;
  }
  | { type: "plugin_rejected"; pluginId: number; reason: string }
  | { type: "plugin_activated"; pluginId: number; nowMs: number }
  | { type: "environment_ready"; envHash: string; bytes: number | null; nowMs: number }
  | { type: "environment_failed"; envHash: string; problem: string };

/** An output with the mode of its topic, which decides its key. */
export interface KeyedOutput extends Output {
  mode: SinkMode;
}

/** What a change did: `applied` is false when its guard did not hold. */
export interface Outcome {
  applied: boolean;
  /**
   * Of a completion: URIs that left the catalog in the same transaction. Of promotions: those that had
   * left it before, as their worker slept between the ACK and the rename.
   */
  retired?: string[];
  /** Of a completion whose topic's mode is `error`: why it was turned into a failure. */
  refused?: string;
  /** Of a failure that paused its plugin version: the reason that was stored. */
  paused?: string;
}

export interface WorkerRow {
  id: string;
  host: string;
  version: string;
  slots: number;
  sandbox: string;
  features: readonly string[];
}

/** A published plugin version. */
export interface PluginRow {
  id: number;
  name: string;
  version: string;
  sourceCode: string;
  artifactHash: string | null;
  envHash: string | null;
  patterns: string[];
  topics: string[];
  manifest: Record<string, unknown>;
  requirements: string[] | null;
  python: string | null;
  status: PluginStatus;
  reason: string | null;
  paused: string | null;
  /** Backfill's place: files up to this id are taken in; null when all are. */
  intakeAfterFileId: number | null;
}

/** What an operator set for all versions of a plugin; null: as MANIFEST or the default has it. */
export interface PluginSettings {
  weight: number | null;
  jobsMax: number | null;
  pauseAfter: number | null;
}

export interface NewPlugin {
  name: string;
  version: string;
  sourceCode: string;
  sourceHash: string;
  artifactHash: string | null;
  envHash: string | null;
  patterns: readonly string[];
  topics: readonly string[];
  manifest: unknown;
  requirements: readonly string[] | null;
  python: string | null;
  signature: string;
  publisher: string;
  nowMs: number;
}

/** What the scanner saw of one root, already settled and hashed. */
export interface Observations {
  rootId: number;
  seen: readonly {
    folder: string;
    name: string;
    size: number;
    mtimeMs: number;
    /** Absent or null where the file system does not say, or is not to be believed. */
    ctimeMs?: number | null;
    inode?: number | null;
    contentHash: string;
    /** What is to be known of it, such as that its end was not seen. */
    note?: string | null;
  }[];
  /** `ignored`: it is there, but no longer counts by the rules of its root. */
  deleted: readonly { folder: string; name: string; ignored?: boolean }[];
  unreadable: readonly { folder: string; name: string; reason: string }[];
  /** What is there and not taken yet. */
  arriving?: readonly {
    folder: string;
    name: string;
    size: number;
    mtimeMs: number;
    reason: string;
  }[];
  /** What was unreadable or arriving and is no longer: mended, given up or gone. */
  mended: readonly { folder: string; name: string }[];
}

/** A live file whose current version plugins may want. */
export interface CurrentFile {
  fileId: number;
  versionId: number;
  path: string;
}

export interface WantedJob {
  pluginId: number;
  pluginName: string;
  fileId: number;
  fileVersionId: number;
  priority: number;
}

/** A root as stored; what the scanner last found of it is not. */
export interface RootRow
  extends Omit<Root, "patience_ms" | "file_system" | "problem" | "last_scan_ms"> {
  /** Null: by its settle time. */
  patience_ms: number | null;
}

/** What is left out of its rules is as by default. */
export interface NewRoot {
  name: string;
  directory: string;
  settleMs: number;
  pollMs: number;
  patienceMs?: number | null;
  pollOnly?: boolean | null;
  marker?: string | null;
  partial?: readonly string[];
  ignore?: readonly string[];
}

export interface JobCount {
  plugin_name: string;
  state: JobState;
  jobs: number;
}

export interface TopicCount {
  topic: string;
  files: number;
  rows: number;
  bytes: number;
}

export interface Refusal {
  job_id: number;
  reason: string;
}

export interface Store {
  /** Applies all changes in one durable transaction, in order; outcomes match them by position. */
  commit(changes: readonly Change[]): Promise<Outcome[]>;

  /** The lanes of a plugin version that have ready jobs; the cost hangs on their number alone. */
  readyLanes(pluginId: number): Promise<LaneKey[]>;
  /** The first `limit` ready jobs of a lane: highest priority first, then oldest. */
  readyJobs(lane: LaneKey, limit: number): Promise<ReadyJob[]>;
  runningJobs(): Promise<RunningJob[]>;
  /** When the earliest delayed retry is due, or null. */
  nextWakeMs(): Promise<number | null>;

  plugin(pluginId: number): Promise<PluginRow | null>;
  activePlugins(): Promise<PluginRow[]>;
  /** Versions that still have to be locked or staged, oldest first. */
  unfinishedPlugins(): Promise<PluginRow[]>;
  /** Stores a version, or finds the same artifact again; `fresh` tells which. */
  addPlugin(plugin: NewPlugin): Promise<{ pluginId: number; fresh: boolean }>;
  /** Puts an older version back in line to be activated. */
  restagePlugin(pluginId: number): Promise<void>;
  /** Pauses the active version, or lets it go on (null), with no failures counted. */
  pausePlugin(name: string, reason: string | null): Promise<boolean>;
  /** By plugin name. */
  pluginSettings(): Promise<Map<string, PluginSettings>>;
  /** Changes what is given, for all versions of that name; false if there is no such plugin. */
  setPlugin(name: string, settings: Partial<PluginSettings>): Promise<boolean>;
  lockfile(envHash: string): Promise<{ lockfile: string; python: string | null } | null>;
  /** The lockfile that the same requirements got before, if any. */
  lockfileFor(requirements: readonly string[], python: string | null): Promise<string | null>;
  saveLockfile(lock: {
    envHash: string;
    lockfile: string;
    requirements: readonly string[];
    python: string | null;
  }): Promise<void>;

  /** Records observations; resolves with the files that have a new current version. */
  observe(observations: Observations, nowMs: number): Promise<CurrentFile[]>;
  /** Live files with an id beyond `afterFileId`, in order of id. */
  currentFiles(afterFileId: number, limit: number): Promise<CurrentFile[]>;
  /** Makes or re-queues wanted jobs (rule 1); resolves with the plugin ids that got work. */
  enqueue(wanted: readonly WantedJob[], nowMs: number): Promise<{ queued: number[] }>;
  /** Notes how far a plugin's backfill is. */
  intakeProgress(pluginId: number, afterFileId: number | null): Promise<void>;

  /** @param priority The jobs' from now on; as it was if absent. */
  retry(
    jobIds: readonly number[],
    nowMs: number,
    priority?: number,
  ): Promise<{ plugins: number[]; refused: Refusal[] }>;
  /** Sets the priority of queued jobs; resolves with the plugin versions whose order has changed. */
  prioritise(
    jobIds: readonly number[],
    priority: number,
  ): Promise<{ plugins: number[]; refused: Refusal[] }>;
  /** Cancels queued jobs; running ones are marked and named, for the caller to abort. */
  cancel(
    jobIds: readonly number[],
    nowMs: number,
  ): Promise<{ cancelled: number; running: number[]; refused: Refusal[] }>;

  roots(): Promise<RootRow[]>;
  /** Stores a root, or all of the one with that name anew. */
  addRoot(root: NewRoot): Promise<number>;
  removeRoot(name: string, nowMs: number): Promise<boolean>;
  /** @param jobsMax Of its files, at the same time; null: any number. False if there is no such root. */
  limitRoot(name: string, jobsMax: number | null): Promise<boolean>;
  /** False if no such worker was ever seen. */
  drainWorker(workerId: string, draining: boolean): Promise<boolean>;
  /** Workers that an operator wants to take no new jobs, and that are not lost. */
  drainingWorkers(): Promise<string[]>;
  rules(): Promise<Rule[]>;
  saveRule(rule: Omit<Rule, "id"> & { id?: number }): Promise<number | null>;
  deleteRule(ruleId: number): Promise<boolean>;
  subscriptions(): Promise<{ plugin: string; tag: string }[]>;
  setSubscription(plugin: string, tag: string, subscribed: boolean): Promise<void>;
  topicConfigs(): Promise<{ topic: string; uri: string; mode: SinkMode }[]>;
  setTopic(topic: string, uri: string, mode: SinkMode): Promise<void>;

  /** LIVE outputs that no worker has reported as promoted, each with those it replaces. */
  unpromoted(
    limit: number,
  ): Promise<
    { job_id: number; topic: string; uri: string; staged: string; retired?: string[] }[]
  >;
  unpromotedCount(): Promise<number>;
  /** Jobs by plugin and state, and what is live in each topic; the cost does not grow with either. */
  counts(): Promise<{ jobs: JobCount[]; topics: TopicCount[] }>;

  audit(entry: { atMs: number; who: string; action: string; detail: string }): Promise<void>;
  close(): Promise<void>;
}
