//! `audit …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check the hash chains of both halves offline: finds any edit or removal.
    #[command(after_help = "Examples:
  halfkey audit verify
  halfkey audit verify --checkpoint /mnt/worm/checkpoint.json")]
    Verify {
        /// A position of the customer's log kept elsewhere; shows that nothing before it was cut.
        #[arg(long, value_name = "CHAIN:SEQUENCE:HEAD")]
        anchor: Option<String>,
        /// The same for the provider's log: the activity reference of a reply.
        #[arg(long, value_name = "CHAIN:SEQUENCE:HEAD")]
        activity: Option<String>,
        /// A signed checkpoint of the customer's log, kept elsewhere.
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
        /// The key the checkpoint must be signed by, as `audit checkpoint` printed it.
        #[arg(long, value_name = "HEX", requires = "checkpoint")]
        checkpoint_key: Option<String>,
    },
    /// Sign where every chain of the customer's log stands. Keep the output where nobody who can
    /// write the log can reach it.
    #[command(after_help = "Examples:
  halfkey audit checkpoint > /mnt/worm/checkpoint-$(date +%F).json")]
    Checkpoint,
    /// Print the customer's log for other systems.
    #[command(after_help = "Examples:
  halfkey audit export --format jsonl > audit.jsonl
  halfkey audit export --format syslog --since 2026-01-31T00:00:00Z | logger --socket-errors=on
  halfkey audit export --format otlp > body.json    a body for OTLP/HTTP, /v1/logs")]
    Export(Export),
}

/// Options of `audit export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The form of the output.
    #[arg(long, default_value = "jsonl")]
    pub(crate) format: ExportFormat,
    /// Only entries at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Send syslog messages to this socket instead of printing them: `unix:/dev/log`
    /// or `udp:127.0.0.1:514`.
    #[arg(long, value_name = "SOCKET")]
    pub(crate) to: Option<String>,
}

/// Forms of an exported log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object per line.
    Jsonl,
    /// RFC 5424 messages, one per line.
    Syslog,
    /// One OpenTelemetry logs request, JSON encoding.
    Otlp,
}
