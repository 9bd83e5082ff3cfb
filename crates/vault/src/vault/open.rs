//! Opening: by a real unwrap, past every cache (custody rule 7), unless the caller asks for a warm
//! open and this process keeps a data key cache.

use halfkey_core::SecretBytes;

use super::Vault;
use crate::envelope::{self, OpenError};
use crate::record::Parts;
use crate::{Access, BindCtx, Dek, DekCache, Error, RecordName, SealedRecord, Versioned};

impl Vault {
    /// Opens by a real unwrap. The audit event is durable before the plaintext is returned.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the record is damaged or was sealed for another context,
    /// [`Error::Forbidden`], [`Error::AuditUnavailable`], or the KEK provider's, such as
    /// [`Error::UnknownTerm`].
    #[tracing::instrument(level = "debug", skip_all, fields(record = %ctx))]
    pub async fn open(
        &self,
        ctx: &BindCtx,
        record: &SealedRecord,
        access: &Access,
    ) -> Result<SecretBytes, Error> {
        let name = ctx.to_string();
        let opened = self.open_by_unwrap(&name, ctx, record).await;
        self.trail("open", name, Some(ctx), access)
            .conclude(opened)
            .await
    }

    /// Reads past every cache and opens by a real unwrap.
    ///
    /// # Errors
    /// [`Error::NotFound`], and as [`Self::open`].
    #[tracing::instrument(level = "debug", skip_all, fields(record = %name))]
    pub async fn load(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        access: &Access,
    ) -> Result<Versioned<SecretBytes>, Error> {
        let loaded = self.fetch_and_open(name, ctx, None).await;
        self.trail("load", name.to_string(), Some(ctx), access)
            .conclude(loaded)
            .await
    }

    /// As [`Self::load`], but a data key unwrapped a short while ago serves again, where this
    /// process has a [`DekCache`]. The record itself is always read; the audit event is always
    /// written. Not for proofs.
    ///
    /// # Errors
    /// As [`Self::load`].
    #[tracing::instrument(level = "debug", skip_all, fields(record = %name))]
    pub async fn load_warm(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        access: &Access,
    ) -> Result<Versioned<SecretBytes>, Error> {
        let cache = self.dek_cache.as_deref();
        let heeded = match cache {
            Some(cache) => self.heed_epoch(cache).await,
            None => Ok(()),
        };
        let loaded = match heeded {
            Ok(()) => self.fetch_and_open(name, ctx, cache).await,
            Err(error) => Err(error),
        };
        self.trail("load", name.to_string(), Some(ctx), access)
            .conclude(loaded)
            .await
    }

    /// As [`Self::open`], but a data key unwrapped a short while ago serves again, where this
    /// process has a [`DekCache`]. The audit event is always written. Not for proofs.
    ///
    /// # Errors
    /// As [`Self::open`].
    #[tracing::instrument(level = "debug", skip_all, fields(record = %ctx))]
    pub async fn open_warm(
        &self,
        ctx: &BindCtx,
        record: &SealedRecord,
        access: &Access,
    ) -> Result<SecretBytes, Error> {
        let name = ctx.to_string();
        let opened = match self.dek_cache.as_deref() {
            Some(cache) => self.open_with_cache(&name, ctx, record, cache).await,
            None => self.open_by_unwrap(&name, ctx, record).await,
        };
        self.trail("open", name, Some(ctx), access)
            .conclude(opened)
            .await
    }

    async fn fetch_and_open(
        &self,
        name: &RecordName,
        ctx: &BindCtx,
        cache: Option<&DekCache>,
    ) -> Result<Versioned<SecretBytes>, Error> {
        self.unwrap_right()?;
        let stored = self.get_right()?.get(name).await?;
        let stored = stored.ok_or_else(|| Error::NotFound(name.to_string()))?;
        let record = SealedRecord::from_bytes(&stored.value)
            .map_err(|why| Error::corrupt(name.as_str(), why))?;
        let value = match cache {
            Some(cache) => {
                self.open_with_cache(name.as_str(), ctx, &record, cache)
                    .await?
            }
            None => self.open_by_unwrap(name.as_str(), ctx, &record).await?,
        };
        Ok(Versioned {
            value,
            rev: stored.rev,
        })
    }

    /// A cached key that does not open the record is worth nothing: then the KMS decides.
    async fn open_with_cache(
        &self,
        name: &str,
        ctx: &BindCtx,
        record: &SealedRecord,
        cache: &DekCache,
    ) -> Result<SecretBytes, Error> {
        let parts = record.parts();
        for wrapped in &parts.wraps {
            if let Some(dek) = cache.find(ctx, wrapped)?
                && let Ok(plaintext) = open_parts(name, ctx, &parts, &dek)
            {
                return Ok(plaintext);
            }
        }
        self.open_and_keep(name, ctx, record, Some(cache)).await
    }

