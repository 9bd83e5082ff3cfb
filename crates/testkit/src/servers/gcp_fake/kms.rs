//! Keys: `version u32 ‖ nonce 12 ‖ AES-256-GCM` under the version's own key.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use serde_json::{Value, json};

use super::http::Request;
use super::{Answer, Fault, error, not_found, page, received_data, sent_data};

/// A key and its versions, numbered from 1.
pub(super) struct Key {
    labels: Value,
    purpose: String,
    primary: usize,
    versions: Vec<Version>,
}

struct Version {
    material: [u8; 32],
    state: String,
}

impl Version {
    fn new() -> Self {
        let mut material = [0; 32];
        rand::fill(&mut material).unwrap();
        Self {
            material,
            state: "ENABLED".to_owned(),
        }
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.material).unwrap())
    }
}

impl Key {
    pub(super) fn new(labels: &[(&str, &str)]) -> Self {
        Self {
            labels: labels.iter().map(|&(name, value)| (name, value)).collect(),
            purpose: "ENCRYPT_DECRYPT".to_owned(),
            primary: 1,
            versions: vec![Version::new()],
        }
    }

    fn version(&mut self, number: &str) -> Option<(usize, &mut Version)> {
        let index = number.parse::<usize>().ok()?;
        let version = self.versions.get_mut(index.checked_sub(1)?)?;
        Some((index, version))
    }

    fn show(&self, name: &str) -> Value {
        json!({
            "name": name, "purpose": self.purpose, "labels": self.labels,
            "createTime": "2026-01-02T03:04:05.678901Z",
            "primary": self.show_version(name, self.primary),
        })
    }

    fn show_version(&self, name: &str, number: usize) -> Value {
        json!({
            "name": format!("{name}/cryptoKeyVersions/{number}"),
            "state": self.versions[number - 1].state,
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "SOFTWARE",
            "createTime": "2026-01-02T03:04:05.678901Z",
        })
    }
}

pub(super) fn set_purpose(keys: &mut BTreeMap<String, Key>, key: &str, purpose: &str) {
    purpose.clone_into(&mut keys.get_mut(key).unwrap().purpose);
}

pub(super) fn set_state(keys: &mut BTreeMap<String, Key>, key: &str, number: usize, state: &str) {
    state.clone_into(&mut keys.get_mut(key).unwrap().versions[number - 1].state);
}

pub(super) fn answer(
    keys: &mut BTreeMap<String, Key>,
    request: &Request,
    body: &Value,
    fault: Option<&Fault>,
) -> Answer {
    let (resource, verb) = request.path.split_once(':').unwrap_or((&request.path, ""));
    let (name, version) = match resource.split_once("/cryptoKeyVersions") {
        Some((name, version)) => (name, Some(version.trim_start_matches('/'))),
        None => (resource, None),
    };
    let Some(key) = keys.get_mut(name) else {
        return not_found();
    };
    match (request.method.as_str(), version, verb) {
        ("GET", None, "") => (200, key.show(name)),
        ("POST", None, "encrypt") => encrypt(key, name, body, fault).unwrap_or_else(|no| no),
        ("POST", None, "decrypt") => decrypt(key, body, fault).unwrap_or_else(|no| no),
        ("POST", None, "updatePrimaryVersion") => update_primary(key, name, body),
        ("GET", Some(""), "") => {
            let all = 1..=key.versions.len();
            let shown = all.map(|number| key.show_version(name, number)).collect();
            let (versions, next) = page(shown, request);
            (
                200,
                json!({"cryptoKeyVersions": versions, "nextPageToken": next}),
            )
        }
        ("POST", Some(""), "") => {
            key.versions.push(Version::new());
            (200, key.show_version(name, key.versions.len()))
        }
        ("PATCH", Some(number), "") if request.query("updateMask") == "state" => {
            update_state(key, name, number, body)
        }
        _ => error(501, "UNIMPLEMENTED", "no such route here"),
    }
}

