/** All SQL that moves jobs, attempts and outputs; sqlite_queue.ts reads what waits. The rules: docs/decisions/0001-keys-and-the-commit.md. */
import type { DatabaseSync } from "node:sqlite";
import { statement } from "./statement.ts";
import type { BreakerStrike, Change, KeyedOutput, Outcome } from "./store.ts";

const CLAIM = `UPDATE processing_jobs
  SET state = 'RUNNING', worker_id = :workerId, attempt = :attempt, lease_until_ms = :leaseUntilMs,
      started_at_ms = :nowMs, cancel_at_ms = NULL
  WHERE id = :jobId AND state = 'QUEUED' AND attempt = :attempt - 1 AND not_before_ms = 0
    AND generation = :generation`;
const OPEN_ATTEMPT =
  `INSERT INTO job_attempts (job_id, attempt, generation, worker_id, started_at_ms)
  VALUES (:jobId, :attempt, :generation, :workerId, :nowMs)`;
const CLOSE_ATTEMPT = `UPDATE job_attempts
  SET finished_at_ms = :nowMs, status = :status, error_kind = :errorKind, error_message = :message,
      metrics = :metrics
  WHERE job_id = :jobId AND attempt = :attempt AND finished_at_ms IS NULL`;
const COMPLETE = `UPDATE processing_jobs
  SET state = 'COMPLETED', worker_id = NULL, lease_until_ms = NULL, finished_at_ms = :nowMs,
      rows = :rows, error_kind = NULL, error_message = NULL
  WHERE id = :jobId AND state = 'RUNNING' AND attempt = :attempt AND worker_id = :workerId`;
const FAIL = `UPDATE processing_jobs
  SET state = :state, worker_id = NULL, lease_until_ms = NULL, not_before_ms = :notBeforeMs,
      finished_at_ms = :finishedAtMs, error_kind = :errorKind, error_message = :message,
      failures = failures + :failures, lost_workers = lost_workers + :lostWorkers,
      memory_mb = coalesce(:memoryMb, memory_mb)
  WHERE id = :jobId AND state = 'RUNNING' AND attempt = :attempt AND worker_id = :workerId`;
// What superseded it while it ran has its turn: running the old content again would only undo itself.
const DROP_SUPERSEDED = `UPDATE processing_jobs AS old
  SET state = 'CANCELLED', not_before_ms = 0, finished_at_ms = :nowMs, error_kind = NULL,
      error_message = 'Superseded by job ' || newer.id
  FROM processing_jobs AS newer
  WHERE old.id = :jobId AND old.state = 'QUEUED' AND newer.file_id = old.file_id
    AND newer.plugin_name = old.plugin_name AND newer.generation > old.generation`;
// In the same transaction as the attempt's end, so that a restart neither forgets nor doubles one.
const ADD_STRIKE = `UPDATE plugin_manifests SET failures_in_row = failures_in_row + 1
  WHERE id = (SELECT plugin_id FROM processing_jobs WHERE id = :jobId)`;
const TRIP_BREAKER = `UPDATE plugin_manifests
  SET paused = failures_in_row || ' failures in a row, ' || :lastFailure
  WHERE id = (SELECT plugin_id FROM processing_jobs WHERE id = :jobId) AND paused IS NULL
    AND status = 'ACTIVE' AND failures_in_row >= :pauseAfter AND :pauseAfter > 0
  RETURNING paused`;
const CLEAR_STRIKES = `UPDATE plugin_manifests SET failures_in_row = 0
  WHERE id = :pluginId AND failures_in_row > 0`;
const JOB_KEY = `SELECT j.plugin_id, j.plugin_name, j.file_id, j.generation, v.content_hash
  FROM processing_jobs j JOIN file_versions v ON v.id = j.file_version_id
  WHERE j.id = :jobId AND j.state = 'RUNNING' AND j.attempt = :attempt AND j.worker_id = :workerId`;
const RETIRE_OLDER = `UPDATE outputs SET state = 'RETIRED', retired_at_ms = :nowMs
  WHERE file_id = :fileId AND plugin_name = :pluginName AND key_hash IN ('', :contentHash)
    AND state = 'LIVE' AND generation < :generation
  RETURNING uri`;
