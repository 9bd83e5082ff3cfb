//! How a provider serves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use halfkey_core::{Clock, EnvironmentId, SecretString};

/// How connections are protected. TLS 1.3 only.
#[derive(Debug, Clone)]
pub enum Tls {
    /// Plain HTTP; refused unless the listener is on loopback.
    None,
    /// A certificate chain and its key, both PEM.
    Files {
        /// The chain, leaf first.
        cert: PathBuf,
        /// The key (PKCS#8).
        key: PathBuf,
    },
    /// A private CA made beside the data, for trying things out.
    Dev,
}

/// How a provider serves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where `init` made the provider.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How connections are protected.
    pub tls: Tls,
    /// Where to serve Prometheus metrics (loopback only); nowhere by default.
    pub metrics_listen: Option<SocketAddr>,
    /// Opens the keyring, if it has a passphrase.
    pub passphrase: Option<SecretString>,
    /// Go on with a database that was restored from an older copy. Does nothing otherwise.
    pub accept_restore: bool,
    /// The environments in which bytes are signed whose meaning cannot be told (custody rule 20).
    /// One that is not served is refused.
    pub allow_blind: Vec<EnvironmentId>,
    /// The environments whose webhooks may be on this machine, for development. One that is not
    /// served is refused.
    pub allow_loopback_webhooks: Vec<EnvironmentId>,
    /// Bounds on everything a caller can make grow or wait.
    pub limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Bounds on everything a caller can make grow or wait.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Bytes of a request's header block.
    pub header_bytes: usize,
    /// Nesting of a JSON or CBOR body.
    pub body_depth: usize,
    /// From accepting a connection to its first byte, and for a TLS handshake.
    pub first_byte: Duration,
    /// For the whole header of one request.
    pub header_read: Duration,
    /// For the whole body of one request.
    pub body_read: Duration,
    /// A connection on which nothing moves is closed.
    pub idle: Duration,
    /// A connection is asked to end after this, so that load moves between nodes.
    pub connection_age: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Requests being answered at a time; more get 503.
    pub requests: usize,
    /// Live keygens and proofs per environment; more get 429.
    pub create_ceremonies: usize,
    /// Live signatures per environment; more get 429.
    pub sign_ceremonies: usize,
    /// How long a ceremony waits for the caller's next message.
    pub ceremony_ttl: Duration,
    /// How long a step waits for a CPU permit before 503.
    pub step_wait: Duration,
    /// Keygen steps at a time.
    pub keygen_steps: usize,
    /// Signing steps at a time, apart from keygen's.
    pub sign_steps: usize,
    /// OT ceremonies open per wallet (custody rule 14: at most 16).
    pub open_slots: u64,
    /// How long a request waits for one of them before 429.
    pub slot_wait: Duration,
    /// How far back this half can be restored: the age of the oldest copy of its database, be it a
    /// backup or a replica. Told to the customers, who keep earlier generations for so long
    /// (custody rule 9).
    pub backup_horizon: Duration,
    /// Generations of one wallet that are kept for its customer's horizon; a change beyond that is
    /// refused until the oldest one has gone (custody rule 9).
    pub kept_generations: u64,
    /// From when a key is on the list of export recipients until exports may go to it.
    pub recipient_delay: Duration,
    /// Lifetime of a session token.
    pub session_ttl: Duration,
    /// How long a shutdown waits for running requests.
    pub drain: Duration,
    /// How long a shutdown answers the rounds of ceremonies that are under way.
    pub ceremony_drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            body_bytes: 1 << 20,
            header_bytes: 32 << 10,
            body_depth: 32,
            first_byte: Duration::from_secs(5),
            header_read: Duration::from_secs(5),
            body_read: Duration::from_secs(30),
            // Longer than clients keep an idle connection, so that it is they who close it.
            idle: Duration::from_mins(2),
            connection_age: Duration::from_mins(15),
            connections: 4096,
            requests: 512,
            create_ceremonies: 256,
            sign_ceremonies: 1024,
            ceremony_ttl: Duration::from_mins(1),
            step_wait: Duration::from_secs(10),
            keygen_steps: cores.div_ceil(2),
            sign_steps: cores,
            open_slots: 16,
            slot_wait: Duration::from_secs(5),
            backup_horizon: Duration::from_hours(30 * 24),
            kept_generations: 128,
            recipient_delay: Duration::ZERO,
            session_ttl: Duration::from_mins(10),
            drain: Duration::from_secs(30),
            ceremony_drain: Duration::from_secs(20),
        }
    }
}
