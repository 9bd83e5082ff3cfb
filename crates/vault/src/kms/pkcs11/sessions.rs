//! A bounded number of sessions, kept open between calls.

use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::session::Session;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use super::token::{Access, Opened, Token};
use crate::Error;

/// The sessions of one KEK.
pub(super) struct Sessions {
    token: Token,
    seats: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
}

/// What runs on a session.
type Work<'a, T> = &'a dyn Fn(&Session) -> Result<T, Failure>;

impl Sessions {
    pub(super) fn new(token: Token, limit: u16) -> Result<Self, Error> {
        if limit == 0 {
            return Err(Error::Config("sessions must be at least 1".to_owned()));
        }
        Ok(Self {
            token,
            seats: Arc::new(Semaphore::new(limit.into())),
            idle: Mutex::default(),
        })
    }

    /// The right to run one call; given back when it is dropped.
    pub(super) async fn seat(&self) -> Result<OwnedSemaphorePermit, Error> {
        let seat = Arc::clone(&self.seats).acquire_owned().await;
        seat.map_err(|_| Error::permanent("the sessions are closed"))
    }

    /// Runs `work`; when session, login or token turn out to be lost, once more on a new session.
    /// `after_login` comes before it wherever handles may be void. Blocks.
    pub(super) fn run<T>(
        &self,
        access: Access,
        after_login: Work<'_, ()>,
        work: Work<'_, T>,
    ) -> Result<T, Error> {
        match self.run_once(access, after_login, work) {
            Err(Failure::Lost(why)) => {
                tracing::warn!(%why, "the session with the token was lost, trying a new one");
            }
            done => return done.map_err(Failure::into_error),
        }
        // The other idle ones are no younger.
        self.idle().clear();
        let again = || {
            let Opened { session, .. } = self.token.open_session(access)?;
            after_login(&session)?;
            self.finish(access, session, work)
        };
        again().map_err(Failure::into_error)
    }

    fn run_once<T>(
        &self,
        access: Access,
        after_login: Work<'_, ()>,
        work: Work<'_, T>,
    ) -> Result<T, Failure> {
        let idle = match access {
            Access::Read => self.idle().pop(),
            Access::Write => None,
        };
        if let Some(session) = idle {
            return self.finish(access, session, work);
        }
        let opened = self.token.open_session(access)?;
        if opened.is_new_login {
            after_login(&opened.session)?;
        }
        self.finish(access, opened.session, work)
    }

    /// Runs `work` and keeps the session, unless it is lost or may change keys.
    fn finish<T>(&self, access: Access, session: Session, work: Work<'_, T>) -> Result<T, Failure> {
        let done = work(&session);
        if access == Access::Read && !matches!(done, Err(Failure::Lost(_))) {
            self.idle().push(session);
        }
        done
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
