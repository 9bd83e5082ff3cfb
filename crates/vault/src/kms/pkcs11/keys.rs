//! What is known of the KEK's versions, and whether the token is still the one that had them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cryptoki::error::RvError;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, SessionState};
use halfkey_core::UnixMillis;

use super::failure::{self, Failure};
use super::gcm::{self, SealFailure};
use super::key_object;
use crate::Error;
use crate::entropy::random_bytes;
use crate::kms::aead_wrap::LEN;

/// What a probe is bound to: shorter than a context digest, so neither passes for the other.
const PROBE_AAD: &[u8] = b"halfkey-pkcs11-probe-v1";

/// The versions, and how they are looked up.
pub(super) struct Keys {
    pub(super) label: String,
    token_makes_nonce: bool,
    known: RwLock<Versions>,
    /// One look-up at a time, so that an older one never replaces a newer.
    refreshing: Mutex<()>,
}

/// Ascending by number.
pub(super) type Versions = Arc<BTreeMap<u32, Version>>;

/// One version.
#[derive(Clone)]
pub(super) struct Version {
    /// Usually one. Two operators who rotate at the same moment, or a backup restored twice, make
    /// more: each of them still unwraps what it wrapped.
    pub(super) handles: Vec<ObjectHandle>,
    pub(super) created_at: Option<UnixMillis>,
    pub(super) is_enabled: bool,
    /// Something this process encrypted under it: while the token reads it back, token and key are
    /// well, and a wrap that does not open is damaged. Never stored. `None` where the key does not
    /// encrypt.
    probe: Option<[u8; LEN]>,
}

impl Keys {
    pub(super) fn new(label: String, token_makes_nonce: bool) -> Self {
        Self {
            label,
            token_makes_nonce,
            known: RwLock::default(),
            refreshing: Mutex::default(),
        }
    }

    pub(super) fn known(&self) -> Versions {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&known)
    }

    /// [`Self::refresh`], except before the first time.
    pub(super) fn refresh_known(&self, session: &Session) -> Result<(), Failure> {
        if self.known().is_empty() {
            return Ok(());
        }
        self.refresh(session).map(drop)
    }

    /// Asks the token for its versions. A token that lacks one it had, or has another key in its
    /// place, is not what it was: that is an outage, and what it says of a wrap proves nothing.
    pub(super) fn refresh(&self, session: &Session) -> Result<Versions, Failure> {
        let _one = self
            .refreshing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut found = self.look_up(session)?;
        for (number, known) in self.known().iter() {
            let Some(version) = found.get_mut(number) else {
                let why = format!("token: version {number} of {} is gone", self.label);
                return Err(Error::temporary(why).into());
            };
            version.probe = known.probe;
            if version.is_enabled && !version.is_well(session)? {
                let why = format!("token: version {number} of {} is another key", self.label);
                return Err(Error::temporary(why).into());
            }
        }
        for version in found.values_mut() {
            if version.probe.is_none() && version.is_enabled {
                version.probe = self.make_probe(session, version)?;
            }
        }
        let found = Arc::new(found);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&found);
        Ok(found)
    }

    fn look_up(&self, session: &Session) -> Result<BTreeMap<u32, Version>, Failure> {
        let mut found: BTreeMap<u32, Version> = BTreeMap::new();
        for object in key_object::list(session, &self.label)? {
            let version = found.entry(object.number).or_insert_with(|| Version {
                handles: Vec::new(),
                created_at: object.created_at,
                is_enabled: true,
                probe: None,
            });
            version.handles.push(object.handle);
            version.is_enabled &= object.is_enabled;
        }
        Ok(found)
    }

    fn make_probe(
        &self,
        session: &Session,
        version: &Version,
    ) -> Result<Option<[u8; LEN]>, Failure> {
        let Some(key) = version.handles.first() else {
            return Ok(None);
        };
        let random = random_bytes::<32>()?;
        match gcm::seal(session, *key, self.token_makes_nonce, PROBE_AAD, &random) {
            Ok(probe) => Ok(probe.try_into().ok()),
            Err(SealFailure::Unusable(error)) => Err(error.into()),
            Err(SealFailure::Module(error)) => match failure::code(&error) {
                Some(RvError::KeyFunctionNotPermitted) => Ok(None),
                _ => Err(failure::of(&error)),
            },
        }
    }
}

impl Version {
    /// Whether the token reads back what was encrypted under this version; where nothing could be,
    /// whether it is still logged in to.
    pub(super) fn is_well(&self, session: &Session) -> Result<bool, Failure> {
        let Some(probe) = &self.probe else {
            let info = session.get_session_info();
            let state = info.map_err(|error| failure::of(&error))?.session_state();
            return Ok(matches!(state, SessionState::RoUser | SessionState::RwUser));
        };
        let reads = |key: &ObjectHandle| gcm::open(session, *key, PROBE_AAD, probe).is_ok();
        Ok(self.handles.iter().any(reads))
    }
}
