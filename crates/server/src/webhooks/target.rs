//! Where a webhook may be: decided from the URL when it is set, and from the addresses it stands
//! for each time something is sent.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::address::is_public;

/// What is allowed in an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// `https` to the public internet, port 443 or 8443.
    Public,
    /// That, and `http` or `https` to this machine, for development.
    Loopback,
}

const PORTS: [u16; 2] = [443, 8443];
const LONGEST: usize = 2048;

/// A URL that a webhook may have.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// Reads a URL.
    pub(crate) fn parse(text: &str, allowed: Allowed) -> Result<Self, &'static str> {
        if text.len() > LONGEST || text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err("a webhook's URL is at most 2048 printable ASCII characters");
        }
        let url = Url::parse(text).map_err(|_| "not a URL")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a webhook's URL carries no credentials");
        }
        if url.fragment().is_some() {
            return Err("a webhook's URL has no fragment");
        }
        let port = url.port_or_known_default().ok_or("a webhook is https")?;
        // The parser has read 127.1, 0x7f.1 and the like as the addresses they are.
        let (host, literal) = match url.host() {
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
            Some(Host::Domain(name)) if !name.ends_with('.') => (name.to_owned(), None),
            _ => return Err("a webhook's URL names a host, without a dot at its end"),
        };
        let local = literal.map_or(host == "localhost", |address| address.is_loopback());
        let target = Self { url, host, port };
        if allowed == Allowed::Loopback && local {
            return match target.url.scheme() {
                "http" | "https" => Ok(target),
                _ => Err("a webhook is https"),
            };
        }
        if target.url.scheme() != "https" {
            return Err("a webhook is https");
        }
        if !PORTS.contains(&port) {
            return Err("a webhook's port is 443 or 8443");
        }
        if local || literal.is_some_and(|address| !is_public(address)) {
            return Err("a webhook's address is on the public internet");
        }
        Ok(target)
    }

    /// The addresses to connect to: all of those it stands for, if every one of them is allowed.
    /// One that is not tells a name that is made to change.
    pub(crate) fn checked(
        &self,
        found: Vec<SocketAddr>,
        allowed: Allowed,
    ) -> Result<Vec<SocketAddr>, &'static str> {
        if found.is_empty() {
            return Err("the host has no address");
        }
        let fits = |address: &SocketAddr| {
            let ip = address.ip();
            is_public(ip) || (allowed == Allowed::Loopback && ip.is_loopback())
        };
        if !found.iter().all(fits) {
            return Err("the host has an address that is not on the public internet");
        }
        // Plain HTTP never leaves this machine, whatever the name stands for now.
        if self.url.scheme() != "https" && !found.iter().all(|one| one.ip().is_loopback()) {
            return Err("a webhook is https");
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: [&str; 34] = [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://017700000001/",
        "https://127.0.0.1:8443/",
        "https://0/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://10.0.0.1/",
        "https://192.168.0.1/",
        "https://172.20.0.1/",
        "https://100.64.0.1/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost:8443/",
        "https://１２７.０.０.１/",
        "https://127。0。0。1/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://198.18.0.1/",
        "https://[2001:db8::1]/",
        "https://[::127.0.0.1]/",
        "https://192.0.0.1/",
    ];

    #[test]
    fn a_url_inside_is_refused_however_it_is_written() {
        for url in INSIDE {
            assert!(Target::parse(url, Allowed::Public).is_err(), "{url}");
        }
    }

    #[test]
    fn a_url_is_https_at_a_usual_port_and_nothing_else() {
        for url in [
            "",
            "x",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "https://example.com:22/",
            "https://example.com:6379/",
            "https://example.com:80/",
            "https://user@example.com/",
            "https://user:x@example.com/",
            "https://example.com@127.0.0.1/",
            "https://example.com./",
            "https://example.com/#x",
            "https://example.com/ x",
            "https:///",
            "javascript:alert(1)",
            "data:,x",
            "https://exa\tmple.com/",
            "https://[::1",
            "https://1.2.3.4.5/",
        ] {
            assert!(Target::parse(url, Allowed::Public).is_err(), "{url}");
        }
        for url in [
            "https://example.com/",
            "https://example.com:8443/hook?x=1",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://xn--bcher-kva.example/",
        ] {
            assert!(Target::parse(url, Allowed::Public).is_ok(), "{url}");
            assert!(Target::parse(url, Allowed::Loopback).is_ok(), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(LONGEST));
        assert!(Target::parse(&long, Allowed::Public).is_err());
    }

    #[test]
    fn loopback_is_allowed_by_name_only() {
        for url in [
            "http://127.0.0.1:9/",
            "http://localhost:9/",
            "https://[::1]:9/",
        ] {
            assert!(Target::parse(url, Allowed::Loopback).is_ok(), "{url}");
            assert!(Target::parse(url, Allowed::Public).is_err(), "{url}");
        }
        for url in [
            "http://10.0.0.1/",
            "https://169.254.169.254/",
            "http://example.com/",
        ] {
            assert!(Target::parse(url, Allowed::Loopback).is_err(), "{url}");
        }
    }

    #[test]
    fn a_name_that_stands_for_an_address_inside_is_refused_each_time() {
        let target = Target::parse("https://example.com/", Allowed::Public).unwrap();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let outside = at("8.8.8.8:443");
        assert!(target.checked(vec![outside], Allowed::Public).is_ok());
        assert!(target.checked(Vec::new(), Allowed::Public).is_err());
        for inside in [
            "127.0.0.1:443",
            "169.254.169.254:443",
            "[::1]:443",
            "[fd00:ec2::254]:443",
        ] {
            // Also behind one that would do: the next look-up may give the other.
            for found in [vec![at(inside)], vec![outside, at(inside)]] {
                assert!(target.checked(found, Allowed::Public).is_err(), "{inside}");
            }
        }
        // A resolver that flips between the two gets its answer each time.
        let local = Target::parse("http://localhost/", Allowed::Loopback).unwrap();
        assert!(
            local
                .checked(vec![at("127.0.0.1:80")], Allowed::Loopback)
                .is_ok()
        );
        assert!(
            local
                .checked(vec![at("8.8.8.8:80")], Allowed::Loopback)
                .is_err()
        );
        assert!(
            local
                .checked(vec![at("10.0.0.1:80")], Allowed::Loopback)
                .is_err()
        );
    }
}
