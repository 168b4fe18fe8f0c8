/** All SQL of plugin versions and their environments. */
import type { DatabaseSync } from "node:sqlite";
import type { PluginStatus } from "../../protocol/records.ts";
import type { Change, NewPlugin, Outcome, PluginRow, PluginSettings } from "./store.ts";
import { statement } from "./statement.ts";

const COLUMNS = `id, name, version, source_code, artifact_hash, env_hash, pattern, topics, manifest,
  requirements, python, status, reason, paused, intake_after_file_id`;
const BY_ID = `SELECT ${COLUMNS} FROM plugin_manifests WHERE id = :pluginId`;
const ACTIVE = `SELECT ${COLUMNS} FROM plugin_manifests WHERE status = 'ACTIVE' ORDER BY id`;
const UNFINISHED = `SELECT ${COLUMNS} FROM plugin_manifests
  WHERE status IN ('PENDING', 'STAGING') ORDER BY id`;
const BY_ARTIFACT = `SELECT id FROM plugin_manifests
  WHERE name = :name AND artifact_hash = :artifactHash`;
const ADD = `INSERT INTO plugin_manifests (name, version, source_code, source_hash, artifact_hash,
    env_hash, pattern, topics, manifest, requirements, python, status, signature, publisher,
    created_at_ms)
  VALUES (:name, :version, :sourceCode, :sourceHash, :artifactHash, :envHash, :pattern, :topics,
    :manifest, :requirements, :python, :status, :signature, :publisher, :nowMs)`;
const LOCKED = `UPDATE plugin_manifests
  SET status = 'STAGING', env_hash = :envHash, artifact_hash = :artifactHash
  WHERE id = :pluginId AND status = 'PENDING'`;
const REJECTED = `UPDATE plugin_manifests SET status = 'REJECTED', reason = :reason
  WHERE id = :pluginId AND status IN ('PENDING', 'STAGING')`;
const SUPERSEDE_ACTIVE = `UPDATE plugin_manifests SET status = 'SUPERSEDED'
  WHERE status = 'ACTIVE' AND name = (SELECT name FROM plugin_manifests WHERE id = :pluginId)`;
const SUPERSEDE_WAITING = `UPDATE plugin_manifests
  SET status = 'SUPERSEDED', reason = 'A newer version was published before this one was active'
  WHERE status IN ('PENDING', 'STAGING') AND name = :name AND id <> :pluginId`;
const ACTIVATE = `UPDATE plugin_manifests
  SET status = 'ACTIVE', reason = NULL, activated_at_ms = :nowMs, intake_after_file_id = 0,
      paused = NULL, failures_in_row = 0
  WHERE id = :pluginId AND status = 'STAGING'`;
const IS_STAGING = `SELECT id FROM plugin_manifests WHERE id = :pluginId AND status = 'STAGING'`;
const RESTAGE = `UPDATE plugin_manifests SET status = 'STAGING', reason = NULL
  WHERE id = :pluginId AND status IN ('SUPERSEDED', 'REJECTED')`;
const PAUSE = `UPDATE plugin_manifests SET paused = :reason,
    failures_in_row = CASE WHEN :reason IS NULL THEN 0 ELSE failures_in_row END
  WHERE name = :name AND status = 'ACTIVE'`;
const IS_KNOWN = `SELECT 1 AS one FROM plugin_manifests WHERE name = :name LIMIT 1`;
const SETTINGS = `SELECT name, weight, jobs_max, pause_after FROM plugin_settings`;
const SETTING = `${SETTINGS} WHERE name = :name`;
const SET = `INSERT INTO plugin_settings (name, weight, jobs_max, pause_after)
  VALUES (:name, :weight, :jobsMax, :pauseAfter)
  ON CONFLICT DO UPDATE SET weight = :weight, jobs_max = :jobsMax, pause_after = :pauseAfter`;
const PROGRESS = `UPDATE plugin_manifests SET intake_after_file_id = :afterFileId
  WHERE id = :pluginId`;
