-- The environment this file belongs to; one row.
CREATE TABLE environment_marks (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    environment TEXT NOT NULL
) STRICT;

-- Sealed records and plain rows. A destroyed record keeps its name and revision (bytes NULL), so
-- that a revision is never used twice for one name.
CREATE TABLE records (
    name  TEXT NOT NULL PRIMARY KEY,
    rev   INTEGER NOT NULL CHECK (rev > 0),
    bytes BLOB
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
