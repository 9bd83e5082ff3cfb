//! Which crate may depend on which: edges point down only.

use serde_json::Value;

use super::Finding;

/// What one crate may depend on inside the workspace.
struct Allowed {
    name: &'static str,
    normal: &'static [&'static str],
    /// Only behind a feature.
    optional: &'static [&'static str],
    dev: &'static [&'static str],
}

/// The edges, as in ARCHITECTURE.md.
const EDGES: [Allowed; 10] = [
    Allowed {
        name: "halfkey-core",
        normal: &[],
        optional: &[],
        dev: &[],
    },
    Allowed {
        name: "halfkey-mpc",
        normal: &["halfkey-core"],
        optional: &[],
        dev: &["halfkey-testkit"],
    },
    Allowed {
        name: "halfkey-vault",
        normal: &["halfkey-core"],
        optional: &[],
        dev: &["halfkey-testkit"],
    },
    Allowed {
        name: "halfkey-chain",
        normal: &["halfkey-core"],
        optional: &[],
        dev: &["halfkey-testkit"],
    },
    Allowed {
        name: "halfkey-envelope",
        normal: &["halfkey-core"],
        optional: &[],
        dev: &["halfkey-testkit"],
    },
    Allowed {
        name: "halfkey",
        normal: &[
            "halfkey-core",
            "halfkey-mpc",
            "halfkey-chain",
            "halfkey-envelope",
        ],
        optional: &["halfkey-vault"],
        dev: &["halfkey-testkit", "halfkey-server"],
    },
    Allowed {
        name: "halfkey-server",
        normal: &[
            "halfkey-core",
            "halfkey-mpc",
            "halfkey-vault",
            "halfkey-chain",
            "halfkey-envelope",
        ],
        optional: &[],
        dev: &["halfkey-testkit"],
    },
    Allowed {
        name: "halfkey-cli",
        normal: &[
            "halfkey",
            "halfkey-core",
            "halfkey-mpc",
            "halfkey-vault",
            "halfkey-chain",
            "halfkey-envelope",
            "halfkey-server",
        ],
        optional: &["halfkey-testkit"],
        dev: &["halfkey-testkit"],
    },
    // Development only: nothing but tests and benchmarks may use it.
    Allowed {
        name: "halfkey-testkit",
        normal: &["halfkey-core", "halfkey-chain"],
        optional: &[],
        dev: &[
            "halfkey",
            "halfkey-mpc",
            "halfkey-vault",
            "halfkey-chain",
            "halfkey-server",
        ],
    },
    Allowed {
        name: "xtask",
        normal: &[],
        optional: &[],
        dev: &[],
    },
];

/// Crates that never open a socket, read a clock or touch a file.
const SANS_IO: [&str; 4] = [
    "halfkey-core",
    "halfkey-mpc",
    "halfkey-chain",
    "halfkey-envelope",
];

/// What would let them.
const IO: [&str; 14] = [
    "tokio",
    "async-std",
    "smol",
    "mio",
    "reqwest",
    "hyper",
    "hyper-util",
    "axum",
    "rustls",
    "sqlx",
    "rusqlite",
    "tempfile",
    "rustix",
    "alloy-provider",
];

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The workspace's own packages: those without a source.
fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    list(metadata, "packages")
        .iter()
        .filter(|package| package.get("source").is_none_or(Value::is_null))
}

/// Only the edges of the table; every crate stands in it.
pub(super) fn allowed_only(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in members(metadata) {
        let name = text(package, "name");
        let manifest = format!("{name}/Cargo.toml");
        let Some(allowed) = EDGES.iter().find(|edge| edge.name == name) else {
            findings.push(Finding::new(
                &manifest,
                0,
                "crate missing in xtask's edge table",
            ));
            continue;
        };
        for dependency in list(package, "dependencies") {
            if dependency.get("path").is_none_or(Value::is_null) {
                continue;
            }
            let to = text(dependency, "name");
            let optional = dependency
                .get("optional")
                .and_then(Value::as_bool)
                .unwrap_or_default();
            let permitted = match (text(dependency, "kind"), optional) {
                // A crate's own tests may switch on its test-only features.
                ("dev", _) => {
                    to == name || allowed.dev.contains(&to) || allowed.normal.contains(&to)
                }
                (_, true) => allowed.optional.contains(&to) || allowed.normal.contains(&to),
                (_, false) => allowed.normal.contains(&to),
            };
            if !permitted {
                findings.push(Finding::new(
                    &manifest,
                    0,
                    format!("may not depend on {to}"),
                ));
            }
        }
    }
    if findings.is_empty() && members(metadata).count() != EDGES.len() {
        findings.push(Finding::new(
            "Cargo.toml",
            0,
            "a crate of xtask's edge table is gone",
        ));
    }
    findings
}

