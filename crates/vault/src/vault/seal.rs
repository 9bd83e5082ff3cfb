//! Sealing: a fresh data key per record.

use halfkey_core::SecretBytes;

use super::Vault;
use crate::entropy::random_bytes;
use crate::envelope::{self, Derived, Header, TAG_LEN};
use crate::record::MAX_PLAINTEXT_LEN;
use crate::{Access, BindCtx, Dek, Error, SealedRecord, Wrapped};

impl Vault {
    /// Seals without storing: a fresh data key, bound to `ctx`. Needs the right to wrap.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::TooLarge`], [`Error::AuditUnavailable`], or the KEK
    /// provider's.
    #[tracing::instrument(level = "debug", skip_all, fields(record = %ctx))]
    pub async fn seal(
        &self,
        ctx: &BindCtx,
        plaintext: &SecretBytes,
        access: &Access,
    ) -> Result<SealedRecord, Error> {
        let trail = self.trail("seal", ctx.to_string(), Some(ctx), access);
        let sealed = self.seal_fresh(ctx, plaintext).await;
        trail.conclude(sealed.map(|(record, _dek)| record)).await
    }

    /// Seals under a fresh data key, and hands that key out for the read-back.
    pub(super) async fn seal_fresh(
        &self,
        ctx: &BindCtx,
        plaintext: &SecretBytes,
    ) -> Result<(SealedRecord, Dek), Error> {
        let wrap = self.wrap_right()?;
        if plaintext.len() > MAX_PLAINTEXT_LEN {
            return Err(Error::TooLarge {
                what: "plaintext",
                len: plaintext.len(),
                limit: MAX_PLAINTEXT_LEN,
            });
        }
        let dek = Dek::generate()?;
        let (salt, nonce) = (*random_bytes::<32>()?, *random_bytes::<12>()?);
        let wrapped = wrap.wrap(ctx, &dek).await?;
        let record = seal_record(&dek, salt, nonce, &[wrapped], ctx, plaintext.expose())?;
        Ok((record, dek))
    }
}

/// A record, from everything that is otherwise drawn at random or wrapped elsewhere.
pub(crate) fn seal_record(
    dek: &Dek,
    salt: [u8; 32],
    nonce: [u8; 12],
    wraps: &[Wrapped],
    ctx: &BindCtx,
    plaintext: &[u8],
) -> Result<SealedRecord, Error> {
    let (header, derived) = header(dek, salt, nonce)?;
    let body_len = plaintext.len().saturating_add(TAG_LEN);
    SealedRecord::seal(&header, wraps, body_len, |before| {
        envelope::seal_body(before, &derived, &header, ctx, plaintext)
    })
}

fn header(dek: &Dek, salt: [u8; 32], nonce: [u8; 12]) -> Result<(Header, Derived), Error> {
    let derived = envelope::derive(dek, &salt)?;
    let header = Header {
        salt,
        commitment: derived.commitment,
        nonce,
    };
    Ok((header, derived))
}

/// Header and body by themselves, for records put together otherwise.
#[cfg(test)]
pub(crate) fn seal_with(
    dek: &Dek,
    salt: [u8; 32],
    nonce: [u8; 12],
    ctx: &BindCtx,
    plaintext: &[u8],
) -> Result<(Header, Vec<u8>), Error> {
    let (header, derived) = header(dek, salt, nonce)?;
    let body = envelope::seal_body(Vec::new(), &derived, &header, ctx, plaintext)?;
    Ok((header, body))
}
