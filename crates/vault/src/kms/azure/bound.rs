//! The data key together with what it is bound to.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::entropy::random_bytes;
use crate::{BindCtx, Dek, Error};

/// Random bytes behind the bound key where the algorithm is deterministic.
pub(super) const FILLER_LEN: usize = 16;

/// RFC 3394 adds 8 bytes.
pub(super) const SYMMETRIC_WRAP_LEN: usize = BOUND_LEN + FILLER_LEN + 8;

const DEK_LEN: usize = 32;
const BOUND_LEN: usize = DEK_LEN + 32;

/// Data key, context digest, filler.
///
/// # Errors
/// As [`BindCtx::digest`], and when the random generator fails.
pub(super) fn bind(
    ctx: &BindCtx,
    dek: &Dek,
    filler_len: usize,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let filler = random_bytes::<FILLER_LEN>()?;
    // The final length at once: a growing buffer would leave copies behind.
    let mut bound = Zeroizing::new(Vec::with_capacity(BOUND_LEN + FILLER_LEN));
    bound.extend_from_slice(dek.expose());
    bound.extend_from_slice(&ctx.digest()?);
    bound.extend(filler.iter().take(filler_len));
    Ok(bound)
}

/// The data key, if it was bound to `ctx`; otherwise why not. The digest is compared in constant
/// time.
///
/// # Errors
/// As [`BindCtx::digest`].
pub(super) fn unbind(
    ctx: &BindCtx,
    bound: &[u8],
    filler_len: usize,
) -> Result<Result<Dek, &'static str>, Error> {
    let expected = ctx.digest()?;
    let parts = bound
        .split_at_checked(DEK_LEN)
        .and_then(|(dek, rest)| Some((Dek::from_slice(dek)?, rest.split_at_checked(32)?)));
    let Some((dek, (digest, filler))) = parts else {
        return Ok(Err("what is wrapped is no bound data key"));
    };
    if filler.len() != filler_len {
        return Ok(Err("what is wrapped is no bound data key"));
    }
    if bool::from(digest.ct_eq(&expected)) {
        Ok(Ok(dek))
    } else {
        Ok(Err("it is wrapped for another context"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::{ctx, neighbours};

    #[test]
    fn unbind_rejects_other_contexts_and_lengths() {
        let dek = Dek::generate().unwrap();
        for filler in [0, FILLER_LEN] {
            let bound = bind(&ctx(), &dek, filler).unwrap();
            assert_eq!(bound.len(), 64 + filler);
            assert!(unbind(&ctx(), &bound, filler).unwrap() == Ok(dek.clone()));
            for other in neighbours(&ctx()) {
                assert!(unbind(&other, &bound, filler).unwrap().is_err());
            }
            for len in 0..bound.len() {
                assert!(unbind(&ctx(), &bound[..len], filler).unwrap().is_err());
            }
            let longer = [&bound[..], &[0]].concat();
            assert!(unbind(&ctx(), &longer, filler).unwrap().is_err());
        }
    }
}