    async fn open_by_unwrap(
        &self,
        name: &str,
        ctx: &BindCtx,
        record: &SealedRecord,
    ) -> Result<SecretBytes, Error> {
        self.open_and_keep(name, ctx, record, None).await
    }

    /// Tries each wrapped key in order; the first that unwraps to the committed key decides.
    async fn open_and_keep(
        &self,
        name: &str,
        ctx: &BindCtx,
        record: &SealedRecord,
        cache: Option<&DekCache>,
    ) -> Result<SecretBytes, Error> {
        let unwrap = self.unwrap_right()?;
        let mut failure = None;
        let parts = record.parts();
        for wrapped in &parts.wraps {
            let began = cache.map(DekCache::epoch);
            let opened = match unwrap.unwrap(ctx, wrapped).await {
                Ok(dek) => match open_parts(name, ctx, &parts, &dek) {
                    Ok(plaintext) => {
                        if let (Some(cache), Some(began)) = (cache, began) {
                            cache.insert(began, ctx, wrapped, &dek)?;
                        }
                        Ok(plaintext)
                    }
                    Err(error) => Err(error),
                },
                // A provider knows the wrap, not the record's name.
                Err(Error::Corrupt { why, .. }) => Err(Error::corrupt(name, why)),
                Err(error) => Err(error),
            };
            match opened {
                Ok(plaintext) => return Ok(plaintext),
                Err(error) => failure = Some(worse(failure, error)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::corrupt(name, "it has no wrapped key")))
    }
}

/// Opens with a data key at hand.
pub(super) fn open_with_key(
    name: &str,
    ctx: &BindCtx,
    record: &SealedRecord,
    dek: &Dek,
) -> Result<SecretBytes, Error> {
    open_parts(name, ctx, &record.parts(), dek)
}

fn open_parts(
    name: &str,
    ctx: &BindCtx,
    parts: &Parts<'_>,
    dek: &Dek,
) -> Result<SecretBytes, Error> {
    envelope::open_body(dek, &parts.header, ctx, parts.body).map_err(|error| match error {
        OpenError::Rejected(why) => Error::corrupt(name, why),
        OpenError::Failed(error) => error,
    })
}

/// Of two failures, the one that says less about the record: an unreachable provider must not make
/// a sound record look damaged.
fn worse(earlier: Option<Error>, later: Error) -> Error {
    match (earlier, later) {
        (Some(earlier), Error::Corrupt { .. }) => earlier,
        (_, later) => later,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use async_trait::async_trait;
    use halfkey_core::{RequestId, SecretBytes, SystemClock};

    use super::*;
    use crate::audit::memory::MemoryAudit;
    use crate::conformance::sample::ctx;
    use crate::kms::memory::MemoryKek;
    use crate::store::memory::MemoryRecords;
    use crate::vault::seal::seal_with;
    use crate::{
        DekCacheLimits, Expect, Purpose, PutRecord as _, UnwrapKey, VaultParts, WrapKey, Wrapped,
    };

    fn access() -> Access {
        let request_id = RequestId::from_bytes([0; 16]);
        Access {
            actor: "t".to_owned(),
            purpose: Purpose::Sign,
            request_id,
        }
    }

    fn vault(unwrap: Arc<dyn UnwrapKey>) -> Vault {
        Vault::new(VaultParts {
            wrap: None,
            unwrap: Some(unwrap),
            put: None,
            get: None,
            list: None,
            destroy: None,
            audit: Arc::new(MemoryAudit::default()),
            clock: Arc::new(SystemClock),
        })
    }

    /// A record of `dek` with the wraps given.
    fn record(dek: &Dek, wraps: &[Wrapped]) -> SealedRecord {
        let (header, body) = seal_with(dek, [1; 32], [2; 12], &ctx(), b"plain").unwrap();
        SealedRecord::assemble(&header, wraps, &body).unwrap()
    }

    #[tokio::test]
    async fn any_of_several_wraps_opens() {
        let (ours, other) = (MemoryKek::new("a").unwrap(), MemoryKek::new("b").unwrap());
        let dek = Dek::generate().unwrap();
        let foreign = other.wrap(&ctx(), &dek).await.unwrap();
        let own = ours.wrap(&ctx(), &dek).await.unwrap();
        let vault = vault(Arc::new(ours));
        for wraps in [
            vec![own.clone()],
            vec![foreign.clone(), own.clone()],
            vec![own, foreign],
        ] {
            let opened = vault
                .open(&ctx(), &record(&dek, &wraps), &access())
                .await
                .unwrap();
            assert_eq!(opened, SecretBytes::new(b"plain".to_vec()));
        }
    }

    /// A wrap of another data key under the right KEK and context: the commitment refuses it.
    #[tokio::test]
    async fn open_rejects_a_wrap_of_another_data_key() {
        let kek = MemoryKek::new("a").unwrap();
        let (dek, other) = (Dek::generate().unwrap(), Dek::generate().unwrap());
        let wrong = kek.wrap(&ctx(), &other).await.unwrap();
        let opened = vault(Arc::new(kek))
            .open(&ctx(), &record(&dek, &[wrong]), &access())
            .await;
        match opened {
            Err(Error::Corrupt { why, .. }) => assert!(why.contains("data key"), "{why}"),
            other => panic!("{other:?}"),
        }
    }

    /// Counts what reaches the KMS.
    struct Counting {
        kek: MemoryKek,
        calls: AtomicU32,
        is_down: AtomicBool,
    }

    #[async_trait]
    impl UnwrapKey for Counting {
        async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            if self.is_down.load(Ordering::SeqCst) {
                return Err(Error::Timeout("kms".to_owned()));
            }
            self.kek.unwrap(ctx, wrapped).await
        }
    }

    /// One KMS call per cold open and none per warm one; a proof's load always calls, and an outage
    /// does not stop a wallet in use.
    #[tokio::test]
    async fn a_warm_load_asks_the_kms_once_and_a_real_one_each_time() {
        let kek = MemoryKek::new("a").unwrap();
        let dek = Dek::generate().unwrap();
        let wraps = [kek.wrap(&ctx(), &dek).await.unwrap()];
        let counting = Arc::new(Counting {
            kek,
            calls: AtomicU32::new(0),
            is_down: AtomicBool::new(false),
        });
        let records = Arc::new(MemoryRecords::default());
        let name = RecordName::new("a").unwrap();
        let bytes = record(&dek, &wraps);
        records
            .put(&name, bytes.as_bytes(), Expect::Absent)
            .await
            .unwrap();
        let unwrap: Arc<dyn UnwrapKey> = Arc::<Counting>::clone(&counting);
        let mut parts = vault(unwrap).parts().clone();
        parts.get = Some(records);
        let limits = DekCacheLimits {
            max_age_ms: 60_000,
            max_uses: 1000,
            max_entries: 10,
        };
        let cache = Arc::new(DekCache::new(limits, Arc::new(SystemClock)).unwrap());
        let vault = Vault::new(parts).with_dek_cache(cache);
        let calls = || counting.calls.load(Ordering::SeqCst);

        vault.load(&name, &ctx(), &access()).await.unwrap();
        assert_eq!(calls(), 1, "a real load keeps nothing");
        for _ in 0..5 {
            vault.load_warm(&name, &ctx(), &access()).await.unwrap();
        }
        assert_eq!(calls(), 2);
        counting.is_down.store(true, Ordering::SeqCst);
        vault.load_warm(&name, &ctx(), &access()).await.unwrap();
        let proof = vault.load(&name, &ctx(), &access()).await;
        assert!(matches!(proof, Err(Error::Timeout(_))), "{proof:?}");
        vault.clear_dek_cache();
        let cold = vault.load_warm(&name, &ctx(), &access()).await;
        assert!(matches!(cold, Err(Error::Timeout(_))), "{cold:?}");
    }

    /// A KMS that cannot be reached.
    struct Down;

    #[async_trait]
    impl UnwrapKey for Down {
        async fn unwrap(&self, _ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
            if wrapped.kek_uri == "memory:down" {
                return Err(Error::Backend {
                    message: "down".to_owned(),
                    temporary: true,
                });
            }
            Err(Error::corrupt("x", "another KEK"))
        }
    }

    #[tokio::test]
    async fn a_kms_that_is_down_does_not_make_the_record_look_damaged() {
        let kek = MemoryKek::new("down").unwrap();
        let dek = Dek::generate().unwrap();
        let unreachable = kek.wrap(&ctx(), &dek).await.unwrap();
        let foreign = MemoryKek::new("b")
            .unwrap()
            .wrap(&ctx(), &dek)
            .await
            .unwrap();
        let vault = vault(Arc::new(Down));
        for wraps in [
            vec![unreachable.clone(), foreign.clone()],
            vec![foreign, unreachable],
        ] {
            let opened = vault.open(&ctx(), &record(&dek, &wraps), &access()).await;
            assert!(
                matches!(
                    opened,
                    Err(Error::Backend {
                        temporary: true,
                        ..
                    })
                ),
                "{opened:?}"
            );
        }
    }
}
