//! A stand-in for Google's Cloud KMS and Secret Manager: the REST routes Halfkey calls, over plain
//! HTTP on loopback, with real AES-256-GCM, key versions and their states, and checksums that are
//! checked. It knows no IAM; `drongo` is the second opinion.
//!
//! What it does is what Google's reference says, not what Google's servers were seen to do.

mod http;
mod kms;
mod secrets;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use self::http::{Reply, Request};

/// What goes wrong on the calls whose path holds a marker.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status and body, whatever was asked.
    Reply(u16, String),
    /// No answer for as long as the caller waits.
    Hang,
    /// The reply ends in the middle.
    Cut,
    /// A byte of the data is another one when it arrives.
    ChangeRequest,
    /// A byte of the data is another one in the reply.
    ChangeReply,
    /// The checksums of the request are not looked at, as if they had not arrived.
    IgnoreChecksums,
    /// Another writer adds this value to the secret just before.
    OtherVersion(Vec<u8>),
}

impl Fault {
    /// An error in Google's form.
    pub fn google(status: u16, code: &str) -> Self {
        Self::Reply(status, error(status, code, "a message").1.to_string())
    }
}

#[derive(Default)]
struct State {
    keys: BTreeMap<String, kms::Key>,
    secrets: BTreeMap<String, secrets::Secret>,
    faults: Vec<(String, Fault)>,
    needs_token: bool,
    tokens: Vec<String>,
    received: Vec<u8>,
    calls: usize,
}

/// The running stand-in; it ends with the test process.
#[derive(Clone)]
pub struct GcpFake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl core::fmt::Debug for GcpFake {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GcpFake")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl GcpFake {
    /// Listens on a free port; empty.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        let serving = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                thread::spawn(move || http::serve(&stream, |request| serving.answer(request)));
            }
        });
        fake
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The endpoint of both services.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a key of purpose `ENCRYPT_DECRYPT` with one version and these labels.
    pub fn create_key(&self, name: &str, labels: &[(&str, &str)]) {
        self.state()
            .keys
            .insert(name.to_owned(), kms::Key::new(labels));
    }

    /// Gives a key another purpose.
    pub fn set_purpose(&self, key: &str, purpose: &str) {
        kms::set_purpose(&mut self.state().keys, key, purpose);
    }

    /// Puts a key version (from 1) into a state.
    pub fn set_state(&self, key: &str, version: usize, state: &str) {
        kms::set_state(&mut self.state().keys, key, version, state);
    }

    /// Puts a version (from 1) of a secret into a state.
    pub fn set_secret_state(&self, secret: &str, version: usize, state: &str) {
        secrets::set_state(&mut self.state().secrets, secret, version, state);
    }

    /// From now on every call whose path holds `marker` goes wrong like this.
    pub fn break_calls(&self, marker: &str, fault: Fault) {
        self.state().faults.push((marker.to_owned(), fault));
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Calls without a bearer token are refused.
    pub fn require_bearer(&self) {
        self.state().needs_token = true;
    }

    /// Where a foreign token is exchanged for one of Google's (workload identity federation).
    pub fn token_url(&self) -> String {
        format!("{}/v1/token", self.endpoint())
    }

    /// The bearer tokens that arrived, in order.
    pub fn tokens(&self) -> Vec<String> {
        self.state().tokens.clone()
    }

    /// How many calls arrived.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// Every byte that arrived, and once more the bytes that were base64 in it.
    pub fn received(&self) -> Vec<u8> {
        self.state().received.clone()
    }

    /// Every secret's names, labels and values.
    pub fn held(&self) -> Vec<u8> {
        secrets::held(&self.state().secrets)
    }

    /// The ids of the secrets, ascending, and how many versions each has.
    pub fn secret_ids(&self) -> Vec<(String, usize)> {
        secrets::ids(&self.state().secrets)
    }

    fn answer(&self, request: &Request) -> Reply {
        let mut state = self.state();
        state.calls += 1;
        state.received.extend_from_slice(&request.raw);
        let fault = state
            .faults
            .iter()
            .find(|(marker, _)| request.path.contains(marker.as_str()))
            .map(|(_, fault)| fault.clone());
        match fault {
            Some(Fault::Reply(status, body)) => return Reply::Whole(status, body.into_bytes()),
            Some(Fault::Hang) => return Reply::Never,
            _ => {}
        }
        if request.path == "token" {
            return to_reply(token());
        }
        state.tokens.extend(request.bearer.clone());
        if state.needs_token && request.bearer.is_none() {
            return to_reply(error(401, "UNAUTHENTICATED", "no token"));
        }
        let body = request.json();
        let answer = if request.path.contains("/keyRings/") {
            kms::answer(&mut state.keys, request, &body, fault.as_ref())
        } else {
            secrets::answer(&mut state.secrets, request, &body, fault.as_ref())
        };
        for text in [&body, &answer.1] {
            decoded(text, &mut state.received);
        }
        match (fault, to_reply(answer)) {
            (Some(Fault::Cut), Reply::Whole(status, body)) => Reply::Cut(status, body),
            (_, reply) => reply,
        }
    }
}

