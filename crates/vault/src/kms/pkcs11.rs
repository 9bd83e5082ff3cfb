//! HSMs through PKCS#11: the KEK is an AES-256 key inside the token, which never gives it out.
//!
//! Each version of the KEK is one key object. Its label is `halfkey-{environment}`, which is the
//! environment mark, and its `CKA_ID` is the version number. A data key is encrypted inside the
//! token with AES-GCM and the context digest as associated data; `SPEC.md` section 4 has the bytes.
//!
//! The module is the vendor's code in this process: it may block, so each call runs on a thread
//! for blocking work, within a deadline, on one of a bounded number of sessions.

mod config;
mod date;
mod failure;
mod gcm;
mod key_object;
mod keys;
mod manage;
mod module;
mod sessions;
mod token;
mod wrap;

use core::time::Duration;
use std::sync::Arc;

use cryptoki::session::Session;
use halfkey_core::{Clock, EnvironmentId};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub use self::config::Pkcs11Config;
use self::failure::Failure;
use self::keys::Keys;
use self::sessions::Sessions;
use self::token::{Access, Token};
use crate::Error;

/// A KEK inside a token, opened.
pub struct Pkcs11Kek {
    inner: Arc<Inner>,
}

/// What the threads for blocking work share.
struct Inner {
    uri: String,
    environment: EnvironmentId,
    deadline: Duration,
    token_makes_nonce: bool,
    clock: Arc<dyn Clock>,
    sessions: Sessions,
    keys: Keys,
}

impl core::fmt::Debug for Pkcs11Kek {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pkcs11Kek")
            .field("uri", &self.inner.uri)
            .field("environment", &self.inner.environment)
            .finish_non_exhaustive()
    }
}

impl Pkcs11Kek {
    /// Logs in to the token, finds every version of the key and checks that none can be extracted.
    /// The PIN is tried once: tokens lock themselves after a few wrong ones. PKCS#11 knows one
    /// login per token and process; where this process is logged in already, the PIN is not asked.
    ///
    /// # Errors
    /// [`Error::Config`] when module, token or key is absent or the key is not as it must be,
    /// [`Error::Environment`] for a label of another environment, [`Error::Denied`] when the PIN is
    /// refused, [`Error::Timeout`], or a temporary [`Error::Backend`].
    pub async fn open(
        config: &Pkcs11Config,
        environment: &EnvironmentId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Self::start(config, environment, clock, Inner::must_have_a_key).await
    }

    /// Makes version 1 of the key in the token and opens it.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::Conflict`] when the token has a key of that label already.
    pub async fn create(
        config: &Pkcs11Config,
        environment: &EnvironmentId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        Self::start(config, environment, clock, Inner::make_first_version).await
    }

    /// `pkcs11:`, the token's label (escaped as in URLs), `/`, and the key's label.
    pub fn uri(&self) -> &str {
        &self.inner.uri
    }

    /// The environment whose keys it wraps; it refuses every other.
    pub fn environment(&self) -> &EnvironmentId {
        &self.inner.environment
    }

    async fn start(
        config: &Pkcs11Config,
        environment: &EnvironmentId,
        clock: Arc<dyn Clock>,
        first: fn(&Inner) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let (config, environment) = (config.clone(), environment.clone());
        let (deadline, what) = (config.deadline(), config.token_label.clone());
        let open = move || {
            let inner = Inner::new(&config, environment, clock)?;
            first(&inner)?;
            Ok(Self {
                inner: Arc::new(inner),
            })
        };
        within(deadline, &format!("token {what}"), on_a_thread(open)).await
    }

    /// Runs `work` on a session, on a thread for blocking work. After a lost session, login or
    /// token it is run once more on a new session. A call that does not end by the deadline keeps
    /// its place among the sessions until it does end, so hung calls stay bounded.
    async fn call<T: Send + 'static>(
        &self,
        access: Access,
        work: impl Fn(&Inner, &Session) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        let call = async move {
            let seat = inner.sessions.seat().await?;
            let call = move || {
                let done = inner.run(access, &work);
                drop(seat);
                done
            };
            on_a_thread(call).await
        };
        within(self.inner.deadline, &self.inner.uri, call).await
    }
}

impl Inner {
    fn new(
        config: &Pkcs11Config,
        environment: EnvironmentId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let label = config.key_label_for(&environment)?;
        let uri = config.uri(&label)?;
        let token = Token::find(config)?;
        Ok(Self {
            uri,
            environment,
            deadline: config.deadline(),
            token_makes_nonce: config.token_makes_nonce,
            clock,
            sessions: Sessions::new(token, config.sessions)?,
            keys: Keys::new(label, config.token_makes_nonce),
        })
    }

    /// The end of opening: at least one version is there.
    fn must_have_a_key(&self) -> Result<(), Error> {
        let found = self.run(Access::Read, &|inner, session| inner.keys.refresh(session))?;
        if found.is_empty() {
            return Err(Error::Config(format!(
                "{} is not in the token; make it once with `create`",
                self.uri
            )));
        }
        Ok(())
    }

    /// The end of creating: version 1 is there, and was not before.
    fn make_first_version(&self) -> Result<(), Error> {
        let made = self.run(Access::Write, &|inner, session| {
            if !inner.keys.refresh(session)?.is_empty() {
                return Err(Error::Conflict(inner.uri.clone()).into());
            }
            inner.make_version(session, 1)
        });
        made.map(drop)
    }

    /// [`Pkcs11Kek::call`] on this thread.
    fn run<T>(
        &self,
        access: Access,
        work: &impl Fn(&Self, &Session) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let on_session = |session: &Session| work(self, session);
        let after_login = |session: &Session| self.keys.refresh_known(session);
        self.sessions.run(access, &after_login, &on_session)
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let ended = spawn_blocking(work).await;
    ended.map_err(|_| Error::permanent("a call into the token's module panicked"))?
}

async fn within<T>(
    deadline: Duration,
    what: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let ended = timeout(deadline, call).await;
    ended.map_err(|_| Error::Timeout(what.to_owned()))?
}
