//! Licences, banned crates, wildcard versions and sources of every dependency, without the network.
//! The lists are those of `deny.toml`, so that `cargo deny` and these rules cannot differ in them.
//! They differ in reach: licences are checked here of all that cargo resolves for this machine, and
//! by cargo-deny of what the enabled features build on any platform.

use serde_json::Value;

use super::Finding;

/// Where every dependency must come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The quoted strings of `key = [ … ]` inside `[section]` of a TOML text. Comments are dropped.
fn toml_list(toml: &str, section: &str, key: &str) -> Result<Vec<String>, String> {
    let header = format!("[{section}]");
    let opening = format!("{key} = [");
    let mut lines = toml
        .lines()
        .map(|line| line.split_once('#').map_or(line, |(code, _)| code).trim())
        .skip_while(|line| *line != header)
        .skip(1)
        .take_while(|line| !(line.starts_with('[') && line.ends_with(']') && *line != "[]"))
        .skip_while(|line| !line.starts_with(&opening))
        .peekable();
    if lines.peek().is_none() {
        return Err(format!("deny.toml: no `{key}` in [{section}]"));
    }
    let mut strings = Vec::new();
    for line in lines {
        let line = line.strip_prefix(&opening).unwrap_or(line);
        // In `{ crate = "x", reason = "y" }` the name comes first.
        let quoted = line.split('"').skip(1).step_by(2);
        let table = line.contains("crate = ");
        strings.extend(
            quoted
                .take(if table { 1 } else { usize::MAX })
                .map(str::to_owned),
        );
        if line.ends_with(']') {
            return Ok(strings);
        }
    }
    Err(format!("deny.toml: `{key}` in [{section}] does not end"))
}

/// Whether an SPDX expression is satisfied by allowed licences. `/` is the old form of `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = tokens.as_slice();
    any_of(&mut rest, allowed) == Some(true) && rest.is_empty()
}

fn take<'a>(rest: &mut &[&'a str]) -> Option<&'a str> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(first)
}

fn any_of(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut met = all_of(rest, allowed)?;
    while rest.first() == Some(&"OR") {
        take(rest)?;
        met |= all_of(rest, allowed)?;
    }
    Some(met)
}

fn all_of(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut met = one(rest, allowed)?;
    while rest.first() == Some(&"AND") {
        take(rest)?;
        met &= one(rest, allowed)?;
    }
    Some(met)
}

fn one(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let name = take(rest)?;
    if name == "(" {
        let met = any_of(rest, allowed)?;
        return (take(rest)? == ")").then_some(met);
    }
    let mut full = name.to_owned();
    if rest.first() == Some(&"WITH") {
        take(rest)?;
        full = format!("{name} WITH {}", take(rest)?);
    }
    Some(allowed.contains(&full))
}

/// Every package of the graph has an allowed licence.
pub(super) fn allowed_only(metadata: &Value, deny: &str) -> Result<Vec<Finding>, String> {
    let allowed = toml_list(deny, "licenses", "allow")?;
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .ok_or("no packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let text = |key| package.get(key).and_then(Value::as_str).unwrap_or_default();
        if !is_allowed(text("license"), &allowed) {
            let what = format!("licence of {} is `{}`", text("name"), text("license"));
            findings.push(Finding::new("Cargo.lock", 0, what));
        }
    }
    Ok(findings)
}

/// No crate of the workspace takes any version there is of another; a path is one version.
pub(super) fn no_wildcards(metadata: &Value) -> Result<Vec<Finding>, String> {
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .ok_or("no packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let is_ours = package.get("source").is_none_or(Value::is_null);
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        for dependency in dependencies.into_iter().flatten().filter(|_| is_ours) {
            let text = |key| dependency.get(key).and_then(Value::as_str);
            if text("req") == Some("*") && text("path").is_none() {
                let name = text("name").unwrap_or_default();
                let what = format!("{name} = \"*\" takes every version; name one");
                findings.push(Finding::new("Cargo.toml", 0, what));
            }
        }
    }
    Ok(findings)
}

