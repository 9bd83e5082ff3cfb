//! Wrapping, unwrapping, rewrapping.

use std::sync::Arc;

use async_trait::async_trait;
use azure_security_keyvault_keys::models::{KeyOperationParameters, KeyOperationResult};
use zeroize::Zeroizing;

use super::key::{Shape, version_of};
use super::{AzureKek, bound};
use crate::net::azure::is_version;
use crate::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey, Wrapped};

impl AzureKek {
    /// How the version that `wrapped` names wraps, after every check that needs no call.
    async fn wrapping_shape(&self, wrapped: &Wrapped) -> Result<Arc<Shape>, Error> {
        if wrapped.kek_uri != self.uri {
            return Err(Error::corrupt(&*self.uri, "it is wrapped by another KEK"));
        }
        if !is_version(&wrapped.kek_version) {
            return Err(Error::corrupt(
                &*self.uri,
                "it is wrapped by an unknown KEK version",
            ));
        }
        let shape = match self.shape(&wrapped.kek_version).await {
            Err(Error::NotFound(_)) => return Err(self.no_such_version().await),
            other => other?,
        };
        if shape.can_have_made(&wrapped.bytes) {
            Ok(shape)
        } else {
            Err(Error::corrupt(
                &*self.uri,
                "no wrap by that KEK version has that length or value",
            ))
        }
    }

    /// The version that the vault says it used, and the result.
    fn taken_apart(
        &self,
        reply: KeyOperationResult,
    ) -> Result<(String, Zeroizing<Vec<u8>>), Error> {
        let result = reply.result.map(Zeroizing::new);
        let version = reply
            .kid
            .as_deref()
            .and_then(|kid| version_of(&self.remote.vault, &self.remote.key_name, kid))
            .ok_or_else(|| self.remote.calls.unexpected("it used another key"))?;
        let result =
            result.ok_or_else(|| self.remote.calls.unexpected("a reply without a result"))?;
        Ok((version.to_owned(), result))
    }
}

#[async_trait]
impl WrapKey for AzureKek {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        self.must_serve(ctx)?;
        let bound = bound::bind(ctx, dek, self.first.filler_len())?;
        let call = async {
            let parameters = KeyOperationParameters {
                algorithm: Some(self.first.algorithm()),
                value: Some(bound.to_vec()),
                ..KeyOperationParameters::default()
            };
            let reply = self
                .remote
                .client
                .wrap_key(&self.remote.key_name, parameters.try_into()?, None)
                .await?;
            reply.into_model()
        };
        let reply = self.remote.calls.run(call).await.map_err(|failure| {
            if failure.status == Some(404) {
                return Error::KeyDisabled(self.uri.clone());
            }
            failure.error
        })?;
        let (kek_version, bytes) = self.taken_apart(reply)?;
        // A version made since the last call is asked about once.
        let shape = self.shape(&kek_version).await?;
        if !shape.can_have_made(&bytes) {
            return Err(self
                .remote
                .calls
                .unexpected("its wrap has not the length of its key"));
        }
        Ok(Wrapped {
            kek_uri: self.uri.clone(),
            kek_version,
            bytes: bytes.to_vec(),
        })
    }
}

#[async_trait]
impl UnwrapKey for AzureKek {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        self.must_serve(ctx)?;
        let shape = self.wrapping_shape(wrapped).await?;
        let call = async {
            let parameters = KeyOperationParameters {
                algorithm: Some(shape.algorithm()),
                value: Some(wrapped.bytes.clone()),
                ..KeyOperationParameters::default()
            };
            let version = &wrapped.kek_version;
            let reply = self
                .remote
                .client
                .unwrap_key(&self.remote.key_name, version, parameters.try_into()?, None)
                .await?;
            reply.into_model()
        };
        let reply = match self.remote.calls.run(call).await {
            Ok(reply) => reply,
            // The vault says no more than that to bytes that do not unwrap.
            Err(failure) if failure.status == Some(400) => {
                return Err(Error::corrupt(&*self.uri, "it does not unwrap"));
            }
            Err(failure) => return Err(self.with_version(failure).await),
        };
        let (version, bound) = self.taken_apart(reply)?;
        if version != wrapped.kek_version {
            return Err(self.remote.calls.unexpected("it used another version"));
        }
        bound::unbind(ctx, &bound, shape.filler_len())?
            .map_err(|why| Error::corrupt(&*self.uri, why))
    }
}

#[async_trait]
impl RewrapKey for AzureKek {
    fn kek_uri(&self) -> &str {
        &self.uri
    }

    /// Key Vault has no call that does both.
    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        let dek = self.unwrap(ctx, wrapped).await?;
        self.wrap(ctx, &dek).await
    }
}
