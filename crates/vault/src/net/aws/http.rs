//! The SDK's HTTP, done by the one client of this crate.

use core::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use reqwest::{Body, Client, Request, Response};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::Error;
use crate::net::{TlsConfig, endpoint, http_client};

/// The longest reply that is read. The longest sound one is a page of a listing, about 200 kB.
const MAX_REPLY_LEN: usize = 4 * 1024 * 1024;

/// Where EC2, ECS and EKS hand out credentials: link-local addresses that no packet leaves the
/// machine for, and that speak plain HTTP.
const METADATA_HOSTS: [&str; 5] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
];

/// The SDK's HTTP client. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Http {
    /// The one host `service` is for; `None` when there is no other.
    endpoint: Option<Url>,
    service: Client,
    /// Anything else over TLS, such as STS.
    public: Client,
    /// This machine and [`METADATA_HOSTS`], past every proxy.
    local: Client,
}

impl Http {
    /// Clients for `endpoint` (without one: for everything) under the policy of `tls`.
    pub(super) fn new(
        endpoint: Option<&Url>,
        tls: &TlsConfig,
        deadline: Duration,
    ) -> Result<Self, Error> {
        let any = parse("https://amazonaws.com")?;
        let service = http_client::build(endpoint.unwrap_or(&any), tls, deadline)?;
        let public = if endpoint.is_some() {
            let public = TlsConfig {
                ca_file: None,
                min_tls: tls.min_tls,
            };
            http_client::build(&any, &public, deadline)?
        } else {
            service.clone()
        };
        let local = parse("http://127.0.0.1")?;
        Ok(Self {
            endpoint: endpoint.cloned(),
            service,
            public,
            local: http_client::build(&local, &TlsConfig::default(), deadline)?,
        })
    }

    fn client_for(&self, url: &Url) -> Result<&Client, Error> {
        let is_service = |endpoint: &Url| endpoint.origin() == url.origin();
        if self.endpoint.as_ref().is_some_and(is_service) {
            return Ok(&self.service);
        }
        match url.scheme() {
            "https" => Ok(&self.public),
            "http" if endpoint::is_loopback(url) || is_metadata(url) => Ok(&self.local),
            _ => Err(Error::Insecure(
                "plain HTTP to another machine for AWS credentials or a service".to_owned(),
            )),
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = outgoing(request)?;
        let client = self
            .client_for(request.url())
            .map_err(|refused| ConnectorError::user(Box::new(refused)))?;
        incoming(client.execute(request).await.map_err(failed)?).await
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.clone();
        HttpConnectorFuture::new(async move { http.exchange(request).await })
    }
}

/// The settings are time limits; the whole call has one already.
impl HttpClient for Http {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn parse(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|_| Error::Config("no URL".to_owned()))
}

fn is_metadata(url: &Url) -> bool {
    let host = match url.host() {
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        Some(Host::Domain(_)) | None => return false,
    };
    METADATA_HOSTS.contains(&host.as_str())
}

fn outgoing(request: HttpRequest) -> Result<Request, ConnectorError> {
    let request = request
        .try_into_http1x()
        .map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body
        .bytes()
        .map(Bytes::copy_from_slice)
        .ok_or_else(|| ConnectorError::user("a body that is a stream".into()))?;
    http::Request::from_parts(parts, Body::from(body))
        .try_into()
        .map_err(|error: reqwest::Error| ConnectorError::user(error.without_url().into()))
}

/// Reads the whole reply into memory that is wiped when the SDK lets go of it: it can hold an
/// unwrapped data key.
async fn incoming(mut response: Response) -> Result<HttpResponse, ConnectorError> {
    let told = response.content_length().unwrap_or_default();
    let told = usize::try_from(told).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(told.min(MAX_REPLY_LEN)));
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len().saturating_add(chunk.len()) > MAX_REPLY_LEN {
            return Err(ConnectorError::io("a reply that does not end".into()));
        }
        bytes.extend_from_slice(&chunk);
    }
    let mut reply = http::Response::new(SdkBody::from(Bytes::from_owner(bytes)));
    *reply.status_mut() = response.status();
    *reply.headers_mut() = core::mem::take(response.headers_mut());
    HttpResponse::try_from(reply).map_err(|error| ConnectorError::other(error.into(), None))
}

fn failed(error: reqwest::Error) -> ConnectorError {
    let (is_timeout, is_connect) = (error.is_timeout(), error.is_connect());
    let source = Box::new(error.without_url());
    if is_timeout {
        ConnectorError::timeout(source)
    } else if is_connect {
        ConnectorError::io(source).never_connected()
    } else {
        ConnectorError::io(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(endpoint: Option<&str>) -> Http {
        let endpoint = endpoint.map(|text| Url::parse(text).unwrap());
        let tls = TlsConfig::default();
        Http::new(endpoint.as_ref(), &tls, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn plain_http_goes_only_to_this_machine_and_its_metadata() {
        let http = http(None);
        for url in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials/x",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://[fd00:ec2::254]/latest/api/token",
            "http://127.0.0.1:1/",
            "https://sts.eu-central-1.amazonaws.com/",
        ] {
            assert!(http.client_for(&Url::parse(url).unwrap()).is_ok(), "{url}");
        }
        for url in [
            "http://169.254.169.253/",
            "http://sts.eu-central-1.amazonaws.com/",
            "http://kms.eu-central-1.amazonaws.com/",
            "http://169.254.169.254.example.com/",
            "ftp://127.0.0.1/",
        ] {
            let refused = http.client_for(&Url::parse(url).unwrap());
            assert!(matches!(refused, Err(Error::Insecure(_))), "{url}");
        }
    }

    #[test]
    fn http_rejects_a_stream_as_a_body() {
        let stream = SdkBody::taken();
        let request = http::Request::post("http://127.0.0.1/")
            .body(stream)
            .unwrap();
        let request = HttpRequest::try_from(request).unwrap();
        assert!(outgoing(request).unwrap_err().is_user());
    }
}
