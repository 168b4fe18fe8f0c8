/**
 * The one table of control-plane messages: union types, the codec and PROTOCOL.md derive from it.
 *
 * Payloads drop keys they do not know, because a newer peer may send more, and accept null for an
 * optional field, because plain v4 peers written in Python send None. Fields marked "ours" are sent
 * only to a peer whose `features` announce them.
 */
import * as z from "zod";
import {
  BODY_BYTES_MAX,
  Count,
  JobId,
  LOG_LINES_MAX,
  RowId,
  SOURCE_BODY_BYTES_MAX,
  TimeMs,
} from "./ids.ts";

export const VERSION = 4;

/** What one side can say beyond plain v4; announced in IDENTIFY, never assumed. */
export const FEATURES = ["receipt-ack", "attempts", "logs", "resolve", "try"] as const;
export type Feature = typeof FEATURES[number];

/** An optional field: absent when we write it, absent or null when we read it. */
function optional<T extends z.ZodType>(schema: T) {
  return z.preprocess((value) => value === null ? undefined : value, schema.optional()).optional();
}

const text = z.string();
const hash = z.string().max(128);
const metrics = z.record(z.string(), z.number().int());

export const SinkMode = z.enum(["append", "replace", "error"]);
export type SinkMode = z.infer<typeof SinkMode>;

export const SinkSpec = z.object({
  topic: text.max(128),
  uri: text.max(4096),
  mode: SinkMode.default("append"),
  schema_def: optional(text),
});
export type SinkSpec = z.infer<typeof SinkSpec>;

/** One topic's output of one attempt; `staged` is where it waits to be promoted to `uri`. */
export const Output = z.object({
  topic: text.max(128),
  uri: text.max(4096),
  rows: Count,
  bytes: Count,
  staged: text.max(4096),
  generation: Count,
  quarantined: optional(Count),
});
export type Output = z.infer<typeof Output>;

export const ErrorKind = z.enum([
  "plugin",
  "timeout",
  "memory",
  "environment",
  "contract",
  "gatekeeper",
  "worker_lost",
  "file_changed",
  "sink",
  "aborted",
]);
export type ErrorKind = z.infer<typeof ErrorKind>;

const Identify = z.object({
  capabilities: z.array(text.max(256)).max(256),
  worker_id: optional(text.min(1).max(128)),
  features: optional(z.array(text.max(64)).max(64)),
  slots: optional(z.number().int().min(1).max(1024)),
  host: optional(text.max(256)),
  version: optional(text.max(64)),
  sandbox: optional(text.max(4096)),
  envs: optional(z.array(hash).max(10_000)),
});

const Dispatch = z.object({
  plugin_name: text.min(1).max(128),
  file_path: text.min(1).max(8192),
  sinks: z.array(SinkSpec).max(256),
  file_version_id: Count,
  env_hash: hash,
  source_code: text,
  artifact_hash: optional(hash),
  attempt: optional(Count),
  lease_ms: optional(Count),
  timeout_ms: optional(Count),
  limits: optional(z.object({
    memory_bytes: optional(Count),
    cpu_s: optional(Count),
    log_bytes: optional(Count),
  })),
  plugin_version: optional(text.max(128)),
  contract: optional(z.unknown()),
  isolation: optional(z.enum(["plugin", "job"])),
  content_hash: optional(hash),
  size: optional(Count),
  mtime_ms: optional(z.number().min(0)),
  file_id: optional(hash),
  config: optional(z.record(z.string(), z.unknown())),
  data_roots: optional(z.array(text.max(4096)).max(256)),
  root: optional(z.object({ name: text.min(1).max(255), directory: text.min(1).max(4096) })),
  generation: optional(Count),
  bundle: optional(text),
  signature: optional(text),
  publisher_key: optional(text),
});

const Conclude = z.object({
  status: z.enum(["SUCCESS", "FAILED", "REJECTED", "ABORTED"]),
  metrics,
  artifacts: z.array(z.record(z.string(), z.string())).max(256),
  error_message: optional(text),
  attempt: optional(Count),
  outputs: optional(z.array(Output).max(256)),
  error_kind: optional(ErrorKind),
  retryable: optional(z.boolean()),
});

const Heartbeat = z.object({
  status: z.enum(["IDLE", "BUSY", "ALIVE"]),
  current_job_id: optional(JobId),
  active_job_count: optional(Count),
  active_job_ids: optional(z.array(JobId).max(4096)),
  progress: optional(
    z.array(z.object({ job_id: JobId, rows: Count, bytes: Count })).max(4096),
  ),
  features: optional(z.array(text.max(64)).max(64)),
  /** Environments whose Python is started and warm. */
  warm_envs: optional(z.array(hash).max(256)),
  /** It is stopping: it takes no new jobs, and answers a DISPATCH by REJECTED. */
  draining: optional(z.boolean()),
});

