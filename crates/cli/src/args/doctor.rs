//! `doctor`

use std::time::Duration;

use clap::Args;

use super::age;

/// Options of `doctor`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Doctor {
    /// How old a KEK version may be: such as 90d or 12h.
    #[arg(long, default_value = "90d", value_name = "AGE", value_parser = age)]
    pub(crate) max_key_age: Duration,
    /// The provider's base URL, where it is asked how long it keeps its copies.
    #[arg(long, env = "HALFKEY_API_URL", value_name = "URL")]
    pub(crate) api_url: Option<String>,
}
