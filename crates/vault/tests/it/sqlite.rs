//! The SQLite back-ends pass the suites, and what is particular to them.

mod audit;
mod checkpoint;
mod disk_full;
mod files;
mod properties;
mod records;
