-- Delegated access (custody rule 31): the keys of delegates, what each was given, and the events
-- that carry it.

CREATE TABLE delegation_keys (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (environment),
    kid TEXT NOT NULL,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revoked_at INTEGER,
    UNIQUE (environment, kid)
) STRICT;

-- One delegation: which share went to whom, and the wallet's API key, of which only the SHA-256 is
-- kept.
CREATE TABLE delegations (
    environment TEXT NOT NULL,
    delegation_id BLOB NOT NULL,
    wallet_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    attempt_id BLOB NOT NULL,
    party INTEGER NOT NULL,
    kid TEXT NOT NULL,
    -- SHA-256 of what was asked for: the same again is the same delegation.
    content_hash BLOB NOT NULL,
    key_hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_because TEXT,
    PRIMARY KEY (environment, delegation_id),
    FOREIGN KEY (environment, wallet_id) REFERENCES wallets (environment, wallet_id),
    FOREIGN KEY (environment, kid) REFERENCES delegation_keys (environment, kid)
) STRICT, WITHOUT ROWID;

CREATE INDEX delegations_by_wallet ON delegations (environment, wallet_id, generation);

CREATE TRIGGER delegations_stay_revoked BEFORE UPDATE ON delegations
    WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at
BEGIN
    SELECT RAISE (ABORT, 'a revoked delegation stays revoked');
END;

CREATE TRIGGER delegations_are_kept BEFORE DELETE ON delegations
BEGIN
    SELECT RAISE (ABORT, 'delegations are kept');
END;

-- What happened, for those who fetch it or are told.
CREATE TABLE events (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (environment),
    event_id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- Of a delegation; what was to be delivered goes when it is revoked.
    delegation_id BLOB,
    data TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX events_by_page ON events (environment, ordinal);
CREATE INDEX events_by_delegation ON events (environment, delegation_id);

-- By whom, where it was a delegate (custody rule 16).
ALTER TABLE slots ADD COLUMN delegation_id BLOB;
