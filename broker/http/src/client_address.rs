//! Which address a request comes from. Behind a reverse proxy every connection is the proxy's, and the client's
//! address stands in a header that anybody could have written. So a header is believed only from proxies that the
//! operator named, and only what they themselves wrote: the list is read from its end, where the nearest proxy
//! writes, up to the first address that is no trusted proxy's. What stands before that is the client's own talk.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use ipnet::IpNet;

use crate::{Code, Problem};

/// The longest list that is walked. Nobody has more proxies in a row.
const MAX_HOPS: usize = 32;

/// The proxies whose word counts.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Where a request comes from, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl TrustedProxies {
    /// Proxies with addresses in these networks; without any, the peer of the connection is the client.
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The address of the client of a request that came over a connection from `peer`.
    ///
    /// A proxy writes `X-Forwarded-For` or `Forwarded` (RFC 7239) and lets the other one pass as the client sent it.
    /// So where both are there and lead to different addresses, neither is believed.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return ClientAddress(peer);
        }
        let lists = [hops(headers, &X_FORWARDED_FOR, listed), hops(headers, &FORWARDED, forwarded)];
        let [by_list, by_standard] = lists.map(|hops| hops.map(|hops| self.walk(peer, &hops)));
        ClientAddress(match (by_list, by_standard) {
            (Some(one), Some(other)) if one != other => peer,
            (Some(address), _) | (None, Some(address)) => address,
            (None, None) => peer,
        })
    }

    /// From the nearest hop to the first that is not trusted. A hop that is no address ends the walk: the last
    /// known address counts.
    fn walk(&self, peer: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut known = peer;
        for hop in hops.iter().rev().take(MAX_HOPS) {
            match hop {
                Some(address) if self.trusts(known) => known = *address,
                _ => break,
            }
        }
        known
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The hops of all lines of a header, in order, or `None` without the header. What is no address is a `None`
/// within.
fn hops(
    headers: &HeaderMap,
    name: &HeaderName,
    read: impl Fn(&str) -> Vec<Option<IpAddr>>,
) -> Option<Vec<Option<IpAddr>>> {
    let mut lines = headers.get_all(name).peekable();
    lines.peek()?;
    Some(lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], &read)).collect())
}

/// `X-Forwarded-For: client, proxy, proxy`.
fn listed(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|hop| node(hop.trim())).collect()
}

/// `Forwarded: for=client;proto=https, for="[2001:db8::1]:4711"` (RFC 7239 section 4).
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    let Some(elements) = split_outside_quotes(line, ',') else { return vec![None] };
    elements.into_iter().map(element).collect()
}

/// The one `for` of an element.
fn element(text: &str) -> Option<IpAddr> {
    let pairs = split_outside_quotes(text, ';')?;
    let mut found = None;
    for pair in pairs.into_iter().filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            if found.is_some() {
                return None;
            }
            let value = value.trim();
            let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            found = Some(node(quoted.unwrap_or(value))?);
        }
    }
    found
}

/// Splits at a separator that stands in no quoted string (RFC 9110 section 5.6.4); `None` if a quote is not closed
/// or something is escaped, which no address needs.
fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut quoted = false;
    let parts = text.split(|c| {
        quoted ^= c == '"';
        c == separator && !quoted
    });
    let parts: Vec<_> = parts.collect();
    (!quoted && !text.contains('\\')).then_some(parts)
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
/// `unknown`, names and obfuscated identifiers (RFC 7239 section 6) are none.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()));
    address.or_else(|| bracketed().map(IpAddr::V6)).map(|address| address.to_canonical())
}

