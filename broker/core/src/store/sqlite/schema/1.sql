-- Schema 1. Times are milliseconds since 1970. What is only carried, never decided on, is JSON. A released file never
-- changes; what comes later stands in the next one.
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE sites (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  origin TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  policy TEXT NOT NULL,
  paired TEXT,
  paired_kid TEXT,
  not_before INTEGER,               -- handoffs issued up to then are void
  events INTEGER NOT NULL DEFAULT 0,    -- counters
  revision INTEGER NOT NULL DEFAULT 0,
  UNIQUE (tenant, origin)
) STRICT, WITHOUT ROWID;

CREATE TABLE pairing_codes (
  site TEXT PRIMARY KEY REFERENCES sites (id) ON DELETE CASCADE,
  secret_hash TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  "replace" INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, doc TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE members (
  site TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  doc TEXT NOT NULL,
  allowed_until INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  not_before INTEGER,               -- handoffs issued up to then are void
  PRIMARY KEY (site, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE handoffs (
  site TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  subject TEXT NOT NULL,
  token_hash TEXT NOT NULL,
  kid TEXT NOT NULL,
  "primary" TEXT NOT NULL,          -- the store's epoch at issue
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  redeemable_until INTEGER NOT NULL,
  binding TEXT NOT NULL,
  details TEXT NOT NULL,
  spent_at INTEGER,
  attempt TEXT,
  revoked_at INTEGER,
  outcome TEXT,
  PRIMARY KEY (site, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX handoffs_by_expiry ON handoffs (expires_at);

CREATE TABLE revoked_keys (
  site TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  kid TEXT NOT NULL,
  revoked_at INTEGER NOT NULL,
  PRIMARY KEY (site, kid)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  site TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  cause TEXT NOT NULL,
  subject TEXT NOT NULL,
  handoff TEXT NOT NULL,
  context TEXT NOT NULL,
  PRIMARY KEY (site, seq)
) STRICT, WITHOUT ROWID;
