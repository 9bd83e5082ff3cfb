//! `doctor`

use std::time::Duration;

use clap::Args;

use super::age;

/// Options of `doctor`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Doctor {
    /// How old a KEK version may be: such as 90d or 12h.
    #[arg(long, default_value = "90d", value_name = "AGE", value_parser = age)]
    pub(crate) max_key_age: Duration,
}
