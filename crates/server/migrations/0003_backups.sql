-- Encrypted backups of the customer's shares, and where others are kept (custody rule 29).

CREATE TABLE backups (
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    backup_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    -- `dynamic` (the published name of the provider) has its credential here; other places have
    -- theirs.
    location TEXT NOT NULL,
    external_id TEXT,
    password_encrypted INTEGER NOT NULL CHECK (password_encrypted IN (0, 1)),
    encryption_version TEXT NOT NULL,
    credential TEXT,
    -- SHA-256 of what was registered: the same again is the same row.
    content_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (environment, wallet_id, backup_id),
    UNIQUE (environment, wallet_id, generation, content_hash),
    FOREIGN KEY (environment, wallet_id) REFERENCES wallets (environment, wallet_id)
) STRICT, WITHOUT ROWID;

-- Each fetch of a wallet's backups, so that their limit survives a restart.
CREATE TABLE backup_fetches (
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    fetched_at INTEGER NOT NULL
) STRICT;

CREATE INDEX backup_fetches_by_wallet ON backup_fetches (environment, wallet_id, fetched_at);
