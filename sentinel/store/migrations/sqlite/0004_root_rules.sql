-- How files arrive in a root, what is still arriving, and what tells a file's contents apart.

ALTER TABLE source_roots ADD COLUMN patience_ms INTEGER CHECK (patience_ms >= 0); -- null: by settle_ms
ALTER TABLE source_roots ADD COLUMN poll_only INTEGER CHECK (poll_only IN (0, 1)); -- null: by its file system
ALTER TABLE source_roots ADD COLUMN marker TEXT;
ALTER TABLE source_roots ADD COLUMN partial TEXT NOT NULL DEFAULT '["default"]'; -- JSON list of globs
ALTER TABLE source_roots ADD COLUMN ignore TEXT NOT NULL DEFAULT '[]';           -- JSON list of globs

-- Beside size and mtime_ms, where the file system can be believed: null is unknown, and equal to any.
ALTER TABLE files ADD COLUMN ctime_ms REAL;
ALTER TABLE files ADD COLUMN inode REAL;
-- Why the file, as it is now, is not taken yet. A row without a current version only ever was arriving.
ALTER TABLE files ADD COLUMN arriving TEXT;
ALTER TABLE files ADD COLUMN note TEXT;
CREATE INDEX files_arriving ON files (root_id, id) WHERE arriving IS NOT NULL;

ALTER TABLE root_counts ADD COLUMN arriving INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER root_added;
CREATE TRIGGER root_added AFTER INSERT ON source_roots BEGIN
  INSERT INTO root_counts (root_id, files, problems) VALUES (NEW.id, 0, 0);
END;
CREATE TRIGGER arriving_counted AFTER INSERT ON files WHEN NEW.arriving IS NOT NULL BEGIN
  UPDATE root_counts SET arriving = arriving + 1 WHERE root_id = NEW.root_id;
END;
CREATE TRIGGER arriving_recounted AFTER UPDATE OF arriving ON files
WHEN (OLD.arriving IS NULL) <> (NEW.arriving IS NULL) BEGIN
  UPDATE root_counts SET arriving = arriving + (NEW.arriving IS NOT NULL) - (OLD.arriving IS NOT NULL)
    WHERE root_id = NEW.root_id;
END;
