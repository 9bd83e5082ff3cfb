//! SPEC.md and the code cite the same steps.

use std::collections::BTreeSet;
use std::path::Path;

fn sources(directory: &Path, text: &mut String) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

fn step(word: &str) -> Option<(u32, u32)> {
    let (part, number) = word
        .trim_end_matches([':', ',', '.', ')'])
        .split_once('.')?;
    Some((part.parse().ok()?, number.parse().ok()?))
}

/// Every `N.M` behind "Step", "Steps", "and" or "to" in a comment; `N.A to N.B` means all between.
fn cited(text: &str) -> BTreeSet<(u32, u32)> {
    let mut found = BTreeSet::new();
    for line in text
        .lines()
        .filter(|line| line.trim_start().starts_with("//"))
    {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| !word.starts_with("Step"));
        words.next();
        let mut from = None;
        let mut range = false;
        for word in words {
            match (word, step(word)) {
                ("to", _) => range = true,
                ("and", _) => {}
                (_, Some(to)) if range => {
                    let (part, first) = from.unwrap();
                    found.extend((first..=to.1).map(|number| (part, number)));
                    range = false;
                }
                (_, Some(one)) => {
                    found.insert(one);
                    from = Some(one);
                }
                _ => break,
            }
        }
    }
    found
}

#[test]
fn every_step_is_cited_and_every_citation_is_a_step() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let spec = std::fs::read_to_string(root.join("SPEC.md")).unwrap();
    let rows = spec
        .lines()
        .filter_map(|line| step(line.strip_prefix("| ")?.split(' ').next()?));
    let steps: BTreeSet<(u32, u32)> = rows.collect();
    assert!(steps.len() > 25, "{steps:?}");
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    let cited = cited(&text);
    assert_eq!(
        cited.difference(&steps).collect::<Vec<_>>(),
        Vec::<&(u32, u32)>::new()
    );
    assert_eq!(
        steps.difference(&cited).collect::<Vec<_>>(),
        Vec::<&(u32, u32)>::new()
    );
}

/// Every domain of a hash, MAC, pad or signature is in SPEC.md, where another implementation looks.
#[test]
fn every_domain_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let spec = std::fs::read_to_string(root.join("SPEC.md")).unwrap();
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    let domains: BTreeSet<&str> = text
        .split('"')
        .filter_map(|literal| literal.strip_prefix("halfkey-")?.strip_suffix("-v1"))
        .collect();
    assert!(domains.len() > 12, "{domains:?}");
    for domain in domains {
        let named = [
            format!("`halfkey-{domain}-v1`"),
            format!("\"halfkey-{domain}-v1\""),
            format!("H(`{domain}`;"),
        ];
        assert!(named.iter().any(|form| spec.contains(form)), "{domain}");
    }
}
