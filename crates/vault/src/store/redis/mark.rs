//! The environment a store belongs to.

use halfkey_core::EnvironmentId;

use super::keys::Keys;
use super::link::Link;
use crate::Error;

/// Checks the store's mark. An empty store is marked when `may_mark`; one that holds names but no
/// mark lost a part of itself and is refused.
pub(super) async fn check(
    link: &Link,
    keys: &Keys,
    environment: &EnvironmentId,
    may_mark: bool,
) -> Result<(), Error> {
    let mut get = ::redis::cmd("GET");
    get.arg(keys.environment());
    let mut found: Option<String> = link.query(&get).await?;
    if found.is_none() && may_mark && is_empty(link, keys).await? {
        let mut set = ::redis::cmd("SET");
        set.arg(keys.environment())
            .arg(environment.as_str())
            .arg("NX");
        link.query::<Option<String>>(&set).await?;
        found = link.query(&get).await?;
    }
    match found {
        Some(found) if found == environment.as_str() => Ok(()),
        found => Err(Error::Environment {
            what: format!("the store at {}", link.address),
            found: found.unwrap_or_else(|| "none".to_owned()),
            expected: environment.to_string(),
        }),
    }
}

async fn is_empty(link: &Link, keys: &Keys) -> Result<bool, Error> {
    let mut exists = ::redis::cmd("EXISTS");
    exists.arg(keys.names()).arg(keys.counter());
    Ok(link.query::<u64>(&exists).await? == 0)
}
