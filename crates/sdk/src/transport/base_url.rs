use url::{Host, Url};

use crate::{Error, Result};

/// Parses the provider's base URL: an origin with an optional path prefix, `https`, or `http` to
/// this machine.
pub(super) fn parse(text: Option<&str>) -> Result<Url> {
    let text = text.ok_or_else(|| invalid("base_api_url is not set"))?;
    let mut url = Url::parse(text).map_err(|_| invalid("base_api_url is not a URL"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("base_api_url has a query or fragment"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("base_api_url must not carry credentials"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(Error::InsecureUrl),
        _ => return Err(invalid("base_api_url is neither https nor http")),
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Whether the URL names this machine: a loopback address, or `localhost` (RFC 6761).
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `base` with `path_and_query` behind it. The result never leaves the origin.
pub(super) fn join(base: &Url, path_and_query: &str) -> Result<Url> {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_');
    if !path.starts_with('/') || path.starts_with("//") || !path.bytes().all(plain) {
        return Err(Error::Protocol("a path of the provider's is not one"));
    }
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}{path}"));
    url.set_query(query);
    Ok(url)
}

fn invalid(text: &str) -> Error {
    Error::InvalidArgument(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_url_rejects_plain_http_to_other_machines() {
        for text in [
            "http://10.0.0.1",
            "http://example.com",
            "http://localhost.example.com",
        ] {
            assert!(
                matches!(parse(Some(text)), Err(Error::InsecureUrl)),
                "{text}"
            );
        }
        for text in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost:1",
            "https://x.y",
        ] {
            assert!(parse(Some(text)).is_ok(), "{text}");
        }
        for text in [
            "",
            "ftp://x",
            "https://u:p@x",
            "https://x/?q",
            "https://x/#f",
        ] {
            assert!(
                matches!(parse(Some(text)), Err(Error::InvalidArgument(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn join_keeps_the_origin() {
        let base = parse(Some("https://h.example/prefix/")).unwrap();
        assert_eq!(
            join(&base, "/api/v0/x?a=b").unwrap().as_str(),
            "https://h.example/prefix/api/v0/x?a=b"
        );
        for path in [
            "//evil.example/x",
            "https://evil.example",
            "/a/../../b",
            "x",
        ] {
            assert!(join(&base, path).is_err(), "{path}");
        }
    }
}
