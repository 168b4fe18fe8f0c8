-- Times are milliseconds since the epoch. Hashes are lower-case SHA-256 in hex.

CREATE TABLE store_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
-- One counter for all generations: it only grows, whatever is deleted later.
INSERT INTO store_meta VALUES ('generation', 0);

CREATE TABLE source_roots (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  directory TEXT NOT NULL,
  settle_ms INTEGER NOT NULL CHECK (settle_ms >= 0),
  poll_ms INTEGER NOT NULL CHECK (poll_ms > 0),
  removed_at_ms INTEGER
) STRICT;

-- A file is (root, folder, name). size and mtime_ms are those of its current version, as last seen.
CREATE TABLE files (
  id INTEGER PRIMARY KEY,
  root_id INTEGER NOT NULL REFERENCES source_roots (id),
  folder TEXT NOT NULL,
  name TEXT NOT NULL,
  size INTEGER NOT NULL,
  mtime_ms REAL NOT NULL,
  current_version_id INTEGER,
  deleted_at_ms INTEGER,
  problem TEXT,
  UNIQUE (root_id, folder, name)
) STRICT;
CREATE INDEX files_with_problem ON files (root_id, id) WHERE problem IS NOT NULL;

-- Files that live and files with a problem, by root, kept by triggers: status costs the same at any size.
CREATE TABLE root_counts (
  root_id INTEGER PRIMARY KEY,
  files INTEGER NOT NULL,
  problems INTEGER NOT NULL
) STRICT;
CREATE TRIGGER root_added AFTER INSERT ON source_roots BEGIN
  INSERT INTO root_counts VALUES (NEW.id, 0, 0);
END;
CREATE TRIGGER file_counted AFTER INSERT ON files BEGIN
  UPDATE root_counts SET
    files = files + (NEW.deleted_at_ms IS NULL AND NEW.current_version_id IS NOT NULL),
    problems = problems + (NEW.deleted_at_ms IS NULL AND NEW.problem IS NOT NULL)
    WHERE root_id = NEW.root_id;
END;
CREATE TRIGGER file_recounted AFTER UPDATE OF deleted_at_ms, current_version_id, problem ON files
WHEN OLD.deleted_at_ms IS NOT NEW.deleted_at_ms OR OLD.problem IS NOT NEW.problem
  OR (OLD.current_version_id IS NULL) <> (NEW.current_version_id IS NULL)
BEGIN
  UPDATE root_counts SET
    files = files + (NEW.deleted_at_ms IS NULL AND NEW.current_version_id IS NOT NULL)
      - (OLD.deleted_at_ms IS NULL AND OLD.current_version_id IS NOT NULL),
    problems = problems + (NEW.deleted_at_ms IS NULL AND NEW.problem IS NOT NULL)
      - (OLD.deleted_at_ms IS NULL AND OLD.problem IS NOT NULL)
    WHERE root_id = NEW.root_id;
END;

