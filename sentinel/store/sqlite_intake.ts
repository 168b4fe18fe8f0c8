/** All SQL by which files become versions, and versions jobs. Rule 1 of decision 0001. */
import type { DatabaseSync } from "node:sqlite";
import { statement } from "./statement.ts";
import type { CurrentFile, Observations, Refusal, WantedJob } from "./store.ts";

const FIND_FILE = `SELECT f.id, f.current_version_id, f.deleted_at_ms, f.problem, v.content_hash
  FROM files f LEFT JOIN file_versions v ON v.id = f.current_version_id
  WHERE f.root_id = :rootId AND f.folder = :folder AND f.name = :name`;
const ADD_FILE = `INSERT INTO files (root_id, folder, name, size, mtime_ms)
  VALUES (:rootId, :folder, :name, :size, :mtimeMs)`;
const ADD_VERSION = `INSERT INTO file_versions (file_id, content_hash, size, seen_at_ms)
  VALUES (:fileId, :contentHash, :size, :nowMs)`;
const SEE_FILE = `UPDATE files SET size = :size, mtime_ms = :mtimeMs, ctime_ms = :ctimeMs,
    inode = :inode, note = :note, current_version_id = :versionId, deleted_at_ms = NULL,
    problem = NULL, arriving = NULL
  WHERE id = :fileId`;
const DELETE_FILE = `UPDATE files SET deleted_at_ms = :nowMs, problem = NULL, arriving = NULL,
    note = :note
  WHERE root_id = :rootId AND folder = :folder AND name = :name AND deleted_at_ms IS NULL
  RETURNING id`;
const UNREADABLE_FILE = `INSERT INTO files (root_id, folder, name, size, mtime_ms, problem)
  VALUES (:rootId, :folder, :name, 0, 0, :reason)
  ON CONFLICT (root_id, folder, name)
    DO UPDATE SET problem = :reason, arriving = NULL, deleted_at_ms = NULL`;
// What was deleted and arrives again stays so until it is taken: its old version is not there to be read.
const ARRIVING_FILE = `INSERT INTO files (root_id, folder, name, size, mtime_ms, arriving)
  VALUES (:rootId, :folder, :name, :size, :mtimeMs, :reason)
  ON CONFLICT (root_id, folder, name) DO UPDATE SET arriving = :reason, problem = NULL`;
// A row that only ever was a problem, or arriving, names no file we know.
const MEND_FILE = `UPDATE files SET problem = NULL, arriving = NULL,
    deleted_at_ms = CASE WHEN current_version_id IS NULL THEN :nowMs ELSE deleted_at_ms END
  WHERE root_id = :rootId AND folder = :folder AND name = :name
    AND (problem IS NOT NULL OR arriving IS NOT NULL)`;
const CANCEL_OF_FILE = `UPDATE processing_jobs
  SET state = 'CANCELLED', finished_at_ms = :nowMs, error_kind = NULL,
      error_message = coalesce(:note, 'The file was deleted before its turn came')
  WHERE file_id = :fileId AND state = 'QUEUED'`;
const CURRENT_FILES = `SELECT id, current_version_id, folder, name FROM files
  WHERE id > :afterFileId AND deleted_at_ms IS NULL AND current_version_id IS NOT NULL
  ORDER BY id LIMIT :limit`;

const NEWEST_JOB =
  `SELECT id, plugin_id, file_version_id, generation, state, error_kind FROM processing_jobs
  WHERE file_id = :fileId AND plugin_name = :pluginName ORDER BY generation DESC LIMIT 1`;
const ADD_JOB = `INSERT INTO processing_jobs
    (plugin_id, plugin_name, root_id, file_id, file_version_id, generation, state, priority,
     created_at_ms)
  VALUES (:pluginId, :pluginName, (SELECT root_id FROM files WHERE id = :fileId), :fileId,
    :fileVersionId, :generation, 'QUEUED', :priority, :nowMs)
  RETURNING id`;
const FIND_JOB = `SELECT id FROM processing_jobs
  WHERE plugin_id = :pluginId AND file_version_id = :fileVersionId`;
// Also a running one: its attempt loses the race, as its receipt no longer finds it RUNNING.
const REQUEUE = `UPDATE processing_jobs
  SET state = 'QUEUED', generation = :generation, not_before_ms = 0, worker_id = NULL,
      lease_until_ms = NULL, failures = 0, lost_workers = 0, error_kind = NULL,
      error_message = NULL, finished_at_ms = NULL, priority = coalesce(:priority, priority)
  WHERE id = :jobId`;
const PRIORITISE = `UPDATE processing_jobs SET priority = :priority
  WHERE id = :jobId AND state = 'QUEUED'`;
// Its worker is told; the mark lets a restarted sentinel tell it again.
const MARK_CANCELLED = `UPDATE processing_jobs SET cancel_at_ms = :nowMs
  WHERE id = :jobId AND state = 'RUNNING'`;
