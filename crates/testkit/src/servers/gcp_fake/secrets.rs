//! Secrets, their versions and etags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::Request;
use super::{Answer, Fault, error, not_found, page, received_data, sent_data};

/// Google answers with the project's number, whatever was asked.
const PROJECT: &str = "projects/123456789012";

/// The longest payload.
const LIMIT: usize = 65_536;

/// A secret and its versions, numbered from 1.
pub(super) struct Secret {
    labels: Value,
    annotations: Value,
    versions: Vec<Version>,
}

struct Version {
    data: Vec<u8>,
    state: String,
}

impl Secret {
    fn add(&mut self, data: Vec<u8>) {
        let state = "ENABLED".to_owned();
        self.versions.push(Version { data, state });
    }

    fn etag(&self) -> String {
        format!("\"{}\"", self.versions.len())
    }

    fn show(&self, id: &str) -> Value {
        json!({
            "name": format!("{PROJECT}/secrets/{id}"), "replication": {"automatic": {}},
            "createTime": "2026-01-02T03:04:05.678901Z", "etag": self.etag(),
            "labels": self.labels, "annotations": self.annotations,
        })
    }

    /// A version and its number; `latest` is the last one.
    fn version(&mut self, number: &str) -> Option<(usize, &mut Version)> {
        let index = match number {
            "latest" => self.versions.len(),
            number => number.parse().ok()?,
        };
        let version = self.versions.get_mut(index.checked_sub(1)?)?;
        Some((index, version))
    }
}

fn version_name(id: &str, number: usize) -> String {
    format!("{PROJECT}/secrets/{id}/versions/{number}")
}

pub(super) fn set_state(
    secrets: &mut BTreeMap<String, Secret>,
    id: &str,
    number: usize,
    state: &str,
) {
    state.clone_into(&mut secrets.get_mut(id).unwrap().versions[number - 1].state);
}

pub(super) fn ids(secrets: &BTreeMap<String, Secret>) -> Vec<(String, usize)> {
    let count = |(id, secret): (&String, &Secret)| (id.clone(), secret.versions.len());
    secrets.iter().map(count).collect()
}

pub(super) fn held(secrets: &BTreeMap<String, Secret>) -> Vec<u8> {
    let mut out = Vec::new();
    for (id, secret) in secrets {
        out.extend_from_slice(secret.show(id).to_string().as_bytes());
        for version in &secret.versions {
            out.extend_from_slice(&version.data);
        }
    }
    out
}

pub(super) fn answer(
    secrets: &mut BTreeMap<String, Secret>,
    request: &Request,
    body: &Value,
    fault: Option<&Fault>,
) -> Answer {
    let (resource, verb) = request.path.split_once(':').unwrap_or((&request.path, ""));
    let parts: Vec<&str> = resource.split('/').collect();
    match (request.method.as_str(), parts.as_slice(), verb) {
        ("POST", ["projects", _, "secrets"], "") => create(secrets, request, body),
        ("GET", ["projects", _, "secrets"], "") => list(secrets, request),
        (method, ["projects", _, "secrets", id], verb) => {
            let Some(secret) = secrets.get_mut(*id) else {
                return not_found();
            };
            match (method, verb) {
                ("GET", "") => (200, secret.show(id)),
                ("POST", "addVersion") => add(secret, id, body, fault).unwrap_or_else(|no| no),
                ("DELETE", "") => match request.query("etag") {
                    etag if !etag.is_empty() && etag != secret.etag() => {
                        error(400, "FAILED_PRECONDITION", "the etag is another one")
                    }
                    _ => {
                        secrets.remove(*id);
                        (200, json!({}))
                    }
                },
                _ => error(501, "UNIMPLEMENTED", "no such route here"),
            }
        }
        ("GET", ["projects", _, "secrets", id, "versions", number], "access") => secrets
            .get_mut(*id)
            .and_then(|secret| secret.version(number))
            .map_or_else(not_found, |(index, version)| {
                access(id, index, version, fault)
            }),
        _ => error(501, "UNIMPLEMENTED", "no such route here"),
    }
}

fn create(secrets: &mut BTreeMap<String, Secret>, request: &Request, body: &Value) -> Answer {
    let id = request.query("secretId");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(1..=255).contains(&id.len()) || !id.bytes().all(allowed) {
        return error(400, "INVALID_ARGUMENT", "not a secret id");
    }
    if body["replication"].as_object().is_none() {
        return error(400, "INVALID_ARGUMENT", "replication must be given");
    }
    if secrets.contains_key(id) {
        return error(409, "ALREADY_EXISTS", "it exists");
    }
    let secret = Secret {
        labels: body["labels"].clone(),
        annotations: body["annotations"].clone(),
        versions: Vec::new(),
    };
    let shown = secret.show(id);
    secrets.insert(id.to_owned(), secret);
    (200, shown)
}

fn list(secrets: &BTreeMap<String, Secret>, request: &Request) -> Answer {
    let filter = request.query("filter");
    let Some(part) = filter
        .strip_prefix("name:")
        .or(filter.is_empty().then_some(""))
    else {
        return error(400, "INVALID_ARGUMENT", "only name: is understood here");
    };
    let matching = secrets.iter().filter(|(id, _)| id.contains(part));
    let shown = matching.map(|(id, secret)| secret.show(id)).collect();
    let (secrets, next) = page(shown, request);
    (200, json!({"secrets": secrets, "nextPageToken": next}))
}

fn add(
    secret: &mut Secret,
    id: &str,
    body: &Value,
    fault: Option<&Fault>,
) -> Result<Answer, Answer> {
    let (data, is_checked) = received_data(&body["payload"], "data", fault)?;
    if data.is_empty() || data.len() > LIMIT {
        return Err(error(400, "INVALID_ARGUMENT", "empty or too long"));
    }
    if let Some(Fault::OtherVersion(other)) = fault {
        secret.add(other.clone());
    }
    secret.add(data);
    let name = version_name(id, secret.versions.len());
    Ok((
        200,
        json!({
            "name": name, "state": "ENABLED", "etag": secret.etag(),
            "clientSpecifiedPayloadChecksum": is_checked,
        }),
    ))
}

fn access(id: &str, number: usize, version: &Version, fault: Option<&Fault>) -> Answer {
    if version.state != "ENABLED" {
        return error(400, "FAILED_PRECONDITION", "the version is not enabled");
    }
    let (data, sum) = sent_data(&version.data, fault);
    let payload = json!({"data": data, "dataCrc32c": sum});
    (
        200,
        json!({"name": version_name(id, number), "payload": payload}),
    )
}
