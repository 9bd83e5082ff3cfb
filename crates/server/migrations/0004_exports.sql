-- Exports that were made. A repeat is another export, never a replay (custody rule 26).
CREATE TABLE exports (
    environment TEXT NOT NULL,
    export_id BLOB NOT NULL,
    wallet_id BLOB NOT NULL,
    exported_at INTEGER NOT NULL,
    PRIMARY KEY (environment, export_id),
    FOREIGN KEY (environment, wallet_id) REFERENCES wallets (environment, wallet_id)
) STRICT, WITHOUT ROWID;

-- The key left as a whole at some time: a flag of the wallet beside its share's own origin, which
-- stands in sealed records and cannot change with it.
ALTER TABLE wallets ADD COLUMN exported INTEGER NOT NULL DEFAULT 0 CHECK (exported IN (0, 1));

CREATE TRIGGER wallets_stay_exported BEFORE UPDATE OF exported ON wallets
    WHEN OLD.exported = 1 AND NEW.exported = 0
BEGIN
    SELECT RAISE (ABORT, 'a key that was exported stays exported');
END;
