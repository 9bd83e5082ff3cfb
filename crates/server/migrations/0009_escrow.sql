-- Escrow (custody rule 30): the keys that a customer keeps apart, and the provider's shares sealed
-- to them. The newest key whose delay is over is the one in force.
CREATE TABLE escrow_keys (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (environment),
    -- An age X25519 key, in its one text form.
    recipient TEXT NOT NULL,
    name TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    usable_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;

CREATE UNIQUE INDEX escrow_keys_listed ON escrow_keys (environment, recipient)
    WHERE removed_at IS NULL;

CREATE TRIGGER escrow_keys_are_kept BEFORE DELETE ON escrow_keys
BEGIN
    SELECT RAISE (ABORT, 'escrow keys are removed by a date');
END;

CREATE TRIGGER escrow_keys_end_once BEFORE UPDATE ON escrow_keys
    WHEN OLD.removed_at IS NOT NULL OR NEW.usable_at <> OLD.usable_at
        OR NEW.recipient <> OLD.recipient OR NEW.environment <> OLD.environment
BEGIN
    SELECT RAISE (ABORT, 'an escrow key only ends');
END;

-- One generation's share, sealed to one key. Rows go only where a compromise shreds their
-- generation (custody rule 10).
CREATE TABLE escrows (
    environment TEXT NOT NULL,
    attempt_id BLOB NOT NULL,
    recipient TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    -- What a commit acknowledges: SHA-256 of the file's signed bytes.
    digest BLOB NOT NULL,
    -- The file, as JSON.
    file TEXT NOT NULL,
    sealed_at INTEGER NOT NULL,
    -- When the customer said in a commit that it has the file.
    acknowledged_at INTEGER,
    PRIMARY KEY (environment, attempt_id, recipient),
    FOREIGN KEY (environment, wallet_id) REFERENCES wallets (environment, wallet_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX escrows_by_wallet ON escrows (environment, wallet_id);

CREATE TRIGGER escrows_stay_what_they_are BEFORE UPDATE ON escrows
    WHEN NEW.file <> OLD.file OR NEW.digest <> OLD.digest
        OR (OLD.acknowledged_at IS NOT NULL AND NEW.acknowledged_at IS NOT OLD.acknowledged_at)
BEGIN
    SELECT RAISE (ABORT, 'an escrow is only acknowledged, once');
END;
