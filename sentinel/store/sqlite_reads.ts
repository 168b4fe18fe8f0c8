/**
 * All SQL of what the control API shows, over a read-only connection of its own: big reads never hold
 * up the dispatch loop. Every list is paged by key and reads no more rows than it shows.
 */
import { DatabaseSync } from "node:sqlite";
import {
  ControlError,
  type Method,
  METHODS,
  type ParsedParams,
  type Result,
} from "../../protocol/control.ts";
import type { StateCounts } from "../../protocol/records.ts";
import { defaultSink, schedulingOf, versionLabel } from "../core/plugin.ts";
import { countsByPlugin, noJobs } from "./job_counts.ts";
import { jobFilter } from "./sqlite_job_filter.ts";
import { statement } from "./statement.ts";
import type { PluginSettings } from "./store.ts";

export type ReadMethod = {
  [M in Method]: typeof METHODS[M]["kind"] extends "read" ? M : never;
}[Method];
export type Reads = { [M in ReadMethod]: (params: ParsedParams<M>) => Result<M> };

const AHEAD_MAX = 1_000_000;
const PATH = `CASE f.folder WHEN '' THEN f.name ELSE f.folder || '/' || f.name END`;
const JOB = `j.id, j.plugin_name AS plugin, p.version, p.artifact_hash, r.name AS root,
  ${PATH} AS path, j.state, j.priority, j.attempt, j.generation, j.worker_id, j.rows, j.error_kind,
  j.error_message, j.created_at_ms, j.started_at_ms, j.finished_at_ms`;
const JOB_TABLES = `processing_jobs j JOIN plugin_manifests p ON p.id = j.plugin_id
  JOIN files f ON f.id = j.file_id JOIN source_roots r ON r.id = f.root_id`;
const JOB_DETAILS = `SELECT ${JOB}, v.size AS file_size, v.content_hash, j.plugin_id, j.root_id,
    j.failures, j.lost_workers, j.memory_mb, f.note AS file_note,
    CASE WHEN j.state = 'QUEUED' AND j.not_before_ms > 0 THEN j.not_before_ms END AS retry_at_ms
  FROM ${JOB_TABLES} JOIN file_versions v ON v.id = j.file_version_id WHERE j.id = :jobId`;
// Bounded, as nobody needs to know whether a million or two stand in front.
const AHEAD = (lostWorkers: "= 0" | "> 0") =>
  `SELECT count(*) AS jobs FROM (SELECT 1 FROM processing_jobs
    WHERE plugin_id = :pluginId AND state = 'QUEUED' AND not_before_ms = 0
      AND lost_workers ${lostWorkers}
      AND (priority > :priority OR (priority = :priority AND id < :jobId)) LIMIT ${AHEAD_MAX})`;
const ATTEMPTS = `SELECT attempt, worker_id, started_at_ms, finished_at_ms, status, error_kind,
    error_message, metrics FROM job_attempts WHERE job_id = :jobId ORDER BY attempt`;
const OUTPUT = `o.id, o.job_id, o.topic, o.plugin_name AS plugin, ${PATH} AS path, o.uri, o.rows,
  o.bytes, o.generation, o.state, o.created_at_ms, o.promoted_at_ms`;
const OUTPUT_TABLES = `outputs o JOIN files f ON f.id = o.file_id`;
const OUTPUTS_OF_JOB = `SELECT ${OUTPUT} FROM ${OUTPUT_TABLES}
  WHERE o.job_id = :jobId AND o.id > :after ORDER BY o.id LIMIT :limit`;
const OUTPUTS_OF_TOPIC = `SELECT ${OUTPUT} FROM ${OUTPUT_TABLES}
  WHERE o.topic = :topic AND o.state = 'LIVE' AND o.id > :after ORDER BY o.id LIMIT :limit`;
const OUTPUTS = `SELECT ${OUTPUT} FROM ${OUTPUT_TABLES}
  WHERE o.state = 'LIVE' AND o.id > :after ORDER BY o.id LIMIT :limit`;
const LOGS = `SELECT id, attempt, ts_ms, level, text FROM job_logs
  WHERE job_id = :jobId AND id > :after ORDER BY id LIMIT :limit`;
const SETTINGS = `SELECT name, weight, jobs_max, pause_after FROM plugin_settings`;
const PLUGIN = `id, name, version, status, reason, paused, artifact_hash, env_hash, pattern, topics,
  publisher, created_at_ms, activated_at_ms, failures_in_row, manifest`;
