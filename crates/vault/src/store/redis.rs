//! Records and properties in Redis.
