//! What the demo prints: a line per step for people, one object for programs.

use std::time::Instant;

use halfkey_core::WalletProperties;
use serde_json::{Value, json};

use super::tiers::TierView;
use crate::context::DataDir;
use crate::output::Output;

/// Collects the steps as it prints them.
#[derive(Debug)]
pub(super) struct Report {
    output: Output,
    steps: Vec<Value>,
    wallets: Vec<Value>,
    signatures: Vec<Value>,
    tiers: Vec<Value>,
}

impl Report {
    pub(super) const fn new(output: Output) -> Self {
        Self {
            output,
            steps: Vec::new(),
            wallets: Vec::new(),
            signatures: Vec::new(),
            tiers: Vec::new(),
        }
    }

    pub(super) fn heading(&self, text: &str) {
        self.output.line(text);
    }

    pub(super) fn step(&mut self, name: &str, text: &str, started: Instant) {
        let ms = started.elapsed().as_millis();
        self.output.line(format!("{name:<9} {text}  [{ms} ms]"));
        self.steps
            .push(json!({ "step": name, "text": text, "ms": millis(ms) }));
    }

    pub(super) fn wallet(
        &mut self,
        verb: &str,
        properties: &WalletProperties,
        text: &str,
        started: Instant,
    ) {
        self.step(verb, text, started);
        self.wallets.push(json!({
            "created": verb == "create",
            "chain": properties.chain_name,
            "address": properties.account_address,
        }));
    }

    pub(super) fn tiers(&mut self, views: &[TierView]) {
        for view in views {
            self.output.line(format!(
                "  {:<8} {:<20} {}",
                view.tier, view.name, view.content
            ));
            self.tiers.push(json!({
                "tier": view.tier, "name": view.name, "content": view.content,
            }));
        }
    }

    pub(super) fn signature(&mut self, what: &str, signed: &str, seen: &str, started: Instant) {
        let short: String = signed.chars().take(42).collect();
        self.step(
            "sign",
            &format!("{what}: {short}… verified by {seen}"),
            started,
        );
        self.signatures
            .push(json!({ "what": what, "signed": signed, "verified_by": seen }));
    }

    /// The last lines, and the object in JSON mode.
    pub(super) fn finish(self, addresses: &[String; 2], data: &DataDir) {
        let created = self
            .wallets
            .iter()
            .filter(|wallet| wallet["created"] == true)
            .count();
        let value = json!({
            "data_dir": data.path(),
            "created": created,
            "wallets": self.wallets,
            "tiers": self.tiers,
            "signatures": self.signatures,
            "steps": self.steps,
        });
        let dir = data.path().display();
        let [evm, _] = addresses;
        self.output.result(&value, || {
            format!(
                "\nDone. Run it again: it signs with these wallets and makes none.\n\nNext:\n  \
                 halfkey --data-dir {dir} serve\n  \
                 halfkey --data-dir {dir} wallet list\n  \
                 halfkey --data-dir {dir} wallet sign-message {evm} 'hello'"
            )
        });
    }
}

fn millis(ms: u128) -> u64 {
    u64::try_from(ms).unwrap_or(u64::MAX)
}
