-- {p} is the prefix of the tables' names.

-- The environment these tables belong to; one row.
CREATE TABLE IF NOT EXISTS {p}environment_marks (
    id          integer PRIMARY KEY CHECK (id = 1),
    environment text NOT NULL
);

-- Sealed records and plain rows. A destroyed record keeps its name and revision, so that a revision
-- is never used twice for one name. Names compare byte by byte. `present` says whether there are
-- bytes, to roles that must not read them.
CREATE TABLE IF NOT EXISTS {p}records (
    name    text COLLATE "C" PRIMARY KEY,
    rev     bigint NOT NULL CHECK (rev > 0),
    present boolean NOT NULL,
    bytes   bytea,
    CHECK (present = (bytes IS NOT NULL))
);

-- Ciphertext does not compress.
ALTER TABLE {p}records ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Wallet properties as JSON text, by canonical address. A deleted row keeps its revision.
CREATE TABLE IF NOT EXISTS {p}properties (
    address text COLLATE "C" PRIMARY KEY,
    rev     bigint NOT NULL CHECK (rev > 0),
    json    text
);
