//! The login of a pod. The server is the real one; the cluster, which it asks whether a service
//! account's token is genuine, is a few lines here.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use halfkey_testkit::servers::TestCa;
use halfkey_vault::net::openbao::OpenBaoAuth;
use serde_json::{Value, json};

use super::super::{Access, fresh};
use super::{mount_and_policy, must_be_denied, open, wrap};

/// A token of a service account, with a signature that nobody checks.
fn jwt(account: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = part(&json!({
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "payments",
        "kubernetes.io/serviceaccount/service-account.name": account,
        "kubernetes.io/serviceaccount/service-account.uid": "u1",
        "sub": format!("system:serviceaccount:payments:{account}"),
    }));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([7; 256]))
}

/// Answers token reviews: `genuine` is, everything else is not. Ends with the process.
fn cluster(genuine: String) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            review(stream, &genuine);
        }
    });
    url
}

/// One review per connection.
fn review(stream: TcpStream, genuine: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut len = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).unwrap();
    let mut review: Value = serde_json::from_slice(&body).unwrap();
    let is_genuine = review["spec"]["token"] == genuine;
    review["status"] = json!({
        "authenticated": is_genuine,
        "user": {
            "username": "system:serviceaccount:payments:signer",
            "uid": "u1",
            "groups": ["system:serviceaccounts"],
        },
    });
    let body = review.to_string();
    let head = format!(
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all((head + &body).as_bytes()).unwrap();
}

#[tokio::test]
async fn a_pod_logs_in_by_its_service_account() {
    let access = Access::dev().await;
    let policy = mount_and_policy(&access).await;
    let (mount, admin) = (fresh("kubernetes"), &access.admin);
    let genuine = jwt("signer");
    let kind = json!({ "type": "kubernetes" });
    admin.must("POST", &format!("sys/auth/{mount}"), kind).await;
    let config = json!({
        "kubernetes_host": cluster(genuine.clone()),
        "kubernetes_ca_cert": std::fs::read_to_string(TestCa::new().ca_file()).unwrap(),
        "disable_local_ca_jwt": true,
        "token_reviewer_jwt": jwt("reviewer"),
    });
    admin
        .must("POST", &format!("auth/{mount}/config"), config)
        .await;
    let role = json!({
        "bound_service_account_names": ["signer"],
        "bound_service_account_namespaces": ["payments"],
        "token_policies": [policy],
    });
    admin
        .must("POST", &format!("auth/{mount}/role/signer"), role)
        .await;

    // Kubernetes makes the file readable to all, and some tools end it with a line feed.
    let token_file = access.dir.path().join("jwt");
    std::fs::write(&token_file, format!("{genuine}\n")).unwrap();
    let mut config = access.transit(&policy);
    config.server.auth = OpenBaoAuth::Kubernetes {
        mount: mount.clone(),
        role: "signer".to_owned(),
        token_file: token_file.clone(),
    };
    let kek = open(&config).await.unwrap();
    wrap(&kek).await.unwrap();
    let revoke = format!("sys/leases/revoke-prefix/auth/{mount}/login");
    admin.must("POST", &revoke, json!({ "sync": true })).await;
    wrap(&kek).await.unwrap();

    std::fs::write(&token_file, jwt("intruder")).unwrap();
    must_be_denied(open(&config).await);
    admin.must("POST", &revoke, json!({ "sync": true })).await;
    must_be_denied(wrap(&kek).await);
}
