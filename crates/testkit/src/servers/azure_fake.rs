//! A fake of Azure Key Vault over TLS, with real RSA-OAEP.
//!
//! No emulator of Key Vault can be had. The fake does what Azure's reference and the vendor's own
//! clients say; those clients are run against it too. It does not know who may do what.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{ServerProcess, TestCa, free_port};
use crate::tools;

/// The secret of the one application that the fake's token endpoint knows.
pub const CLIENT_SECRET: &str = "fake-client-secret-5fK2";

/// The token of the one service account that it trusts.
pub const FEDERATED_TOKEN: &str = "fake-federated-token-9xQ7";

/// What its metadata service (`/msi/token`) wants to be told.
pub const MACHINE_HEADER: &str = "fake-machine-header-2bW8";

/// A running fake with its own CA; it ends with the test process.
#[derive(Debug)]
pub struct AzureFake {
    port: u16,
    control_port: u16,
    ca: TestCa,
    _server: ServerProcess,
}

impl AzureFake {
    /// Starts one; empty.
    pub fn start() -> Self {
        let (port, control_port, ca) = (free_port(), free_port(), TestCa::new());
        let mut command = Command::new(python());
        command
            .arg(tools::script("azure_keyvault_fake.py"))
            .args([port, control_port].map(|port| port.to_string()))
            .arg(ca.certificate_file())
            .arg(ca.key_file());
        Self {
            port,
            control_port,
            ca,
            _server: ServerProcess::start(&command, "ready"),
        }
    }

    /// Where the vault is, and the token endpoint too.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The CA of its certificate.
    pub const fn ca(&self) -> &TestCa {
        &self.ca
    }

    /// Asks the fake itself: `what` is a method of its `Control`, `with` an object of arguments.
    pub fn control(&self, what: &str, mut with: Value) -> Value {
        with["do"] = what.into();
        let mut stream = TcpStream::connect(("127.0.0.1", self.control_port)).unwrap();
        stream.write_all(format!("{with}\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the fake failed at {what}"))
    }

    /// Makes a key, or a new version of one, with this tag `halfkey-environment`; `with` can set
    /// `kty`, `size`, `ops` and `enabled`. Returns the version.
    pub fn create_key(&self, name: &str, environment: &str, mut with: Value) -> String {
        with["name"] = name.into();
        with["tags"] = json!({ "halfkey-environment": environment });
        text(self.control("create_key", with))
    }

    /// Lets every request whose line (`GET /keys/…`) contains `marker` go wrong, until healed.
    pub fn fault(&self, marker: &str, kind: &str, mut with: Value) {
        with["match"] = marker.into();
        with["kind"] = kind.into();
        self.control("fault", with);
    }

    /// Ends a fault; what hangs is cut off.
    pub fn heal(&self, marker: &str) {
        self.control("heal", json!({ "match": marker }));
    }

    /// How many requests had this in their line.
    pub fn calls(&self, marker: &str) -> u64 {
        let calls = self.control("calls", json!({ "match": marker }));
        calls.as_u64().unwrap()
    }

    /// Everything it received and holds.
    pub fn dump(&self) -> Vec<u8> {
        STANDARD
            .decode(text(self.control("dump", json!({}))))
            .unwrap()
    }

    /// Lets the vendor's Python clients do one thing with this vault; see `azure_cross_check.py`.
    pub fn vendor_client(&self, arguments: &[&str]) -> String {
        let output = Command::new(python())
            .arg(tools::script("azure_cross_check.py"))
            .args([Path::new(&self.url()), &self.ca.ca_file()])
            .args(arguments)
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {shown}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn python() -> std::path::PathBuf {
    tools::must_find("venvs/azure/bin/python")
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => panic!("no text but {other}"),
    }
}
