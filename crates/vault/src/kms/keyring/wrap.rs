//! The keyring's rights: wrap, unwrap, rewrap.

use async_trait::async_trait;

use super::Keyring;
use crate::kms::aead_wrap;
use crate::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey, Wrapped};

impl Keyring {
    /// Refuses the records of every other environment, whatever their tags would say.
    fn check_environment(&self, ctx: &BindCtx) -> Result<(), Error> {
        if ctx.environment == self.header.environment {
            return Ok(());
        }
        Err(Error::Environment {
            what: "the keyring".to_owned(),
            found: self.header.environment.to_string(),
            expected: ctx.environment.to_string(),
        })
    }
}

#[async_trait]
impl WrapKey for Keyring {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        self.check_environment(ctx)?;
        let (number, key) = self.newest()?;
        let bytes = aead_wrap::wrap(&key, ctx, dek)?;
        Ok(Wrapped {
            kek_uri: self.uri.clone(),
            kek_version: number.to_string(),
            bytes,
        })
    }
}

#[async_trait]
impl UnwrapKey for Keyring {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        self.check_environment(ctx)?;
        if wrapped.kek_uri != self.uri {
            return Err(Error::corrupt(&*self.uri, "it is wrapped by another KEK"));
        }
        let key = self.term_key_or_reload(&wrapped.kek_version)?;
        aead_wrap::unwrap(&key, ctx, &self.uri, &wrapped.bytes)
    }
}

#[async_trait]
impl RewrapKey for Keyring {
    fn kek_uri(&self) -> &str {
        &self.uri
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        let dek = self.unwrap(ctx, wrapped).await?;
        self.wrap(ctx, &dek).await
    }
}
