//! Azure Key Vault as the back-ends here talk to it.

mod call;
mod credential;
mod transport;

pub use self::credential::AzureCredential;

pub(crate) use self::call::{Calls, Failure};

use core::time::Duration;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::ClientOptions;
use url::Url;

use self::transport::{Reach, transport};
use super::{TlsConfig, endpoint};
use crate::Error;

/// The tag of keys and secrets that names their environment.
pub(crate) const ENVIRONMENT_TAG: &str = "halfkey-environment";

/// For each call, in milliseconds, unless configured.
pub(crate) const DEFAULT_DEADLINE_MS: u64 = 10_000;

/// What a configuration says about a vault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VaultAccess<'a> {
    /// `https://{name}.vault.azure.net` or `https://{name}.managedhsm.azure.net`.
    pub(crate) vault_url: &'a str,
    /// Who is asking.
    pub(crate) credential: &'a AzureCredential,
    /// Where tokens are given out, instead of the public cloud.
    pub(crate) authority_url: Option<&'a str>,
    /// How connections are made, to the vault and to the authority.
    pub(crate) tls: &'a TlsConfig,
    /// For each call, in milliseconds.
    pub(crate) deadline_ms: u64,
    /// Whether the vault may be on this machine.
    pub(crate) allow_loopback: bool,
}

/// What the clients of keys and secrets are made of.
pub(crate) struct Connection {
    /// The vault, without a path.
    pub(crate) vault: Url,
    /// Who is asking.
    pub(crate) credential: Arc<dyn TokenCredential>,
    /// Our transport, no retries.
    pub(crate) client_options: ClientOptions,
    /// Whether the audience that the vault asks a token for must be its own domain.
    pub(crate) verify_challenge: bool,
    /// How calls are made.
    pub(crate) calls: Calls,
}

/// Checks the configuration and makes what clients need; nothing is sent yet. Errors name `peer`.
///
/// # Errors
/// [`Error::Config`], [`Error::Insecure`].
pub(crate) fn connect(access: &VaultAccess<'_>, peer: String) -> Result<Connection, Error> {
    if access.deadline_ms == 0 {
        return Err(Error::Config("deadline_ms is 0".to_owned()));
    }
    let deadline = Duration::from_millis(access.deadline_ms);
    let vault = must_be_https("vault_url", access.vault_url)?;
    let loopback = endpoint::is_loopback(&vault);
    if loopback && !access.allow_loopback {
        return Err(Error::Insecure(
            "vault_url is this machine, which is for tests: set allow_loopback".to_owned(),
        ));
    }
    let authority = access
        .authority_url
        .map(|url| must_be_https("authority_url", url))
        .transpose()?;
    let credential = access
        .credential
        .build(authority.as_ref(), access.tls, deadline)?;
    let client_options = ClientOptions {
        transport: Some(transport(
            Reach::Origin(vault.clone()),
            access.tls,
            deadline,
        )?),
        ..no_retries()
    };
    Ok(Connection {
        vault,
        credential,
        client_options,
        verify_challenge: !loopback,
        calls: Calls::new(peer, deadline),
    })
}

/// The library retries by itself otherwise, for minutes.
fn no_retries() -> ClientOptions {
    ClientOptions {
        retry: azure_core::http::RetryOptions::none(),
        ..ClientOptions::default()
    }
}

/// An `https` URL of a host, with nothing behind it.
fn must_be_https(what: &str, text: &str) -> Result<Url, Error> {
    let url = endpoint::parse_http(text)?;
    if url.scheme() != "https" {
        return Err(Error::Insecure(format!("{what} is not https")));
    }
    if url.path() != "/" {
        return Err(Error::Config(format!("{what} must have no path")));
    }
    Ok(url)
}

/// The name and version of an object of `collection` (`keys`, `secrets`) of this vault; `None` for
/// anything else.
pub(crate) fn object_id<'a>(
    vault: &Url,
    collection: &str,
    id: &'a str,
) -> Option<(&'a str, Option<&'a str>)> {
    // The text is taken apart as it stands: parsing could turn another text into the expected one.
    let rest = id.strip_prefix(vault.as_str())?;
    let rest = rest.strip_prefix(collection)?.strip_prefix('/')?;
    let (name, version) = match rest.split_once('/') {
        Some((name, version)) => (name, Some(version)),
        None => (rest, None),
    };
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    (plain(name) && version.is_none_or(plain)).then_some((name, version))
}

/// Whether it is a version as Key Vault names them: 32 lower-case hex digits. A version from a
/// record becomes part of a URL, so nothing else may be one.
pub(crate) fn is_version(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_id_rejects_what_is_not_this_vaults() {
        let vault = Url::parse("https://v.vault.azure.net").unwrap();
        let id = |text| object_id(&vault, "keys", text);
        assert_eq!(
            id("https://v.vault.azure.net/keys/a-1/ff"),
            Some(("a-1", Some("ff")))
        );
        assert_eq!(id("https://v.vault.azure.net/keys/a"), Some(("a", None)));
        for other in [
            "https://w.vault.azure.net/keys/a/ff",
            "https://v.vault.azure.net.x/keys/a/ff",
            "https://v.vault.azure.net/secrets/a/ff",
            "https://v.vault.azure.net/keys/a/ff/x",
            "https://v.vault.azure.net/keys/a/../b",
            "https://v.vault.azure.net/keys//ff",
            "https://v.vault.azure.net/keys/a/",
            "https://v.vault.azure.net/keys/a?x",
            "",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
    }

    #[test]
    fn is_version_rejects_all_but_32_lower_case_hex_digits() {
        assert!(is_version("0123456789abcdef0123456789abcdef"));
        for other in [
            "",
            "1",
            "0123456789ABCDEF0123456789abcdef",
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdef0",
            "../56789abcdef0123456789abcdef012",
        ] {
            assert!(!is_version(other), "{other}");
        }
    }
}
