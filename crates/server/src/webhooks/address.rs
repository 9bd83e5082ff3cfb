//! Which addresses are outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one of the public internet (IANA special-purpose registries).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Networks that are not outside: address and prefix length.
const V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local; cloud metadata is in it.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved, broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !V4.iter().any(|(network, length)| {
        let host = 32_u32.saturating_sub(*length);
        bits.checked_shr(host) == u32::from(*network).checked_shr(host)
    })
}

/// Only global unicast, without what carries another address inside it or is for documentation:
/// Teredo, ORCHID and the like (`2001::/23`), `2001:db8::/32`, 6to4 (`2002::/16`), `3fff::/20`. All
/// mapped, translated, local and link-local addresses lie outside `2000::/3`.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xE000 == 0x2000;
    let protocols = first == 0x2001 && second & 0xFE00 == 0;
    let documentation =
        (first == 0x2001 && second == 0x0DB8) || (first == 0x3FFF && second < 0x1000);
    global && !protocols && !documentation && first != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &str = "127.0.0.1 \
        127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 \
        169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 \
        192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 \
        239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 \
        ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 100::1 fe80::1 \
        fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001::1 2001:2::1 2001:10::1 2001:20::1 \
        2001:1ff:ffff::1 2001:db8::1 2002:7f00:1::1 2002:a00:1::1 3fff::1 3fff:fff::1 \
        4000::1 5f00::1";
    const OUTSIDE: &str = "8.8.8.8 \
        1.1.1.1 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 \
        128.0.0.1 172.15.255.255 172.32.0.1 192.167.255.255 198.17.255.255 198.20.0.1 \
        223.255.255.255 2606:4700::1111 2a00:1450::1 2001:4860:4860::8888 2001:200::1 \
        3ffe::1 2620::1";

    #[test]
    fn only_the_public_internet_is_outside() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for text in INSIDE.split_whitespace() {
            assert!(!public(text), "{text}");
        }
        for text in OUTSIDE.split_whitespace() {
            assert!(public(text), "{text}");
        }
    }
}
