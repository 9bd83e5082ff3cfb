//! The steps, each with its outcome.

use halfkey_core::random::os_rng;
use halfkey_core::{EnvironmentId, RequestId, SecretString};
use halfkey_vault::{Access, Purpose, Storage, Vault, operator_key};
use serde::Serialize;
use serde_json::{Value, json};

use super::{provider, report};
use crate::args::{Rewrap, Run};
use crate::commands::audit::verify_customer;
use crate::commands::vault::count;
use crate::commands::vault::rewrap::{self, stop_at_signal};
use crate::commands::vault::rotate::{forget_data_keys, note, rotate};
use crate::commands::wallet::{self, Login, Opened, refresh_compromised};
use crate::context::{DataDir, write_private};
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::storage::{ACTOR, Both};

/// One step of the report.
#[derive(Debug, Serialize)]
struct Step {
    name: &'static str,
    done: bool,
    detail: Value,
}

impl Step {
    fn of(name: &'static str, outcome: Result<Value, Failure>) -> Self {
        match outcome {
            Ok(detail) => Self {
                name,
                done: true,
                detail,
            },
            Err(failure) => Self {
                name,
                done: false,
                detail: json!({ "code": failure.code, "error": failure.message }),
            },
        }
    }
}

/// Takes every step even when one fails, and reports all of them.
pub(super) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    options: &Run,
    output: Output,
) -> Result<(), Failure> {
    let scene = Scene::open(data, passphrase, options).await?;
    let (storage, environment) = (scene.storage(), &scene.environment);
    let access = Access {
        actor: ACTOR.to_owned(),
        purpose: Purpose::Operate,
        request_id: RequestId::generate(&mut os_rng()),
    };
    let mut steps = Vec::new();
    // Every second counts: nothing comes before this.
    if options.freeze {
        steps.push(scene.freeze(&options.reason).await);
    }
    // Without a key there is no report: better to know before more is done.
    let key = operator_key::load_or_make(&storage.vault, environment, &access).await?;
    for (storage, _) in scene.vaults() {
        note(storage, "incident", &options.reason).await?;
    }
    let began = storage.clock().now();
    scene.take(data, options, &mut steps, output).await;
    let ended = storage.clock().now();
    let all_done = steps.iter().all(|step| step.done);
    let left = left_to_do(options);
    let body = json!({
        "environment": environment,
        "incident": access.request_id.to_string(),
        "reason": options.reason,
        "began": began.to_string(),
        "ended": ended.to_string(),
        "steps": steps,
        "left_to_do": left,
    });
    scene.close().await;
    let signed = report::sign(&body, &key);
    let file = format!("{}.json", access.request_id);
    let file = data.private_dir("incidents")?.join(file);
    let text =
        serde_json::to_vec_pretty(&signed).map_err(|error| Failure::internal(error.to_string()))?;
    write_private(&file, &text)?;
    let value = json!({ "file": file, "done": all_done, "report": body });
    output.result(&value, || table(&steps, &left, &file.display().to_string()));
    if all_done {
        return Ok(());
    }
    Err(Failure::new(
        ExitKind::Storage,
        "incident_incomplete",
        "some steps were not done; see the report",
    )
    .with_hint("halfkey incident run again once the cause is mended"))
}

/// What was asked for and what these steps cannot do.
fn left_to_do(options: &Run) -> Vec<&'static str> {
    let mut left = Vec::new();
    if !options.revoke_tokens {
        left.push("revoke API tokens that may be known: halfkey token revoke ID");
    }
    if options.freeze && !options.unfreeze {
        left.push("end the freeze: halfkey incident unfreeze");
    }
    left.push(if options.refresh {
        "2-of-3, imported, exported and dealt keys may be known as a whole: move their funds"
    } else {
        "wallets whose key shares may have been read: move their funds"
    });
    left.push("take the old KEK versions' backups out of reach");
    left
}

/// What the steps of one vault are called.
struct Names {
    rotate: &'static str,
    rewrap: &'static str,
    disable: &'static str,
}

static FIRST: Names = Names {
    rotate: "rotate the KEK",
    rewrap: "rewrap every record",
    disable: "disable the older KEK versions",
};

static SECOND: Names = Names {
    rotate: "rotate the KEK of the second vault",
    rewrap: "rewrap every record of the second vault",
    disable: "disable the older KEK versions of the second vault",
};

/// What the steps work on. Only one of them: each process of a keyring has its own view of it.
enum Tiers {
    /// The storage tiers alone.
    Alone(Box<Both>),
    /// The store over them, where the provider has a part.
    WithStore(Box<Opened>),
}

struct Scene {
    tiers: Tiers,
    environment: EnvironmentId,
}

impl Scene {
    async fn open(
        data: &DataDir,
        passphrase: Option<SecretString>,
        options: &Run,
    ) -> Result<Self, Failure> {
        if options.asks_provider() {
            // A provider that does not answer fails its own steps and no other.
            let login = Login::WhenNeeded;
            let opened = wallet::open(data, passphrase, &options.provider, login).await?;
            return Ok(Self {
                environment: opened.environment.clone(),
                tiers: Tiers::WithStore(Box::new(opened)),
            });
        }
        let both = Both::open(data, passphrase).await?;
        Ok(Self {
            environment: both.environment.clone(),
            tiers: Tiers::Alone(Box::new(both)),
        })
    }

