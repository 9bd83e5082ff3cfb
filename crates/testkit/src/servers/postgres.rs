//! PostgreSQL, the real server.
