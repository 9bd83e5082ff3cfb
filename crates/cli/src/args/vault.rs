//! `vault …`

use std::time::Duration;

use clap::{Args, Subcommand};

/// `vault …`
#[derive(Debug, Subcommand)]
pub(crate) enum Vault {
    /// Show the tiers, the KEK's versions and how many records stand under each.
    #[command(after_help = "Examples:
  halfkey vault status
  halfkey vault status --json")]
    Status,
    /// Make a new KEK version; new records use it at once.
    #[command(after_help = "Examples:
  halfkey vault rotate && halfkey vault rewrap
  halfkey vault rotate --every 90d        goes on: rotates and rewraps when it is due")]
    Rotate {
        /// Run as a service: rotate and rewrap whenever the newest version is this old.
        #[arg(long, value_name = "AGE", value_parser = age)]
        every: Option<Duration>,
    },
    /// Move every record to the newest KEK version. Can be stopped and run again at any time.
    #[command(after_help = "Examples:
  halfkey vault rewrap
  halfkey vault rewrap --parallel 16 --per-second 200 --json
  halfkey vault rewrap --prefix app/      the store that the SDK opened with this prefix")]
    Rewrap(Rewrap),
    /// Count the records under KEK versions older than this; exit code 7 when there are any.
    #[command(after_help = "Examples:
  halfkey vault due --older-than 90d")]
    Due {
        /// Such as 90d, 12h or 30m.
        #[arg(long, default_value = "90d", value_name = "AGE", value_parser = age)]
        older_than: Duration,
    },
    /// Take an old KEK version out of use, once no record stands under it. It is never destroyed:
    /// backups may still hold records under it.
    #[command(after_help = "Examples:
  halfkey vault status && halfkey vault disable 3")]
    Disable {
        /// The version, as `vault status` shows it.
        #[arg(value_name = "VERSION")]
        kek_version: String,
    },
    /// Bring a disabled KEK version back.
    #[command(after_help = "Examples:
  halfkey vault enable 3")]
    Enable {
        /// The version.
        #[arg(value_name = "VERSION")]
        kek_version: String,
    },
}

/// Options of `vault rewrap`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Rewrap {
    /// How many records are worked on at once.
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) parallel: usize,
    /// How many records are moved per second at most.
    #[arg(long, value_name = "N")]
    pub(crate) per_second: Option<u32>,
    /// Do not unwrap each moved key to see that it is the right one, even where this process may.
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Only the records of the wallet store whose names start with this (`StoreOptions::prefix`),
    /// where several share one record store; by default every record.
    #[arg(
        long,
        default_value = "",
        value_name = "PREFIX",
        hide_default_value = true
    )]
    pub(crate) prefix: String,
}

/// A number and a unit: `d`, `h`, `m` or `s`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let bad = || "an age is a number and d, h, m or s, such as 90d".to_owned();
    let unit = text.chars().last().ok_or_else(bad)?;
    let seconds: u64 = match unit {
        'd' => 86_400,
        'h' => 3600,
        'm' => 60,
        's' => 1,
        _ => return Err(bad()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u64 = number.parse().map_err(|_| bad())?;
    let seconds = number.checked_mul(seconds).ok_or_else(bad)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(age("2m"), Ok(Duration::from_mins(2)));
        for text in [
            "",
            "d",
            "90",
            "-1d",
            "1.5h",
            "90 d",
            "9y",
            "99999999999999999999d",
        ] {
            age(text).unwrap_err();
        }
        age(&format!("{}d", u64::MAX)).unwrap_err();
    }
}
