//! Which addresses Gatepass may call: those of the public Internet, and what the operator allows besides. A panel
//! or a site that names an address can so not make Gatepass call its neighbours, or the cloud's metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatepass_core::site::is_loopback;
use ipnet::IpNet;
use url::{Host, Url};

/// What no public site has, of the IANA IPv4 Special-Purpose Address Registry and the multicast and reserved space.
const NOT_PUBLIC_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),           // "this network", RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, RFC 3927; the metadata services of clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments, RFC 6890
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private, RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, RFC 1112; broadcast
];

/// The one block that public IPv6 addresses are given from (RFC 4291 section 2.4 and IANA's registry). Loopback,
/// unique-local, link-local and multicast addresses lie outside.
const GLOBAL_UNICAST_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What in that block no public site has.
const NOT_PUBLIC_V6: &[(Ipv6Addr, u8)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, RFC 2928; Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, RFC 7526: carries an IPv4 address, any
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

/// An IPv4 address behind NAT64's well-known prefix (RFC 6052 section 2.1). A resolver of a network without IPv4
/// hands these out for public sites.
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// An address that Gatepass may not call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a public address; allow its network with --allow-private-network if this is meant to be")]
pub struct Forbidden(pub IpAddr);

/// The addresses that may be called.
#[derive(Debug, Clone, Default)]
pub struct Destinations {
    allowed: Vec<IpNet>,
}

impl Destinations {
    /// Public addresses, and `allowed` ones.
    pub const fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// The same and this machine's own, for a Gatepass that serves only this machine.
    #[must_use]
    pub fn and_loopback(mut self) -> Self {
        let loopback = [IpAddr::from([127, 0, 0, 0]), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let prefixes = [8, 128];
        self.allowed
            .extend(loopback.into_iter().zip(prefixes).filter_map(|(ip, len)| IpNet::new(ip, len).ok()));
        self
    }

    /// Whether this address may be called.
    pub fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        let address = without_wrapping(address);
        let permitted = is_public(address) || self.allowed.iter().any(|network| network.contains(&address));
        if permitted { Ok(()) } else { Err(Forbidden(address)) }
    }

    /// Whether a URL may be called as far as it tells by itself. What a name resolves to is seen when it is called.
    pub fn check_literal(&self, url: &Url) -> Result<(), Forbidden> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) if is_loopback(url) => self.check(Ipv4Addr::LOCALHOST.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// The IPv4 address within an IPv4-mapped (RFC 4291 section 2.5.5.2) or NAT64 one, which is where a call would go.
fn without_wrapping(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if holds(NAT64, v6.to_bits()) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::from([a, b, c, d])
        }
        other => other,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let mapped = v4.to_ipv6_mapped().to_bits();
            !NOT_PUBLIC_V4
                .iter()
                .any(|(network, length)| holds((network.to_ipv6_mapped(), 96 + length), mapped))
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            holds(GLOBAL_UNICAST_V6, bits) && !NOT_PUBLIC_V6.iter().any(|network| holds(*network, bits))
        }
    }
}

/// Whether a network, of a length of 1 to 128 bits, holds an address.
const fn holds((network, length): (Ipv6Addr, u8), address: u128) -> bool {
    (network.to_bits() ^ address) >> (128 - length) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(destinations: &Destinations, address: &str) -> bool {
        destinations.check(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn every_range_is_refused_from_its_first_address_to_its_last_and_not_beyond() {
        let public = Destinations::default();
        for (first, last, before, after) in [
            ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
            ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
            ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
            ("::", "::fffe:ffff:ffff", None, None),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
            ("fec0::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None),
            ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3ffe:ffff::"), None),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000:ffff::"), Some("2001:200::")),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db7::"), Some("2001:db9::")),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:ffff::"), Some("2003::")),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3ffe:ffff::"), Some("3fff:1000::")),
        ] {
            assert!(!permitted(&public, first) && !permitted(&public, last), "{first} to {last}");
            for neighbour in [before, after].into_iter().flatten() {
                assert!(permitted(&public, neighbour), "{neighbour} beside {first} to {last}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_is_judged_in_every_wrapping() {
        let public = Destinations::default();
        for (inner, expected) in
            [("127.0.0.1", false), ("10.1.2.3", false), ("169.254.169.254", false), ("9.9.9.9", true)]
        {
            for wrapped in [format!("::ffff:{inner}"), format!("64:ff9b::{inner}")] {
                assert_eq!(permitted(&public, &wrapped), expected, "{wrapped}");
            }
        }
        // IPv4-compatible, 6to4 and the NAT64 prefix of a network's own: never.
        for wrapped in ["::127.0.0.1", "::9.9.9.9", "2002:7f00:1::", "2002:909:909::", "64:ff9b:1::9.9.9.9"] {
            assert!(!permitted(&public, wrapped), "{wrapped}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_allowed_and_nothing_else() {
        let some = Destinations::new(vec!["10.1.0.0/16".parse().unwrap(), "fd00:1::/32".parse().unwrap()]);
        for (address, expected) in [
            ("10.1.255.255", true),
            ("::ffff:10.1.0.1", true),
            ("10.2.0.0", false),
            ("fd00:1::1", true),
            ("fd00:2::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(permitted(&some, address), expected, "{address}");
        }
        let local = some.and_loopback();
        for (address, expected) in [("127.0.0.1", true), ("127.8.8.8", true), ("::1", true), ("::2", false)] {
            assert_eq!(permitted(&local, address), expected, "{address}");
        }
    }

    #[test]
    fn a_url_that_spells_an_address_oddly_is_seen_through() {
        let public = Destinations::default();
        for host in [
            "127.0.0.1",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1",
            "127.1",
            "127.0.0.1.",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "localhost",
            "LOCALHOST",
            "a.localhost",
            "0",
            "0xa9fea9fe",
            "[fe80::1]",
            "１２７.0.0.1",
        ] {
            let url: Url = format!("https://{host}/").parse().unwrap();
            assert!(public.check_literal(&url).is_err(), "{host} is {url}");
        }
        for host in ["9.9.9.9", "[2620:fe::fe]", "example.com"] {
            let url: Url = format!("https://{host}/").parse().unwrap();
            assert_eq!(public.check_literal(&url), Ok(()), "{host}");
        }
    }
}
