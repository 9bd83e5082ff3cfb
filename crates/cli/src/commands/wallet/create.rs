//! `halfkey wallet create`.

use halfkey::CreateOptions;
use halfkey_core::{ChainName, ThresholdSignatureScheme, Variant, WalletProperties};

use super::{Opened, overview};
use crate::exit_code::Failure;
use crate::output::Output;
use crate::progress::spinner;

/// The wallet that is asked for.
pub(crate) struct Wanted {
    pub(crate) chain: ChainName,
    pub(crate) scheme: ThresholdSignatureScheme,
    pub(crate) variant: Variant,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) alias: Option<String>,
    /// The wallet that has the alias already will do.
    pub(crate) get_or_create: bool,
}

pub(super) async fn run(opened: &Opened, wanted: Wanted, output: Output) -> Result<(), Failure> {
    let bar = spinner(output, "keygen, sealed write, proof, commit");
    let created = create_one(opened, &wanted).await;
    bar.finish_and_clear();
    let properties = created?;
    let shown = opened.store.show(&properties.account_address).await?;
    output.result(&overview::describe_view(&shown), || overview::human(&shown));
    Ok(())
}

pub(crate) async fn create_one(
    opened: &Opened,
    wanted: &Wanted,
) -> Result<WalletProperties, Failure> {
    let options = CreateOptions {
        variant: wanted.variant,
        idempotency_key: wanted.idempotency_key.clone(),
        alias: wanted.alias.clone(),
    };
    let (store, chain, scheme) = (&opened.store, wanted.chain, wanted.scheme);
    let created = if wanted.get_or_create {
        store.get_or_create(chain, scheme, &options).await
    } else {
        store.create(chain, scheme, &options).await
    };
    opened.created(created).await
}
