//! Records and properties in PostgreSQL.
