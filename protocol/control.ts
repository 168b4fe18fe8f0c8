/**
 * The control API: what CLI and deck can ask a sentinel, travelling as CALL and REPLY.
 *
 * One table gives each method's params and result; server, client and PROTOCOL.md derive from it.
 * Params refuse unknown keys, so that a misspelt filter is an error and not a silent "all".
 * Lists are paged by key: `after` is the last id of the page before.
 */
import * as z from "zod";
import { Count, RowId, TimeMs, TopicName } from "./ids.ts";
import * as record from "./records.ts";
import { JobState, Page } from "./records.ts";
import { ErrorKind, LogLine, SinkMode } from "./messages.ts";
import {
  JOB_PRIORITY_MAX,
  JOBS_AT_ONCE_MAX,
  PAUSE_AFTER_MAX,
  WEIGHT_MAX,
} from "./scheduling_bounds.ts";

const none = z.strictObject({});
const ok = z.object({ ok: z.literal(true) });
const JobFilter = z.strictObject({
  state: z.array(JobState).optional(),
  plugin: z.string().optional(),
  error_kind: ErrorKind.optional(),
  path: z.string().optional(),
  root: z.string().optional(),
  /** A worker that ran it, in any attempt. */
  worker: z.string().optional(),
  /** When it last changed: finished, else began, else was queued. From `since_ms` on, before `until_ms`. */
  since_ms: TimeMs.optional(),
  until_ms: TimeMs.optional(),
});
export type JobFilter = z.infer<typeof JobFilter>;

/** By number or by a filter; neither is refused, as nothing chosen must not mean everything. */
const Choice = { job_ids: z.array(RowId).optional(), filter: JobFilter.optional() };
const Refused = z.array(z.object({ job_id: RowId, reason: z.string() }));
const Priority = z.number().int().min(-JOB_PRIORITY_MAX).max(JOB_PRIORITY_MAX);
const JobsMax = z.number().int().min(1).max(JOBS_AT_ONCE_MAX);

const method = <P extends z.ZodType, R extends z.ZodType, K extends "read" | "write">(
  params: P,
  result: R,
  kind: K,
) => ({ params, result, kind } as const);

