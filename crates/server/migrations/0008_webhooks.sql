-- Webhooks, and what is to be told to each: an outbox that survives crashes.

CREATE TABLE webhooks (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL REFERENCES environments (environment),
    webhook_id BLOB NOT NULL,
    url TEXT NOT NULL,
    -- Names of events, separated by spaces; empty for all.
    events TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- Which secret is in use; it is derived, not stored.
    secret_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (environment, webhook_id)
) STRICT;

CREATE TABLE webhook_messages (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL,
    webhook_id BLOB NOT NULL,
    message_id BLOB NOT NULL UNIQUE,
    event_id BLOB NOT NULL,
    event_name TEXT NOT NULL,
    redelivery INTEGER NOT NULL CHECK (redelivery IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'cancelled')),
    -- Tries that were begun.
    tries INTEGER NOT NULL,
    -- When the next one is due; NULL once nothing more will be.
    next_at INTEGER,
    last_status INTEGER,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Each event is told to each webhook once, unless somebody asks for it again.
CREATE UNIQUE INDEX webhook_messages_once ON webhook_messages (webhook_id, event_id)
    WHERE redelivery = 0;
CREATE INDEX webhook_messages_due ON webhook_messages (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_messages_by_event ON webhook_messages (environment, event_id);
CREATE INDEX webhook_messages_by_webhook ON webhook_messages (environment, webhook_id, ordinal);
