//! How a client is built.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use halfkey_core::{Clock, SystemClock};

/// Deadlines of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// For the whole call, repeats included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(20),
            total: Duration::from_mins(1),
        }
    }
}

/// Encoding of request and reply bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyFormat {
    /// RFC 8949: ceremony messages as they are.
    #[default]
    Cbor,
    /// JSON, ceremony messages in base64.
    Json,
}

/// Construction options for [`crate::WalletClient`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WalletClientOpts {
    /// The environment.
    pub environment_id: String,
    /// Where the provider is, for example `https://provider.example`.
    pub base_api_url: Option<String>,
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The provider's identity: 64 hex digits of its key, or `sha256:` and its fingerprint.
    pub provider_identity: Option<String>,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// Encoding of bodies.
    pub body_format: BodyFormat,
    /// Repeats of a call that may be repeated, after the first try.
    pub max_retries: u8,
    /// Tells when the session token is about to expire.
    pub clock: Arc<dyn Clock>,
}

impl WalletClientOpts {
    /// Options for this environment with everything else at its default.
    pub fn new(environment_id: impl Into<String>) -> Self {
        Self {
            environment_id: environment_id.into(),
            base_api_url: None,
            ca_file: None,
            provider_identity: None,
            timeouts: Timeouts::default(),
            body_format: BodyFormat::default(),
            max_retries: 3,
            clock: Arc::new(SystemClock),
        }
    }

    /// Where the provider is. Plain `http` is accepted for loopback only.
    #[must_use]
    pub fn base_api_url(mut self, url: impl Into<String>) -> Self {
        self.base_api_url = Some(url.into());
        self
    }

    /// Trust exactly the certificate authorities in this PEM file.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// The provider's identity (custody rule 17): 64 hex digits of its key, or `sha256:`
    /// followed by the 64 hex digits of its fingerprint.
    #[must_use]
    pub fn provider_identity(mut self, identity: impl Into<String>) -> Self {
        self.provider_identity = Some(identity.into());
        self
    }

    /// Other deadlines.
    #[must_use]
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Another encoding of bodies.
    #[must_use]
    pub const fn body_format(mut self, format: BodyFormat) -> Self {
        self.body_format = format;
        self
    }

    /// Another number of repeats.
    #[must_use]
    pub const fn max_retries(mut self, retries: u8) -> Self {
        self.max_retries = retries;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
