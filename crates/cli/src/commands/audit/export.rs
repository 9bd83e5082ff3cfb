//! `halfkey audit export`.

use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;

use halfkey_core::UnixMillis;
use halfkey_vault::Error;
use halfkey_vault::audit::export::{json_line, otlp, syslog};
use halfkey_vault::audit::reader::{AuditReader, Entry};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::args::{Export, ExportFormat};
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::storage;

pub(super) async fn run(data: &DataDir, options: &Export) -> Result<(), Failure> {
    let logs = storage::audit_logs(data)?;
    for log in &logs {
        if !log.path.exists() {
            let what = format!("there is no audit log at {}", log.path.display());
            return Err(Failure::new(ExitKind::NotFound, "no_audit_log", what));
        }
    }
    let since = options.since.as_deref().map(parse_time).transpose()?;
    let mut sink = Sink::open(options)?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut all = Vec::new();
    for log in &logs {
        let reader = AuditReader::open(&log.path).await?;
        let each = |entry: &Entry| match options.format {
            ExportFormat::Jsonl => sink.send(&json_line(entry)),
            ExportFormat::Syslog => sink.send(&syslog(entry, &host)),
            ExportFormat::Otlp => {
                all.push(entry.clone());
                Ok(())
            }
        };
        let done = reader.for_each(since, each).await;
        reader.close().await;
        done?;
    }
    if options.format == ExportFormat::Otlp {
        sink.send(&otlp(&all).to_string())?;
    }
    Ok(())
}

/// Where lines go.
enum Sink {
    Out(std::io::Stdout),
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

impl Sink {
    fn open(options: &Export) -> Result<Self, Failure> {
        let Some(to) = &options.to else {
            return Ok(Self::Out(std::io::stdout()));
        };
        if options.format != ExportFormat::Syslog {
            return Err(Failure::input("--to is for --format syslog"));
        }
        let failed = |error: std::io::Error| {
            Failure::new(ExitKind::Unavailable, "syslog", format!("{to}: {error}"))
        };
        match to.split_once(':') {
            Some(("unix", path)) => {
                let socket = UnixDatagram::unbound().map_err(failed)?;
                socket.connect(path).map_err(failed)?;
                Ok(Self::Unix(socket))
            }
            Some(("udp", address)) => {
                let socket = UdpSocket::bind("0.0.0.0:0").map_err(failed)?;
                socket.connect(address).map_err(failed)?;
                Ok(Self::Udp(socket))
            }
            _ => Err(Failure::input("--to is unix:PATH or udp:HOST:PORT")),
        }
    }

    fn send(&mut self, line: &str) -> Result<(), Error> {
        let sent = match self {
            Self::Out(out) => writeln!(out.lock(), "{line}"),
            Self::Unix(socket) => socket.send(line.as_bytes()).map(drop),
            Self::Udp(socket) => socket.send(line.as_bytes()).map(drop),
        };
        match sent {
            // The reader has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            done => done.map_err(|error| Error::AuditUnavailable(format!("export: {error}"))),
        }
    }
}

fn parse_time(text: &str) -> Result<UnixMillis, Failure> {
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| Failure::input("--since is a time such as 2026-01-31T00:00:00Z"))?;
    let millis = at.unix_timestamp_nanos().checked_div(1_000_000);
    let millis = millis.and_then(|millis| i64::try_from(millis).ok());
    Ok(UnixMillis(millis.unwrap_or(i64::MAX)))
}
