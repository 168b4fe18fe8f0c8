/** What the control API shows of the store: one schema per kind of record. */
import * as z from "zod";
import { Count, RowId, TimeMs } from "./ids.ts";
import { ErrorKind, SinkMode } from "./messages.ts";

export const JobState = z.enum(["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]);
export type JobState = z.infer<typeof JobState>;

export const PluginStatus = z.enum(["PENDING", "STAGING", "ACTIVE", "REJECTED", "SUPERSEDED"]);
export type PluginStatus = z.infer<typeof PluginStatus>;

export const PAGE_ROWS_MAX = 1000;
/** Keyset page: rows with an id beyond `after`, in the list's own order. */
export const Page = {
  after: RowId.optional(),
  limit: z.number().int().min(1).max(PAGE_ROWS_MAX).default(100),
};

/** Jobs by state; a state without jobs is 0. */
export const StateCounts = z.object({
  QUEUED: Count,
  RUNNING: Count,
  COMPLETED: Count,
  FAILED: Count,
  CANCELLED: Count,
});
export type StateCounts = z.infer<typeof StateCounts>;

export const SystemInfo = z.object({
  version: z.string(),
  pid: z.number().int(),
  address: z.string(),
  /** Where live events are published (ZeroMQ PUB). */
  events_address: z.string(),
  database: z.string(),
  started_at_ms: TimeMs,
});

export const SystemStatus = z.object({
  now_ms: TimeMs,
  /** Nothing is left that goes on by itself: scanned, settled, taken in, run and promoted. */
  idle: z.boolean(),
  /** Why not idle, or why nothing moves: for people. */
  waiting_for: z.array(z.string()),
  /** Work that waits for a person, such as jobs of a paused plugin: it does not keep `idle` from being true. */
  held: z.array(z.string()),
  jobs: StateCounts,
  plugins: z.array(
    z.object({ plugin: z.string(), jobs: StateCounts, waiting_because: z.string().nullable() }),
  ),
  topics: z.array(
    z.object({ topic: z.string(), files: Count, rows: Count, bytes: Count, uri: z.string() }),
  ),
  files: Count,
  file_problems: Count,
  /** Files that are there but not taken yet: still being written, without their end or their marker. */
  arriving: Count,
  workers: Count,
  /** The store cannot be written: what it said. */
  store_problem: z.string().nullable(),
});
export type SystemStatus = z.infer<typeof SystemStatus>;

export const Job = z.object({
  id: RowId,
  plugin: z.string(),
  plugin_version: z.string(),
  root: z.string(),
  path: z.string(),
  state: JobState,
  priority: z.number().int(),
  attempt: Count,
  generation: Count,
  worker_id: z.string().nullable(),
  rows: Count.nullable(),
  error_kind: ErrorKind.nullable(),
  /** First line of the error only; JobDetails has all of it. */
  error: z.string().nullable(),
  created_at_ms: TimeMs,
  started_at_ms: TimeMs.nullable(),
  finished_at_ms: TimeMs.nullable(),
});
export type Job = z.infer<typeof Job>;

export const Attempt = z.object({
  attempt: Count,
  worker_id: z.string(),
  started_at_ms: TimeMs,
  finished_at_ms: TimeMs.nullable(),
  status: z.string().nullable(),
  error_kind: ErrorKind.nullable(),
  error_message: z.string().nullable(),
  metrics: z.record(z.string(), z.number()).nullable(),
});

export const LandedOutput = z.object({
  id: RowId,
  job_id: RowId,
  topic: z.string(),
  plugin: z.string(),
  path: z.string(),
  uri: z.string(),
  rows: Count,
  bytes: Count,
  generation: Count,
  state: z.enum(["LIVE", "RETIRED"]),
  created_at_ms: TimeMs,
  promoted_at_ms: TimeMs.nullable(),
});

export const JobDetails = Job.extend({
  error_message: z.string().nullable(),
  file_size: Count,
  content_hash: z.string(),
  /** What is to be known of the file, such as that its end was not seen when it was taken. */
  file_note: z.string().nullable(),
  attempts: z.array(Attempt),
  outputs: z.array(LandedOutput),
  plugin_id: RowId,
  root_id: RowId,
  /** Attempts that counted against the plugin, and those that ended with their worker. */
  failures: Count,
  lost_workers: Count,
  /** The memory limit it was raised to after it ran out of memory; null: as its plugin has it. */
  memory_mb: Count.nullable(),
  /** A queued job that waits for its next try: when that is due. */
  retry_at_ms: TimeMs.nullable(),
  /** Ready jobs of the same plugin version that go before it, counted up to a million. */
  ahead: Count,
  /** Why a queued job is not running yet. */
  waiting_because: z.string().nullable(),
  /** It waits for a person: nothing goes on by itself. */
  held: z.boolean(),
});

export const Plugin = z.object({
  id: RowId,
  name: z.string(),
  version: z.string(),
  status: PluginStatus,
  /** Why it was rejected, or what it waits for. */
  reason: z.string().nullable(),
  paused: z.string().nullable(),
  artifact_hash: z.string().nullable(),
  env_hash: z.string().nullable(),
  pattern: z.array(z.string()),
  topics: z.array(z.string()),
  publisher: z.string(),
  created_at_ms: TimeMs,
  activated_at_ms: TimeMs.nullable(),
  jobs: StateCounts,
  /** What counts: an operator's word, else MANIFEST's, else the default. */
  weight: Count,
  /** Jobs of it at the same time, over all versions; null: any number. */
  jobs_max: Count.nullable(),
  /** Failures in a row that pause it (0: never), and how many there are now. */
  pause_after: Count,
  failures_in_row: Count,
});
export type Plugin = z.infer<typeof Plugin>;

export const Rule = z.object({
  id: RowId,
  pattern: z.string().min(1).max(1024),
  tag: z.string().min(1).max(128),
  priority: z.number().int().min(-1000).max(1000).default(0),
  enabled: z.boolean().default(true),
  description: z.string().max(1024).default(""),
});
export type Rule = z.infer<typeof Rule>;

export const Topic = z.object({
  topic: z.string(),
  uri: z.string(),
  mode: SinkMode,
  configured: z.boolean(),
  files: Count,
  rows: Count,
  bytes: Count,
  changed_at_ms: TimeMs.nullable(),
});

/** Stands for the names that programs give to what they still write, see {@link RootRules}. */
export const PARTIAL_BUILT_IN = "default";

const WAIT_MS_MAX = 30 * 24 * 3600 * 1000;
const WaitMs = Count.max(WAIT_MS_MAX);
const NameGlob = z.string().min(1).max(256).regex(/^[^/\0]+$/, "a glob for a name, without '/'");
/** Has one place for the file's name, or none: then one marker serves all files of its folder. */
const MarkerName = z.string().max(128).regex(
  /^(?:[^/\0*{}]+(?:(?:\*|\{stem\})[^/\0*{}]*)?|(?:\*|\{stem\})[^/\0*{}]+)$/,
  "a name that holds '*' (the file's name) or '{stem}' (without its extension) once, or neither",
);

/** How files arrive in a root. What is left out stays as it is, or as it is for a new root. */
export const RootRules = z.strictObject({
  /** How long a file must have been unchanged. */
  settle_ms: WaitMs,
  /** How long one without its end must have been unchanged to be taken as it is; null: 10 × settle, at least 60 s. */
  patience_ms: WaitMs.nullable(),
  /** Time between two walks, at least. */
  poll_ms: WaitMs.min(100),
  /** A share: no watching, and neither its clock nor its inodes are believed; null: as its file system says. */
  poll_only: z.boolean().nullable(),
  /** A file counts only beside its marker: `*.done`, `{stem}.ok`, `_SUCCESS`; null: none is asked for. */
  marker: MarkerName.nullable(),
  /** Names of what is still being written, until it is renamed; `default` is the built-in list. */
  partial: z.array(NameGlob).max(64),
  /** What never counts, as a MANIFEST's patterns: names, or with "/" paths within the root. */
  ignore: z.array(z.string().min(1).max(1000)).max(256),
}).partial();
export type RootRules = z.infer<typeof RootRules>;

export const Root = z.object({
  id: RowId,
  name: z.string(),
  directory: z.string(),
  settle_ms: Count,
  patience_ms: Count,
  poll_ms: Count,
  /** Jobs on its files at the same time; null: any number. */
  jobs_max: Count.nullable(),
  poll_only: z.boolean().nullable(),
  marker: z.string().nullable(),
  partial: z.array(z.string()),
  ignore: z.array(z.string()),
  /** The network file system that it lies on, by the last scan; null for a local one. */
  file_system: z.string().nullable(),
  files: Count,
  arriving: Count,
  problems: Count,
  /** Why the last scan could not see it (unmounted, no permission). */
  problem: z.string().nullable(),
  last_scan_ms: TimeMs.nullable(),
});
export type Root = z.infer<typeof Root>;

/** Which files to list: still arriving, that cannot be read, that no plugin takes, with a note, gone. */
export const FILE_FILTERS = [
  "all",
  "arriving",
  "problems",
  "unclaimed",
  "noted",
  "deleted",
] as const;

export const SourceFile = z.object({
  id: RowId,
  root: z.string(),
  path: z.string(),
  size: Count,
  mtime_ms: z.number(),
  content_hash: z.string().nullable(),
  versions: Count,
  deleted_at_ms: TimeMs.nullable(),
  problem: z.string().nullable(),
  /** Why it is not taken yet, as it is now. */
  arriving: z.string().nullable(),
  /** What is to be known of it as it was taken, or why it no longer counts. */
  note: z.string().nullable(),
});

export const Worker = z.object({
  id: z.string(),
  host: z.string(),
  version: z.string(),
  connected: z.boolean(),
  /** It gets no new jobs: by an operator's word, or as it is stopping. */
  draining: z.boolean(),
  slots: Count,
  running: Count,
  sandbox: z.string(),
  environments: z.array(
    /** `warm`: its Python is started, so that a job begins at once. */
    z.object({ env_hash: z.string(), state: z.string(), warm: z.boolean() }),
  ),
  last_seen_ms: TimeMs,
});

export const Environment = z.object({
  env_hash: z.string(),
  python: z.string().nullable(),
  requirements: z.array(z.string()),
  bytes: Count.nullable(),
  last_used_ms: TimeMs.nullable(),
  plugins: z.array(z.string()),
  problem: z.string().nullable(),
});

export const AuditEntry = z.object({
  id: RowId,
  at_ms: TimeMs,
  who: z.string(),
  action: z.string(),
  detail: z.string(),
});
