-- Keys that exports may go to (custody rule 28). A removal is a date: that the list ever had an
-- entry is what makes a recipient necessary.
CREATE TABLE export_recipients (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (environment),
    -- An age X25519 key, in its one text form.
    recipient TEXT NOT NULL,
    name TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    usable_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;

CREATE UNIQUE INDEX export_recipients_listed ON export_recipients (environment, recipient)
    WHERE removed_at IS NULL;

CREATE TRIGGER export_recipients_are_kept BEFORE DELETE ON export_recipients
BEGIN
    SELECT RAISE (ABORT, 'recipients are removed by a date');
END;

CREATE TRIGGER export_recipients_end_once BEFORE UPDATE ON export_recipients
    WHEN OLD.removed_at IS NOT NULL OR NEW.usable_at <> OLD.usable_at
        OR NEW.recipient <> OLD.recipient OR NEW.environment <> OLD.environment
BEGIN
    SELECT RAISE (ABORT, 'a recipient only ends');
END;

-- Whom the key went to; NULL where it went to the customer itself.
ALTER TABLE exports ADD COLUMN recipient TEXT;
