//! `--dev-tls`: a private CA and a leaf certificate beside the data, for trying things out.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfkey_core::UnixMillis;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use time::{Duration, OffsetDateTime};

use super::tls;
use crate::Error;
use crate::provider_dir::{create_private_dir, read_if_there, write_durably};

const LIFETIME_DAYS: i64 = 365;
const RENEW_BEFORE_DAYS: i64 = 7;

/// The server's configuration, and the file that clients trust.
pub(crate) struct DevTls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) ca_file: PathBuf,
}

/// Uses what is in `dir`, or makes it new when it is missing, old, or for another address.
pub(crate) fn load_or_create(
    dir: &Path,
    listen: SocketAddr,
    now: UnixMillis,
) -> Result<DevTls, Error> {
    let ca_file = dir.join("ca.pem");
    let (cert, key, stamp) = (
        dir.join("cert.pem"),
        dir.join("key.pem"),
        dir.join("made-for"),
    );
    let renew_at = now.as_secs().saturating_add(days(RENEW_BEFORE_DAYS));
    if !is_current(&stamp, listen.ip(), renew_at)? {
        create_private_dir(dir)?;
        let expires = create(&ca_file, &cert, &key, listen.ip(), now)?;
        // Written last: without it everything is made again.
        write_durably(&stamp, format!("{} {expires}", listen.ip()).as_bytes())?;
    }
    Ok(DevTls {
        config: tls::from_files(&cert, &key)?,
        ca_file,
    })
}

const fn days(count: i64) -> i64 {
    count.saturating_mul(24 * 60 * 60)
}

/// Whether what is there is for this address and holds beyond `renew_at`.
fn is_current(stamp: &Path, ip: IpAddr, renew_at: i64) -> Result<bool, Error> {
    let Some(bytes) = read_if_there(stamp)? else {
        return Ok(false);
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let Some((address, expires)) = text.split_once(' ') else {
        return Ok(false);
    };
    let holds = expires
        .parse::<i64>()
        .is_ok_and(|expires| expires > renew_at);
    Ok(holds && address == ip.to_string())
}

/// Makes a CA, signs one leaf with it and forgets the CA's key. Returns when both expire.
fn create(
    ca_file: &Path,
    cert: &Path,
    key: &Path,
    ip: IpAddr,
    now: UnixMillis,
) -> Result<i64, Error> {
    let failed = |error: rcgen::Error| Error::Tls(error.to_string());
    let out_of_range = |_| Error::Tls("the clock is out of range".to_owned());
    let start = OffsetDateTime::from_unix_timestamp(now.as_secs()).map_err(out_of_range)?;
    let not_before = start.checked_sub(Duration::days(1)).unwrap_or(start);
    let not_after = start
        .checked_add(Duration::days(LIFETIME_DAYS))
        .unwrap_or(start);

    let ca_key = KeyPair::generate().map_err(failed)?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name
        .push(DnType::CommonName, "Halfkey development CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    (ca.not_before, ca.not_after) = (not_before, not_after);
    let ca_cert = ca.self_signed(&ca_key).map_err(failed)?;
    let issuer = Issuer::new(ca, ca_key);

    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    if !ip.is_loopback() && !ip.is_unspecified() {
        names.push(ip.to_string());
    }
    let leaf_key = KeyPair::generate().map_err(failed)?;
    let mut leaf = CertificateParams::new(names).map_err(failed)?;
    leaf.distinguished_name
        .push(DnType::CommonName, "Halfkey development server");
    // rustls refuses a CA as an end entity.
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (leaf.not_before, leaf.not_after) = (not_before, not_after);
    let leaf_cert = leaf.signed_by(&leaf_key, &issuer).map_err(failed)?;

    write_durably(key, leaf_key.serialize_pem().as_bytes())?;
    write_durably(cert, leaf_cert.pem().as_bytes())?;
    write_durably(ca_file, ca_cert.pem().as_bytes())?;
    Ok(not_after.unix_timestamp())
}
