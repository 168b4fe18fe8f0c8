/** All SQL that reads the queue: its lanes, the head of one, what runs, what waits for its time. */
import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { statement } from "./statement.ts";
import type { Change, LaneKey, Outcome, ReadyJob, RunningJob } from "./store.ts";

export const READY = (lostWorkers: "= 0" | "> 0") =>
  `SELECT j.id, j.plugin_id, j.root_id, j.attempt, j.failures, j.lost_workers, j.memory_mb,
    j.generation, j.priority, j.file_version_id, v.content_hash, f.size, f.mtime_ms, f.folder, f.name,
    r.name AS root, r.directory
  FROM processing_jobs j
  JOIN file_versions v ON v.id = j.file_version_id
  JOIN files f ON f.id = j.file_id
  JOIN source_roots r ON r.id = f.root_id
  WHERE j.plugin_id = :pluginId AND j.root_id = :rootId AND j.state = 'QUEUED'
    AND j.not_before_ms = 0 AND j.lost_workers ${lostWorkers}
  ORDER BY j.priority DESC, j.id LIMIT :limit`;
// From one root to the next by the index: a DISTINCT would read every job that waits.
export const READY_ROOTS = (lostWorkers: "= 0" | "> 0") => {
  const next = `SELECT min(root_id) FROM processing_jobs WHERE plugin_id = :pluginId
    AND state = 'QUEUED' AND not_before_ms = 0 AND lost_workers ${lostWorkers}`;
  return `WITH RECURSIVE roots (id) AS (
      ${next} UNION ALL SELECT (${next} AND root_id > roots.id) FROM roots WHERE id IS NOT NULL)
    SELECT id FROM roots WHERE id IS NOT NULL`;
};
const RUNNING =
  `SELECT id, plugin_id, plugin_name, root_id, attempt, failures, lost_workers, memory_mb,
    worker_id, cancel_at_ms
  FROM processing_jobs WHERE state = 'RUNNING' ORDER BY id`;
const NEXT_WAKE = `SELECT min(not_before_ms) AS at_ms FROM processing_jobs
  WHERE state = 'QUEUED' AND not_before_ms > 0`;

const WAKE = `UPDATE processing_jobs SET not_before_ms = 0
  WHERE state = 'QUEUED' AND not_before_ms > 0 AND not_before_ms <= :nowMs`;

interface CountedRow {
  id: number;
  plugin_id: number;
  root_id: number;
  attempt: number;
  failures: number;
  lost_workers: number;
  memory_mb: number | null;
}
interface RunningRow extends CountedRow {
  plugin_name: string;
  worker_id: string;
  cancel_at_ms: number | null;
}
interface ReadyRow extends CountedRow {
  generation: number;
  priority: number;
  file_version_id: number;
  content_hash: string;
  size: number;
  mtime_ms: number;
  folder: string;
  name: string;
  root: string;
  directory: string;
}

export function sqliteQueue(db: DatabaseSync) {
  const sql = {
    ready: statement<ReadyRow>(db, READY("= 0")),
    suspects: statement<ReadyRow>(db, READY("> 0")),
    readyRoots: statement<{ id: number }>(db, READY_ROOTS("= 0")),
    suspectRoots: statement<{ id: number }>(db, READY_ROOTS("> 0")),
    running: statement<RunningRow>(db, RUNNING),
    nextWake: statement<{ at_ms: number | null }>(db, NEXT_WAKE),
    wake: statement(db, WAKE),
  };
  return {
    readyLanes(pluginId: number): LaneKey[] {
      const lanes = (suspects: boolean) =>
        (suspects ? sql.suspectRoots : sql.readyRoots).all({ pluginId })
          .map(({ id: rootId }) => ({ pluginId, rootId, suspects }));
      return [...lanes(true), ...lanes(false)];
    },
    ready({ suspects, ...lane }: LaneKey, limit: number): ReadyJob[] {
      return (suspects ? sql.suspects : sql.ready).all({ ...lane, limit }).map(readyJob);
    },
    running(): RunningJob[] {
      return sql.running.all().map((row) => ({
        ...countsOf(row),
        pluginName: row.plugin_name,
        workerId: row.worker_id,
        cancelled: row.cancel_at_ms !== null,
      }));
    },
    nextWakeMs: (): number | null => sql.nextWake.get()!.at_ms,
    wake({ nowMs }: Extract<Change, { type: "wake" }>): Outcome {
      return { applied: sql.wake.run({ nowMs }).changes > 0 };
    },
  };
}

function countsOf(row: CountedRow) {
  return {
    jobId: row.id,
    pluginId: row.plugin_id,
    rootId: row.root_id,
    attempt: row.attempt,
    failures: row.failures,
    lostWorkers: row.lost_workers,
    memoryMb: row.memory_mb,
  };
}

function readyJob(row: ReadyRow): ReadyJob {
  const path = row.folder === "" ? row.name : `${row.folder}/${row.name}`;
  return {
    ...countsOf(row),
    generation: row.generation,
    priority: row.priority,
    fileVersionId: row.file_version_id,
    filePath: `${row.directory}/${path}`,
    rootName: row.root,
    rootDirectory: row.directory,
    fileKey: createHash("sha256").update(`${row.root}\0${path}`).digest("hex"),
    contentHash: row.content_hash,
    size: row.size,
    mtimeMs: row.mtime_ms,
  };
}
