//! One connection to one server: dialled, authenticated, on the right database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisError};
use halfkey_core::SecretString;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::error::{ends_the_link, from_redis};
use super::tls;
use crate::Error;

/// A user and its password.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) username: Option<String>,
    pub(super) password: SecretString,
}

/// How servers are reached.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    /// `None`: plain, for addresses that were checked to be loopback.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) login: Option<Login>,
    pub(super) database: u32,
}

/// A connection that many calls share.
pub(super) struct Link {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    broken: AtomicBool,
    pub(super) address: Address,
}

impl Dialer {
    /// Connects. Without a deadline of its own.
    pub(super) async fn dial(&self, address: &Address) -> Result<Link, Error> {
        let target = (address.host.as_str(), address.port);
        let stream = TcpStream::connect(target).await.map_err(|error| {
            Error::temporary(format!("{address}: cannot connect ({})", error.kind()))
        })?;
        // Commands are short, and each is waited for.
        stream
            .set_nodelay(true)
            .map_err(|_| Error::temporary(format!("{address}: connection lost")))?;
        let link = match &self.tls {
            None => Link::new(address, stream).await,
            Some(config) => {
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|_| Error::Config(format!("{address}: no host name")))?;
                let stream = TlsConnector::from(Arc::clone(config))
                    .connect(name, stream)
                    .await
                    .map_err(|error| tls::handshake_error(address, &error))?;
                Link::new(address, stream).await
            }
        }?;
        self.introduce(&link).await?;
        Ok(link)
    }

    async fn introduce(&self, link: &Link) -> Result<(), Error> {
        if let Some(login) = &self.login {
            let mut auth = ::redis::cmd("AUTH");
            if let Some(username) = &login.username {
                auth.arg(username);
            }
            auth.arg(login.password.expose());
            // `ERR` when no password is set on a server for which one is configured: also not let
            // in as asked.
            link.ask::<()>(&auth).await.map_err(|error| {
                match from_redis(&link.address, &error) {
                    transient if transient.is_transient() => transient,
                    _ => Error::Denied(link.address.to_string()),
                }
            })?;
        }
        if self.database != 0 {
            let mut select = ::redis::cmd("SELECT");
            select.arg(self.database);
            link.ask::<()>(&select)
                .await
                .map_err(|error| from_redis(&link.address, &error))?;
        }
        Ok(())
    }
}

impl Link {
    async fn new<S>(address: &Address, stream: S) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Nothing is sent yet: login and database follow by our own commands, whose errors we see.
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|error| from_redis(address, &error))?;
        Ok(Self {
            connection,
            driver: tokio::spawn(driver),
            broken: AtomicBool::new(false),
            address: address.clone(),
        })
    }

    /// Whether another call may use it.
    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Acquire) && !self.driver.is_finished()
    }

    /// One command and its reply. A call that is given up before its reply (a deadline) ends the
    /// link: what answers that late may not be what is to be asked.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut outstanding = Outstanding {
            broken: &self.broken,
            answered: false,
        };
        let reply = command.query_async(&mut self.connection.clone()).await;
        outstanding.answered = true;
        if let Err(error) = &reply
            && ends_the_link(error)
        {
            self.broken.store(true, Ordering::Release);
        }
        reply
    }

    /// The same with the error mapped.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.ask(command)
            .await
            .map_err(|error| from_redis(&self.address, &error))
    }
}

/// The task that reads and writes ends with the link, even with a reply outstanding.
impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Marks the link as broken when dropped without an answer.
struct Outstanding<'a> {
    broken: &'a AtomicBool,
    answered: bool,
}

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.broken.store(true, Ordering::Release);
        }
    }
}
