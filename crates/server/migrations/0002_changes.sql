-- Refresh, reshare and the replacement of a share: a generation staged beside the active one, and
-- what became of those before it (custody rules 6, 9 and 10).

-- What an attempt of a change would make of its wallet. Create needs no row: its wallet is the row.
CREATE TABLE staged_changes (
    environment TEXT NOT NULL,
    attempt_id BLOB NOT NULL,
    wallet_id BLOB NOT NULL,
    operation TEXT NOT NULL CHECK (operation IN ('refresh', 'reshare', 'replace_share')),
    generation INTEGER NOT NULL,
    -- The generation and attempt it follows: a commit needs them to be the active ones still.
    from_generation INTEGER NOT NULL,
    from_attempt_id BLOB NOT NULL,
    scheme TEXT NOT NULL,
    share_set_id BLOB NOT NULL,
    key_share_id BLOB NOT NULL,
    custody_origin INTEGER NOT NULL,
    -- 1: earlier generations are shredded at the commit.
    compromised INTEGER NOT NULL CHECK (compromised IN (0, 1)),
    PRIMARY KEY (environment, attempt_id),
    FOREIGN KEY (environment, attempt_id) REFERENCES attempts (environment, attempt_id)
) STRICT, WITHOUT ROWID;

-- Generations that were active once. `burnt` is final: nothing falls back to it.
CREATE TABLE generations (
    environment TEXT NOT NULL,
    wallet_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    attempt_id BLOB NOT NULL,
    scheme TEXT NOT NULL,
    share_set_id BLOB NOT NULL,
    key_share_id BLOB NOT NULL,
    custody_origin INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('retired', 'burnt')),
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (environment, wallet_id, generation),
    FOREIGN KEY (environment, wallet_id) REFERENCES wallets (environment, wallet_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER generations_burn_once BEFORE UPDATE ON generations
    WHEN OLD.state = 'burnt' OR NEW.state <> 'burnt'
BEGIN
    SELECT RAISE (ABORT, 'a burnt generation stays burnt');
END;

CREATE TRIGGER generations_are_kept BEFORE DELETE ON generations
BEGIN
    SELECT RAISE (ABORT, 'the history of a wallet is kept');
END;

-- The high-water mark: numbers of generations are never reused, not even those of aborted attempts.
CREATE INDEX attempts_by_generation ON attempts (environment, wallet_id, generation);