const CANCEL_OLDER = `UPDATE processing_jobs
  SET state = 'CANCELLED', finished_at_ms = :nowMs, error_kind = NULL,
      error_message = 'Superseded by job ' || :jobId
  WHERE file_id = :fileId AND plugin_name = :pluginName AND state = 'QUEUED'
    AND generation < :generation`;
const GENERATION = `SELECT value FROM store_meta WHERE key = 'generation'`;
const SET_GENERATION = `UPDATE store_meta SET value = :value WHERE key = 'generation'`;

const JOB = `SELECT j.id, j.plugin_id, j.plugin_name, j.file_id, j.state, j.generation, p.status
  FROM processing_jobs j JOIN plugin_manifests p ON p.id = j.plugin_id WHERE j.id = :jobId`;
const CANCEL = `UPDATE processing_jobs
  SET state = 'CANCELLED', finished_at_ms = :nowMs, error_kind = 'aborted',
      error_message = 'Cancelled by an operator'
  WHERE id = :jobId AND state = 'QUEUED'`;

const IGNORED = "It no longer counts by the rules of its root";

interface FileRow {
  id: number;
  current_version_id: number | null;
  deleted_at_ms: number | null;
  problem: string | null;
  content_hash: string | null;
}
interface CurrentRow {
  id: number;
  current_version_id: number;
  folder: string;
  name: string;
}
interface NewestRow {
  id: number;
  plugin_id: number;
  file_version_id: number;
  generation: number;
  state: string;
  error_kind: string | null;
}
interface JobRow {
  id: number;
  plugin_id: number;
  plugin_name: string;
  file_id: number;
  state: string;
  generation: number;
  status: string;
}

