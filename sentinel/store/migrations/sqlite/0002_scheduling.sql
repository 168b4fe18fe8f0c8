-- What scheduling asks of a job without a join, and what operators set.

ALTER TABLE processing_jobs ADD COLUMN root_id INTEGER NOT NULL DEFAULT 0;
-- Raised after a memory death; null while the plugin's own limit counts.
ALTER TABLE processing_jobs ADD COLUMN memory_mb INTEGER CHECK (memory_mb > 0);
-- A person asked for the end of the attempt that runs; the next claim clears it.
ALTER TABLE processing_jobs ADD COLUMN cancel_at_ms INTEGER;
UPDATE processing_jobs SET root_id = (SELECT root_id FROM files WHERE files.id = file_id);

-- A lane is (plugin, root), of jobs that never lost a worker or of those that did: claiming reads the
-- head of one, however many jobs wait in it or in others.
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON processing_jobs (plugin_id, root_id, priority DESC, id)
  WHERE state = 'QUEUED' AND not_before_ms = 0 AND lost_workers = 0;
CREATE INDEX jobs_suspect ON processing_jobs (plugin_id, root_id, priority DESC, id)
  WHERE state = 'QUEUED' AND not_before_ms = 0 AND lost_workers > 0;

-- Failures without a success in between; as many as the plugin's `pause_after` pause it.
ALTER TABLE plugin_manifests ADD COLUMN failures_in_row INTEGER NOT NULL DEFAULT 0;

-- For all versions of a plugin; null is as its MANIFEST or the default has it.
CREATE TABLE plugin_settings (
  name TEXT PRIMARY KEY,
  weight INTEGER CHECK (weight BETWEEN 1 AND 100),
  jobs_max INTEGER CHECK (jobs_max > 0),
  pause_after INTEGER CHECK (pause_after >= 0)
) STRICT, WITHOUT ROWID;

ALTER TABLE source_roots ADD COLUMN jobs_max INTEGER CHECK (jobs_max > 0);
ALTER TABLE workers ADD COLUMN draining INTEGER NOT NULL DEFAULT 0 CHECK (draining IN (0, 1));