const PLUGINS = `SELECT ${PLUGIN} FROM plugin_manifests ORDER BY name, id`;
const PLUGINS_NEWEST = `SELECT ${PLUGIN} FROM plugin_manifests p
  WHERE status IN ('PENDING', 'STAGING', 'ACTIVE')
    OR id = (SELECT max(id) FROM plugin_manifests q WHERE q.name = p.name) ORDER BY name, id`;
const PLUGIN_BY_ID = `SELECT ${PLUGIN}, source_code FROM plugin_manifests
  WHERE id = :pluginId`;
const COUNTS = `SELECT plugin_name, state, jobs FROM job_counts`;
const RULES = `SELECT id, pattern, tag, priority, enabled, description FROM routing_rules
  ORDER BY priority DESC, id`;
const TOPICS = `SELECT t.topic, c.uri, c.mode, n.files, n.rows, n.bytes, n.changed_at_ms
  FROM (SELECT topic FROM topic_counts UNION SELECT topic FROM topic_configs) t
  LEFT JOIN topic_configs c USING (topic) LEFT JOIN topic_counts n USING (topic) ORDER BY t.topic`;
const FILES = `SELECT f.id, r.name AS root, ${PATH} AS path, f.size, f.mtime_ms, v.content_hash,
    (SELECT count(*) FROM file_versions w WHERE w.file_id = f.id) AS versions,
    f.deleted_at_ms, f.problem, f.arriving, f.note
  FROM files f JOIN source_roots r ON r.id = f.root_id
  LEFT JOIN file_versions v ON v.id = f.current_version_id
  WHERE f.id > :after AND (:root IS NULL OR r.name = :root) AND CASE :only
    WHEN 'arriving' THEN f.arriving IS NOT NULL
    WHEN 'problems' THEN f.problem IS NOT NULL
    WHEN 'noted' THEN f.note IS NOT NULL
    WHEN 'deleted' THEN f.deleted_at_ms IS NOT NULL
    WHEN 'unclaimed' THEN f.deleted_at_ms IS NULL AND f.current_version_id IS NOT NULL
      AND f.problem IS NULL
      AND NOT EXISTS (SELECT 1 FROM processing_jobs j WHERE j.file_id = f.id)
    ELSE f.deleted_at_ms IS NULL END
  ORDER BY f.id LIMIT :limit`;
const ENVIRONMENTS = `SELECT env_hash, python, requirements, size, last_used, problem,
    (SELECT json_group_array(DISTINCT name) FROM plugin_manifests p
      WHERE p.env_hash = e.env_hash) AS plugins
  FROM plugin_environments e ORDER BY rowid`;
const AUDIT = `SELECT id, at_ms, who, action, detail FROM audit_log
  WHERE id > :after ORDER BY id LIMIT :limit`;

// deno-lint-ignore no-explicit-any -- each result is checked by its schema before it leaves
type Row = any;