fn is_not_enabled() -> Answer {
    error(400, "FAILED_PRECONDITION", "the version is not enabled")
}

fn encrypt(key: &Key, name: &str, body: &Value, fault: Option<&Fault>) -> Result<Answer, Answer> {
    const AAD: &str = "additionalAuthenticatedData";
    let (mut sealed, plaintext_checked) = received_data(body, "plaintext", fault)?;
    let (aad, aad_checked) = received_data(body, AAD, None)?;
    let version = &key.versions[key.primary - 1];
    if version.state != "ENABLED" {
        return Err(is_not_enabled());
    }
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).unwrap();
    let cipher = version.cipher();
    let unique = Nonce::assume_unique_for_key(nonce);
    cipher
        .seal_in_place_append_tag(unique, Aad::from(aad), &mut sealed)
        .unwrap();
    let number = u32::try_from(key.primary).unwrap().to_be_bytes();
    let ciphertext = [&number[..], &nonce, &sealed].concat();
    let (ciphertext, sum) = sent_data(&ciphertext, fault);
    let ignored = matches!(fault, Some(Fault::IgnoreChecksums));
    Ok((
        200,
        json!({
            "name": format!("{name}/cryptoKeyVersions/{}", key.primary),
            "ciphertext": ciphertext, "ciphertextCrc32c": sum,
            "verifiedPlaintextCrc32c": plaintext_checked,
            "verifiedAdditionalAuthenticatedDataCrc32c": aad_checked && !ignored,
            "protectionLevel": "SOFTWARE",
        }),
    ))
}

fn decrypt(key: &mut Key, body: &Value, fault: Option<&Fault>) -> Result<Answer, Answer> {
    let refused = || {
        error(
            400,
            "INVALID_ARGUMENT",
            "Decryption failed: the ciphertext is invalid.",
        )
    };
    let (ciphertext, _) = received_data(body, "ciphertext", fault)?;
    let (aad, _) = received_data(body, "additionalAuthenticatedData", None)?;
    let (number, rest) = ciphertext.split_first_chunk::<4>().ok_or_else(refused)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(refused)?;
    let primary = key.primary;
    let number = u32::from_be_bytes(*number).to_string();
    let (index, version) = key.version(&number).ok_or_else(refused)?;
    if version.state != "ENABLED" {
        return Err(is_not_enabled());
    }
    let (mut sealed, unique) = (sealed.to_vec(), Nonce::assume_unique_for_key(*nonce));
    let plaintext = version
        .cipher()
        .open_in_place(unique, Aad::from(aad), &mut sealed)
        .map_err(|_| refused())?;
    let (plaintext, sum) = sent_data(plaintext, fault);
    Ok((
        200,
        json!({
            "plaintext": plaintext, "plaintextCrc32c": sum,
            "usedPrimary": index == primary, "protectionLevel": "SOFTWARE",
        }),
    ))
}

fn update_primary(key: &mut Key, name: &str, body: &Value) -> Answer {
    let number = body["cryptoKeyVersionId"].as_str().unwrap_or_default();
    match key.version(number) {
        None => not_found(),
        Some((_, version)) if version.state != "ENABLED" => is_not_enabled(),
        Some((index, _)) => {
            key.primary = index;
            (200, key.show(name))
        }
    }
}

fn update_state(key: &mut Key, name: &str, number: &str, body: &Value) -> Answer {
    // The official Python client writes enums as numbers.
    let wanted = match &body["state"] {
        state if state == "ENABLED" || state == 1 => "ENABLED",
        state if state == "DISABLED" || state == 2 => "DISABLED",
        _ => return error(400, "INVALID_ARGUMENT", "only ENABLED or DISABLED"),
    };
    match key.version(number) {
        None => not_found(),
        Some((_, version)) if !["ENABLED", "DISABLED"].contains(&version.state.as_str()) => {
            error(400, "FAILED_PRECONDITION", "restore it first")
        }
        Some((index, version)) => {
            wanted.clone_into(&mut version.state);
            (200, key.show_version(name, index))
        }
    }
}
