//! Where a back-end is.

use url::{Host, Url};

use crate::Error;

/// Parses an `https` URL, or `http` to this machine, without credentials, query or fragment.
///
/// # Errors
/// [`Error::Config`], or [`Error::Insecure`] for plain HTTP to another machine.
pub fn parse_http(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|_| Error::Config("an endpoint is no URL".to_owned()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Config(
            "an endpoint must not carry credentials".to_owned(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::Config(
            "an endpoint has a query or fragment".to_owned(),
        ));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(Error::Insecure(format!(
            "plain HTTP to {} (only loopback may go without TLS)",
            url.host_str().unwrap_or_default()
        ))),
        scheme => Err(Error::Config(format!(
            "an endpoint is neither https nor http but {scheme}"
        ))),
    }
}

/// Whether the URL names this machine: a loopback address, or `localhost` (RFC 6761).
pub fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

/// Whether the URL is a link-local IPv4 address: where clouds have a machine's metadata service.
pub fn is_link_local(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Ipv4(address)) if address.is_link_local())
}

/// [`is_loopback`] for a bare host name or address.
pub fn is_loopback_host(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => host
            .parse::<core::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_rejects_plain_http_to_other_machines() {
        for text in [
            "http://10.0.0.1",
            "http://example.com",
            "http://localhost.example.com",
        ] {
            assert!(
                matches!(parse_http(text), Err(Error::Insecure(_))),
                "{text}"
            );
        }
        for text in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost:1",
            "https://x.y",
        ] {
            assert!(parse_http(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "ftp://x",
            "https://u:p@x",
            "https://x/?q",
            "https://x/#f",
        ] {
            assert!(matches!(parse_http(text), Err(Error::Config(_))), "{text}");
        }
        assert!(is_loopback_host("::1") && !is_loopback_host("10.1.1.1"));
    }
}
