//! One wallet per alias, whoever comes first.

use core::time::Duration;

use halfkey_core::wire::ErrorCode;
use halfkey_core::{AttemptId, ChainName, ThresholdSignatureScheme, WalletProperties};
use halfkey_vault::Error as VaultError;
use tokio::time::{Instant, sleep};

use super::WalletStore;
use super::alias::{Kind, check_alias};
use super::create::{Earlier, left_pending};
use super::resume::Settled;
use crate::{CreateOptions, Error, Result};

/// How often the other process's progress is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How often others may come between. Each time one of them got further than this process.
const ROUNDS: u32 = 16;

impl WalletStore {
    /// The wallet that has the alias of `options`; made now where there is none.
    ///
    /// However many processes of one store ask for an alias at once, and wherever any of them dies,
    /// they end with one wallet: the alias is taken by a compare-and-set before any share is
    /// stored, whoever loses ends its own attempt at the provider and finishes the winner's, and an
    /// attempt that never stored its shares is ended for good before the alias is given to another
    /// (custody rules 6 and 26). No address is given out before the wallet is active.
    ///
    /// # Errors
    /// As [`Self::create`]; [`Error::InvalidArgument`] without an alias, with an idempotency key
    /// beside it, and where the alias is of a wallet of another chain or scheme.
    #[tracing::instrument(level = "debug", skip_all, fields(%chain, %scheme))]
    pub async fn get_or_create(
        &self,
        chain: ChainName,
        scheme: ThresholdSignatureScheme,
        options: &CreateOptions,
    ) -> Result<WalletProperties> {
        let (Some(alias), None) = (&options.alias, &options.idempotency_key) else {
            return Err(Error::InvalidArgument(
                "get_or_create goes by an alias, and needs no idempotency key".to_owned(),
            ));
        };
        check_alias(alias)?;
        self.pin().await?;
        let patience = Instant::now().checked_add(self.options.takeover_after);
        let mut met = 0_u32;
        loop {
            let earlier = self.earlier(Kind::Alias, alias, chain, scheme).await;
            let tried = match earlier {
                Ok(Earlier::Done(properties)) => return Ok(*properties),
                Ok(Earlier::Unsettled(attempt)) => self.wait_or_end(attempt, patience).await,
                Ok(Earlier::None | Earlier::Ended(_)) => {
                    match self.make(chain, scheme, options, None).await {
                        Ok(properties) => return Ok(properties),
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            };
            match tried {
                Ok(()) => {}
                // The other process moved meanwhile: what it came to is seen at the next look.
                Err(error) if met < ROUNDS && somebody_moved(&error) => {
                    met = met.saturating_add(1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Another process has the alias and its shares are not stored yet: it is alive, or dead.
    async fn wait_or_end(&self, attempt: AttemptId, patience: Option<Instant>) -> Result<()> {
        if patience.is_none_or(|end| Instant::now() < end) {
            sleep(LOOK_AGAIN).await;
            return Ok(());
        }
        match self.abort(attempt).await {
            Ok(Settled::Aborted | Settled::Active(_)) => Ok(()),
            // Neither is true of it, and asking again would not change that.
            Ok(_) => {
                let source = Error::VaultState("the provider does not end that attempt".to_owned());
                Err(left_pending(attempt, source))
            }
            // It is pending no more: somebody else was there.
            Err(Error::InvalidArgument(_)) => Err(Error::AttemptAborted(attempt)),
            Err(error) => Err(left_pending(attempt, error)),
        }
    }
}

/// Whether it failed because somebody else was at the same wallet, or at the same alias.
fn somebody_moved(error: &Error) -> bool {
    match error {
        Error::NameTaken | Error::AttemptAborted(_) | Error::Vault(VaultError::Conflict(_)) => true,
        Error::LeftPending { source, .. } => somebody_moved(source),
        // Its attempt is committed or aborted already, says the provider.
        Error::Api(api) => matches!(
            api.code,
            ErrorCode::InvalidRequest | ErrorCode::AttemptAborted | ErrorCode::CeremonyConflict
        ),
        _ => false,
    }
}
