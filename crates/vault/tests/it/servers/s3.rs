//! Records in S3 against moto, an emulator: its conditional writes are S3's. Real throttling, the
//! 409 of concurrent conditional writes, IAM policies and versioned buckets cannot be had there.

mod faults;
mod open;
mod plaintext;
mod records;
mod script;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use halfkey_testkit::servers::{ServerProcess, free_port};
use halfkey_testkit::tools;
use halfkey_vault::net::{SecretSource, TlsConfig};
use halfkey_vault::store::s3::{S3Config, S3Credentials, S3Records};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::environment;

const BUCKET: &str = "halfkey-records";

/// moto, one request at a time. By itself it lets two requests into one object at once, so that the
/// conditions of two writes can both hold or one of them ends in an error; S3 does neither.
const ONE_AT_A_TIME: &str = "
import sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
moto, lock = DomainDispatcherApplication(create_backend_app), threading.Lock()
def one_at_a_time(environ, start_response):
    with lock:
        return list(moto(environ, start_response))
run_simple('127.0.0.1', int(sys.argv[1]), one_at_a_time, threaded=True)
";

/// A server with one bucket.
struct Moto {
    port: u16,
    _server: ServerProcess,
}

impl Moto {
    async fn start() -> Self {
        let started = tokio::task::spawn_blocking(Self::start_process);
        let moto = started.await.unwrap();
        make_bucket(&moto.endpoint(), BUCKET).await;
        moto
    }

    fn start_process() -> Self {
        let port = free_port();
        let mut command = Command::new(tools::must_find("venvs/moto/bin/python"));
        command
            .args(["-c", ONE_AT_A_TIME, &port.to_string()])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("PYTHONUNBUFFERED", "1");
        Self {
            port,
            _server: ServerProcess::start(&command, "Running on"),
        }
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The one server of this binary.
async fn moto() -> &'static Moto {
    static SHARED: OnceCell<Moto> = OnceCell::const_new();
    tools::real_part("moto");
    SHARED.get_or_init(Moto::start).await
}

/// A client that is not ours, with a signature that moto does not check.
fn stranger() -> reqwest::Client {
    let signature = "AWS4-HMAC-SHA256 Credential=stranger/20260101/us-east-1/s3/aws4_request, \
                     SignedHeaders=host, Signature=0";
    let headers = [(reqwest::header::AUTHORIZATION, signature.parse().unwrap())];
    reqwest::Client::builder()
        .no_proxy()
        .default_headers(headers.into_iter().collect())
        .build()
        .unwrap()
}

async fn make_bucket(endpoint: &str, bucket: &str) {
    let made = stranger().put(format!("{endpoint}/{bucket}")).send().await;
    let status = made.unwrap().status();
    assert!(status.is_success() || status == 409, "{status}");
}

/// Every object of the bucket under a prefix, read past our own client.
async fn read_back(endpoint: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let client = stranger();
    let bucket = format!("{endpoint}/{BUCKET}");
    let listing = client.get(format!("{bucket}?list-type=2&prefix={prefix}"));
    let listing = listing.send().await.unwrap().text().await.unwrap();
    let keys = listing.split("<Key>").skip(1);
    let mut objects = Vec::new();
    for key in keys.filter_map(|rest| rest.split_once("</Key>")) {
        let object = client.get(format!("{bucket}/{}", key.0)).send().await;
        let object = object.unwrap().error_for_status().unwrap();
        let bytes = object.bytes().await.unwrap().to_vec();
        objects.push((key.0.to_owned(), bytes));
    }
    objects
}

fn fresh_prefix() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A configuration, and the folder of its credentials.
fn config(endpoint: &str, prefix: &str) -> (S3Config, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let credential = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        SecretSource::File(path)
    };
    let config = S3Config {
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: Some(S3Credentials {
            access_key_id: credential("id", "AKIAIOSFODNN7EXAMPLE"),
            secret_access_key: credential("secret", "canary-secret-access-key"),
            session_token: None,
        }),
        tls: TlsConfig::default(),
        deadline_ms: 60_000,
    };
    (config, dir)
}

async fn open(endpoint: &str, prefix: &str) -> (S3Records, TempDir) {
    let (config, dir) = config(endpoint, prefix);
    let opened = S3Records::open(&config, &environment()).await;
    (opened.unwrap(), dir)
}
