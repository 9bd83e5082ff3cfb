//! Where the master is: configured, asked of Sentinel, or followed through Cluster's redirections.

use core::time::Duration;

use tokio::time::timeout;

use super::RedisConfig;
use super::address::Address;
use super::config::Topology;
use super::error::from_redis;
use super::link::{Dialer, Link, Login};
use super::tls;
use crate::Error;
use crate::net::SecretSource;

/// How often one search follows a redirection; each node knows the owner unless slots move.
const MAX_REDIRECTIONS: usize = 3;

/// Finds and dials the master.
pub(super) struct Locator {
    config: RedisConfig,
    addresses: Vec<Address>,
    servers: Dialer,
    /// As the servers, with the sentinels' own login.
    sentinels: Dialer,
    /// A key of the store: tells its slot.
    probe: String,
}

impl Locator {
    /// Checks the configuration and reads certificates and passwords. Blocks on files.
    pub(super) fn new(config: &RedisConfig, probe: String) -> Result<Self, Error> {
        config.check()?;
        let addresses = config.addresses()?;
        let tls = config.tls.as_ref().map(tls::client_config).transpose()?;
        let sentinel = match &config.topology {
            Topology::Sentinel(sentinel) => {
                login(sentinel.username.as_ref(), sentinel.password.as_ref())?
            }
            Topology::Single(_) | Topology::Cluster(_) => None,
        };
        let servers = Dialer {
            tls: tls.clone(),
            login: login(config.username.as_ref(), config.password.as_ref())?,
            database: config.database,
        };
        Ok(Self {
            config: config.clone(),
            addresses,
            servers,
            sentinels: Dialer {
                tls,
                login: sentinel,
                database: 0,
            },
            probe,
        })
    }

    /// A new connection to whatever is the master now. One address that does not answer leaves
    /// time for the others.
    pub(super) async fn master(&self) -> Result<Link, Error> {
        let several = self.addresses.len() > 1;
        let share = if several { 3 } else { 1 };
        let limit = self.config.deadline().checked_div(share);
        let limit = limit.unwrap_or(Duration::MAX);
        let mut telling = None;
        for address in &self.addresses {
            let found = timeout(limit, self.ask_at(address)).await;
            let error = match found {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => error,
                Err(_) => Error::Timeout(address.to_string()),
            };
            // A refusal says more than a server that is down.
            if telling.as_ref().is_none_or(Error::is_transient) {
                telling = Some(error);
            }
        }
        Err(telling.unwrap_or_else(|| Error::Config("redis: no addresses".to_owned())))
    }

    async fn ask_at(&self, address: &Address) -> Result<Link, Error> {
        match &self.config.topology {
            Topology::Single(_) => self.servers.dial(address).await,
            Topology::Cluster(_) => self.follow(address).await,
            Topology::Sentinel(sentinel) => {
                let master = self.ask_sentinel(address, &sentinel.service).await?;
                self.config.may_dial(&master)?;
                self.servers.dial(&master).await
            }
        }
    }

    /// Asks a node for a key of the store; one that does not own its slot says who does.
    async fn follow(&self, seed: &Address) -> Result<Link, Error> {
        let mut probe = ::redis::cmd("GET");
        probe.arg(&self.probe);
        let mut link = self.servers.dial(seed).await?;
        for _ in 0..MAX_REDIRECTIONS {
            let Err(error) = link.ask::<::redis::Value>(&probe).await else {
                return Ok(link);
            };
            let Some((owner, _)) = error.redirect_node() else {
                return Err(from_redis(&link.address, &error));
            };
            let owner = Address::parse_named(owner, &link.address)
                .ok_or_else(|| Error::temporary(format!("{}: names no owner", link.address)))?;
            self.config.may_dial(&owner)?;
            link = self.servers.dial(&owner).await?;
        }
        Err(Error::temporary(format!(
            "{}: redirected in a circle",
            link.address
        )))
    }

    async fn ask_sentinel(&self, sentinel: &Address, service: &str) -> Result<Address, Error> {
        let link = self.sentinels.dial(sentinel).await?;
        let mut question = ::redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        let master: Option<(String, u16)> = link.query(&question).await?;
        let (host, port) = master.ok_or_else(|| {
            Error::Config(format!("{sentinel}: this sentinel watches no such service"))
        })?;
        Address::named(&host, port, sentinel)
            .ok_or_else(|| Error::temporary(format!("{sentinel}: names no master")))
    }
}

fn login(
    username: Option<&String>,
    password: Option<&SecretSource>,
) -> Result<Option<Login>, Error> {
    let Some(password) = password else {
        return Ok(None);
    };
    Ok(Some(Login {
        username: username.cloned(),
        password: password.read()?,
    }))
}