/// A status and a JSON body.
type Answer = (u16, Value);

fn to_reply((status, body): Answer) -> Reply {
    Reply::Whole(status, body.to_string().into_bytes())
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"error": {"code": status, "message": message, "status": code}});
    (status, body)
}

fn token() -> Answer {
    let body = json!({
        "access_token": "federated-Kq7Zp4wV9xR2tLm8", "token_type": "Bearer", "expires_in": 3600,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    (200, body)
}

fn not_found() -> Answer {
    error(404, "NOT_FOUND", "not found")
}

/// What every base64 string of `value` stands for.
fn decoded(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.extend(STANDARD.decode(text).unwrap_or_default()),
        Value::Object(members) => members.values().for_each(|value| decoded(value, out)),
        Value::Array(items) => items.iter().for_each(|value| decoded(value, out)),
        _ => {}
    }
}

fn checksum(bytes: &[u8]) -> String {
    crc32c::crc32c(bytes).to_string()
}

/// The data in `field`, checked against its checksum; whether there was one.
fn received_data(
    body: &Value,
    field: &str,
    fault: Option<&Fault>,
) -> Result<(Vec<u8>, bool), Answer> {
    let mut data = STANDARD
        .decode(body[field].as_str().unwrap_or_default())
        .map_err(|_| error(400, "INVALID_ARGUMENT", "not base64"))?;
    if let (Some(Fault::ChangeRequest), Some(first)) = (fault, data.first_mut()) {
        *first ^= 1;
    }
    let sum_field = format!("{field}Crc32c");
    let sum = body[&sum_field].as_str();
    match sum {
        _ if matches!(fault, Some(Fault::IgnoreChecksums)) => Ok((data, false)),
        Some(sum) if sum != checksum(&data) => Err(error(
            400,
            "INVALID_ARGUMENT",
            &format!("The checksum in field {field}_crc32c did not match the data."),
        )),
        sum => Ok((data, sum.is_some())),
    }
}

/// `data` as it stands in a reply, and its checksum.
fn sent_data(data: &[u8], fault: Option<&Fault>) -> (String, String) {
    let sum = checksum(data);
    let mut data = data.to_vec();
    if let (Some(Fault::ChangeReply), Some(first)) = (fault, data.first_mut()) {
        *first ^= 1;
    }
    (STANDARD.encode(data), sum)
}

/// A page of `items` after `pageToken`, and the next token.
fn page(items: Vec<Value>, request: &Request) -> (Vec<Value>, String) {
    let size = request.query("pageSize").parse().unwrap_or(1000).max(1);
    let from = request.query("pageToken").parse().unwrap_or(0);
    let total = items.len();
    let page: Vec<Value> = items.into_iter().skip(from).take(size).collect();
    let end = from + page.len();
    let next = (end < total).then(|| end.to_string());
    (page, next.unwrap_or_default())
}
