//! Whether what the server acknowledges is on its disk.

use super::link::Link;
use crate::Error;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// It is on the one server's disk: it survives a crash of that server.
    Synced,
    /// It is on the master's disk and in the memory of one replica at least. A failover to another
    /// replica can lose it.
    AsyncReplication,
    /// Nothing is promised: the cache tier, and a process that does not write.
    Unclaimed,
}

impl Durability {
    /// Whether no failure of one server loses an acknowledged write.
    pub const fn is_durable(self) -> bool {
        matches!(self, Self::Synced)
    }
}

/// The settings without which a write can be acknowledged before it is on disk.
const NEEDED: [(&str, &str); 3] = [
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    // With `yes`, nothing is synced while the log is rewritten, whatever `appendfsync` says.
    ("no-appendfsync-on-rewrite", "no"),
];

/// [`Error::NotDurable`] unless the server syncs its log before each reply.
pub(super) async fn check_synced(link: &Link) -> Result<(), Error> {
    for (setting, needed) in NEEDED {
        let mut get = ::redis::cmd("CONFIG");
        get.arg("GET").arg(setting);
        let found: Vec<String> = match link.query(&get).await {
            Ok(found) => found,
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => {
                return Err(Error::NotDurable(format!(
                    "{} does not let this user read `{setting}`: allow `+config|get` (or set \
                     read_only, if this process never writes)",
                    link.address
                )));
            }
        };
        let value = found.get(1).map_or("", String::as_str);
        if value != needed {
            return Err(Error::NotDurable(format!(
                "{} has `{setting} {}`: set `{setting} {needed}`",
                link.address,
                // A setting's value, one of a few words.
                if value.is_empty() { "(none)" } else { value }
            )));
        }
    }
    Ok(())
}
