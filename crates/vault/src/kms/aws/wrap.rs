//! Wrapping, unwrapping, rewrapping.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_kms::primitives::Blob;
use zeroize::Zeroizing;

use super::AwsKek;
use super::arn::{Account, KeyId};
use crate::net::aws::{ENVIRONMENT_TAG, error, must_have, quiet};
use crate::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey, Wrapped};

/// The name of the context digest in the encryption context.
const CONTEXT: &str = "halfkey:ctx";

/// The longest ciphertext KMS takes.
const MAX_CIPHERTEXT_LEN: usize = 6144;

/// What KMS binds a wrap to: the digest of everything, and the environment where policies see it.
fn context(ctx: &BindCtx) -> Result<HashMap<String, String>, Error> {
    Ok(HashMap::from([
        (CONTEXT.to_owned(), hex::encode(ctx.digest()?)),
        (ENVIRONMENT_TAG.to_owned(), ctx.environment.to_string()),
    ]))
}

impl AwsKek {
    /// What KMS gave out, under the key it says it used.
    async fn wrapped(
        &self,
        key_arn: Option<String>,
        bytes: Option<Blob>,
    ) -> Result<Wrapped, Error> {
        let arn = must_have(&self.uri, key_arn)?;
        let bytes = must_have(&self.uri, bytes)?.into_inner();
        let key = self
            .own_key(&arn)
            .ok_or_else(|| Error::permanent(format!("{}: another key wrapped", self.uri)))?;
        // The alias may have been moved since the last call.
        self.must_be_marked(&key).await?;
        Ok(Wrapped {
            kek_uri: self.uri.clone(),
            kek_version: key.to_string(),
            bytes,
        })
    }

    /// A key of this account that this KEK can stand for.
    fn own_key(&self, arn: &str) -> Option<KeyId> {
        let (account, id) = Account::split(arn)?;
        (account == self.account && self.can_be(&id)).then_some(id)
    }

    fn can_be(&self, id: &KeyId) -> bool {
        self.only.as_ref().is_none_or(|only| only == id)
    }

    /// The key that `wrapped` says it was wrapped by, and that may have done so.
    async fn wrapping_key(&self, wrapped: &Wrapped) -> Result<String, Error> {
        if wrapped.kek_uri != self.uri {
            return Err(Error::corrupt(&*self.uri, "it is wrapped by another KEK"));
        }
        if wrapped.bytes.is_empty() || wrapped.bytes.len() > MAX_CIPHERTEXT_LEN {
            return Err(Error::corrupt(
                &*self.uri,
                "no KMS ciphertext has that length",
            ));
        }
        let id = KeyId::parse(&wrapped.kek_version)
            .filter(|id| self.can_be(id))
            .ok_or_else(|| self.unknown_version())?;
        self.must_be_marked(&id)
            .await
            .map_err(|error| self.or_unknown(error))?;
        Ok(self.account.key_arn(&id))
    }

    fn unknown_version(&self) -> Error {
        Error::corrupt(&*self.uri, "it is wrapped by an unknown KEK version")
    }

    /// A key that is not there never wrapped anything; that of an alias may be gone for good.
    fn or_unknown(&self, error: Error) -> Error {
        match error {
            Error::NotFound(_) if self.only.is_none() => self.unknown_version(),
            other => other,
        }
    }

    /// KMS says which key it used: it must be the one it was told to use.
    fn must_be_used(&self, asked: &str, used: Option<String>) -> Result<(), Error> {
        if must_have(&self.uri, used)? == asked {
            return Ok(());
        }
        Err(Error::corrupt(&*self.uri, "another key unwrapped it"))
    }
}

#[async_trait]
impl WrapKey for AwsKek {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        self.must_serve(ctx)?;
        let call = self
            .client
            .encrypt()
            .key_id(&self.target)
            .plaintext(Blob::new(*dek.expose()))
            .set_encryption_context(Some(context(ctx)?));
        let reply = quiet(call.send())
            .await
            .map_err(|failure| error(&self.uri, &failure))?;
        self.wrapped(reply.key_id, reply.ciphertext_blob).await
    }
}

#[async_trait]
impl UnwrapKey for AwsKek {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        self.must_serve(ctx)?;
        let key = self.wrapping_key(wrapped).await?;
        let call = self
            .client
            .decrypt()
            .key_id(&key)
            .ciphertext_blob(Blob::new(&*wrapped.bytes))
            .set_encryption_context(Some(context(ctx)?));
        let reply = quiet(call.send())
            .await
            .map_err(|failure| self.or_unknown(error(&self.uri, &failure)))?;
        let plaintext = reply
            .plaintext
            .map(|blob| Zeroizing::new(blob.into_inner()));
        let plaintext = must_have(&self.uri, plaintext)?;
        self.must_be_used(&key, reply.key_id)?;
        Dek::from_slice(&plaintext)
            .ok_or_else(|| Error::corrupt(&*self.uri, "what is wrapped is no data key"))
    }
}

#[async_trait]
impl RewrapKey for AwsKek {
    fn needs_unwrap_right(&self) -> bool {
        false
    }

    fn kek_uri(&self) -> &str {
        &self.uri
    }

    /// `ReEncrypt`: the data key is never outside KMS.
    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        self.must_serve(ctx)?;
        let key = self.wrapping_key(wrapped).await?;
        let context = context(ctx)?;
        let call = self
            .client
            .re_encrypt()
            .source_key_id(&key)
            .destination_key_id(&self.target)
            .ciphertext_blob(Blob::new(&*wrapped.bytes))
            .set_source_encryption_context(Some(context.clone()))
            .set_destination_encryption_context(Some(context));
        let reply = quiet(call.send())
            .await
            .map_err(|failure| self.or_unknown(error(&self.uri, &failure)))?;
        self.must_be_used(&key, reply.source_key_id)?;
        self.wrapped(reply.key_id, reply.ciphertext_blob).await
    }
}
