-- The environment this file belongs to; one row.
CREATE TABLE environment_marks (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    environment TEXT NOT NULL
) STRICT;

-- One chain per (node, boot).
CREATE TABLE audit_chains (
    number      INTEGER PRIMARY KEY,
    chain       BLOB NOT NULL UNIQUE CHECK (length(chain) = 16),
    environment TEXT NOT NULL,
    node        TEXT NOT NULL,
    started_at  INTEGER NOT NULL
) STRICT;

-- Where a chain found every other one that was begun or grew since a chain last named it: several
-- processes append at the same time, and none of their entries may be cut off afterwards.
CREATE TABLE audit_joins (
    chain   BLOB NOT NULL REFERENCES audit_chains (chain),
    -- The chain that is named.
    named   BLOB NOT NULL REFERENCES audit_chains (chain),
    -- How many entries it had.
    entries INTEGER NOT NULL CHECK (entries >= 0),
    -- The hash it stood at.
    head    BLOB NOT NULL CHECK (length(head) = 32),
    PRIMARY KEY (chain, named),
    UNIQUE (named, entries)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_entries (
    chain       BLOB NOT NULL REFERENCES audit_chains (chain),
    sequence    INTEGER NOT NULL CHECK (sequence >= 0),
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    environment TEXT NOT NULL,
    wallet      TEXT NOT NULL,
    record      TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    detail      TEXT NOT NULL,
    head        BLOB NOT NULL CHECK (length(head) = 32),
    PRIMARY KEY (chain, sequence)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
