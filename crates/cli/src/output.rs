//! One place that prints: lines for people, or one JSON value per command for programs.

use std::io::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use crate::exit_code::Failure;

/// How results are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// A line for people; nothing in JSON mode.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        if !self.json {
            write_out(text.as_ref());
        }
    }

    /// The command's result: `human` for people, `value` for programs.
    pub(crate) fn result(self, value: &impl Serialize, human: impl FnOnce() -> String) {
        if self.json {
            match serde_json::to_string_pretty(value) {
                Ok(text) => write_out(&text),
                Err(error) => write_err(&format!("error: {error}")),
            }
        } else {
            write_out(human().trim_end());
        }
    }

    /// Prints a failure and turns it into the exit code.
    pub(crate) fn failure(self, failure: &Failure) -> ExitCode {
        if self.json {
            let body = serde_json::json!({
                "error": failure.message,
                "code": failure.code,
                "exit_code": failure.kind.code(),
                "hint": failure.hint,
            });
            write_err(&body.to_string());
        } else {
            write_err(&format!("error: {}", failure.message));
            if let Some(hint) = &failure.hint {
                write_err(&format!("  try: {hint}"));
            }
        }
        ExitCode::from(failure.kind.code())
    }
}

/// A closed pipe (`halfkey … | head`) is the reader's choice, not an error.
fn write_out(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

fn write_err(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
