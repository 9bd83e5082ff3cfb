//! Sealing: a fresh data key per record.

use halfkey_core::SecretBytes;

use super::Vault;
use crate::entropy::random_bytes;
use crate::envelope::{self, Header};
use crate::record::MAX_PLAINTEXT_LEN;
use crate::{Access, BindCtx, Dek, Error, SealedRecord};

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
        let (header, body) = seal_with(&dek, salt, nonce, ctx, plaintext.expose())?;
        let wrapped = wrap.wrap(ctx, &dek).await?;
        let record = SealedRecord::assemble(&header, &[wrapped], &body)
            .map_err(|why| Error::permanent(format!("the KEK provider's answer: {why}")))?;
        Ok((record, dek))
    }
}

/// Header and body of a record, from everything that is otherwise drawn at random.
pub(crate) fn seal_with(
    dek: &Dek,
    salt: [u8; 32],
    nonce: [u8; 12],
    ctx: &BindCtx,
    plaintext: &[u8],
) -> Result<(Header, Vec<u8>), Error> {
    let derived = envelope::derive(dek, &salt)?;
    let header = Header {
        salt,
        commitment: derived.commitment,
        nonce,
    };
    let body = envelope::seal_body(&derived, &header, ctx, plaintext)?;
    Ok((header, body))
}