    fn storage(&self) -> &Storage {
        match &self.tiers {
            Tiers::Alone(both) => &both.first,
            Tiers::WithStore(opened) => &opened.storage,
        }
    }

    /// Every vault of the customer's, with the names of its steps.
    fn vaults(&self) -> Vec<(&Storage, &'static Names)> {
        let second = match &self.tiers {
            Tiers::Alone(both) => both.second.as_ref(),
            Tiers::WithStore(opened) => opened.second.as_ref(),
        };
        let mut vaults = vec![(self.storage(), &FIRST)];
        vaults.extend(second.map(|second| (second, &SECOND)));
        vaults
    }

    fn opened(&self) -> Result<&Opened, Failure> {
        match &self.tiers {
            Tiers::Alone(_) => Err(Failure::internal("a step of the provider's without it")),
            Tiers::WithStore(opened) => Ok(opened),
        }
    }

    async fn freeze(&self, reason: &str) -> Step {
        let frozen = match self.opened() {
            Ok(opened) => provider::freeze(opened, reason).await,
            Err(failure) => Err(failure),
        };
        for (storage, _) in self.vaults() {
            forget_data_keys(storage).await;
        }
        Step::of("freeze the environment", frozen)
    }

    async fn revoke(&self) -> Result<Value, Failure> {
        provider::revoke(self.opened()?).await
    }

    async fn refresh(&self, output: Output) -> Result<Value, Failure> {
        refresh_compromised(self.opened()?, output).await
    }

    async fn unfreeze(&self) -> Result<Value, Failure> {
        provider::unfreeze(self.opened()?).await
    }

    async fn take(&self, data: &DataDir, options: &Run, steps: &mut Vec<Step>, output: Output) {
        // What a record is bound to stands in the rows of the first vault.
        let (rows, environment) = (&self.storage().vault, &self.environment);
        if options.revoke_tokens {
            steps.push(Step::of("revoke every other token", self.revoke().await));
        }
        for (storage, names) in self.vaults() {
            let rotated = rotate(storage).await;
            let rotated = rotated.map(|version| json!({ "version": version }));
            steps.push(Step::of(names.rotate, rotated));
            let rewrapped = rewrapped((storage, rows), environment, output).await;
            steps.push(Step::of(names.rewrap, rewrapped));
        }
        if options.refresh {
            let refreshed = self.refresh(output).await;
            steps.push(Step::of("refresh every wallet", refreshed));
        }
        if options.disable_old {
            for (storage, names) in self.vaults() {
                steps.push(Step::of(names.disable, disabled(storage).await));
            }
        }
        steps.push(Step::of("check the audit log", audited(data).await));
        if options.unfreeze {
            let is_safe = steps.iter().all(|step| step.done);
            let ended = if is_safe {
                self.unfreeze().await
            } else {
                Err(Failure::new(
                    ExitKind::Custody,
                    "still_frozen",
                    "a step before was not done, so it stays frozen",
                ))
            };
            steps.push(Step::of("end the freeze", ended));
        }
    }

    async fn close(self) {
        match self.tiers {
            Tiers::Alone(both) => both.close().await,
            Tiers::WithStore(opened) => opened.close().await,
        }
    }
}

async fn rewrapped(
    (storage, rows): (&Storage, &Vault),
    environment: &EnvironmentId,
    output: Output,
) -> Result<Value, Failure> {
    let options = Rewrap {
        parallel: 8,
        per_second: None,
        no_verify: false,
        prefix: String::new(),
    };
    let stop = stop_at_signal()?;
    let report = rewrap::walk((storage, rows), environment, options, &stop, output).await?;
    let value = rewrap::describe(&report);
    if report.is_clean() {
        return Ok(value);
    }
    Err(Failure::new(
        ExitKind::Storage,
        "rewrap_incomplete",
        format!("some records were not moved: {value}"),
    ))
}

async fn disabled(storage: &Storage) -> Result<Value, Failure> {
    let kek = storage.manage.info().await?;
    let census = count(storage).await?;
    let newest = kek.newest().map(|newest| newest.version.clone());
    let mut versions = Vec::new();
    for one in &kek.versions {
        if Some(&one.version) == newest.as_ref() || census.wraps_under(&kek.uri, &one.version) > 0 {
            continue;
        }
        note(storage, "disable", &one.version).await?;
        storage.manage.disable(&one.version).await?;
        versions.push(one.version.clone());
    }
    storage.vault.forget_data_keys().await?;
    Ok(json!({ "versions": versions }))
}

async fn audited(data: &DataDir) -> Result<Value, Failure> {
    let (mut entries, mut chains) = (0_u64, 0_u64);
    for (half, report) in verify_customer(data, None).await? {
        if !report.is_sound() {
            let why = format!("{half}: {report}");
            return Err(Failure::new(ExitKind::Custody, "audit_broken", why));
        }
        entries = entries.saturating_add(report.entries);
        chains = chains.saturating_add(report.chains);
    }
    Ok(json!({ "entries": entries, "chains": chains }))
}

fn table(steps: &[Step], left: &[&str], file: &str) -> String {
    let mut lines: Vec<_> = steps
        .iter()
        .map(|step| {
            let mark = if step.done { "done  " } else { "FAILED" };
            format!("{mark}  {}: {}", step.name, step.detail)
        })
        .collect();
    lines.push("\nleft to do by hand:".to_owned());
    lines.extend(left.iter().map(|left| format!("  {left}")));
    lines.push(format!("\nsigned report: {file}"));
    lines.join("\n")
}
