//! Getting a token.

use core::time::Duration;
use std::path::Path;

use halfkey_core::SecretString;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::reply::Reply;
use super::transport::{Request, Transport, json_body};
use super::{OpenBaoAuth, PEER, checked_path};
use crate::Error;

/// The longest service account token that is read.
const MAX_JWT_LEN: u64 = 64 * 1024;

/// A token and how long it lives.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: SecretString,
    pub(super) renewable: bool,
    /// `None`: it never ends.
    pub(super) lease: Option<Lease>,
}

/// How long a token lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) granted: Duration,
    pub(super) ends: Instant,
}

impl Lease {
    /// A lease of `seconds` from now; 0 is none.
    fn from_now(seconds: u64) -> Option<Self> {
        let granted = Duration::from_secs(seconds);
        let ends = Instant::now().checked_add(granted)?;
        (seconds > 0).then_some(Self { granted, ends })
    }
}

/// A reply to a login or renewal.
#[derive(Deserialize)]
struct WithAuth<'a> {
    #[serde(borrow)]
    auth: Auth<'a>,
}

#[derive(Deserialize)]
struct Auth<'a> {
    client_token: &'a str,
    lease_duration: u64,
    renewable: bool,
}

impl Token {
    fn from_reply(reply: &Reply) -> Result<Self, Error> {
        let WithAuth { auth } = reply.json("a login")?;
        Ok(Self {
            text: SecretString::from(auth.client_token),
            renewable: auth.renewable,
            lease: Lease::from_now(auth.lease_duration),
        })
    }
}

/// Logs in. Reads the credential anew each time; blocks on its file.
pub(super) async fn login(transport: &Transport, auth: &OpenBaoAuth) -> Result<Token, Error> {
    match auth {
        OpenBaoAuth::Token(source) => look_up(transport, source.read()?).await,
        OpenBaoAuth::AppRole {
            mount,
            role_id,
            secret_id,
        } => {
            let secret_id = secret_id.read()?;
            let credentials = AppRole {
                role_id,
                secret_id: secret_id.expose(),
            };
            exchange(transport, mount, &credentials).await
        }
        OpenBaoAuth::Kubernetes {
            mount,
            role,
            token_file,
        } => {
            let jwt = read_jwt(token_file)?;
            let credentials = Kubernetes { role, jwt: &jwt };
            exchange(transport, mount, &credentials).await
        }
    }
}

#[derive(Serialize)]
struct AppRole<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Serialize)]
struct Kubernetes<'a> {
    role: &'a str,
    jwt: &'a str,
}

/// Credentials for a token.
async fn exchange(
    transport: &Transport,
    mount: &str,
    credentials: &(impl Serialize + Sync),
) -> Result<Token, Error> {
    let mount = checked_path("the mount of the login method", mount)?;
    let body = json_body(credentials, 8192)?;
    let request = Request::post(format!("auth/{mount}/login"), body);
    let reply = transport.send(&request, None).await?;
    if reply.is_success() {
        return Token::from_reply(&reply);
    }
    // Both servers answer wrong credentials with 400 in some versions.
    if reply.status() == 400 {
        return Err(Error::Denied(format!("{PEER}: login")));
    }
    Err(reply.refused("login"))
}

/// Makes sure that a token given from outside is one, and learns how long it lives.
async fn look_up(transport: &Transport, text: SecretString) -> Result<Token, Error> {
    #[derive(Deserialize)]
    struct Found {
        ttl: u64,
        #[serde(default)]
        renewable: bool,
    }
    let request = Request::get("auth/token/lookup-self");
    let reply = transport.send(&request, Some(&text)).await?;
    if !reply.is_success() {
        return Err(reply.refused("the token"));
    }
    let found: Found = reply.data("the token")?;
    Ok(Token {
        text,
        renewable: found.renewable,
        lease: Lease::from_now(found.ttl),
    })
}

/// Whether the server still knows `token`.
pub(super) async fn is_valid(transport: &Transport, token: &SecretString) -> Result<bool, Error> {
    let request = Request::get("auth/token/lookup-self");
    let reply = transport.send(&request, Some(token)).await?;
    match reply.status() {
        403 => Ok(false),
        _ if reply.is_success() => Ok(true),
        _ => Err(reply.refused("the token")),
    }
}

/// Asks for a longer life of `token`.
pub(super) async fn renew(transport: &Transport, token: &Token) -> Result<Token, Error> {
    let body = json_body(&serde_json::Map::new(), 16)?;
    let request = Request::post("auth/token/renew-self", body);
    let reply = transport.send(&request, Some(&token.text)).await?;
    if reply.is_success() {
        return Token::from_reply(&reply);
    }
    Err(reply.refused("the token's renewal"))
}

/// Kubernetes makes that file readable to the pod's users, so its mode says nothing.
fn read_jwt(path: &Path) -> Result<Zeroizing<String>, Error> {
    use std::io::Read as _;

    let fail = |error: std::io::Error| {
        Error::Config(format!("token file {}: {}", path.display(), error.kind()))
    };
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(fail)?;
    text.reserve(8192);
    file.take(MAX_JWT_LEN)
        .read_to_string(&mut text)
        .map_err(fail)?;
    let jwt = text.trim();
    if jwt.is_empty() {
        return Err(Error::Config(format!(
            "token file {} is empty",
            path.display()
        )));
    }
    Ok(Zeroizing::new(jwt.to_owned()))
}