/// Behind a feature, for tests that kill a process at a named place.
const CRASH_POINTS: (&str, &str) = ("halfkey-core", "rustix");

/// The crates of [`SANS_IO`] depend on nothing that does I/O.
pub(super) fn sans_io(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in members(metadata).filter(|package| SANS_IO.contains(&text(package, "name"))) {
        let from = text(package, "name");
        for dependency in list(package, "dependencies") {
            let to = text(dependency, "name");
            let optional = dependency
                .get("optional")
                .and_then(Value::as_bool)
                .unwrap_or_default();
            let excused = optional && (from, to) == CRASH_POINTS;
            if text(dependency, "kind") != "dev" && IO.contains(&to) && !excused {
                let manifest = format!("{from}/Cargo.toml");
                findings.push(Finding::new(
                    &manifest,
                    0,
                    format!("does no I/O, but uses {to}"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace of every crate in the table, where `name` has one more dependency.
    fn metadata(name: &str, dependency: &Value) -> Value {
        let packages = EDGES.iter().map(|edge| {
            let extra = if edge.name == name {
                vec![dependency.clone()]
            } else {
                Vec::new()
            };
            json!({ "name": edge.name, "source": null, "dependencies": extra })
        });
        json!({ "packages": packages.collect::<Vec<_>>() })
    }

    fn path(name: &str, kind: Option<&str>, optional: bool) -> Value {
        json!({ "name": name, "kind": kind, "path": "/x", "optional": optional })
    }

    #[test]
    fn refuses_edges_that_point_up() {
        for (from, to, kind, optional, refused) in [
            ("halfkey-mpc", "halfkey-core", None, false, false),
            ("halfkey-mpc", "halfkey-vault", None, false, true),
            ("halfkey-core", "halfkey-mpc", Some("dev"), false, true),
            ("halfkey", "halfkey-vault", None, true, false),
            ("halfkey", "halfkey-vault", None, false, true),
            ("halfkey", "halfkey-server", None, false, true),
            ("halfkey-server", "halfkey", None, false, true),
            ("halfkey-server", "halfkey-testkit", None, false, true),
            (
                "halfkey-server",
                "halfkey-testkit",
                Some("dev"),
                false,
                false,
            ),
            ("halfkey-mpc", "halfkey-mpc", Some("dev"), false, false),
            ("halfkey-chain", "halfkey-core", Some("build"), false, false),
            ("halfkey-chain", "halfkey-mpc", Some("build"), false, true),
        ] {
            let findings = allowed_only(&metadata(from, &path(to, kind, optional)));
            assert_eq!(!findings.is_empty(), refused, "{from} -> {to}");
        }
    }

    #[test]
    fn refuses_a_crate_that_is_not_in_the_table_and_one_that_is_gone() {
        let unknown = json!({ "packages": [{ "name": "halfkey-new", "source": null }] });
        assert_eq!(allowed_only(&unknown).len(), 1);
        let gone = json!({ "packages": [{ "name": "halfkey-core", "source": null }] });
        assert_eq!(allowed_only(&gone).len(), 1);
    }

    #[test]
    fn sans_io_refuses_a_runtime_in_the_engine_crate() {
        let tokio = json!({ "name": "tokio", "kind": null, "path": null });
        assert_eq!(sans_io(&metadata("halfkey-mpc", &tokio)).len(), 1);
        assert_eq!(sans_io(&metadata("halfkey-server", &tokio)), []);
        let always = json!({ "name": "rustix", "kind": null, "optional": false });
        assert_eq!(sans_io(&metadata("halfkey-core", &always)).len(), 1);
        let by_feature = json!({ "name": "rustix", "kind": null, "optional": true });
        assert_eq!(sans_io(&metadata("halfkey-core", &by_feature)), []);
        assert_eq!(sans_io(&metadata("halfkey-mpc", &by_feature)).len(), 1);
        let dev = json!({ "name": "tokio", "kind": "dev", "path": null });
        assert_eq!(sans_io(&metadata("halfkey-mpc", &dev)), []);
    }
}