const Deploy = z.object({
  plugin_name: text.min(1).max(128),
  version: text.max(128),
  source_code: text,
  lockfile_content: text,
  env_hash: hash,
  artifact_hash: hash,
  signature: text,
  publisher_name: text.max(256),
  publisher_email: optional(text.max(256)),
  azure_oid: optional(text.max(256)),
  system_requirements: optional(z.array(text.max(256)).max(256)),
  identity_token: optional(text),
});

const CallId = Count;
/** When (ms since the epoch), level as in the bridge (0 stdout .. 5 error), text. */
export const LogLine = z.tuple([TimeMs, z.number().int().min(0).max(5), text]);
export type LogLine = z.infer<typeof LogLine>;

const message = <O extends number, F extends string, B extends z.ZodType>(
  opcode: O,
  from: F,
  body: B,
  bodyBytesMax: number = BODY_BYTES_MAX,
) => ({ opcode, from, body, bodyBytesMax } as const);

/** Opcode, sender and payload of every message. A retired opcode keeps its number for ever. */
export const MESSAGES = {
  identify: message(1, "worker", Identify),
  dispatch: message(2, "sentinel", Dispatch, SOURCE_BODY_BYTES_MAX),
  abort: message(3, "sentinel", z.object({ attempt: optional(Count) })),
  heartbeat: message(4, "both", Heartbeat),
  conclude: message(5, "worker", Conclude),
  err: message(6, "both", z.object({ message: text, traceback: optional(text) })),
  reload: message(7, "sentinel", z.object({})),
  prepare_env: message(
    8,
    "sentinel",
    z.object({
      env_hash: hash,
      lockfile_content: text,
      python_version: optional(text.max(64)),
    }),
  ),
  env_ready: message(
    9,
    "worker",
    z.object({
      env_hash: hash,
      interpreter_path: text.max(4096),
      cached: optional(z.boolean()),
      bytes: optional(Count),
      error: optional(text),
    }),
  ),
  deploy: message(10, "client", Deploy, SOURCE_BODY_BYTES_MAX),
  ack: message(
    11,
    "sentinel",
    z.object({
      success: z.boolean(),
      message: text,
      plugin_id: optional(RowId),
      /** Which attempt's receipt this answers: two of one job may be under way. */
      attempt: optional(Count),
      retired: optional(z.array(text.max(4096)).max(4096)),
    }),
  ),
  log: message(
    12,
    "worker",
    z.object({ attempt: Count, lines: z.array(LogLine).max(LOG_LINES_MAX) }),
  ),
  call: message(
    13,
    "client",
    z.object({ id: CallId, method: text.max(64), params: z.unknown() }),
    SOURCE_BODY_BYTES_MAX,
  ),
  reply: message(
    14,
    "sentinel",
    z.object({
      id: CallId,
      result: z.unknown().optional(),
      error: optional(z.object({ code: text, message: text })),
    }),
    SOURCE_BODY_BYTES_MAX,
  ),
  resolve: message(
    15,
    "sentinel",
    z.object({
      id: CallId,
      source_code: optional(text),
      requirements: optional(z.array(text.max(1024)).max(1024)),
      python_version: optional(text.max(64)),
    }),
  ),
  resolved: message(
    16,
    "worker",
    z.object({
      id: CallId,
      lockfile_content: optional(text),
      env_hash: optional(hash),
      error: optional(text),
    }),
  ),
  try: message(
    17,
    "sentinel",
    Dispatch.extend({ id: CallId, rows_max: Count }),
    SOURCE_BODY_BYTES_MAX,
  ),
  tried: message(
    18,
    "worker",
    z.object({
      id: CallId,
      topics: z.array(
        z.object({
          topic: text.max(128),
          schema: z.unknown(),
          rows: z.array(z.unknown()),
          row_count: Count,
        }),
      ).max(256),
      metrics,
      error: optional(text),
    }),
  ),
} as const;

export type MessageName = keyof typeof MESSAGES;
export type MessageBody<N extends MessageName> = z.infer<typeof MESSAGES[N]["body"]>;

/** A decoded message: its name, the job it is about (0 = none) and its payload. */
export type Message = {
  [N in MessageName]: { name: N; jobId: number; body: MessageBody<N> };
}[MessageName];

export type MessageOf<N extends MessageName> = Extract<Message, { name: N }>;