/** Reads are answered off the dispatch loop, writes in it. */
export const METHODS = {
  "system.info": method(none, record.SystemInfo, "write"),
  "system.status": method(none, record.SystemStatus, "write"),
  "jobs.list": method(
    z.strictObject({ filter: JobFilter.default({}), ...Page }),
    z.object({ jobs: z.array(record.Job) }),
    "read",
  ),
  "jobs.get": method(z.strictObject({ job_id: RowId }), record.JobDetails, "read"),
  "jobs.logs": method(
    z.strictObject({ job_id: RowId, ...Page }),
    z.object({
      lines: z.array(z.object({ id: RowId, attempt: Count, line: LogLine })),
    }),
    "read",
  ),
  "jobs.retry": method(
    z.strictObject({ ...Choice, priority: Priority.optional() }),
    z.object({ retried: Count, refused: Refused }),
    "write",
  ),
  "jobs.cancel": method(
    z.strictObject(Choice),
    z.object({ cancelled: Count, refused: Refused }),
    "write",
  ),
  "jobs.prioritise": method(
    z.strictObject({ ...Choice, priority: Priority }),
    z.object({ prioritised: Count, refused: Refused }),
    "write",
  ),
  "plugins.list": method(
    z.strictObject({ all_versions: z.boolean().default(false) }),
    z.object({ plugins: z.array(record.Plugin) }),
    "read",
  ),
  "plugins.get": method(
    z.strictObject({ plugin_id: RowId }),
    record.Plugin.extend({ source_code: z.string(), manifest: z.unknown() }),
    "read",
  ),
  "plugins.publish": method(
    z.strictObject({
      source_code: z.string(),
      file_name: z.string().max(256),
      /** A lockfile beside the plugin; without one, its requirements are locked by a worker. */
      lockfile_content: z.string().optional(),
      /** Requirements beside the plugin (requirements.txt, pyproject.toml); PEP 723 comes first. */
      requirements: z.array(z.string().max(1024)).max(1024).optional(),
      python: z.string().max(64).optional(),
      /** Lock afresh even if the same requirements were locked before. */
      upgrade: z.boolean().default(false),
      publisher: z.string().max(256).default(""),
    }),
    z.object({ plugin_id: RowId, name: z.string(), version: z.string(), unchanged: z.boolean() }),
    "write",
  ),
  "plugins.pause": method(
    z.strictObject({ plugin: z.string(), reason: z.string().nullable() }),
    ok,
    "write",
  ),
  /** What is left out stays as it is; null is as MANIFEST or the default has it. */
  "plugins.set": method(
    z.strictObject({
      plugin: z.string(),
      weight: z.number().int().min(1).max(WEIGHT_MAX).nullable().optional(),
      jobs_max: JobsMax.nullable().optional(),
      pause_after: z.number().int().min(0).max(PAUSE_AFTER_MAX).nullable().optional(),
    }),
    ok,
    "write",
  ),
  "rules.list": method(none, z.object({ rules: z.array(record.Rule) }), "read"),
  "rules.create": method(
    record.Rule.omit({ id: true }).extend({ plugin: z.string().optional() }).strict(),
    z.object({ rule_id: RowId }),
    "write",
  ),
  "rules.update": method(record.Rule.strict(), ok, "write"),
  "rules.delete": method(z.strictObject({ rule_id: RowId }), ok, "write"),
  "subscriptions.set": method(
    z.strictObject({ plugin: z.string(), tag: z.string(), subscribed: z.boolean() }),
    ok,
    "write",
  ),
  "topics.list": method(none, z.object({ topics: z.array(record.Topic) }), "read"),
  "topics.set": method(
    z.strictObject({ topic: TopicName, uri: z.string().max(4096).optional(), mode: SinkMode }),
    ok,
    "write",
  ),
  "roots.list": method(none, z.object({ roots: z.array(record.Root) }), "write"),
  "roots.add": method(
    z.strictObject({
      name: z.string().min(1).max(128).optional(),
      directory: z.string().min(1).max(4096),
      ...record.RootRules.shape,
    }),
    z.object({ root_id: RowId, name: z.string() }),
    "write",
  ),
  "roots.set": method(
    z.strictObject({ name: z.string(), ...record.RootRules.shape }),
    ok,
    "write",
  ),
  "roots.remove": method(z.strictObject({ name: z.string() }), ok, "write"),
  "roots.limit": method(
    z.strictObject({ name: z.string(), jobs_max: JobsMax.nullable() }),
    ok,
    "write",
  ),
  "scan.run": method(
    z.strictObject({ root: z.string().optional() }),
    z.object({
      files: Count,
      folders: Count,
      unsettled: Count,
      problems: Count,
      duration_ms: z.number(),
    }),
    "write",
  ),
  "files.list": method(
    z.strictObject({
      root: z.string().optional(),
      only: z.enum(record.FILE_FILTERS).default("all"),
      ...Page,
    }),
    z.object({ files: z.array(record.SourceFile) }),
    "read",
  ),
  "outputs.list": method(
    z.strictObject({ topic: TopicName.optional(), job_id: RowId.optional(), ...Page }),
    z.object({ outputs: z.array(record.LandedOutput) }),
    "read",
  ),
  "outputs.pending": method(
    none,
    z.object({
      outputs: z.array(
        z.object({
          job_id: RowId,
          topic: z.string(),
          uri: z.string(),
          staged: z.string(),
          /** What it replaces, which must go once it is visible. */
          retired: z.array(z.string()).optional(),
        }),
      ),
    }),
    "write",
  ),
  "outputs.promoted": method(
    z.strictObject({ outputs: z.array(z.object({ job_id: RowId, uri: z.string() })).max(10_000) }),
    ok.extend({ retired: z.array(z.string()).optional() }),
    "write",
  ),
  "workers.list": method(none, z.object({ workers: z.array(record.Worker) }), "write"),
  "workers.drain": method(
    z.strictObject({ worker: z.string(), draining: z.boolean() }),
    ok,
    "write",
  ),
  "envs.list": method(none, z.object({ environments: z.array(record.Environment) }), "read"),
  "audit.list": method(
    z.strictObject({ ...Page }),
    z.object({ entries: z.array(record.AuditEntry) }),
    "read",
  ),
} as const;

export type Method = keyof typeof METHODS;
/** What a caller gives: fields with a default may be left out. */
export type Params<M extends Method> = z.input<typeof METHODS[M]["params"]>;
/** What the server works with, defaults filled in. */
export type ParsedParams<M extends Method> = z.output<typeof METHODS[M]["params"]>;
export type Result<M extends Method> = z.output<typeof METHODS[M]["result"]>;

/** The peer answered with an error: `code` is stable, the message is for people. */
export class ControlError extends Error {
  override name = "ControlError";
  constructor(
    readonly code: "not_found" | "invalid" | "conflict" | "unavailable" | "internal" | string,
    message: string,
  ) {
    super(message);
  }
}

/** Sends one CALL and resolves with the raw `result`; rejects with {@link ControlError}. */
export type Transport = (method: Method, params: unknown) => Promise<unknown>;

export interface ControlClient {
  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>>;
}

/** The typed client over any transport: a ZeroMQ DEALER, or a function call in tests. */
export function controlClient(transport: Transport): ControlClient {
  return {
    async call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
      const result = await transport(method, params);
      return METHODS[method].result.parse(result) as Result<M>;
    },
  };
}

/**
 * Checks what a caller sent.
 * @throws {ControlError} `not_found` for an unknown method, `invalid` for params its schema refuses.
 */
export function parseCall(
  method: string,
  params: unknown,
): { [M in Method]: { method: M; params: ParsedParams<M> } }[Method] {
  if (!Object.hasOwn(METHODS, method)) {
    throw new ControlError("not_found", `Cannot call '${method}' as there is no such method`);
  }
  const known = method as Method;
  const parsed = METHODS[known].params.safeParse(params ?? {});
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue?.path.join(".") || "params";
    throw new ControlError("invalid", `Cannot call ${method} as ${where}: ${issue?.message}`);
  }
  return { method: known, params: parsed.data } as never;
}