CREATE TABLE file_versions (
  id INTEGER PRIMARY KEY,
  file_id INTEGER NOT NULL REFERENCES files (id),
  content_hash TEXT NOT NULL,
  size INTEGER NOT NULL,
  seen_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX file_versions_by_file ON file_versions (file_id, id);

CREATE TABLE plugin_environments (
  env_hash TEXT PRIMARY KEY,
  lockfile TEXT NOT NULL,
  python TEXT,
  requirements TEXT,  -- the sorted list that was locked, so that the same list is locked once
  size INTEGER,
  last_used INTEGER,
  problem TEXT
) STRICT;
CREATE INDEX environments_by_requirements ON plugin_environments (requirements, python);

CREATE TABLE plugin_manifests (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  source_code TEXT NOT NULL,
  source_hash TEXT NOT NULL,
  artifact_hash TEXT,  -- unknown until its dependencies are locked
  env_hash TEXT REFERENCES plugin_environments (env_hash),
  pattern TEXT NOT NULL,   -- JSON list of globs
  topics TEXT NOT NULL,    -- JSON list, the default topic first
  manifest TEXT NOT NULL,  -- JSON, all of it
  requirements TEXT,       -- JSON list still to be locked, or null
  python TEXT,
  status TEXT NOT NULL CHECK (status IN ('PENDING', 'STAGING', 'ACTIVE', 'REJECTED', 'SUPERSEDED')),
  reason TEXT,
  paused TEXT,  -- why it is paused, or null
  signature TEXT NOT NULL DEFAULT '',
  publisher TEXT NOT NULL DEFAULT '',
  created_at_ms INTEGER NOT NULL,
  activated_at_ms INTEGER,
  -- Backfill: the last file id that intake has looked at for this version, null once all are.
  intake_after_file_id INTEGER
) STRICT;
CREATE UNIQUE INDEX plugins_by_artifact ON plugin_manifests (name, artifact_hash)
  WHERE artifact_hash IS NOT NULL;
CREATE UNIQUE INDEX plugins_active ON plugin_manifests (name) WHERE status = 'ACTIVE';

CREATE TABLE plugin_subscriptions (
  plugin TEXT NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (plugin, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE routing_rules (
  id INTEGER PRIMARY KEY,
  pattern TEXT NOT NULL,
  tag TEXT NOT NULL,
  priority INTEGER NOT NULL DEFAULT 0,
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  description TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE topic_configs (
  topic TEXT PRIMARY KEY,
  uri TEXT NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('append', 'replace', 'error')),
  contract TEXT
) STRICT;

CREATE TABLE processing_jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin_id INTEGER NOT NULL REFERENCES plugin_manifests (id),
  plugin_name TEXT NOT NULL,
  file_id INTEGER NOT NULL,
  file_version_id INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
  priority INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,     -- attempts that counted against the plugin
  lost_workers INTEGER NOT NULL DEFAULT 0, -- attempts that ended with their worker
  not_before_ms INTEGER NOT NULL DEFAULT 0, -- a retry that waits; 0 = ready
  worker_id TEXT,
  lease_until_ms INTEGER,
  error_kind TEXT,
  error_message TEXT,
  rows INTEGER,
  created_at_ms INTEGER NOT NULL,
  started_at_ms INTEGER,
  finished_at_ms INTEGER,
  UNIQUE (plugin_id, file_version_id),
  CHECK ((state = 'RUNNING') = (worker_id IS NOT NULL)),
  CHECK ((state IN ('COMPLETED', 'FAILED', 'CANCELLED')) = (finished_at_ms IS NOT NULL))
) STRICT;
-- Claiming reads only these two, however many finished jobs there are.
CREATE INDEX jobs_ready ON processing_jobs (plugin_id, priority DESC, id)
  WHERE state = 'QUEUED' AND not_before_ms = 0;
CREATE INDEX jobs_delayed ON processing_jobs (not_before_ms)
  WHERE state = 'QUEUED' AND not_before_ms > 0;
CREATE INDEX jobs_running ON processing_jobs (worker_id) WHERE state = 'RUNNING';
CREATE INDEX jobs_by_file ON processing_jobs (file_id, plugin_name, generation);
CREATE INDEX jobs_by_state ON processing_jobs (state, id);

-- Counts by plugin and state, kept by triggers: a number shown is a number stored.
CREATE TABLE job_counts (
  plugin_name TEXT NOT NULL,
  state TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY (plugin_name, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER job_counted AFTER INSERT ON processing_jobs BEGIN
  INSERT INTO job_counts VALUES (NEW.plugin_name, NEW.state, 1)
    ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER job_recounted AFTER UPDATE OF state ON processing_jobs WHEN OLD.state <> NEW.state BEGIN
  UPDATE job_counts SET jobs = jobs - 1 WHERE plugin_name = OLD.plugin_name AND state = OLD.state;
  INSERT INTO job_counts VALUES (NEW.plugin_name, NEW.state, 1)
    ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER job_discounted AFTER DELETE ON processing_jobs BEGIN
  UPDATE job_counts SET jobs = jobs - 1 WHERE plugin_name = OLD.plugin_name AND state = OLD.state;
END;

CREATE TABLE job_attempts (
  job_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  worker_id TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER,
  status TEXT CHECK (status IN ('COMPLETED', 'FAILED', 'REJECTED', 'ABORTED', 'LOST')),
  error_kind TEXT,
  error_message TEXT,
  metrics TEXT,
  PRIMARY KEY (job_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_logs (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  ts_ms INTEGER NOT NULL,
  level INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX job_logs_by_job ON job_logs (job_id, id);

-- The catalog. key_hash is '' for replace and error, the content hash for append.
CREATE TABLE outputs (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL,
  topic TEXT NOT NULL,
  plugin_name TEXT NOT NULL,
  file_id INTEGER NOT NULL,
  key_hash TEXT NOT NULL,
  generation INTEGER NOT NULL,
  uri TEXT NOT NULL,
  staged TEXT NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  quarantined INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL CHECK (state IN ('LIVE', 'RETIRED')),
  created_at_ms INTEGER NOT NULL,
  promoted_at_ms INTEGER,
  retired_at_ms INTEGER,
  UNIQUE (file_id, plugin_name, topic, key_hash, generation)
) STRICT;
CREATE UNIQUE INDEX outputs_live ON outputs (file_id, plugin_name, topic, key_hash)
  WHERE state = 'LIVE';
CREATE INDEX outputs_by_topic ON outputs (topic, id) WHERE state = 'LIVE';
CREATE INDEX outputs_unpromoted ON outputs (id) WHERE promoted_at_ms IS NULL;
CREATE INDEX outputs_by_job ON outputs (job_id);
CREATE INDEX outputs_by_uri ON outputs (uri);

-- Rows, bytes and files that are live in each topic, kept by triggers as job_counts is.
CREATE TABLE topic_counts (
  topic TEXT PRIMARY KEY,
  files INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER output_counted AFTER INSERT ON outputs WHEN NEW.state = 'LIVE' BEGIN
  INSERT INTO topic_counts VALUES (NEW.topic, 1, NEW.rows, NEW.bytes, NEW.created_at_ms)
    ON CONFLICT DO UPDATE SET files = files + 1, rows = rows + NEW.rows,
      bytes = bytes + NEW.bytes, changed_at_ms = NEW.created_at_ms;
END;
CREATE TRIGGER output_discounted AFTER UPDATE OF state ON outputs
WHEN OLD.state = 'LIVE' AND NEW.state = 'RETIRED' BEGIN
  UPDATE topic_counts SET files = files - 1, rows = rows - OLD.rows, bytes = bytes - OLD.bytes,
    changed_at_ms = NEW.retired_at_ms WHERE topic = OLD.topic;
END;

CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL,
  topic TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  rows INTEGER NOT NULL,
  example TEXT NOT NULL
) STRICT;

CREATE TABLE publishers (
  name TEXT PRIMARY KEY,
  public_key TEXT NOT NULL,
  added_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
  id TEXT PRIMARY KEY,  -- one per start of a worker process
  host TEXT NOT NULL,
  version TEXT NOT NULL,
  slots INTEGER NOT NULL,
  sandbox TEXT NOT NULL,
  features TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  lost_at_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;
