//! Wrapping, unwrapping and rewrapping.

use async_trait::async_trait;

use super::messages::{Decrypt, Decrypted, Encrypt, Encrypted};
use super::{GcpKek, PEER, name, tag};
use crate::net::gcp::{Crc32c, Refusal, encode};
use crate::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey, Wrapped};

impl GcpKek {
    fn refused(&self, why: &'static str) -> Error {
        Error::corrupt(&*self.uri, why)
    }

    /// The one meaning of a key version's state and of everything else that is not about the wrap.
    fn failure(&self, refusal: Refusal, what: &str) -> Error {
        match refusal {
            Refusal::Precondition => Error::KeyDisabled(self.uri.clone()),
            other => other.into_error(PEER, what),
        }
    }

    async fn decrypt(&self, ciphertext: &[u8], aad: &[u8; 32]) -> Result<Dek, Error> {
        let request = Decrypt {
            ciphertext: &encode(ciphertext),
            ciphertext_crc32c: Crc32c::of(ciphertext),
            additional_authenticated_data: &encode(aad),
            additional_authenticated_data_crc32c: Crc32c::of(aad),
        };
        let path = format!("{}:decrypt", self.key);
        let reply: Decrypted = match self.client.post(&path, &[], &request).await {
            Err(Refusal::Invalid) => {
                return Err(
                    self.refused("its wrapped key is damaged or belongs to another context")
                );
            }
            other => other.map_err(|refusal| self.failure(refusal, "decrypting"))?,
        };
        if !reply.plaintext.matches(reply.plaintext_crc32c) {
            return Err(Refusal::changed_on_the_way(PEER).into_error(PEER, "decrypting"));
        }
        Dek::from_slice(reply.plaintext.bytes())
            .ok_or_else(|| self.refused("what is wrapped is no data key"))
    }
}

#[async_trait]
impl WrapKey for GcpKek {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        self.check_environment(ctx)?;
        let aad = ctx.digest()?;
        let request = Encrypt {
            plaintext: &encode(dek.expose()),
            plaintext_crc32c: Crc32c::of(dek.expose()),
            additional_authenticated_data: &encode(&aad),
            additional_authenticated_data_crc32c: Crc32c::of(&aad),
        };
        let path = format!("{}:encrypt", self.key);
        let reply: Encrypted = self
            .client
            .post(&path, &[], &request)
            .await
            .map_err(|refusal| self.failure(refusal, "encrypting"))?;
        let arrived = reply.verified_plaintext_crc32c
            && reply.verified_additional_authenticated_data_crc32c
            && reply.ciphertext.matches(reply.ciphertext_crc32c);
        if !arrived {
            return Err(Refusal::changed_on_the_way(PEER).into_error(PEER, "encrypting"));
        }
        let version =
            name::version_in(&self.key, &reply.name).ok_or_else(|| self.client.misunderstood())?;
        let ciphertext = reply.ciphertext.bytes();
        let mut bytes = tag::make(dek, &self.uri, version, ciphertext)?.to_vec();
        bytes.extend_from_slice(ciphertext);
        Ok(Wrapped {
            kek_uri: self.uri.clone(),
            kek_version: version.to_owned(),
            bytes,
        })
    }
}

#[async_trait]
impl UnwrapKey for GcpKek {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        self.check_environment(ctx)?;
        if wrapped.kek_uri != self.uri {
            return Err(self.refused("it is wrapped by another KEK"));
        }
        if !name::is_version(&wrapped.kek_version) {
            return Err(self.refused("it is wrapped by an unknown KEK version"));
        }
        let (sum, ciphertext) = wrapped
            .bytes
            .split_first_chunk::<{ tag::LEN }>()
            .filter(|(_, ciphertext)| !ciphertext.is_empty())
            .ok_or_else(|| self.refused("its wrapped key is cut"))?;
        let dek = self.decrypt(ciphertext, &ctx.digest()?).await?;
        if tag::fits(sum, &dek, &self.uri, &wrapped.kek_version, ciphertext)? {
            Ok(dek)
        } else {
            Err(self.refused("it is not the wrap that was given out, or names another version"))
        }
    }
}

/// Google has no call that encrypts anew what it does not give out, so this needs both rights.
#[async_trait]
impl RewrapKey for GcpKek {
    fn kek_uri(&self) -> &str {
        &self.uri
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        let dek = self.unwrap(ctx, wrapped).await?;
        self.wrap(ctx, &dek).await
    }
}