// Jobs of older versions whose file the new version no longer wants.
const DROP_OLDER_JOBS = `UPDATE processing_jobs
  SET state = 'CANCELLED', finished_at_ms = :nowMs, error_kind = NULL,
      error_message = 'Superseded by a newer version of the plugin'
  WHERE state = 'QUEUED' AND plugin_id IN (
    SELECT old.id FROM plugin_manifests old JOIN plugin_manifests new ON new.name = old.name
    WHERE new.id = :pluginId AND old.status = 'SUPERSEDED')`;

const LOCKFILE = `SELECT lockfile, python FROM plugin_environments WHERE env_hash = :envHash`;
const LOCKFILE_FOR = `SELECT lockfile FROM plugin_environments
  WHERE requirements = :requirements AND python IS :python ORDER BY rowid DESC LIMIT 1`;
const SAVE_LOCKFILE = `INSERT INTO plugin_environments (env_hash, lockfile, requirements, python)
  VALUES (:envHash, :lockfile, :requirements, :python)
  ON CONFLICT DO UPDATE SET requirements = coalesce(excluded.requirements, requirements)`;
const ENVIRONMENT_READY = `UPDATE plugin_environments
  SET size = coalesce(:bytes, size), last_used = :nowMs, problem = NULL WHERE env_hash = :envHash`;
const ENVIRONMENT_FAILED =
  `UPDATE plugin_environments SET problem = :problem WHERE env_hash = :envHash`;

interface Row {
  id: number;
  name: string;
  version: string;
  source_code: string;
  artifact_hash: string | null;
  env_hash: string | null;
  pattern: string;
  topics: string;
  manifest: string;
  requirements: string | null;
  python: string | null;
  status: string;
  reason: string | null;
  paused: string | null;
  intake_after_file_id: number | null;
}
interface SettingsRow {
  name: string;
  weight: number | null;
  jobs_max: number | null;
  pause_after: number | null;
}
type ChangeOf<T extends Change["type"]> = Extract<Change, { type: T }>;

