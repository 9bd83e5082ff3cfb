-- Keep-old with horizons, and the way back to an earlier generation (custody rules 9 and 11).

-- How far back the customer's half can be restored, in milliseconds, as it last said; NULL while it
-- never did: then nothing of the wallet is ever shredded for its age.
ALTER TABLE wallets ADD COLUMN customer_horizon_ms INTEGER;
-- The same as told with a change, and in force when a generation ended.
ALTER TABLE staged_changes ADD COLUMN customer_horizon_ms INTEGER;
ALTER TABLE generations ADD COLUMN customer_horizon_ms INTEGER;
-- When the shares of a retired generation were shredded at the end of the horizon.
ALTER TABLE generations ADD COLUMN shredded_at INTEGER;

-- A wallet's row that is made active again by a recovery ends once more later, and counts from
-- then.
DROP TRIGGER generations_burn_once;

CREATE TRIGGER generations_burn_once BEFORE UPDATE ON generations
    WHEN OLD.state = 'burnt' OR NEW.generation <> OLD.generation
        OR NEW.attempt_id <> OLD.attempt_id OR NEW.wallet_id <> OLD.wallet_id
BEGIN
    SELECT RAISE (ABORT, 'a burnt generation stays burnt');
END;

CREATE TRIGGER generations_are_shredded_once BEFORE UPDATE ON generations
    WHEN OLD.shredded_at IS NOT NULL AND NEW.shredded_at IS NOT OLD.shredded_at
BEGIN
    SELECT RAISE (ABORT, 'a generation is shredded once');
END;

CREATE INDEX generations_kept ON generations (ended_at)
    WHERE state = 'retired' AND shredded_at IS NULL;

-- The provider's operator lets a wallet fall back to a generation, once.
CREATE TABLE recoveries (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    attempt_id BLOB NOT NULL,
    reason TEXT NOT NULL,
    approved_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    FOREIGN KEY (environment, wallet_id) REFERENCES wallets (environment, wallet_id)
) STRICT;

CREATE INDEX recoveries_open ON recoveries (environment, wallet_id) WHERE used_at IS NULL;
