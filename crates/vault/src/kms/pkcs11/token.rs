//! The token: found by its label, logged in to with the PIN.

use std::sync::{Mutex, PoisonError};

use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismType;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use halfkey_core::SecretString;

use super::config::Pkcs11Config;
use super::failure::{self, Failure};
use super::module;
use crate::Error;

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Use keys.
    Read,
    /// Make and change keys.
    Write,
}

/// One token of one module.
pub(super) struct Token {
    module: Pkcs11,
    label: String,
    serial: Option<String>,
    pin: SecretString,
    login: Mutex<Login>,
}

/// Whether the PIN may still be tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    Possible,
    /// The token refused it. It is not tried again: a few more would lock the token for everybody.
    Refused,
}

/// A session that is logged in.
pub(super) struct Opened {
    pub(super) session: Session,
    /// It had to log in: handles of private objects from before are void.
    pub(super) is_new_login: bool,
}

impl Token {
    /// Loads the module, reads the PIN, and checks that the token is there and knows AES-GCM.
    pub(super) fn find(config: &Pkcs11Config) -> Result<Self, Error> {
        let token = Self {
            module: module::load(&config.module)?,
            label: config.token_label.clone(),
            serial: config.token_serial.clone(),
            pin: config.pin.read()?,
            login: Mutex::new(Login::Possible),
        };
        let slot = token.slot().map_err(Failure::into_error)?;
        let slot = slot.ok_or_else(|| Error::Config(token.absent()))?;
        let mechanism = token
            .module
            .get_mechanism_info(slot, MechanismType::AES_GCM);
        if mechanism.is_ok_and(|gcm| gcm.encrypt() || gcm.decrypt()) {
            return Ok(token);
        }
        Err(Error::Config(format!(
            "token {} has no AES-GCM",
            token.label
        )))
    }

    /// A new session, logged in. Blocks.
    pub(super) fn open_session(&self, access: Access) -> Result<Opened, Failure> {
        let slot = self.slot()?.ok_or_else(|| Failure::Lost(self.absent()))?;
        let opened = match access {
            Access::Read => self.module.open_ro_session(slot),
            Access::Write => self.module.open_rw_session(slot),
        };
        let session = opened.map_err(|error| failure::of(&error))?;
        let is_new_login = self.log_in(slot, &session)?;
        Ok(Opened {
            session,
            is_new_login,
        })
    }

    fn absent(&self) -> String {
        format!("there is no token labelled {}", self.label)
    }

    fn slot(&self) -> Result<Option<Slot>, Failure> {
        let mut slots = self.module.get_slots_with_token();
        if let Err(error) = &slots
            && failure::code(error) == Some(RvError::CryptokiNotInitialized)
        {
            module::initialize(&self.module).map_err(|error| failure::of(&error))?;
            slots = self.module.get_slots_with_token();
        }
        let mut found = None;
        for slot in slots.map_err(|error| failure::of(&error))? {
            // A slot that does not answer holds another token, or ours is not there now.
            let Ok(info) = self.module.get_token_info(slot) else {
                continue;
            };
            if self.is_described_by(&info) && found.replace(slot).is_some() {
                let why = format!(
                    "several tokens are labelled {}; set token_serial",
                    self.label
                );
                return Err(Error::Config(why).into());
            }
        }
        Ok(found)
    }

    fn is_described_by(&self, info: &TokenInfo) -> bool {
        let same = |found: &str, wanted: &str| found.trim_end() == wanted.trim_end();
        info.token_initialized()
            && same(info.label(), &self.label)
            && self
                .serial
                .as_deref()
                .is_none_or(|serial| same(info.serial_number(), serial))
    }

    /// Whether it had to.
    fn log_in(&self, slot: Slot, session: &Session) -> Result<bool, Failure> {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        let info = session.get_session_info();
        match info.map_err(|error| failure::of(&error))?.session_state() {
            SessionState::RoUser | SessionState::RwUser => return Ok(false),
            SessionState::RoPublic | SessionState::RwPublic => {}
            SessionState::RwSecurityOfficer => {
                return Err(self.denied("this process is logged in as security officer"));
            }
        }
        if *login == Login::Refused {
            return Err(self.denied("its PIN was refused and is not tried again"));
        }
        self.check_pin_is_safe_to_try(slot)?;
        let pin = AuthPin::new(self.pin.expose().into());
        let Err(error) = session.login(UserType::User, Some(&pin)) else {
            return Ok(true);
        };
        match failure::code(&error) {
            // Another user of the module was faster.
            Some(RvError::UserAlreadyLoggedIn) => Ok(true),
            Some(
                RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked,
            ) => {
                *login = Login::Refused;
                Err(self.denied("the PIN is refused"))
            }
            Some(RvError::UserAnotherAlreadyLoggedIn | RvError::UserTooManyTypes) => {
                Err(self.denied("another user of it is logged in"))
            }
            _ => Err(failure::of(&error)),
        }
    }

    /// A service that is started again and again must never be what locks the token.
    fn check_pin_is_safe_to_try(&self, slot: Slot) -> Result<(), Failure> {
        let info = self.module.get_token_info(slot);
        let info = info.map_err(|error| failure::of(&error))?;
        if !info.user_pin_initialized() {
            let why = format!("token {} has no user PIN", self.label);
            return Err(Error::Config(why).into());
        }
        if info.user_pin_locked() {
            return Err(self.denied("the user PIN is locked"));
        }
        if info.user_pin_final_try() {
            return Err(self.denied("one more wrong PIN would lock it; log in by hand first"));
        }
        Ok(())
    }

    fn denied(&self, why: &str) -> Failure {
        Error::Denied(format!("token {}: {why}", self.label)).into()
    }
}
