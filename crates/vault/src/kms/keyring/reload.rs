//! Terms that another process added after this one opened the keyring.

use std::sync::PoisonError;

use super::Keyring;
use super::file::{KeyringFile, Loaded, MAX_TERMS};
use crate::Error;
use crate::kms::aead_wrap::Kek;

impl Keyring {
    /// The key of the term `version`. A newer one than is known is looked for in the file once
    /// more: this blocks on a small file, and only after a rotation.
    pub(super) fn term_key_or_reload(&self, version: &str) -> Result<Kek, Error> {
        if let Some(key) = self.term_key(version) {
            return Ok(key);
        }
        let Some(term) = possible_term(version) else {
            return Err(Error::corrupt(
                &*self.uri,
                "it is wrapped under a term this keyring cannot have",
            ));
        };
        self.reload()?;
        self.term_key(version).ok_or_else(|| Error::UnknownTerm {
            keyring: self.uri.clone(),
            term,
        })
    }

    /// Takes over the terms that the file has beyond those known. An older file, or another
    /// keyring in its place, takes nothing away.
    pub(super) fn reload(&self) -> Result<(), Error> {
        let Loaded { file, digest } = KeyringFile::read(&self.path)?;
        if !file.is_of(&self.header, &self.protection)? {
            return Ok(());
        }
        let terms = file.terms(&self.header, &self.protection)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let known = state.terms.len();
        if terms.len() > known {
            state.terms.extend(terms.into_iter().skip(known));
            state.file_digest = digest;
        }
        Ok(())
    }
}

/// The number of a term that may have been added since.
fn possible_term(version: &str) -> Option<u32> {
    let number = version.parse::<u32>().ok()?;
    let possible = usize::try_from(number).is_ok_and(|number| number <= MAX_TERMS);
    (number > 0 && possible && number.to_string() == version).then_some(number)
}
