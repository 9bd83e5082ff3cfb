//! The properties store in SQLite passes the suite.

use halfkey_vault::store::sqlite::{Options, SqliteProperties};
use tempfile::TempDir;

use crate::support::environment;

async fn make() -> (SqliteProperties, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/cache.sqlite");
    (
        SqliteProperties::open(&path, &environment(), Options::CREATE)
            .await
            .unwrap(),
        dir,
    )
}
halfkey_vault::properties_store_conformance!(make);
