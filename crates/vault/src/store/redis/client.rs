//! One store's way to its master: found, checked, shared by all calls, found again when lost.

use core::time::Duration;
use std::sync::Arc;

use ::redis::{Cmd, FromRedisValue};
use halfkey_core::EnvironmentId;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::RedisConfig;
use super::check::{Demands, Tier};
use super::durability::Durability;
use super::error::from_redis;
use super::keys::Keys;
use super::link::Link;
use super::locate::Locator;
use super::script::{PUT, REMOVE, Script};
use crate::{Error, Expect, Rev};

/// A client of one store.
pub(super) struct Client {
    locator: Locator,
    demands: Demands,
    pub(super) keys: Keys,
    deadline: Duration,
    state: Mutex<State>,
}

struct State {
    link: Option<Arc<Link>>,
    /// What the last link was found to promise; `None` before the first.
    durability: Option<Durability>,
}

/// A write, as the script takes it.
pub(super) struct Write<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a [u8],
    pub(super) expect: Expect,
    pub(super) ttl_ms: u64,
}

impl Client {
    /// Finds the master and checks everything that can be checked.
    pub(super) async fn open(
        tier: Tier,
        config: &RedisConfig,
        environment: &EnvironmentId,
    ) -> Result<Self, Error> {
        let keys = Keys::new(&config.prefix, tier.as_str());
        let client = Self {
            locator: Locator::new(config, keys.environment())?,
            demands: Demands::new(tier, config, environment),
            keys,
            deadline: config.deadline(),
            state: Mutex::new(State {
                link: None,
                durability: None,
            }),
        };
        client.timed(client.link()).await?;
        Ok(client)
    }

    /// What the server was found to promise when it was last connected to.
    pub(super) async fn durability(&self) -> Durability {
        let state = self.state.lock().await;
        state.durability.unwrap_or(Durability::Unclaimed)
    }

    /// Whether this process may write.
    pub(super) const fn may_write(&self) -> bool {
        !self.demands.read_only
    }

    /// One command.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.timed(async { self.link().await?.0.query(command).await })
            .await
    }

    /// One script that writes nothing that must last.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        self.timed(async {
            let (link, _) = self.link().await?;
            let reply = script.run(&link, keys, arguments).await;
            reply.map_err(|error| from_redis(&link.address, &error))
        })
        .await
    }

    /// Compares and writes.
    pub(super) async fn put(&self, write: Write<'_>) -> Result<Rev, Error> {
        self.writing()?;
        let keys = [
            self.keys.rev(write.name),
            self.keys.names(),
            self.keys.counter(),
        ];
        let (value_key, ttl) = (self.keys.value(write.name), write.ttl_ms.to_string());
        let expect = expectation(write.expect);
        // Of a record, one part alone is damage that must not be written over as if it were
        // absent; of a cache entry it is what eviction left.
        let parts: &[u8] = match self.demands.tier {
            Tier::Records => b"1",
            Tier::Properties => b"2",
        };
        let arguments = [
            value_key.as_bytes(),
            write.name.as_bytes(),
            expect.as_bytes(),
            write.value,
            ttl.as_bytes(),
            parts,
        ];
        let rev: Option<String> = self.write(&PUT, &keys, &arguments).await?;
        let rev = rev.ok_or_else(|| Error::Conflict(write.name.to_owned()))?;
        parse_rev(write.name, &rev)
    }

    /// Compares and removes; removing what is absent succeeds with [`Expect::Any`].
    pub(super) async fn remove(&self, name: &str, expect: Expect) -> Result<(), Error> {
        self.writing()?;
        let keys = [self.keys.rev(name), self.keys.names()];
        let (value_key, expect) = (self.keys.value(name), expectation(expect));
        let arguments = [value_key.as_bytes(), name.as_bytes(), expect.as_bytes()];
        let removed: bool = self.write(&REMOVE, &keys, &arguments).await?;
        if removed {
            Ok(())
        } else {
            Err(Error::Conflict(name.to_owned()))
        }
    }

    fn writing(&self) -> Result<(), Error> {
        if self.may_write() {
            Ok(())
        } else {
            Err(Error::Forbidden("write to a store opened as read_only"))
        }
    }

    /// Runs a script that writes and, where there are replicas, waits for one of them.
    async fn write<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        self.timed(async {
            let (link, durability) = self.link().await?;
            let reply = script.run(&link, keys, arguments).await;
            let reply = reply.map_err(|error| from_redis(&link.address, &error))?;
            if durability == Durability::AsyncReplication {
                self.wait_for_a_replica(&link).await?;
            }
            Ok(reply)
        })
        .await
    }

    /// On the connection of the write, as `WAIT` asks for. It holds up this connection only.
    async fn wait_for_a_replica(&self, link: &Link) -> Result<(), Error> {
        let half = self.deadline.as_millis().checked_div(2).unwrap_or(1);
        let mut wait = ::redis::cmd("WAIT");
        wait.arg(1).arg(u64::try_from(half).unwrap_or(u64::MAX));
        if link.query::<u64>(&wait).await? == 0 {
            return Err(Error::Timeout(format!("a replica of {}", link.address)));
        }
        Ok(())
    }

    /// The link in use, or a new one to whatever is the master now, checked. Whoever comes first
    /// connects, the others wait for it.
    async fn link(&self) -> Result<(Arc<Link>, Durability), Error> {
        let mut state = self.state.lock().await;
        if let (Some(link), Some(durability)) = (&state.link, state.durability)
            && link.is_usable()
        {
            return Ok((Arc::clone(link), durability));
        }
        state.link = None;
        let link = self.locator.master().await?;
        let again = state.durability.is_some();
        let durability = self.demands.check(&link, &self.keys, again).await?;
        let link = Arc::new(link);
        state.link = Some(Arc::clone(&link));
        state.durability = Some(durability);
        tracing::debug!(server = %link.address, ?durability, "connected");
        Ok((link, durability))
    }

    async fn timed<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let tier = self.demands.tier.as_str();
        timeout(self.deadline, work)
            .await
            .unwrap_or_else(|_| Err(Error::Timeout(format!("the redis store of {tier}"))))
    }
}

fn expectation(expect: Expect) -> String {
    match expect {
        Expect::Absent => "absent".to_owned(),
        Expect::Any => "any".to_owned(),
        Expect::Rev(Rev(rev)) => rev.to_string(),
    }
}

/// A revision as it stands in the store: canonical, or the store was changed by others.
pub(super) fn parse_rev(name: &str, text: &str) -> Result<Rev, Error> {
    let rev: u64 = text
        .parse()
        .map_err(|_| Error::corrupt(name, "its revision is no number"))?;
    Ok(Rev(rev))
}
