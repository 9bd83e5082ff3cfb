//! Progress on stderr for work that takes long enough to wonder about.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// A spinner with a text; silent in JSON mode and where stderr is no terminal.
pub(crate) fn spinner(output: Output, text: impl Into<String>) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(text.into());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A counter of work whose end is not known; hidden as [`spinner`] is.
pub(crate) fn counter(output: Output, unit: &str) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::no_length();
    let template = format!("{{spinner}} {{pos}} {unit}, {{msg}} ({{per_sec}}, {{elapsed}})");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar over a known number of things; hidden as [`spinner`] is.
pub(crate) fn bar(output: Output, unit: &str, of: usize) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(of).unwrap_or(u64::MAX));
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit} ({{elapsed}}, {{eta}} left)");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
