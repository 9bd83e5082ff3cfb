//! Moving a record's data key from one KEK to another: its body is not touched, its plaintext not
//! seen.

use crate::envelope;
use crate::{BindCtx, Error, SealedRecord, UnwrapKey, WrapKey};

/// The same record with its data key wrapped by `to` alone. Before it is given back, the new wrap
/// is unwrapped by `check` and held against the record's commitment: a provider that answers with
/// garbage loses nothing.
///
/// # Errors
/// [`Error::Corrupt`] when no wrapped key is the record's, [`Error::ReadBack`] when the new wrap
/// does not hold the key it was given, and the providers'.
pub async fn transfer_record(
    record: &SealedRecord,
    ctx: &BindCtx,
    from: &dyn UnwrapKey,
    to: &dyn WrapKey,
    check: &dyn UnwrapKey,
) -> Result<SealedRecord, Error> {
    let parts = record.parts();
    let mut failure = None;
    for wrapped in &parts.wraps {
        let dek = match from.unwrap(ctx, wrapped).await {
            Ok(dek) if envelope::is_committed(&dek, &parts.header)? => dek,
            Ok(_) => continue,
            Err(error) => {
                failure = Some(error);
                continue;
            }
        };
        let moved = to.wrap(ctx, &dek).await?;
        if check.unwrap(ctx, &moved).await? != dek {
            return Err(Error::ReadBack(ctx.to_string()));
        }
        return record
            .with_wraps(&[moved])
            .map_err(|why| Error::permanent(format!("the KEK provider's answer: {why}")));
    }
    Err(failure.unwrap_or_else(|| Error::corrupt(ctx.to_string(), "no wrapped key is its own")))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::conformance::sample::{ctx, neighbours};
    use crate::kms::memory::MemoryKek;
    use crate::vault::seal::seal_with;
    use crate::{Dek, Wrapped};

    async fn sealed(kek: &MemoryKek) -> (Dek, SealedRecord) {
        let dek = Dek::generate().unwrap();
        let wraps = [kek.wrap(&ctx(), &dek).await.unwrap()];
        let (header, body) = seal_with(&dek, [1; 32], [2; 12], &ctx(), b"plain").unwrap();
        (dek, SealedRecord::assemble(&header, &wraps, &body).unwrap())
    }

    #[tokio::test]
    async fn only_the_wrap_changes_hands() {
        let (old, new) = (MemoryKek::new("a").unwrap(), MemoryKek::new("b").unwrap());
        let (dek, record) = sealed(&old).await;
        let moved = transfer_record(&record, &ctx(), &old, &new, &new)
            .await
            .unwrap();
        assert!(moved.is_same_but_for_wraps(&record));
        let wraps = moved.wraps();
        assert_eq!(wraps.len(), 1);
        assert_eq!(wraps[0].kek_uri, "memory:b");
        assert!(new.unwrap(&ctx(), &wraps[0]).await.unwrap() == dek);
        for other in neighbours(&ctx()) {
            let refused = transfer_record(&record, &other, &old, &new, &new).await;
            assert!(matches!(refused, Err(Error::Corrupt { .. })), "{other:?}");
        }
    }

    /// Wraps another key than the one it is given.
    struct Garbling(MemoryKek);

    #[async_trait]
    impl WrapKey for Garbling {
        async fn wrap(&self, ctx: &BindCtx, _: &Dek) -> Result<Wrapped, Error> {
            self.0.wrap(ctx, &Dek::generate()?).await
        }
    }

    #[tokio::test]
    async fn a_wrap_of_another_key_is_not_taken() {
        let old = MemoryKek::new("a").unwrap();
        let (_, record) = sealed(&old).await;
        let new = Garbling(MemoryKek::new("b").unwrap());
        let refused = transfer_record(&record, &ctx(), &old, &new, &new.0).await;
        assert!(matches!(refused, Err(Error::ReadBack(_))), "{refused:?}");
    }
}
