//! The client: S3's signatures by its crate, connections by ours.

use core::time::Duration;

use object_store::RetryConfig;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{HttpClient, HttpConnector};
use url::Url;
use zeroize::Zeroizing;

use super::service::Service;
use super::{S3Config, S3Credentials};
use crate::Error;
use crate::net::endpoint;

/// Where credentials may come from when none are given: the names that every AWS client reads.
/// Nothing else of the environment is: a variable must not turn off TLS or conditional writes.
const FROM_ENVIRONMENT: [(&str, AmazonS3ConfigKey); 10] = [
    ("AWS_ACCESS_KEY_ID", AmazonS3ConfigKey::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", AmazonS3ConfigKey::SecretAccessKey),
    ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token),
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        AmazonS3ConfigKey::WebIdentityTokenFile,
    ),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    ),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
    ),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    ),
];

/// Gives the one [`Service`] for whatever is to be connected to.
#[derive(Debug)]
struct Connector(Service);

impl HttpConnector for Connector {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// A client that never retries by itself.
pub(super) fn build(config: &S3Config) -> Result<AmazonS3, Error> {
    check_label("bucket", &config.bucket, 3..=63)?;
    check_label("region", &config.region, 1..=63)?;
    let (url, virtual_hosted) = place(config)?;
    let deadline = Duration::from_millis(config.deadline_ms);
    let service = Service::new(&url, &config.tls, deadline)?;
    let retry = RetryConfig {
        max_retries: 0,
        retry_timeout: deadline,
        ..RetryConfig::default()
    };
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_endpoint(url.as_str().trim_end_matches('/'))
        .with_virtual_hosted_style_request(virtual_hosted)
        .with_disable_tagging(true)
        .with_retry(retry)
        .with_http_connector(Connector(service));
    let builder = match &config.credentials {
        Some(credentials) => with_credentials(builder, credentials)?,
        None => with_environment(builder),
    };
    builder
        .build()
        .map_err(|_| Error::Config("the credentials for the bucket are incomplete".to_owned()))
}

/// The server's URL, and whether the bucket is a part of it.
fn place(config: &S3Config) -> Result<(Url, bool), Error> {
    if let Some(text) = &config.endpoint {
        return Ok((endpoint::parse_http(text)?, false));
    }
    let (bucket, region) = (&config.bucket, &config.region);
    // A wildcard certificate covers one label only.
    let virtual_hosted = !bucket.contains('.');
    let text = if virtual_hosted {
        format!("https://{bucket}.s3.{region}.amazonaws.com")
    } else {
        format!("https://s3.{region}.amazonaws.com")
    };
    Ok((endpoint::parse_http(&text)?, virtual_hosted))
}

/// They become parts of a URL.
fn check_label(what: &str, text: &str, len: core::ops::RangeInclusive<usize>) -> Result<(), Error> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let dot = |byte: u8| what == "bucket" && byte == b'.';
    if len.contains(&text.len()) && text.bytes().all(|byte| allowed(byte) || dot(byte)) {
        return Ok(());
    }
    Err(Error::Config(format!(
        "the {what} is not {} to {} lower-case letters, digits and dashes",
        len.start(),
        len.end()
    )))
}

fn with_credentials(
    builder: AmazonS3Builder,
    credentials: &S3Credentials,
) -> Result<AmazonS3Builder, Error> {
    let id = credentials.access_key_id.read()?;
    let secret = credentials.secret_access_key.read()?;
    let builder = builder
        .with_access_key_id(id.expose())
        .with_secret_access_key(secret.expose());
    match &credentials.session_token {
        Some(token) => Ok(builder.with_token(token.read()?.expose())),
        None => Ok(builder),
    }
}

fn with_environment(mut builder: AmazonS3Builder) -> AmazonS3Builder {
    for (variable, key) in FROM_ENVIRONMENT {
        if let Ok(value) = std::env::var(variable) {
            builder = builder.with_config(key, Zeroizing::new(value).as_str());
        }
    }
    builder
}