/** @param path The database's file; it must exist. */
export function openSqliteReads(path: string): Reads & { close(): void } {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2000 });
  const all = (text: string) => {
    let prepared: ReturnType<typeof statement<Row>> | undefined;
    return (values = {}) => (prepared ??= statement<Row>(db, text)).all(values);
  };
  const sql = {
    jobDetails: all(JOB_DETAILS),
    ahead: all(AHEAD("= 0")),
    suspectsAhead: all(AHEAD("> 0")),
    attempts: all(ATTEMPTS),
    outputsOfJob: all(OUTPUTS_OF_JOB),
    outputsOfTopic: all(OUTPUTS_OF_TOPIC),
    outputs: all(OUTPUTS),
    logs: all(LOGS),
    plugins: all(PLUGINS),
    pluginsNewest: all(PLUGINS_NEWEST),
    pluginById: all(PLUGIN_BY_ID),
    counts: all(COUNTS),
    settings: all(SETTINGS),
    rules: all(RULES),
    topics: all(TOPICS),
    files: all(FILES),
    environments: all(ENVIRONMENTS),
    audit: all(AUDIT),
  };
  /** Ready jobs of the same plugin version that the scheduler would take first. */
  function ahead({ plugin_id: pluginId, priority, id: jobId }: Row): number {
    const place = { pluginId, priority, jobId };
    return sql.ahead(place)[0].jobs + sql.suspectsAhead(place)[0].jobs;
  }

  function pluginSettings(): Map<string, PluginSettings> {
    return new Map(
      sql.settings().map(({ name, ...row }: Row) => [
        name,
        { weight: row.weight, jobsMax: row.jobs_max, pauseAfter: row.pause_after },
      ]),
    );
  }

  return {
    "jobs.list"({ filter, after, limit }) {
      const { where, values } = jobFilter(filter, after);
      const text =
        `SELECT ${JOB} FROM ${JOB_TABLES} WHERE ${where} ORDER BY j.id DESC LIMIT :limit`;
      return { jobs: statement<Row>(db, text).all({ ...values, limit }).map(job) };
    },
    "jobs.get"({ job_id: jobId }) {
      const [row] = sql.jobDetails({ jobId });
      if (!row) throw new ControlError("not_found", `There is no job ${jobId}`);
      return {
        ...job(row),
        error_message: row.error_message,
        attempts: sql.attempts({ jobId }).map((attempt: Row) => ({
          ...attempt,
          metrics: attempt.metrics === null ? null : JSON.parse(attempt.metrics),
        })),
        outputs: sql.outputsOfJob({ jobId, after: 0, limit: 1000 }),
        ahead: row.state === "QUEUED" ? ahead(row) : 0,
        waiting_because: null,
        held: false,
      };
    },
    "jobs.logs": ({ job_id: jobId, after = 0, limit }) => ({
      lines: sql.logs({ jobId, after, limit }).map(({ id, attempt, ts_ms, level, text }: Row) => ({
        id,
        attempt,
        line: [ts_ms, level, text],
      })),
    }),
    "plugins.list"({ all_versions }) {
      const counts = countsByPlugin(sql.counts());
      const settings = pluginSettings();
      const rows = all_versions ? sql.plugins() : sql.pluginsNewest();
      return { plugins: rows.map((row: Row) => plugin(row, counts, settings.get(row.name))) };
    },
    "plugins.get"({ plugin_id: pluginId }) {
      const [row] = sql.pluginById({ pluginId });
      if (!row) throw new ControlError("not_found", `There is no plugin version ${pluginId}`);
      return {
        ...plugin(row, countsByPlugin(sql.counts()), pluginSettings().get(row.name)),
        source_code: row.source_code,
        manifest: JSON.parse(row.manifest),
      };
    },
    "rules.list": () => ({
      rules: sql.rules().map((rule: Row) => ({ ...rule, enabled: rule.enabled === 1 })),
    }),
    "topics.list": () => ({ topics: sql.topics().map(topic) }),
    "files.list": ({ root = null, only, after = 0, limit }) => ({
      files: sql.files({ root, only, after, limit }),
    }),
    "outputs.list"({ topic, job_id: jobId, after = 0, limit }) {
      if (jobId !== undefined) return { outputs: sql.outputsOfJob({ jobId, after, limit }) };
      if (topic !== undefined) return { outputs: sql.outputsOfTopic({ topic, after, limit }) };
      return { outputs: sql.outputs({ after, limit }) };
    },
    "envs.list": () => ({ environments: sql.environments().map(environment) }),
    "audit.list": ({ after = 0, limit }) => ({ entries: sql.audit({ after, limit }) }),
    close: () => db.close(),
  };
}

function job({ version, artifact_hash, error_message, ...row }: Row) {
  const [error = null] = error_message?.trimEnd().split("\n").slice(-1) ?? [];
  return {
    ...row,
    plugin_version: versionLabel({ version, artifactHash: artifact_hash }),
    error,
  };
}

function plugin(
  { source_code: _, manifest, ...row }: Row,
  counts: Map<string, StateCounts>,
  settings: PluginSettings | undefined,
) {
  const { weight, jobsMax, pauseAfter } = schedulingOf(JSON.parse(manifest), settings);
  return {
    ...row,
    version: versionLabel({ version: row.version, artifactHash: row.artifact_hash }),
    pattern: JSON.parse(row.pattern),
    topics: JSON.parse(row.topics),
    jobs: counts.get(row.name) ?? noJobs(),
    weight,
    jobs_max: jobsMax,
    pause_after: pauseAfter,
  };
}

function topic(row: Row) {
  const { uri, mode } = defaultSink(row.topic);
  return {
    ...row,
    uri: row.uri ?? uri,
    mode: row.mode ?? mode,
    configured: row.uri !== null,
    files: row.files ?? 0,
    rows: row.rows ?? 0,
    bytes: row.bytes ?? 0,
  };
}

function environment({ size, last_used, requirements, plugins, ...row }: Row) {
  return {
    ...row,
    bytes: size,
    last_used_ms: last_used,
    requirements: requirements === null ? [] : JSON.parse(requirements),
    plugins: JSON.parse(plugins),
  };
}
