//! The scripts, and running them by their digest.

use std::sync::LazyLock;

use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};

use super::link::Link;

/// A script and its SHA-1, by which the server knows it once it has run.
pub(super) struct Script {
    text: &'static str,
    digest: String,
}

/// Compare and write.
pub(super) static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("put.lua")));
/// Compare and remove.
pub(super) static REMOVE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("remove.lua")));
/// List what has not expired.
pub(super) static PAGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("page.lua")));

impl Script {
    fn new(text: &'static str) -> Self {
        let digest = ::redis::Script::new(text).get_hash().to_owned();
        Self { text, digest }
    }

    /// Runs it: by its digest, or by its text on a server that does not know it yet.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        link: &Link,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T, RedisError> {
        let command = |name: &str, script: &str| -> Cmd {
            let mut command = ::redis::cmd(name);
            command.arg(script).arg(keys.len()).arg(keys);
            for argument in arguments {
                command.arg(*argument);
            }
            command
        };
        let known = link.ask(&command("EVALSHA", &self.digest)).await;
        match known {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                link.ask(&command("EVAL", self.text)).await
            }
            known => known,
        }
    }
}
