-- The environment this file belongs to; one row.
CREATE TABLE environment_marks (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    environment TEXT NOT NULL
) STRICT;

-- One chain per (node, boot). Each names where the chain before it stood, so that a whole chain
-- cannot be taken out of the middle.
CREATE TABLE audit_chains (
    number               INTEGER PRIMARY KEY,
    chain                BLOB NOT NULL UNIQUE CHECK (length(chain) = 16),
    environment          TEXT NOT NULL,
    node                 TEXT NOT NULL,
    started_at           INTEGER NOT NULL,
    -- The chain before; NULL for the first.
    predecessor          BLOB CHECK (length(predecessor) = 16),
    -- Its last entry at that time; NULL when it had none.
    predecessor_sequence INTEGER,
    -- The hash it stood at.
    predecessor_head     BLOB CHECK (length(predecessor_head) = 32)
) STRICT;

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
