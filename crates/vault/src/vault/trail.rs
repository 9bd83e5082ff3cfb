//! The audit events of one operation.

use super::Vault;
use crate::{Access, AuditEvent, AuditOutcome, BindCtx, Error};

/// One operation on its way past the audit sink.
pub(super) struct Trail<'a> {
    vault: &'a Vault,
    access: &'a Access,
    action: &'static str,
    record: String,
    ctx: Option<&'a BindCtx>,
}

impl Vault {
    /// The trail of `action` on `record`; `ctx` where one is known.
    pub(super) fn trail<'a>(
        &'a self,
        action: &'static str,
        record: String,
        ctx: Option<&'a BindCtx>,
        access: &'a Access,
    ) -> Trail<'a> {
        Trail {
            vault: self,
            access,
            action,
            record,
            ctx,
        }
    }
}

impl Trail<'_> {
    /// Records that the operation is about to be granted. Nothing may be given out before this
    /// returns.
    pub(super) async fn granted(&self) -> Result<(), Error> {
        self.append(AuditOutcome::Granted, String::new()).await
    }

    /// Records a refusal and gives back the error to return. An audit sink that fails comes first,
    /// but the refusal is still named.
    pub(super) async fn refused(&self, error: Error) -> Error {
        match self.append(AuditOutcome::Refused, error.to_string()).await {
            Ok(()) => error,
            Err(Error::AuditUnavailable(why)) => {
                Error::AuditUnavailable(format!("{why}; besides: {error}"))
            }
            Err(other) => other,
        }
    }

    /// Records how it ended; a value leaves only after its event is durable.
    pub(super) async fn conclude<T: Send>(&self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Ok(value) => {
                self.granted().await?;
                Ok(value)
            }
            Err(error) => Err(self.refused(error).await),
        }
    }

    async fn append(&self, outcome: AuditOutcome, detail: String) -> Result<(), Error> {
        let environment = self.ctx.map(|ctx| ctx.environment.as_str().to_owned());
        let event = AuditEvent {
            at: self.vault.parts.clock.now(),
            actor: self.access.actor.clone(),
            action: self.action.to_owned(),
            purpose: self.access.purpose.as_str().to_owned(),
            environment: environment.unwrap_or_default(),
            wallet: self
                .ctx
                .map(|ctx| ctx.wallet.to_string())
                .unwrap_or_default(),
            record: self.record.clone(),
            request_id: self.access.request_id.to_string(),
            outcome,
            detail,
        };
        let vault = self.vault;
        vault.audit_policy.append(&*vault.parts.audit, event).await
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::sync::Arc;

    use async_trait::async_trait;
    use halfkey_core::{RequestId, SecretBytes, SystemClock};

    use super::*;
    use crate::conformance::sample::ctx;
    use crate::kms::memory::MemoryKek;
    use crate::vault::AuditPolicy;
    use crate::{AuditPosition, AuditSink, Purpose, VaultParts};

    /// A sink that never answers.
    struct Hanging;

    #[async_trait]
    impl AuditSink for Hanging {
        async fn append(&self, _: AuditEvent) -> Result<AuditPosition, Error> {
            core::future::pending().await
        }
    }

    fn vault() -> Vault {
        let kek = Arc::new(MemoryKek::new("a").unwrap());
        Vault::new(VaultParts {
            wrap: Some(Arc::<MemoryKek>::clone(&kek)),
            unwrap: Some(kek),
            put: None,
            get: None,
            list: None,
            destroy: None,
            audit: Arc::new(Hanging),
            clock: Arc::new(SystemClock),
        })
    }

    async fn seal(vault: &Vault) -> Result<(), Error> {
        let access = Access {
            actor: "a".to_owned(),
            purpose: Purpose::Sign,
            request_id: RequestId::from_bytes([1; 16]),
        };
        let plaintext = SecretBytes::new(b"x".to_vec());
        vault.seal(&ctx(), &plaintext, &access).await.map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_hangs_refuses_at_its_deadline() {
        let begun = tokio::time::Instant::now();
        let sealed = seal(&vault()).await;
        assert!(
            matches!(sealed, Err(Error::AuditUnavailable(_))),
            "{sealed:?}"
        );
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_explicit_policy_goes_on_without_an_event() {
        let policy = AuditPolicy {
            goes_on_without: true,
            ..AuditPolicy::STRICT
        };
        seal(&vault().with_audit_policy(policy)).await.unwrap();
    }
}
