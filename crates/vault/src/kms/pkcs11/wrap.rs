//! The rights over the KEK: wrap, unwrap, rewrap.

use async_trait::async_trait;
use cryptoki::error::{Error as ModuleError, RvError};
use cryptoki::session::Session;

use super::failure::{self, Failure, Verdict};
use super::gcm::{self, SealFailure};
use super::keys::Version;
use super::token::Access;
use super::{Inner, Pkcs11Kek};
use crate::kms::aead_wrap::LEN;
use crate::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey, Wrapped};

impl Inner {
    /// Refuses the records of every other environment, whatever their tags would say.
    fn check_environment(&self, ctx: &BindCtx) -> Result<(), Error> {
        if ctx.environment == self.environment {
            return Ok(());
        }
        Err(Error::Environment {
            what: "the KEK in the token".to_owned(),
            found: self.environment.to_string(),
            expected: ctx.environment.to_string(),
        })
    }

    fn wrap(&self, session: &Session, aad: &[u8; 32], dek: &Dek) -> Result<Wrapped, Failure> {
        let known = self.keys.known();
        let newest = known.last_key_value();
        let found = newest.and_then(|(number, version)| Some((*number, *version.handles.first()?)));
        let (number, key) = found.ok_or_else(|| Error::permanent("no KEK version"))?;
        let sealed = gcm::seal(session, key, self.token_makes_nonce, aad, dek.expose());
        let bytes = sealed.map_err(|why| match why {
            SealFailure::Module(error) => self.failure(number, &error),
            SealFailure::Unusable(error) => error.into(),
        })?;
        Ok(Wrapped {
            kek_uri: self.uri.clone(),
            kek_version: number.to_string(),
            bytes,
        })
    }

    fn unwrap(
        &self,
        session: &Session,
        aad: &[u8; 32],
        number: u32,
        wrapped: &[u8; LEN],
    ) -> Result<Dek, Failure> {
        let version = self.version(session, number)?;
        let mut is_unclear = false;
        for key in &version.handles {
            let error = match gcm::open(session, *key, aad, wrapped) {
                Ok(plain) => return Ok(Dek::from_slice(&plain).ok_or_else(|| self.damaged())?),
                Err(error) => error,
            };
            match failure::verdict(&error) {
                Verdict::Refused => {}
                Verdict::Unclear => is_unclear = true,
                Verdict::None => return Err(self.failure(number, &error)),
            }
        }
        if is_unclear && !version.is_well(session)? {
            let why = "neither this wrap nor one known to be sound could be decrypted";
            return Err(Failure::Lost(why.to_owned()));
        }
        Err(self.damaged().into())
    }

    /// The version, looked up again when it is not known: another process may have made it.
    fn version(&self, session: &Session, number: u32) -> Result<Version, Failure> {
        if let Some(version) = self.keys.known().get(&number) {
            return Ok(version.clone());
        }
        let found = self.keys.refresh(session)?;
        let version = found.get(&number).cloned();
        version.ok_or_else(|| Failure::Final(self.unknown_version()))
    }

    fn failure(&self, number: u32, error: &ModuleError) -> Failure {
        if failure::code(error) == Some(RvError::KeyFunctionNotPermitted) {
            return Error::KeyDisabled(format!("{} version {number}", self.uri)).into();
        }
        failure::of(error)
    }

    fn damaged(&self) -> Error {
        Error::corrupt(
            &*self.uri,
            "its wrapped key is damaged or belongs to another context",
        )
    }

    fn unknown_version(&self) -> Error {
        Error::corrupt(&*self.uri, "it is wrapped by an unknown KEK version")
    }
}

/// The number that is written exactly like this.
pub(super) fn parse_version(version: &str) -> Option<u32> {
    let number: u32 = version.parse().ok()?;
    (number > 0 && number.to_string() == version).then_some(number)
}

#[async_trait]
impl WrapKey for Pkcs11Kek {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        self.inner.check_environment(ctx)?;
        let (aad, dek) = (ctx.digest()?, dek.clone());
        self.call(Access::Read, move |inner, session| {
            inner.wrap(session, &aad, &dek)
        })
        .await
    }
}

#[async_trait]
impl UnwrapKey for Pkcs11Kek {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        let inner = &self.inner;
        inner.check_environment(ctx)?;
        if wrapped.kek_uri != inner.uri {
            return Err(Error::corrupt(&*inner.uri, "it is wrapped by another KEK"));
        }
        let number = parse_version(&wrapped.kek_version);
        let number = number.ok_or_else(|| inner.unknown_version())?;
        let bytes = wrapped.bytes.as_slice().try_into();
        let bytes: [u8; LEN] = bytes.map_err(|_| inner.damaged())?;
        let aad = ctx.digest()?;
        self.call(Access::Read, move |inner, session| {
            inner.unwrap(session, &aad, number, &bytes)
        })
        .await
    }
}

#[async_trait]
impl RewrapKey for Pkcs11Kek {
    fn kek_uri(&self) -> &str {
        &self.inner.uri
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        let dek = self.unwrap(ctx, wrapped).await?;
        self.wrap(ctx, &dek).await
    }
}
