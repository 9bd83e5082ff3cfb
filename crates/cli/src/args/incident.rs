//! `incident …`

use std::path::PathBuf;

use clap::Subcommand;

/// `incident …`
#[derive(Debug, Subcommand)]
pub(crate) enum Incident {
    /// Rotate the KEK, rewrap every record, check the audit log, and write a signed report.
    ///
    /// This shuts out whoever holds an old KEK version and a *later* copy of the store. It does not
    /// help against somebody who has read key shares already: refresh those wallets or move their
    /// funds. See the runbook, docs/runbooks/compromise.md.
    #[command(after_help = "Examples:
  halfkey incident run --reason drill
  halfkey incident run --reason 'backup of 2026-01-31 was left open' --disable-old")]
    Run {
        /// Why; stands in the report and in the audit log.
        #[arg(long)]
        reason: String,
        /// Disable the older KEK versions once nothing stands under them. Restoring an older
        /// backup then needs `vault enable` first.
        #[arg(long)]
        disable_old: bool,
    },
    /// Check the signature of a report.
    #[command(after_help = "Examples:
  halfkey incident verify report.json
  halfkey incident verify report.json --key 4f2c…")]
    Verify {
        /// The report.
        file: PathBuf,
        /// The key it must be signed by, as a report or `audit checkpoint` shows it.
        #[arg(long, value_name = "HEX")]
        key: Option<String>,
    },
}
