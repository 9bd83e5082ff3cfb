//! drongo: an independent emulator of Google Cloud, in Python.

use std::process::Command;

use reqwest::Client;
use serde_json::{Value, json};

use super::{ServerProcess, free_port};
use crate::tools::must_find;

/// A running drongo.
#[derive(Debug)]
pub struct Drongo {
    endpoint: String,
    _process: ServerProcess,
}

impl Drongo {
    /// Starts it on a free port; empty.
    pub fn start() -> Self {
        let port = free_port().to_string();
        let mut command = Command::new(must_find("venvs/drongo/bin/drongo"));
        command.args(["server", "--host", "127.0.0.1", "--port", &port]);
        // Else what it prints stays in its buffer.
        command.env("PYTHONUNBUFFERED", "1");
        Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            _process: ServerProcess::start(&command, "listening"),
        }
    }

    /// Makes the key `projects/…/cryptoKeys/…` of purpose `ENCRYPT_DECRYPT`, and its key ring.
    pub async fn create_key(&self, name: &str, labels: &[(&str, &str)]) {
        let (ring, key) = name.split_once("/cryptoKeys/").unwrap();
        let (place, ring_id) = ring.split_once("/keyRings/").unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let labels: Value = labels.iter().copied().collect();
        let spec = json!({"purpose": "ENCRYPT_DECRYPT", "labels": labels});
        for (path, body) in [
            (format!("{place}/keyRings?keyRingId={ring_id}"), json!({})),
            (format!("{ring}/cryptoKeys?cryptoKeyId={key}"), spec),
        ] {
            let url = format!("{}/v1/{path}", self.endpoint);
            let request = client.post(url).body(body.to_string());
            assert!(
                request.send().await.unwrap().status().is_success(),
                "{path}"
            );
        }
    }

    /// The endpoint of every service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
