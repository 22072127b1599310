-- Schema 3: trails. Each tenant gets one beside those of its sites, and what is looked for in them has an index.
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  events INTEGER NOT NULL           -- a counter, as that of a site
) STRICT, WITHOUT ROWID;

CREATE TABLE trails (
  trail TEXT NOT NULL,              -- a site's id, or "tenant:" and a tenant's
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  cause TEXT NOT NULL,
  subject TEXT NOT NULL,
  handoff TEXT NOT NULL,
  context TEXT NOT NULL,
  PRIMARY KEY (trail, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO trails SELECT site, seq, at, kind, cause, subject, handoff, context FROM events;
DROP TABLE events;
ALTER TABLE trails RENAME TO events;
CREATE INDEX events_by_request ON events (context ->> 'request_id');
CREATE INDEX events_by_handoff ON events (handoff) WHERE handoff <> '';
