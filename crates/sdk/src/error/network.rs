/// How the exchange with the provider failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkKind {
    /// No connection (refused, unreachable, TLS handshake failed): nothing was sent.
    Connect,
    /// A deadline passed; the request may have been received.
    Timeout,
    /// The connection broke; the request may have been received.
    Interrupted,
    /// The provider answered with a redirect; it was not followed, and no credential went there.
    Redirect,
    /// The answer was larger than any answer should be.
    TooLarge,
}

impl NetworkKind {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "provider_unreachable",
            Self::Timeout => "provider_silent",
            Self::Interrupted => "connection_interrupted",
            Self::Redirect => "redirect_refused",
            Self::TooLarge => "answer_too_large",
        }
    }
}

/// The provider could not be reached, or its answer did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("network: {}: {message} (request {request_id})", .kind.as_str())]
#[non_exhaustive]
pub struct NetworkError {
    /// How it failed.
    pub kind: NetworkKind,
    /// What the network stack said; never a URL or a body.
    pub message: String,
    /// The request.
    pub request_id: String,
}

impl NetworkError {
    /// Whether the request can not have reached the provider.
    pub const fn never_sent(&self) -> bool {
        matches!(self.kind, NetworkKind::Connect)
    }
}
