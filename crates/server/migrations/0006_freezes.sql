-- Freezes (custody rule 28): nothing is made, signed, changed or given out while one holds. Kept
-- for ever; an end is a date.
CREATE TABLE freezes (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (environment),
    -- Empty: every wallet of the environment, and new ones.
    wallet_id BLOB NOT NULL,
    reason TEXT NOT NULL,
    frozen_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

CREATE UNIQUE INDEX freezes_that_hold ON freezes (environment, wallet_id) WHERE ended_at IS NULL;

CREATE TRIGGER freezes_are_kept BEFORE DELETE ON freezes
BEGIN
    SELECT RAISE (ABORT, 'freezes end by a date');
END;

CREATE TRIGGER freezes_end_once BEFORE UPDATE ON freezes
    WHEN OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL OR NEW.wallet_id <> OLD.wallet_id
        OR NEW.environment <> OLD.environment
BEGIN
    SELECT RAISE (ABORT, 'a freeze only ends');
END;