// A newer generation may have finished without an output for this topic: it still owns the file.
const IS_STALE = `SELECT
  EXISTS (SELECT 1 FROM outputs WHERE file_id = :fileId AND plugin_name = :pluginName
          AND topic = :topic AND key_hash = :keyHash AND generation > :generation)
  OR (:keyHash = '' AND EXISTS (SELECT 1 FROM processing_jobs WHERE file_id = :fileId
      AND plugin_name = :pluginName AND generation > :generation AND state = 'COMPLETED')) AS stale`;
const HAS_OUTPUT = `SELECT uri FROM outputs
  WHERE file_id = :fileId AND plugin_name = :pluginName AND topic = :topic AND state = 'LIVE'`;
const ADD_OUTPUT =
  `INSERT INTO outputs (job_id, topic, plugin_name, file_id, key_hash, generation, uri,
    staged, rows, bytes, quarantined, state, created_at_ms, promoted_at_ms, retired_at_ms)
  VALUES (:jobId, :topic, :pluginName, :fileId, :keyHash, :generation, :uri,
    :staged, :rows, :bytes, :quarantined, :state, :nowMs, :promotedAtMs, :retiredAtMs)`;
const ACCEPTED = `SELECT j.file_id, j.plugin_name, a.generation FROM job_attempts a
  JOIN processing_jobs j ON j.id = a.job_id
  WHERE a.job_id = :jobId AND a.attempt = :attempt AND a.worker_id = :workerId
    AND a.status = 'COMPLETED'`;
const RETIRED_OF_FILE = `SELECT uri FROM outputs
  WHERE file_id = :fileId AND plugin_name = :pluginName AND state = 'RETIRED'
    AND (generation < :generation OR job_id = :jobId)
  ORDER BY id DESC LIMIT 1000`; // the older ones went long ago, and an ACK must fit its bound
const RENEW = `UPDATE processing_jobs SET lease_until_ms = :leaseUntilMs
  WHERE worker_id = :workerId AND state = 'RUNNING'`;
const LOG_LINE = `INSERT INTO job_logs (job_id, attempt, ts_ms, level, text)
  VALUES (:jobId, :attempt, :tsMs, :level, :text)`;
const UNPROMOTED = `SELECT job_id, topic, uri, staged, file_id, plugin_name, generation,
    created_at_ms FROM outputs
  WHERE promoted_at_ms IS NULL AND state = 'LIVE' ORDER BY id LIMIT :limit`;
// Whoever should have promoted it should have removed these as well.
const RETIRED_WITH = `SELECT uri FROM outputs
  WHERE file_id = :fileId AND plugin_name = :pluginName AND state = 'RETIRED'
    AND generation < :generation AND retired_at_ms >= :createdAtMs LIMIT 100`;
const UNPROMOTED_COUNT = `SELECT count(*) AS n FROM outputs
  WHERE promoted_at_ms IS NULL AND state = 'LIVE'`;
const PROMOTED = `UPDATE outputs SET promoted_at_ms = :nowMs
  WHERE job_id = :jobId AND uri = :uri AND promoted_at_ms IS NULL RETURNING state`;
const OUTPUT_STATE = `SELECT state FROM outputs WHERE job_id = :jobId AND uri = :uri`;

interface JobKey {
  plugin_id: number;
  plugin_name: string;
  file_id: number;
  generation: number;
  content_hash: string;
}
interface UnpromotedRow {
  job_id: number;
  topic: string;
  uri: string;
  staged: string;
  file_id: number;
  plugin_name: string;
  generation: number;
  created_at_ms: number;
}
type EndOf<T extends Change["type"]> = Extract<Change, { type: T }>;

