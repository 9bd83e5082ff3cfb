//! Where a server is: `host:port`.

use core::fmt;

use crate::Error;

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Parses `host:port` or `[v6]:port`. A URL is refused: it could carry credentials.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let no_address =
            || Error::Config("a redis address is no host:port (no URL, no credentials)".to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(no_address)?;
        let port: u16 = port.parse().map_err(|_| no_address())?;
        let v6 = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_plain = |host: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            !host.is_empty() && host.bytes().all(known)
        };
        let host = match v6 {
            Some(v6) if v6.parse::<core::net::Ipv6Addr>().is_ok() => v6,
            None if is_plain(host) => host,
            _ => return Err(no_address()),
        };
        if port == 0 {
            return Err(no_address());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// What a server of ours named as another: `host:port` with IPv6 unbracketed, and without a
    /// host when it is the same one.
    pub(super) fn parse_named(text: &str, by: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Self::named(host, port.parse().ok()?, by)
    }

    /// The same, in two parts.
    pub(super) fn named(host: &str, port: u16, by: &Self) -> Option<Self> {
        let host = if host.is_empty() { &by.host } else { host };
        let bracketed = host.contains(':');
        let text = if bracketed {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        Self::parse(&text).ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "redis [{}]:{}", self.host, self.port)
        } else {
            write!(f, "redis {}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_rejects_what_is_no_host_and_port() {
        for text in [
            "",
            "host",
            ":1",
            "host:",
            "host:0",
            "host:65536",
            "redis://host:1",
            "user:canary@host:1",
            "::1:6379",
            "[host]:1",
            "a b:1",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{text}");
            assert!(!error.to_string().contains("canary"));
        }
        let v6 = Address::parse("[::1]:6379").unwrap();
        assert_eq!(v6.to_string(), "redis [::1]:6379");
        assert_eq!(Address::parse("db-1.x_y:1").unwrap().host, "db-1.x_y");
    }

    #[test]
    fn a_named_address_can_leave_the_host_out() {
        let by = Address::parse("10.0.0.1:1").unwrap();
        assert_eq!(
            Address::parse_named(":7", &by),
            Address::parse("10.0.0.1:7").ok()
        );
        assert_eq!(
            Address::parse_named("::1:7", &by),
            Address::parse("[::1]:7").ok()
        );
        assert_eq!(Address::parse_named("?:7", &by), None);
    }
}
