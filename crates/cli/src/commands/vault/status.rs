//! `halfkey vault status`.

use halfkey_vault::{Census, KekInfo, Storage};
use serde_json::{Value, json};

use super::count;
use crate::exit_code::Failure;
use crate::output::Output;

pub(super) async fn run(storage: &Storage, output: Output) -> Result<(), Failure> {
    let kek = storage.manage.info().await?;
    let census = count(storage).await?;
    output.result(&describe(storage, &kek, &census), || {
        table(storage, &kek, &census)
    });
    Ok(())
}

fn describe(storage: &Storage, kek: &KekInfo, census: &Census) -> Value {
    let versions = kek.versions.iter().map(|version| {
        json!({
            "version": version.version,
            "created_at": version.created_at.map(|at| at.to_string()),
            "state": version.state.as_str(),
            "wraps": census.wraps_under(&kek.uri, &version.version),
        })
    });
    json!({
        "role": storage.role,
        "backends": storage.backends,
        "kek": {
            "uri": kek.uri,
            "environment": kek.environment,
            "leaves_the_provider": !kek.hardware_or_remote,
            "versions": versions.collect::<Vec<_>>(),
        },
        "records": {
            "sealed": census.sealed,
            "plain": census.plain,
            "damaged": census.damaged.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
    })
}

fn table(storage: &Storage, kek: &KekInfo, census: &Census) -> String {
    let mut lines = vec![format!("role {}", storage.role.as_str())];
    for backend in &storage.backends {
        let (tier, kind) = (backend.tier.as_str(), backend.kind);
        lines.push(format!("{tier:<8} {kind:<16} {}", backend.place));
    }
    lines.push(format!("\nKEK {}", kek.uri));
    for version in &kek.versions {
        let made = version
            .created_at
            .map_or_else(|| "unknown".to_owned(), |at| at.to_string());
        let wraps = census.wraps_under(&kek.uri, &version.version);
        let (name, state) = (&version.version, version.state.as_str());
        lines.push(format!(
            "  version {name:<8} {state:<10} made {made}  {wraps} wrapped keys"
        ));
    }
    let (sealed, plain, damaged) = (census.sealed, census.plain, census.damaged.len());
    lines.push(format!(
        "\n{sealed} sealed records, {plain} plain rows, {damaged} damaged"
    ));
    for name in &census.damaged {
        lines.push(format!("  damaged: {name}"));
    }
    lines.join("\n")
}
