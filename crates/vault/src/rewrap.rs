//! Moving a record to the newest KEK version: its body is not touched, its plaintext not seen.

mod transfer;

pub use self::transfer::transfer_record;

use crate::{BindCtx, Error, RewrapKey, SealedRecord};

/// Rewraps every wrapped key of `record` that is of the KEK of `rewrap`. The body and the wraps of
/// other KEKs, such as a break-glass one, stay as they are.
///
/// # Errors
/// [`Error::Corrupt`] when no wrapped key is of this KEK or one that is does not fit `ctx`, and the
/// provider's.
pub async fn rewrap_record(
    record: &SealedRecord,
    ctx: &BindCtx,
    rewrap: &dyn RewrapKey,
) -> Result<SealedRecord, Error> {
    let uri = rewrap.kek_uri();
    let mut wraps = record.wraps();
    let mut moved = false;
    for wrapped in wraps.iter_mut().filter(|wrapped| wrapped.kek_uri == uri) {
        *wrapped = rewrap.rewrap(ctx, wrapped).await?;
        moved = true;
    }
    if !moved {
        return Err(Error::corrupt(
            ctx.to_string(),
            "none of its keys is wrapped by this KEK",
        ));
    }
    record
        .with_wraps(&wraps)
        .map_err(|why| Error::permanent(format!("the KEK provider's answer: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::ctx;
    use crate::kms::memory::MemoryKek;
    use crate::vault::seal::seal_with;
    use crate::{Dek, UnwrapKey as _, WrapKey as _};

    /// Our wrap and a break-glass one, in either order.
    #[tokio::test]
    async fn a_wrap_of_another_kek_is_kept() {
        let (ours, glass) = (MemoryKek::new("a").unwrap(), MemoryKek::new("b").unwrap());
        let dek = Dek::generate().unwrap();
        let own = ours.wrap(&ctx(), &dek).await.unwrap();
        let foreign = glass.wrap(&ctx(), &dek).await.unwrap();
        ours.add_version().unwrap();
        let (header, body) = seal_with(&dek, [1; 32], [2; 12], &ctx(), b"plain").unwrap();
        for own_at in [0, 1] {
            let mut wraps = vec![foreign.clone()];
            wraps.insert(own_at, own.clone());
            let record = SealedRecord::assemble(&header, &wraps, &body).unwrap();
            let moved = rewrap_record(&record, &ctx(), &ours).await.unwrap();
            let moved = moved.wraps();
            assert_eq!(moved.len(), 2);
            assert_eq!(moved[1 - own_at], foreign);
            assert_eq!(moved[own_at].kek_version, "2");
            assert!(ours.unwrap(&ctx(), &moved[own_at]).await.unwrap() == dek);
        }
    }

    #[tokio::test]
    async fn a_record_without_a_wrap_of_the_kek_is_refused() {
        let (ours, glass) = (MemoryKek::new("a").unwrap(), MemoryKek::new("b").unwrap());
        let dek = Dek::generate().unwrap();
        let foreign = glass.wrap(&ctx(), &dek).await.unwrap();
        let (header, body) = seal_with(&dek, [1; 32], [2; 12], &ctx(), b"plain").unwrap();
        let record = SealedRecord::assemble(&header, &[foreign], &body).unwrap();
        match rewrap_record(&record, &ctx(), &ours).await {
            Err(Error::Corrupt { why, .. }) => assert!(why.contains("this KEK"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