export function sqliteIntake(db: DatabaseSync) {
  const sql = {
    findFile: statement<FileRow>(db, FIND_FILE),
    addFile: statement(db, ADD_FILE),
    addVersion: statement(db, ADD_VERSION),
    seeFile: statement(db, SEE_FILE),
    deleteFile: statement<{ id: number }>(db, DELETE_FILE),
    unreadableFile: statement(db, UNREADABLE_FILE),
    arrivingFile: statement(db, ARRIVING_FILE),
    mendFile: statement(db, MEND_FILE),
    cancelOfFile: statement(db, CANCEL_OF_FILE),
    currentFiles: statement<CurrentRow>(db, CURRENT_FILES),
    newestJob: statement<NewestRow>(db, NEWEST_JOB),
    addJob: statement<{ id: number }>(db, ADD_JOB),
    findJob: statement<{ id: number }>(db, FIND_JOB),
    requeue: statement(db, REQUEUE),
    cancelOlder: statement(db, CANCEL_OLDER),
    generation: statement<{ value: number }>(db, GENERATION),
    setGeneration: statement(db, SET_GENERATION),
    job: statement<JobRow>(db, JOB),
    cancel: statement(db, CANCEL),
    markCancelled: statement(db, MARK_CANCELLED),
    prioritise: statement(db, PRIORITISE),
  };

  /** Hands out generations from the one counter, written back once. */
  function withGenerations<T>(work: (next: () => number) => T): T {
    const start = sql.generation.get()!.value;
    let value = start;
    const result = work(() => ++value);
    if (value !== start) sql.setGeneration.run({ value });
    return result;
  }

  /** The file's current version after this sighting, or null when nothing is to be done for it. */
  function see(
    rootId: number,
    { contentHash, ...seen }: Observations["seen"][number],
    nowMs: number,
  ): CurrentFile | null {
    const place = { rootId, folder: seen.folder, name: seen.name };
    const known = sql.findFile.get(place);
    const { size, mtimeMs, ctimeMs = null, inode = null, note = null } = seen;
    const stat = { size, mtimeMs, ctimeMs, inode, note };
    const fileId = known ? known.id : sql.addFile.run({ ...place, ...stat }).lastId;
    const sameVersion = known?.content_hash === contentHash ? known.current_version_id : null;
    const versionId = sameVersion ??
      sql.addVersion.run({ fileId, contentHash, size, nowMs }).lastId;
    sql.seeFile.run({ fileId, versionId, ...stat });
    // A problem may have brought back a file whose jobs were cancelled when it was deleted.
    const returned = known !== undefined &&
      (known.deleted_at_ms !== null || known.problem !== null);
    return sameVersion !== null && !returned ? null : { fileId, versionId, path: pathOf(seen) };
  }

  function want(job: WantedJob, next: () => number, nowMs: number): boolean {
    const { pluginId, pluginName, fileId, fileVersionId } = job;
    const newest = sql.newestJob.get({ fileId, pluginName });
    if (!newest) {
      sql.addJob.run({ ...job, generation: next(), nowMs });
      return true;
    }
    const isWanted = newest.plugin_id === pluginId && newest.file_version_id === fileVersionId;
    const droppedByUs = newest.state === "CANCELLED" && newest.error_kind === null;
    if (isWanted && !droppedByUs) return false;
    const generation = next();
    const jobId = requeueOrAdd(job, generation, nowMs);
    sql.cancelOlder.run({ jobId, fileId, pluginName, generation, nowMs });
    return true;
  }

  function requeueOrAdd(job: WantedJob, generation: number, nowMs: number): number {
    const { pluginId, fileVersionId } = job;
    const known = sql.findJob.get({ pluginId, fileVersionId });
    if (!known) return sql.addJob.get({ ...job, generation, nowMs })!.id;
    sql.requeue.run({ jobId: known.id, generation, priority: null });
    return known.id;
  }

  function retryRefusal(jobId: number, job: JobRow | undefined): string | null {
    if (!job) return `There is no job ${jobId}`;
    if (job.state === "QUEUED" || job.state === "RUNNING") {
      return `Job ${jobId} is ${job.state}: only a finished job can be retried`;
    }
    if (job.status !== "ACTIVE") {
      return `Job ${jobId} is of a version of '${job.plugin_name}' that is ${job.status}: ` +
        `publish that version again to run it`;
    }
    const { file_id: fileId, plugin_name: pluginName } = job;
    const newest = sql.newestJob.get({ fileId, pluginName })!;
    return newest.id === jobId
      ? null
      : `Job ${jobId} was superseded by job ${newest.id}: retry that one`;
  }

  return {
    observe(observations: Observations, nowMs: number): CurrentFile[] {
      const { rootId } = observations;
      for (const mended of observations.mended) sql.mendFile.run({ rootId, ...mended, nowMs });
      const changed = observations.seen.map((seen) => see(rootId, seen, nowMs));
      for (const { folder, name, ignored = false } of observations.deleted) {
        const note = ignored ? IGNORED : null;
        const row = sql.deleteFile.get({ rootId, folder, name, nowMs, note });
        if (row) sql.cancelOfFile.run({ fileId: row.id, nowMs, note });
      }
      for (const bad of observations.unreadable) sql.unreadableFile.run({ rootId, ...bad });
      for (const file of observations.arriving ?? []) sql.arrivingFile.run({ rootId, ...file });
      return changed.filter((file) => file !== null);
    },
    currentFiles(afterFileId: number, limit: number): CurrentFile[] {
      return sql.currentFiles.all({ afterFileId, limit }).map((row) => ({
        fileId: row.id,
        versionId: row.current_version_id,
        path: pathOf(row),
      }));
    },
    /** @returns The plugin versions that got work. */
    enqueue(wanted: readonly WantedJob[], nowMs: number): number[] {
      return withGenerations((next) => {
        const queued = new Set<number>();
        for (const job of wanted) if (want(job, next, nowMs)) queued.add(job.pluginId);
        return [...queued];
      });
    },
    retry(
      jobIds: readonly number[],
      _nowMs: number,
      priority?: number,
    ): { plugins: number[]; refused: Refusal[] } {
      const plugins = new Set<number>();
      const refused: Refusal[] = [];
      withGenerations((next) => {
        for (const jobId of jobIds) {
          const job = sql.job.get({ jobId });
          const reason = retryRefusal(jobId, job);
          if (reason !== null || !job) {
            refused.push({ job_id: jobId, reason: reason ?? "" });
            continue;
          }
          sql.requeue.run({ jobId, generation: next(), priority: priority ?? null });
          plugins.add(job.plugin_id);
        }
      });
      return { plugins: [...plugins], refused };
    },
    prioritise(
      jobIds: readonly number[],
      priority: number,
    ): { plugins: number[]; refused: Refusal[] } {
      const plugins = new Set<number>();
      const refused: Refusal[] = [];
      for (const jobId of jobIds) {
        const job = sql.job.get({ jobId });
        if (job && sql.prioritise.run({ jobId, priority }).changes > 0) plugins.add(job.plugin_id);
        else refused.push({ job_id: jobId, reason: notQueued(jobId, job?.state) });
      }
      return { plugins: [...plugins], refused };
    },
    cancel(jobIds: readonly number[], nowMs: number) {
      const running: number[] = [];
      const refused: Refusal[] = [];
      let cancelled = 0;
      for (const jobId of jobIds) {
        const job = sql.job.get({ jobId });
        if (sql.markCancelled.run({ jobId, nowMs }).changes > 0) running.push(jobId);
        else if (sql.cancel.run({ jobId, nowMs }).changes > 0) cancelled++;
        else refused.push({ job_id: jobId, reason: cancelRefusal(jobId, job?.state) });
      }
      return { cancelled, running, refused };
    },
  };
}

function notQueued(jobId: number, state: string | undefined): string {
  return state === undefined
    ? `There is no job ${jobId}`
    : `Job ${jobId} is ${state}: only a queued job has a turn to wait for`;
}

function cancelRefusal(jobId: number, state: string | undefined): string {
  return state === undefined ? `There is no job ${jobId}` : `Job ${jobId} already is ${state}`;
}

function pathOf(place: { folder: string; name: string }): string {
  return place.folder === "" ? place.name : `${place.folder}/${place.name}`;
}