export function sqlitePlugins(db: DatabaseSync) {
  const sql = {
    byId: statement<Row>(db, BY_ID),
    active: statement<Row>(db, ACTIVE),
    unfinished: statement<Row>(db, UNFINISHED),
    byArtifact: statement<{ id: number }>(db, BY_ARTIFACT),
    add: statement(db, ADD),
    locked: statement(db, LOCKED),
    rejected: statement(db, REJECTED),
    supersedeActive: statement(db, SUPERSEDE_ACTIVE),
    supersedeWaiting: statement(db, SUPERSEDE_WAITING),
    activate: statement(db, ACTIVATE),
    isStaging: statement<{ id: number }>(db, IS_STAGING),
    restage: statement(db, RESTAGE),
    pause: statement(db, PAUSE),
    isKnown: statement<{ one: number }>(db, IS_KNOWN),
    settings: statement<SettingsRow>(db, SETTINGS),
    setting: statement<SettingsRow>(db, SETTING),
    set: statement(db, SET),
    progress: statement(db, PROGRESS),
    dropOlderJobs: statement(db, DROP_OLDER_JOBS),
    lockfile: statement<{ lockfile: string; python: string | null }>(db, LOCKFILE),
    lockfileFor: statement<{ lockfile: string }>(db, LOCKFILE_FOR),
    saveLockfile: statement(db, SAVE_LOCKFILE),
    environmentReady: statement(db, ENVIRONMENT_READY),
    environmentFailed: statement(db, ENVIRONMENT_FAILED),
  };

  function add(plugin: NewPlugin): { pluginId: number; fresh: boolean } {
    const known = plugin.artifactHash === null ? undefined : sql.byArtifact.get(plugin);
    if (known) return { pluginId: known.id, fresh: false };
    const { patterns, requirements, ...columns } = plugin;
    const { lastId: pluginId } = sql.add.run({
      ...columns,
      pattern: JSON.stringify(patterns),
      topics: JSON.stringify(plugin.topics),
      manifest: JSON.stringify(plugin.manifest),
      requirements: requirements === null ? null : JSON.stringify(requirements),
      status: plugin.artifactHash === null ? "PENDING" : "STAGING",
    });
    sql.supersedeWaiting.run({ name: plugin.name, pluginId });
    return { pluginId, fresh: true };
  }

  /** The dependencies are known now, so the artifact is: it may be one that was published before. */
  function locked(change: ChangeOf<"plugin_locked">): Outcome {
    const { pluginId, envHash, artifactHash, lockfile } = change;
    const plugin = sql.byId.get({ pluginId });
    if (!plugin) return { applied: false };
    sql.saveLockfile.run({
      envHash,
      lockfile,
      requirements: plugin.requirements,
      python: plugin.python,
    });
    const earlier = sql.byArtifact.get({ name: plugin.name, artifactHash });
    if (!earlier || earlier.id === pluginId) {
      return { applied: sql.locked.run({ pluginId, envHash, artifactHash }).changes > 0 };
    }
    sql.restage.run({ pluginId: earlier.id });
    const reason = `The same artifact is version ${earlier.id} of this plugin: that one is used`;
    return { applied: sql.rejected.run({ pluginId, reason }).changes > 0 };
  }

  function activated({ pluginId, nowMs }: ChangeOf<"plugin_activated">): Outcome {
    if (!sql.isStaging.get({ pluginId })) return { applied: false };
    sql.supersedeActive.run({ pluginId });
    return { applied: sql.activate.run({ pluginId, nowMs }).changes > 0 };
  }

  return {
    add,
    locked,
    activated,
    rejected({ pluginId, reason }: ChangeOf<"plugin_rejected">): Outcome {
      return { applied: sql.rejected.run({ pluginId, reason }).changes > 0 };
    },
    environmentReady({ envHash, bytes, nowMs }: ChangeOf<"environment_ready">): Outcome {
      return { applied: sql.environmentReady.run({ envHash, bytes, nowMs }).changes > 0 };
    },
    environmentFailed({ envHash, problem }: ChangeOf<"environment_failed">): Outcome {
      return { applied: sql.environmentFailed.run({ envHash, problem }).changes > 0 };
    },
    byId: (pluginId: number) => nullable(sql.byId.get({ pluginId }), pluginRow),
    active: () => sql.active.all().map(pluginRow),
    unfinished: () => sql.unfinished.all().map(pluginRow),
    restage: (pluginId: number) => void sql.restage.run({ pluginId }),
    pause: (name: string, reason: string | null) => sql.pause.run({ name, reason }).changes > 0,
    settings: () => new Map(sql.settings.all().map((row) => [row.name, settingsOf(row)])),
    set(name: string, changed: Partial<PluginSettings>): boolean {
      if (!sql.isKnown.get({ name })) return false;
      sql.set.run({ name, ...settingsOf(sql.setting.get({ name })), ...changed });
      return true;
    },
    progress(pluginId: number, afterFileId: number | null, nowMs: number): void {
      sql.progress.run({ pluginId, afterFileId });
      if (afterFileId === null) sql.dropOlderJobs.run({ pluginId, nowMs });
    },
    lockfile: (envHash: string) => sql.lockfile.get({ envHash }) ?? null,
    lockfileFor(requirements: readonly string[], python: string | null): string | null {
      return sql.lockfileFor.get({ requirements: JSON.stringify(requirements), python })
        ?.lockfile ?? null;
    },
    saveLockfile(lock: {
      envHash: string;
      lockfile: string;
      requirements: readonly string[] | null;
      python: string | null;
    }): void {
      const requirements = lock.requirements === null ? null : JSON.stringify(lock.requirements);
      sql.saveLockfile.run({ ...lock, requirements });
    },
  };
}

function nullable<T, U>(value: T | undefined, map: (value: T) => U): U | null {
  return value === undefined ? null : map(value);
}

function settingsOf(row: SettingsRow | undefined): PluginSettings {
  return {
    weight: row?.weight ?? null,
    jobsMax: row?.jobs_max ?? null,
    pauseAfter: row?.pause_after ?? null,
  };
}

function pluginRow(row: Row): PluginRow {
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    sourceCode: row.source_code,
    artifactHash: row.artifact_hash,
    envHash: row.env_hash,
    patterns: JSON.parse(row.pattern),
    topics: JSON.parse(row.topics),
    manifest: JSON.parse(row.manifest),
    requirements: row.requirements === null ? null : JSON.parse(row.requirements),
    python: row.python,
    status: row.status as PluginStatus,
    reason: row.reason,
    paused: row.paused,
    intakeAfterFileId: row.intake_after_file_id,
  };
}
