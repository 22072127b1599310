-- Schema 6: keyrings, and when API keys were used.
CREATE TABLE keyring (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  revision INTEGER NOT NULL         -- the newest that was announced
) STRICT;

CREATE TABLE forbidden_keys (       -- revoked on every site that is registered
  kid TEXT PRIMARY KEY,
  revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client_uses (client TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
