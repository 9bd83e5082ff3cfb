-- The provider's database. Ids are 16-byte blobs, times are milliseconds since the Unix epoch.
-- Every table of wallets names its environment, and so does every query on it.

-- One row: what has to survive, and reveal, a restore of this file.
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot_counter INTEGER NOT NULL,
    restore_epoch INTEGER NOT NULL
) STRICT;

INSERT INTO meta (id, boot_counter, restore_epoch) VALUES (1, 0, 0);

-- One row per process that opened this database for writing; its id names its activity chain.
CREATE TABLE boots (
    boot_id BLOB PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('serve', 'admin')),
    started_at INTEGER NOT NULL,
    -- Up to which entry a later chain has named this boot's chain.
    named_sequence INTEGER
) STRICT;

CREATE TABLE environments (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- The public half of the identity key; the secret half is sealed in a file of its own.
    identity_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- API tokens: only the SHA-256 of a token is kept.
CREATE TABLE api_tokens (
    token_id BLOB PRIMARY KEY,
    environment TEXT NOT NULL REFERENCES environments (environment),
    token_hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE wallets (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (environment),
    wallet_id BLOB NOT NULL,
    chain TEXT NOT NULL,
    address TEXT NOT NULL,
    canonical_address TEXT NOT NULL,
    scheme TEXT NOT NULL,
    key_type TEXT NOT NULL,
    derivation_path TEXT NOT NULL,
    share_set_id BLOB NOT NULL,
    key_share_id BLOB NOT NULL,
    group_public_key BLOB NOT NULL,
    account_public_key BLOB NOT NULL,
    custody_origin INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'aborted')),
    proof TEXT NOT NULL CHECK (proof IN ('unproven', 'proven')),
    -- The active generation (the staged one while pending) and the attempt that made it.
    generation INTEGER NOT NULL,
    attempt_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (environment, wallet_id)
) STRICT;

CREATE UNIQUE INDEX wallets_by_address ON wallets (environment, canonical_address)
    WHERE state <> 'aborted';
CREATE INDEX wallets_by_page ON wallets (environment, ordinal);

-- Attempts at making a generation (custody rule 6). `aborted` is final: a trigger guards it.
CREATE TABLE attempts (
    environment TEXT NOT NULL REFERENCES environments (environment),
    attempt_id BLOB NOT NULL,
    -- NULL for a tombstone of an attempt that never got as far as a wallet.
    wallet_id BLOB,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('staged', 'committed', 'finalised', 'aborted')),
    -- Set by the commit, so that its repeat gets the same reply.
    committed_proof TEXT,
    settled_chain BLOB,
    settled_sequence INTEGER,
    settled_head BLOB,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    PRIMARY KEY (environment, attempt_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_by_wallet ON attempts (environment, wallet_id);

CREATE TRIGGER attempts_tombstone_is_final BEFORE UPDATE OF state ON attempts
    WHEN OLD.state = 'aborted' OR (OLD.state <> 'staged' AND NEW.state IN ('staged', 'aborted'))
BEGIN
    SELECT RAISE (ABORT, 'an attempt is settled once');
END;

CREATE TRIGGER attempts_are_kept BEFORE DELETE ON attempts
BEGIN
    SELECT RAISE (ABORT, 'attempts are kept');
END;

-- The provider's shares, sealed.
CREATE TABLE shares (
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    attempt_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (environment, wallet_id, attempt_id),
    FOREIGN KEY (environment, wallet_id) REFERENCES wallets (environment, wallet_id)
) STRICT;

-- Which (customer party, provider) pairs have proven an attempt (custody rules 3 and 7).
CREATE TABLE proofs (
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    attempt_id BLOB NOT NULL,
    party INTEGER NOT NULL,
    operation TEXT NOT NULL,
    proven_at INTEGER NOT NULL,
    -- SHA-256 of the signature, where the provider was sent it; each is taken once.
    signature_hash BLOB,
    PRIMARY KEY (environment, wallet_id, attempt_id, party, operation)
) STRICT, WITHOUT ROWID;

-- Why a generation does not sign (custody rules 13, 14). Only ever added to.
CREATE TABLE locks (
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('locked', 'needs_complete_refresh')),
    reason TEXT NOT NULL,
    locked_at INTEGER NOT NULL,
    PRIMARY KEY (environment, wallet_id, generation, kind)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER locks_are_kept BEFORE DELETE ON locks
BEGIN
    SELECT RAISE (ABORT, 'a lock ends only by a complete refresh');
END;

-- Wallets with the locks of their active generation.
CREATE VIEW wallet_states AS
SELECT
    w.*,
    (
        SELECT l.reason FROM locks l
        WHERE l.environment = w.environment AND l.wallet_id = w.wallet_id
            AND l.generation = w.generation AND l.kind = 'locked'
    ) AS locked,
    (
        SELECT l.reason FROM locks l
        WHERE l.environment = w.environment AND l.wallet_id = w.wallet_id
            AND l.generation = w.generation AND l.kind = 'needs_complete_refresh'
    ) AS refresh_needed
FROM wallets w;

-- One row per OT ceremony (custody rule 14). `outcome` is NULL while the ceremony is open.
CREATE TABLE slots (
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    ceremony_id BLOB NOT NULL,
    boot_id BLOB NOT NULL,
    outcome TEXT CHECK
        (outcome IN ('signed', 'refused', 'abandoned', 'failed', 'suspect', 'lost')),
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    PRIMARY KEY (environment, wallet_id, generation, ceremony_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX slots_open ON slots (environment, wallet_id, generation) WHERE outcome IS NULL;
CREATE INDEX slots_counted ON slots (environment, wallet_id, generation, outcome)
    WHERE outcome IN ('suspect', 'lost');

-- Idempotency (custody rule 26): never ceremony bytes, shares or masks.
CREATE TABLE idempotency (
    environment TEXT NOT NULL,
    subject BLOB NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    attempt_id BLOB NOT NULL,
    outcome TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (environment, subject, route, key)
) STRICT, WITHOUT ROWID;

-- The activity log (custody rule 27): append-only, one hash chain per (node, boot).
CREATE TABLE activities (
    chain BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    environment TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    attempt_id BLOB NOT NULL,
    request_id BLOB NOT NULL,
    detail TEXT NOT NULL,
    previous BLOB NOT NULL,
    head BLOB NOT NULL,
    PRIMARY KEY (chain, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER activities_are_append_only_1 BEFORE UPDATE ON activities
BEGIN
    SELECT RAISE (ABORT, 'activities are append-only');
END;

CREATE TRIGGER activities_are_append_only_2 BEFORE DELETE ON activities
BEGIN
    SELECT RAISE (ABORT, 'activities are append-only');
END;