impl FromRequest for ClientAddress {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    /// As the middleware of [`crate::request_id`] found it out.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let address = request.extensions().get::<Self>().copied();
        std::future::ready(address.ok_or_else(|| Problem::new(Code::Internal)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";
    const CLIENT: &str = "192.0.2.7";

    fn from(peer: &str, headers: &[(&str, &str)]) -> String {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        proxies.client_address(peer.parse().unwrap(), &map).0.to_string()
    }

    fn listed(line: &str) -> String {
        from(PROXY, &[("x-forwarded-for", line)])
    }

    fn standard(line: &str) -> String {
        from(PROXY, &[("forwarded", line)])
    }

    #[test]
    fn a_stranger_is_not_believed() {
        for header in ["x-forwarded-for", "forwarded"] {
            for line in ["203.0.113.9", "for=203.0.113.9", "10.0.0.1"] {
                assert_eq!(from(CLIENT, &[(header, line)]), CLIENT);
            }
        }
        assert_eq!(from("::ffff:192.0.2.7", &[]), CLIENT);
        let nobody = TrustedProxies::default().client_address(PROXY.parse().unwrap(), &HeaderMap::new());
        assert_eq!(nobody, ClientAddress(PROXY.parse().unwrap()));
    }

    #[test]
    fn the_list_is_read_from_its_end_past_trusted_hops() {
        for (line, expected) in [
            (CLIENT, CLIENT),
            ("203.0.113.9, 192.0.2.7", CLIENT),
            ("203.0.113.9,192.0.2.7,10.9.9.9 ,  fd00::1", CLIENT),
            ("10.0.0.2, 10.0.0.3", "10.0.0.2"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(listed(line), expected, "{line}");
        }
        assert_eq!(from("::ffff:10.0.0.1", &[("x-forwarded-for", CLIENT)]), CLIENT);
        let lines = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", CLIENT),
            ("x-forwarded-for", "10.0.0.2"),
        ];
        assert_eq!(from(PROXY, &lines), CLIENT, "several lines are one list");
    }

    #[test]
    fn every_spelling_of_an_address_is_read() {
        for line in ["192.0.2.7:443", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:1", "\t192.0.2.7 "] {
            assert_eq!(listed(line), CLIENT, "{line}");
        }
        for line in ["2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:443", "2001:DB8:0::7"] {
            assert_eq!(listed(line), "2001:db8::7", "{line}");
        }
        for line in [
            "for=192.0.2.7",
            "For=\"192.0.2.7:80\";proto=https",
            "proto=http ; FOR=192.0.2.7;by=10.0.0.1",
            "for=203.0.113.9, for=192.0.2.7",
            "for=192.0.2.7;host=\"a,b;for=203.0.113.9\"",
            "for=192.0.2.7;",
        ] {
            assert_eq!(standard(line), CLIENT, "{line}");
        }
        assert_eq!(standard("for=\"[2001:db8::7]:4711\""), "2001:db8::7");
    }

    #[test]
    fn what_is_no_address_ends_at_the_last_one_that_is_known() {
        for line in [
            "",
            ",",
            "unknown",
            "_hidden",
            "localhost",
            "1.2.3",
            "1.2.3.4.5",
            "0x7f.1",
            "192.0.2.7:99999",
            "[192.0.2.7]",
            "[::1",
            "::1]",
            "fe80::1%eth0",
            "192.0.2.7 203.0.113.9",
            "192.0.2.7,",
            "203.0.113.9, unknown",
            "1.2.3.4/8",
            "é",
            "\"192.0.2.7\"",
            "for=192.0.2.7",
        ] {
            assert_eq!(listed(line), PROXY, "{line:?}");
        }
        assert_eq!(listed("unknown, 10.0.0.9"), "10.0.0.9");
        for line in [
            "",
            ",",
            "for",
            "for=",
            "for=unknown",
            "for=_SEVKISEK",
            "proto=http",
            "for=192.0.2.7;for=192.0.2.7",
            "for=\"192.0.2.7",
            "for=\"192.0.2.7\\\"\"",
            "192.0.2.7",
            "for=192.0.2.7,",
            "for=[::1",
            "for 192.0.2.7",
        ] {
            assert_eq!(standard(line), PROXY, "{line:?}");
        }
    }

    #[test]
    fn of_two_headers_that_disagree_neither_is_believed() {
        let both = |list, standard| from(PROXY, &[("x-forwarded-for", list), ("forwarded", standard)]);
        assert_eq!(both(CLIENT, "for=192.0.2.7;proto=https"), CLIENT);
        assert_eq!(both(CLIENT, "for=203.0.113.9"), PROXY);
        assert_eq!(both("203.0.113.9", "for=192.0.2.7"), PROXY);
        assert_eq!(both(CLIENT, "for=unknown"), PROXY);
        assert_eq!(both("", "for=192.0.2.7"), PROXY);
    }

    #[test]
    fn a_list_of_any_length_is_walked_a_little() {
        assert_eq!(listed(&format!("{}{CLIENT}", "203.0.113.9, ".repeat(800))), CLIENT);
        let far = listed(&format!("{CLIENT}{}", ", 10.0.0.2".repeat(1000)));
        assert_eq!(far, "10.0.0.2", "a client that is behind a thousand proxies");
        assert_eq!(standard(&format!("for=192.0.2.7{}", ",".repeat(10_000))), PROXY);
        assert_eq!(standard(&format!("for=192.0.2.7;x={}", "\"".repeat(10_001))), PROXY);
    }
}