export function sqliteJobs(db: DatabaseSync) {
  const sql = {
    claim: statement(db, CLAIM),
    openAttempt: statement(db, OPEN_ATTEMPT),
    closeAttempt: statement(db, CLOSE_ATTEMPT),
    complete: statement(db, COMPLETE),
    fail: statement(db, FAIL),
    addStrike: statement(db, ADD_STRIKE),
    tripBreaker: statement<{ paused: string }>(db, TRIP_BREAKER),
    clearStrikes: statement(db, CLEAR_STRIKES),
    dropSuperseded: statement(db, DROP_SUPERSEDED),
    jobKey: statement<JobKey>(db, JOB_KEY),
    retireOlder: statement<{ uri: string }>(db, RETIRE_OLDER),
    isStale: statement<{ stale: number }>(db, IS_STALE),
    hasOutput: statement<{ uri: string }>(db, HAS_OUTPUT),
    addOutput: statement(db, ADD_OUTPUT),
    accepted: statement<Pick<JobKey, "file_id" | "plugin_name" | "generation">>(
      db,
      ACCEPTED,
    ),
    retiredOfFile: statement<{ uri: string }>(db, RETIRED_OF_FILE),
    renew: statement(db, RENEW),
    logLine: statement(db, LOG_LINE),
    unpromoted: statement<UnpromotedRow>(db, UNPROMOTED),
    retiredWith: statement<{ uri: string }>(db, RETIRED_WITH),
    unpromotedCount: statement<{ n: number }>(db, UNPROMOTED_COUNT),
    promoted: statement<{ state: string }>(db, PROMOTED),
    outputState: statement<{ state: string }>(db, OUTPUT_STATE),
  };

  function claim(change: EndOf<"claim">): Outcome {
    if (sql.claim.run(change).changes === 0) return { applied: false };
    sql.openAttempt.run(change);
    return { applied: true };
  }

  function complete(change: EndOf<"complete">): Outcome {
    const { jobId, attempt, workerId, nowMs } = change;
    const key = sql.jobKey.get({ jobId, attempt, workerId });
    if (!key) return { applied: false };
    const owner = {
      fileId: key.file_id,
      pluginName: key.plugin_name,
      generation: key.generation,
      contentHash: key.content_hash,
    };
    const refused = refusal(change.outputs, owner);
    if (refused) {
      fail({
        ...change,
        type: "fail",
        status: "FAILED",
        errorKind: "sink",
        message: refused,
        countsAs: "failure",
        next: { state: "FAILED" },
      });
      return { applied: true, refused };
    }
    const rows = change.outputs.reduce((sum, output) => sum + output.rows, 0);
    sql.complete.run({ jobId, attempt, workerId, nowMs, rows });
    sql.clearStrikes.run({ pluginId: key.plugin_id });
    closeAttempt(change, "COMPLETED", null, null);
    const retired = sql.retireOlder.all({ ...owner, nowMs })
      .map((row) => row.uri);
    for (const output of change.outputs) {
      if (!addOutput(jobId, output, owner, nowMs)) retired.push(output.uri);
    }
    return { applied: true, retired };
  }

  /** Records an output; false when a newer generation owns its key, so that it is retired at once. */
  function addOutput(
    jobId: number,
    output: KeyedOutput,
    owner: { fileId: number; pluginName: string; generation: number; contentHash: string },
    nowMs: number,
  ): boolean {
    const key = {
      fileId: owner.fileId,
      pluginName: owner.pluginName,
      topic: output.topic,
      keyHash: output.mode === "append" ? owner.contentHash : "",
      generation: owner.generation,
    };
    const stale = sql.isStale.get(key)!.stale === 1;
    sql.addOutput.run({
      ...key,
      jobId,
      uri: output.uri,
      staged: output.staged,
      rows: output.rows,
      bytes: output.bytes,
      quarantined: output.quarantined ?? 0,
      state: stale ? "RETIRED" : "LIVE",
      nowMs,
      // A plain v4 worker writes in place: there is nothing to promote.
      promotedAtMs: output.staged === "" ? nowMs : null,
      retiredAtMs: stale ? nowMs : null,
    });
    return !stale;
  }

  function refusal(
    outputs: readonly KeyedOutput[],
    owner: { fileId: number; pluginName: string },
  ): string | null {
    for (const output of outputs) {
      if (output.mode !== "error") continue;
      const { fileId, pluginName } = owner;
      const row = sql.hasOutput.get({ fileId, pluginName, topic: output.topic });
      if (row) {
        return `Cannot land in topic '${output.topic}' as its mode is 'error' and this file already ` +
          `has an output there: ${row.uri}. Set the topic's mode to 'replace' to swap its rows.`;
      }
    }
    return null;
  }

  function fail(change: EndOf<"fail">): Outcome {
    const { jobId, attempt, workerId, next } = change;
    const done = sql.fail.run({
      jobId,
      attempt,
      workerId,
      state: next.state,
      notBeforeMs: next.state === "QUEUED" ? next.notBeforeMs : 0,
      finishedAtMs: next.state === "QUEUED" ? null : change.nowMs,
      errorKind: change.errorKind,
      message: change.message,
      failures: change.countsAs === "failure" ? 1 : 0,
      lostWorkers: change.countsAs === "lost_worker" ? 1 : 0,
      memoryMb: next.state === "QUEUED" ? next.memoryMb ?? null : null,
    });
    if (done.changes === 0) return { applied: false };
    closeAttempt(change, change.status, change.errorKind, change.message);
    if (next.state === "QUEUED") sql.dropSuperseded.run({ jobId, nowMs: change.nowMs });
    const paused = change.strike ? addStrike(jobId, change.strike) : undefined;
    return { applied: true, ...(paused === undefined ? {} : { paused }) };
  }

  /** @returns The reason, if this failure is the one that pauses the plugin's version. */
  function addStrike(jobId: number, { pauseAfter, lastFailure }: BreakerStrike) {
    sql.addStrike.run({ jobId });
    return sql.tripBreaker.get({ jobId, pauseAfter, lastFailure })?.paused;
  }

  function closeAttempt(
    end: EndOf<"complete"> | EndOf<"fail">,
    status: string,
    errorKind: string | null,
    message: string | null,
  ): void {
    const { jobId, attempt, nowMs } = end;
    const metrics = JSON.stringify(end.metrics);
    sql.closeAttempt.run({ jobId, attempt, nowMs, status, errorKind, message, metrics });
  }

  return {
    claim,
    complete,
    fail,
    /** A receipt that came twice, as its ACK was lost: `applied` when it was this one that counted. */
    repeated({ jobId, attempt, workerId }: EndOf<"repeated_receipt">): Outcome {
      const key = sql.accepted.get({ jobId, attempt, workerId });
      if (!key) return { applied: false };
      const { file_id: fileId, plugin_name: pluginName, generation } = key;
      const retired = sql.retiredOfFile.all({ fileId, pluginName, generation, jobId });
      return { applied: true, retired: retired.map(({ uri }) => uri) };
    },
    promoted({ outputs, nowMs }: EndOf<"promoted">): Outcome {
      const retired = outputs.filter(({ job_id: jobId, uri }) => {
        const output = sql.promoted.get({ jobId, uri, nowMs }) ??
          sql.outputState.get({ jobId, uri }); // told before, and the answer was lost
        return output?.state === "RETIRED";
      });
      return { applied: true, retired: retired.map(({ uri }) => uri) };
    },
    renew({ workerId, leaseUntilMs }: EndOf<"renew">): Outcome {
      return { applied: sql.renew.run({ workerId, leaseUntilMs }).changes > 0 };
    },
    log({ jobId, attempt, lines }: EndOf<"log">): Outcome {
      for (const [tsMs, level, text] of lines) {
        sql.logLine.run({ jobId, attempt, tsMs, level, text });
      }
      return { applied: true };
    },
    unpromoted(limit: number) {
      return sql.unpromoted.all({ limit }).map(({ job_id, topic, uri, staged, ...of }) => {
        const { file_id: fileId, plugin_name: pluginName, generation } = of;
        const key = { fileId, pluginName, generation, createdAtMs: of.created_at_ms };
        const retired = sql.retiredWith.all(key).map((row) => row.uri);
        return { job_id, topic, uri, staged, retired };
      });
    },
    unpromotedCount(): number {
      return sql.unpromotedCount.get()!.n;
    },
  };
}