/// Every package of the lock file, for whatever platform, comes from the registry and is not
/// banned.
pub(super) fn lock_is_clean(lock: &str, deny: &str) -> Result<Vec<Finding>, String> {
    let banned = toml_list(deny, "bans", "deny")?;
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(lock.lines()) {
        let quoted = |key: &str| line.strip_prefix(key)?.strip_suffix('"');
        if let Some(name) = quoted("name = \"") {
            // custody: no engine over Paillier, whatever it is called.
            if banned.iter().any(|ban| ban == name) || name.contains("paillier") {
                findings.push(Finding::new(
                    "Cargo.lock",
                    number,
                    format!("{name} is banned"),
                ));
            }
        }
        if let Some(source) = quoted("source = \"")
            && source != REGISTRY
        {
            findings.push(Finding::new(
                "Cargo.lock",
                number,
                format!("source {source}"),
            ));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = r#"
[licenses]
# why
allow = [
    "MIT", # reason
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
]
[bans]
multiple-versions = "allow"
deny = [
    { crate = "openssl", reason = "one TLS stack" },
]
"#;

    #[test]
    fn reads_the_lists_of_deny_toml() {
        assert_eq!(toml_list(DENY, "licenses", "allow").unwrap().len(), 3);
        assert_eq!(toml_list(DENY, "bans", "deny").unwrap(), ["openssl"]);
        toml_list(DENY, "licenses", "deny").unwrap_err();
        toml_list("[bans]\ndeny = [\n", "bans", "deny").unwrap_err();
    }

    #[test]
    fn evaluates_licence_expressions() {
        let allowed = toml_list(DENY, "licenses", "allow").unwrap();
        for expression in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/GPL-3.0",
            "MIT AND (Apache-2.0 OR GPL-3.0)",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(expression, &allowed), "{expression}");
        }
        for expression in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-3.0) AND GPL-3.0",
            "MIT WITH Some-exception",
            "(MIT",
            "MIT MIT",
            "MIT OR",
        ] {
            assert!(!is_allowed(expression, &allowed), "{expression}");
        }
    }

    #[test]
    fn refuses_a_package_without_an_allowed_licence() {
        let graph = |licence: Value| json!({ "packages": [{ "name": "a", "license": licence }] });
        assert_eq!(allowed_only(&graph(json!("MIT")), DENY).unwrap(), []);
        assert_eq!(
            allowed_only(&graph(json!("AGPL-3.0")), DENY).unwrap().len(),
            1
        );
        assert_eq!(allowed_only(&graph(Value::Null), DENY).unwrap().len(), 1);
    }

    #[test]
    fn refuses_any_version_but_takes_a_path() {
        let graph = |source: Value, dependency: Value| {
            let package = json!({ "source": source, "dependencies": [dependency] });
            json!({ "packages": [package] })
        };
        let any = json!({ "name": "serde", "req": "*" });
        let path = json!({ "name": "halfkey-core", "req": "*", "path": "crates/core" });
        let one = json!({ "name": "serde", "req": "^1" });
        let found = no_wildcards(&graph(Value::Null, any.clone())).unwrap();
        assert_eq!(found.len(), 1);
        for fine in [
            graph(Value::Null, path),
            graph(Value::Null, one),
            // Somebody else's crate, which the registry has let pass.
            graph(json!(REGISTRY), any),
        ] {
            assert_eq!(no_wildcards(&fine).unwrap(), []);
        }
        no_wildcards(&json!({})).unwrap_err();
    }

    #[test]
    fn refuses_banned_names_and_foreign_sources() {
        let entry = |name: &str, source: &str| {
            format!("[[package]]\nname = \"{name}\"\nsource = \"{source}\"\n")
        };
        assert_eq!(lock_is_clean(&entry("serde", REGISTRY), DENY).unwrap(), []);
        assert_eq!(
            lock_is_clean(&entry("openssl", REGISTRY), DENY)
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            lock_is_clean(&entry("fast-paillier", REGISTRY), DENY)
                .unwrap()
                .len(),
            1
        );
        let git = "git+https://example.org/x#0";
        assert_eq!(lock_is_clean(&entry("serde", git), DENY).unwrap().len(), 1);
    }
}
