//! A logged-in client.

use core::time::Duration;
use std::sync::{Arc, PoisonError, RwLock};

use halfkey_core::SecretString;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use super::keep_alive::keep_alive;
use super::login::{self, Lease, Token, login};
use super::transport::{Request, Transport};
use super::{OpenBaoAuth, OpenBaoConfig, PEER, Reply, durability};
use crate::Error;

/// A client that is logged in and stays so.
pub(crate) struct Client {
    session: Arc<Session>,
    deadline: Duration,
    keeper: AbortHandle,
}

/// What the client and the task that keeps its token alive share.
pub(super) struct Session {
    transport: Transport,
    auth: OpenBaoAuth,
    token: RwLock<Token>,
    /// Held while the token is renewed or replaced, so that many refused calls log in once.
    login: Mutex<()>,
}

impl Client {
    /// Checks the server, logs in, and keeps the token alive from then on.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Insecure`], [`Error::NotDurable`], [`Error::Denied`],
    /// [`Error::Timeout`], [`Error::Backend`].
    pub(crate) async fn connect(config: &OpenBaoConfig) -> Result<Self, Error> {
        let transport = Transport::new(config)?;
        let token = within(config.deadline(), async {
            durability::check(&transport, config).await?;
            login(&transport, &config.auth).await
        })
        .await?;
        let session = Arc::new(Session {
            transport,
            auth: config.auth.clone(),
            token: RwLock::new(token),
            login: Mutex::new(()),
        });
        let keeper = tokio::spawn(keep_alive(Arc::downgrade(&session), config.deadline()));
        Ok(Self {
            session,
            deadline: config.deadline(),
            keeper: keeper.abort_handle(),
        })
    }

    /// Sends `request`; when the token is refused, logs in again and repeats it, once.
    pub(crate) async fn call(&self, request: &Request) -> Result<Reply, Error> {
        let session = &self.session;
        let token = session.token().text;
        let reply = session.transport.send(request, Some(&token)).await?;
        if reply.status() != 403 || !session.replace(&token).await? {
            return Ok(reply);
        }
        let token = session.token().text;
        session.transport.send(request, Some(&token)).await
    }

    /// `work` within the deadline of one operation.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        within(self.deadline, work).await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

pub(super) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(deadline, work)
        .await
        .unwrap_or_else(|_elapsed| Err(Error::Timeout(PEER.to_owned())))
}

impl Session {
    fn token(&self) -> Token {
        self.token
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_token(&self, token: Token) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// How long the present token lives.
    pub(super) fn lease(&self) -> Option<Lease> {
        self.token().lease
    }

    /// Another token in place of `refused`, if that is what was wrong: `false` when the server
    /// still knows `refused`, which then lacks a right, or when there is no other.
    async fn replace(&self, refused: &SecretString) -> Result<bool, Error> {
        let _one_at_a_time = self.login.lock().await;
        if self.token().text != *refused {
            return Ok(true);
        }
        if login::is_valid(&self.transport, refused).await? {
            return Ok(false);
        }
        let fresh = match login(&self.transport, &self.auth).await {
            Err(Error::Denied(_)) => return Ok(false),
            fresh => fresh?,
        };
        self.set_token(fresh);
        Ok(true)
    }

    /// Makes the token live longer, or gets another where it cannot.
    pub(super) async fn renew(&self) -> Result<(), Error> {
        let _one_at_a_time = self.login.lock().await;
        let token = self.token();
        if token.renewable
            && let Ok(renewed) = login::renew(&self.transport, &token).await
            && is_as_long(&renewed, &token)
        {
            self.set_token(renewed);
            return Ok(());
        }
        self.set_token(login(&self.transport, &self.auth).await?);
        Ok(())
    }
}

/// A token near the end of all its renewals is granted less each time.
fn is_as_long(renewed: &Token, token: &Token) -> bool {
    match (renewed.lease, token.lease) {
        (Some(renewed), Some(token)) => renewed.granted >= token.granted,
        (None, _) => true,
        (Some(_), None) => false,
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
