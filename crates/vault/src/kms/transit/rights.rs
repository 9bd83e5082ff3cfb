//! Wrap, unwrap, rewrap: one call of the engine each.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::TransitKek;
use super::key::parse_version;
use super::wrapped::{self, LEN};
use crate::net::openbao::{Reply, Request, json_body, unexpected};
use crate::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey, Wrapped};

/// Longer than any request here, so that its buffer never grows.
const MAX_REQUEST_LEN: usize = 512;

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    context: &'a str,
}

#[derive(Serialize)]
struct WithCiphertext<'a> {
    ciphertext: &'a str,
    context: &'a str,
}

#[derive(Deserialize)]
struct Ciphertext<'a> {
    ciphertext: &'a str,
}

#[derive(Deserialize)]
struct Plaintext<'a> {
    plaintext: &'a str,
}

impl TransitKek {
    async fn wrap_by_server(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        let plaintext = Zeroizing::new(STANDARD.encode(dek.expose()));
        let encrypt = Encrypt {
            plaintext: &plaintext,
            context: &STANDARD.encode(ctx.digest()?),
        };
        let body = json_body(&encrypt, MAX_REQUEST_LEN)?;
        let path = format!("{}/encrypt/{}", self.mount, self.key);
        let reply = self.client.call(&Request::post(path, body)).await?;
        if !reply.is_success() {
            return Err(self.refused(&reply, "to wrap with"));
        }
        self.wrapped(&reply)
    }

    async fn unwrap_by_server(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        let reply = self.call_with_wrapped("decrypt", ctx, wrapped).await?;
        let Plaintext { plaintext } = reply.data("a wrapped key")?;
        let mut bytes = Zeroizing::new([0; 48]);
        let len = STANDARD
            .decode_slice(plaintext, &mut *bytes)
            .map_err(|_| self.does_not_belong())?;
        bytes
            .get(..len)
            .and_then(Dek::from_slice)
            .ok_or_else(|| self.does_not_belong())
    }

    /// Calls `decrypt` or `rewrap`. What cannot be a wrapped key of ours is not sent at all: the
    /// engine would take a `v0` for a `v1`.
    async fn call_with_wrapped(
        &self,
        operation: &str,
        ctx: &BindCtx,
        wrapped: &Wrapped,
    ) -> Result<Reply, Error> {
        if wrapped.kek_uri != self.uri {
            return Err(Error::corrupt(&*self.uri, "it is wrapped by another KEK"));
        }
        let version = parse_version(&wrapped.kek_version)
            .filter(|_| wrapped.bytes.len() == LEN)
            .ok_or_else(|| self.does_not_belong())?;
        let with_ciphertext = WithCiphertext {
            ciphertext: &wrapped::to_text(version, &wrapped.bytes),
            context: &STANDARD.encode(ctx.digest()?),
        };
        let body = json_body(&with_ciphertext, MAX_REQUEST_LEN)?;
        let path = format!("{}/{operation}/{}", self.mount, self.key);
        let reply = self.client.call(&Request::post(path, body)).await?;
        if !reply.is_success() {
            return Err(self.refused(&reply, &wrapped.kek_version));
        }
        Ok(reply)
    }

    /// The wrapped key in a reply.
    fn wrapped(&self, reply: &Reply) -> Result<Wrapped, Error> {
        let Ciphertext { ciphertext } = reply.data("a wrapped key")?;
        let (version, bytes) =
            wrapped::parse(ciphertext).ok_or_else(|| unexpected("a wrapped key"))?;
        Ok(Wrapped {
            kek_uri: self.uri.clone(),
            kek_version: version.to_string(),
            bytes,
        })
    }
}

#[async_trait]
impl WrapKey for TransitKek {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        self.check_environment(ctx)?;
        self.client.within(self.wrap_by_server(ctx, dek)).await
    }
}

#[async_trait]
impl UnwrapKey for TransitKek {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        self.check_environment(ctx)?;
        self.client
            .within(self.unwrap_by_server(ctx, wrapped))
            .await
    }
}

#[async_trait]
impl RewrapKey for TransitKek {
    fn needs_unwrap_right(&self) -> bool {
        false
    }

    fn kek_uri(&self) -> &str {
        &self.uri
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        self.check_environment(ctx)?;
        let call = self.call_with_wrapped("rewrap", ctx, wrapped);
        let reply = self.client.within(call).await?;
        self.wrapped(&reply)
    }
}
