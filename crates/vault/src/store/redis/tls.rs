//! The TLS of every connection: our own configuration, so that its oldest version is certain.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{AlertDescription, ClientConfig, RootCertStore, version};

use super::address::Address;
use crate::Error;
use crate::net::{MinTls, TlsConfig};

/// A client configuration: TLS 1.3 unless 1.2 is allowed, certificates checked against the
/// configured CA or the system's. Blocks on files.
pub(super) fn client_config(config: &TlsConfig) -> Result<Arc<ClientConfig>, Error> {
    let versions: &[_] = match config.min_tls {
        MinTls::V1_3 => &[&version::TLS13],
        MinTls::V1_2 => &[&version::TLS13, &version::TLS12],
    };
    // Named here, not the process's default: nothing else can change it.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|_| Error::Config("TLS cannot be set up as asked".to_owned()))?;
    Ok(Arc::new(
        builder
            .with_root_certificates(roots(config)?)
            .with_no_client_auth(),
    ))
}

fn roots(config: &TlsConfig) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &config.ca_file else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(Error::Config(
                "the system has no CA certificates; set tls.ca_file".to_owned(),
            ));
        }
        return Ok(roots);
    };
    let pem = std::fs::read(path);
    let path = path.display();
    let pem = pem.map_err(|error| Error::Config(format!("ca_file {path}: {}", error.kind())))?;
    let no_certificates = || Error::Config(format!("ca_file {path} holds no PEM certificates"));
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| no_certificates())?;
        roots.add(certificate).map_err(|_| no_certificates())?;
    }
    if roots.is_empty() {
        return Err(no_certificates());
    }
    Ok(roots)
}

/// What a failed handshake means. A peer that is no good is not worth another try; one that went
/// away is.
pub(super) fn handshake_error(address: &Address, error: &io::Error) -> Error {
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let what = match cause {
        Some(
            rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
            | rustls::Error::PeerIncompatible(_),
        ) => "it offers no TLS version that is allowed",
        Some(rustls::Error::InvalidCertificate(_)) => "its certificate is not trusted",
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS",
        Some(_) => "the TLS handshake failed",
        None => {
            return Error::temporary(format!("{address}: connection lost ({})", error.kind()));
        }
    };
    Error::Insecure(format!("{address}: {what}"))
}
