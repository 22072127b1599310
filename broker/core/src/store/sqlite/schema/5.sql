-- Schema 5: what WordPress follows. A member that was removed is a row without `doc`, for its site to hear of it.
CREATE TABLE followed (
  site TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  doc TEXT,
  allowed_until INTEGER,
  revision INTEGER NOT NULL,        -- the position of the last change of `doc`
  updated_at INTEGER NOT NULL,
  not_before INTEGER,               -- handoffs issued up to then are void
  position INTEGER NOT NULL,
  effect INTEGER NOT NULL,          -- the last position that was for more than a report
  report INTEGER NOT NULL DEFAULT 0,            -- the last position at which a report of the sessions was asked for
  sessions_ended INTEGER NOT NULL DEFAULT 0,    -- a counter
  acknowledged INTEGER NOT NULL DEFAULT 0,      -- a position
  acknowledged_at INTEGER,
  wordpress_user_id INTEGER,
  error TEXT,
  PRIMARY KEY (site, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO followed (site, subject, doc, allowed_until, revision, updated_at, not_before, position, effect)
  SELECT site, subject, doc, allowed_until, revision, updated_at, not_before, revision, revision FROM members;
DROP TABLE members;
ALTER TABLE followed RENAME TO members;
CREATE UNIQUE INDEX members_by_position ON members (site, position);

ALTER TABLE sites ADD COLUMN pulled INTEGER NOT NULL DEFAULT 0;     -- a position, in this epoch:
ALTER TABLE sites ADD COLUMN pulled_epoch TEXT;
ALTER TABLE sites ADD COLUMN handed_out INTEGER NOT NULL DEFAULT 0; -- the largest cursor that it was given, in this epoch
ALTER TABLE sites ADD COLUMN pulled_at INTEGER;
ALTER TABLE sites ADD COLUMN delivery TEXT;

CREATE TABLE session_reports (
  site TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  position INTEGER NOT NULL,
  at INTEGER NOT NULL,
  sessions TEXT NOT NULL,
  PRIMARY KEY (site, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_reports_by_time ON session_reports (at);
