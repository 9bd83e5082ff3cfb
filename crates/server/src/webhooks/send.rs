//! One try over HTTP: to the address that was checked, without redirects.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::target::{Allowed, Target};

/// For everything: connecting, sending, and the head of the answer.
const LONGEST: Duration = Duration::from_secs(10);

/// How a try ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With this status. The body is nobody's business.
    Answered(u16),
    /// Without an answer.
    Failed(String),
    /// There is nothing to tell any more.
    Cancelled,
}

/// Posts `body`.
pub(super) async fn post(
    url: &str,
    allowed: Allowed,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Outcome {
    match tokio::time::timeout(LONGEST, try_post(url, allowed, headers, body)).await {
        Ok(Ok(status)) => Outcome::Answered(status),
        Ok(Err(why)) => Outcome::Failed(why),
        Err(_) => Outcome::Failed("no answer within 10 seconds".to_owned()),
    }
}

async fn try_post(
    url: &str,
    allowed: Allowed,
    mut headers: HeaderMap,
    body: Vec<u8>,
) -> Result<u16, String> {
    let target = Target::parse(url, allowed).map_err(str::to_owned)?;
    let found = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|_| "the host cannot be resolved".to_owned())?;
    let found = target.checked(found.collect(), allowed)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let client = client(&target, &found).map_err(|error| said(&error))?;
    let sent = client.post(target.url).headers(headers).body(body).send();
    let response = sent.await.map_err(|error| said(&error))?;
    Ok(response.status().as_u16())
}

/// A client of its own for every try: it knows these addresses and asks nobody for others.
fn client(target: &Target, found: &[SocketAddr]) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .resolve_to_addrs(&target.host, found)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(LONGEST)
        .user_agent(concat!("halfkey/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// What kind of failure it was; the library's own text can hold the URL.
fn said(error: &reqwest::Error) -> String {
    let what = if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "the request failed"
    };
    what.to_owned()
}
