-- The environment this file belongs to; one row.
CREATE TABLE environment_marks (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    environment TEXT NOT NULL
) STRICT;

-- Wallet properties as JSON, by canonical address. A deleted row keeps its revision (json NULL).
CREATE TABLE properties (
    address TEXT NOT NULL PRIMARY KEY,
    rev     INTEGER NOT NULL CHECK (rev > 0),
    json    TEXT
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
