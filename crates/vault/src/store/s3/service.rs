//! HTTP for the S3 client: over our connections, and with every refusal told apart here, where the
//! reply can be seen.

use core::time::Duration;
use std::fmt;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use url::Url;

use super::error::Refused;
use crate::Error;
use crate::net::{TlsConfig, http_client};

/// Of a refusal only so much is read.
const MAX_REFUSAL: usize = 16 * 1024;

/// Where machines and containers are told their credentials; plain HTTP that does not leave the
/// machine. No others are asked without TLS.
const METADATA_HOSTS: [&str; 4] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::23]",
];

/// Sends each request over the connection that its host asks for.
#[derive(Clone)]
pub(super) struct Service {
    /// Host and port of the bucket.
    authority: String,
    bucket: reqwest::Client,
    /// For STS, which answers with the system's certificates.
    public: reqwest::Client,
    metadata: reqwest::Client,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Service {
    pub(super) fn new(bucket: &Url, tls: &TlsConfig, deadline: Duration) -> Result<Self, Error> {
        let unusable = |_| Error::Config("the HTTP client cannot be built".to_owned());
        // What these two stand for: TLS with our rules, and plain HTTP past every proxy.
        let public = Url::parse("https://sts.amazonaws.com").map_err(unusable)?;
        let metadata = Url::parse("http://127.0.0.1").map_err(unusable)?;
        let own = TlsConfig {
            min_tls: tls.min_tls,
            ca_file: None,
        };
        Ok(Self {
            authority: bucket.authority().to_owned(),
            bucket: http_client::build(bucket, tls, deadline)?,
            public: http_client::build(&public, &own, deadline)?,
            metadata: http_client::build(&metadata, &own, deadline)?,
        })
    }

    fn client_for(&self, request: &HttpRequest) -> &reqwest::Client {
        let uri = request.uri();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority == self.authority {
            &self.bucket
        } else if uri
            .host()
            .is_some_and(|host| METADATA_HOSTS.contains(&host))
        {
            &self.metadata
        } else {
            // Speaks TLS only: plain HTTP to anywhere else fails.
            &self.public
        }
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.client_for(&request).call(request).await?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let text = beginning(body).await?;
        let code = Refused::code_in(&text);
        // What the client itself draws conclusions from: absent, and a condition that failed.
        if matches!((status, code), (404, Some("NoSuchKey")) | (409 | 412, _)) {
            return Ok(HttpResponse::from_parts(parts, String::new().into()));
        }
        let refused = Refused::new(status, code);
        Err(HttpError::new(HttpErrorKind::Unknown, refused))
    }
}

async fn beginning(body: HttpResponseBody) -> Result<String, HttpError> {
    let mut stream = body.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > MAX_REFUSAL {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
