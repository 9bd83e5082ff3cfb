//! Sealing: a fresh data key per record.

use halfkey_core::SecretBytes;

use super::Vault;
use crate::entropy::random_bytes;
use crate::envelope::{self, Derived, Header, Suite, TAG_LEN};
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
        let drawn = random_bytes::<76>()?;
        let (dek, salt, nonce) = split(&drawn).ok_or_else(|| Error::permanent("no randomness"))?;
        let wrapped = wrap.wrap(ctx, &dek).await?;
        let (header, derived) = header(&dek, Suite::WRITTEN, salt, nonce)?;
        let record = seal_record(&header, &derived, &[wrapped], ctx, plaintext.expose())?;
        Ok((record, dek))
    }
}

/// One draw of the generator, taken apart: its price is by the call, not by the byte.
fn split(drawn: &[u8; 76]) -> Option<(Dek, [u8; 32], [u8; 12])> {
    let (dek, rest) = drawn.split_first_chunk::<32>()?;
    let (salt, nonce) = rest.split_first_chunk::<32>()?;
    Some((Dek::from_slice(dek)?, *salt, nonce.try_into().ok()?))
}

/// A record, from everything that is otherwise drawn at random or wrapped elsewhere.
pub(crate) fn seal_record(
    header: &Header,
    derived: &Derived,
    wraps: &[Wrapped],
    ctx: &BindCtx,
    plaintext: &[u8],
) -> Result<SealedRecord, Error> {
    let body_len = plaintext.len().saturating_add(TAG_LEN);
    SealedRecord::seal(header, wraps, body_len, |before| {
        envelope::seal_body(before, derived, header, ctx, plaintext)
    })
}

/// The header of a record, and what its body is sealed with.
pub(crate) fn header(
    dek: &Dek,
    suite: Suite,
    salt: [u8; 32],
    nonce: [u8; 12],
) -> Result<(Header, Derived), Error> {
    let derived = envelope::derive(dek, suite, &salt)?;
    let header = Header {
        suite,
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
    let (header, derived) = header(dek, Suite::WRITTEN, salt, nonce)?;
    let body = envelope::seal_body(Vec::new(), &derived, &header, ctx, plaintext)?;
    Ok((header, body))
}
