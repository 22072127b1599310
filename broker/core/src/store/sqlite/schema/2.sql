-- Schema 2: limits.
CREATE TABLE buckets (
  site TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  empty_at INTEGER NOT NULL,        -- microseconds
  told_at INTEGER,                  -- when the trail was last told that it is full
  PRIMARY KEY (site, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_by_end ON buckets (empty_at);
