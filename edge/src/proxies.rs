//! What trusted proxies say of those they speak for: `X-Forwarded-*` or `Forwarded` (RFC 7239).
//!
//! Each proxy adds to the right what it knows of whoever spoke to it, so a list is read from the
//! right for as long as its writer is trusted. What stands further left, anybody may have sent.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderValue, uri::Authority};
use ipnet::IpNet;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";

/// The addresses of proxies that are believed: one, or a whole network such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// What a trusted proxy says of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proxied {
    /// Who sent it: the first address from the right that is no trusted proxy's.
    pub(crate) address: IpAddr,
    /// `http` or `https`.
    pub(crate) scheme: Option<&'static str>,
    /// The authority that was asked.
    pub(crate) host: Option<Authority>,
}

/// One proxy's word in a `Forwarded` header, as it stands there.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    sender: Option<String>,
    scheme: Option<String>,
    host: Option<String>,
}

impl Proxied {
    /// None if the peer is no trusted proxy: then what it says counts for nothing.
    pub(crate) fn of(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> Option<Self> {
        let peer = peer.to_canonical();
        if !is_trusted(trusted, peer) {
            return None;
        }
        // A proxy writes one kind and may let the other through as it came, and those of the
        // first kind are by far the most.
        match [FOR, PROTO, HOST].iter().any(|it| headers.contains_key(*it)) {
            true => Some(Self {
                address: sender(trusted, peer, headers),
                scheme: last(headers, PROTO).and_then(scheme),
                host: last(headers, HOST).and_then(host),
            }),
            false => Some(Self::forwarded(trusted, peer, headers)),
        }
    }

    /// By RFC 7239. A line that is malformed says nothing, nor does any before it.
    fn forwarded(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> Self {
        let mut said = Self { address: peer, scheme: None, host: None };
        for line in headers.get_all(http::header::FORWARDED).iter().rev() {
            let Some(elements) = line.to_str().ok().and_then(elements) else { return said };
            for element in elements.into_iter().rev() {
                said.scheme = element.scheme.as_deref().and_then(scheme);
                said.host = element.host.as_deref().and_then(host);
                let Some(sender) = element.sender.as_deref().and_then(address) else { return said };
                said.address = sender;
                if !is_trusted(trusted, sender) {
                    return said;
                }
            }
        }
        said
    }
}

fn is_trusted(trusted: &[Network], address: IpAddr) -> bool {
    trusted.iter().any(|it| it.0.contains(&address))
}

/// The first address from the right that is no trusted proxy's. Where the list ends, or holds
/// what is no address, it is the proxy that said so.
fn sender(trusted: &[Network], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut known = peer;
    for line in headers.get_all(FOR).iter().rev() {
        let Ok(line) = line.to_str() else { return known };
        for element in line.rsplit(',').map(str::trim).filter(|it| !it.is_empty()) {
            let Some(address) = address(element) else { return known };
            known = address;
            if !is_trusted(trusted, address) {
                return known;
            }
        }
    }
    known
}

/// The rightmost member of a header's list.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back().map(HeaderValue::to_str)?.ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// An address, maybe with a port and, for IPv6, in brackets. Neither `unknown` nor a made-up
/// name (RFC 7239 section 6) is one.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|it| it.to_canonical())
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|it| it.eq_ignore_ascii_case(text))
}

fn host(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|it: &Authority| !it.as_str().contains('@') && !it.host().is_empty())
}

/// The elements of a line of `Forwarded` (RFC 7239 section 4); none if any part of it is
/// malformed. Values need no quotes, as many proxies leave them out where there must be some.
fn elements(line: &str) -> Option<Vec<Element>> {
    let (mut elements, mut rest) = (vec![Element::default()], line.trim());
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let after = match rest.chars().next() {
            None | Some(';' | ',') => rest,
            Some(_) => elements.last_mut()?.pair(rest)?.trim_start_matches([' ', '\t']),
        };
        let mut characters = after.chars();
        match characters.next() {
            None => return Some(elements),
            Some(';') => {}
            Some(',') => elements.push(Element::default()),
            Some(_) => return None,
        }
        rest = characters.as_str();
    }
}

impl Element {
    /// Reads `name=value` and returns what follows. A name may stand once.
    fn pair<'l>(&mut self, text: &'l str) -> Option<&'l str> {
        let (name, rest) = text.split_once('=')?;
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_token) {
            return None;
        }
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = rest.find([',', ';', ' ', '\t', '"']).unwrap_or(rest.len());
                let (value, rest) = rest.split_at(end);
                (value.to_owned(), rest)
            }
        };
        let place = match name.to_ascii_lowercase().as_str() {
            "for" => &mut self.sender,
            "proto" => &mut self.scheme,
            "host" => &mut self.host,
            _ => return Some(rest),
        };
        place.replace(value).is_none().then_some(rest)
    }
}

/// A quoted string (RFC 9110 section 5.6.4) after its first quotation mark, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut characters) = (String::new(), text.chars());
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let one = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| one()).map(Self).map_err(
            |_| "must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8 or fd00::/8",
        )
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.7";

    fn said(peer: &str, lines: &[(&'static str, &str)]) -> Option<Proxied> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|it| it.parse().unwrap());
        Proxied::of(&trusted, peer.parse().unwrap(), &headers)
    }

    fn sender_by(name: &'static str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|it| (name, *it)).collect();
        said(PROXY, &lines).unwrap().address.to_string()
    }

    #[test]
    fn whoever_is_not_trusted_says_nothing() {
        let claim = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(said("192.0.2.1", &claim), None);
        assert_eq!(said("::ffff:192.0.2.1", &claim), None);
        assert_eq!(said("11.0.0.1", &[]), None);
        let mapped = said("::ffff:10.0.0.7", &claim).unwrap();
        assert_eq!(mapped.address.to_string(), "203.0.113.9");
    }

    #[test]
    fn the_sender_is_the_first_from_the_right_who_is_no_proxy() {
        let trusted_by_the_thousand = vec!["10.1.2.3"; 1000].join(",");
        let strangers_by_the_thousand = vec!["6.6.6.6"; 1000].join(", ") + ", 203.0.113.9";
        let behind = format!("203.0.113.9, {trusted_by_the_thousand}");
        for (lines, expected) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
            (&["6.6.6.6,203.0.113.9 , 10.9.9.9, fd00::1"], "203.0.113.9"),
            (&["6.6.6.6", "203.0.113.9", "10.9.9.9"], "203.0.113.9"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&["203.0.113.9,, ,"], "203.0.113.9"),
            (&[&*strangers_by_the_thousand], "203.0.113.9"),
            (&[&*behind], "203.0.113.9"),
            // All are proxies: the one that is furthest away.
            (&["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
            (&[&*trusted_by_the_thousand], "10.1.2.3"),
            // What is no address ends what is known.
            (&["203.0.113.9, unknown"], PROXY),
            (&["203.0.113.9, _hidden, 10.1.1.1"], "10.1.1.1"),
            (&["203.0.113.9, 203.0.113"], PROXY),
            (&["203.0.113.9:99999"], PROXY),
            (&["203.0.113.09"], PROXY),
            (&["[203.0.113.9"], PROXY),
            (&["[2001:db8::1]x"], PROXY),
            (&["6.6.6.6;10.1.1.1"], PROXY),
            (&["6.6.6.6 10.1.1.1"], PROXY),
            (&["\"203.0.113.9\""], PROXY),
            (&["localhost"], PROXY),
            (&["203.0.113.9, gr\u{fc}n"], PROXY),
            (&[""], PROXY),
            (&[], PROXY),
        ] {
            assert_eq!(sender_by("x-forwarded-for", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn scheme_and_host_are_the_nearest_proxys() {
        let said = |proto: &str, host: &str| {
            let lines = [("x-forwarded-proto", proto), ("x-forwarded-host", host)];
            let said = said(PROXY, &lines).unwrap();
            (said.scheme, said.host.map(|it| it.to_string()))
        };
        assert_eq!(said("HTTPS", "loop.test"), (Some("https"), Some("loop.test".into())));
        assert_eq!(said("https, http", "evil, a:81"), (Some("http"), Some("a:81".into())));
        for (proto, host) in [
            ("", ""),
            ("gopher", "a b"),
            ("https://", "https://a"),
            ("http;x", "user@loop.test"),
            ("https,", "loop.test,"),
            ("httpsx", ":80"),
            ("http s", "a/b"),
        ] {
            assert_eq!(said(proto, host), (None, None), "{proto} {host}");
        }
    }

    #[test]
    fn the_standard_header_says_the_same() {
        for (lines, expected) in [
            (&["for=203.0.113.9"][..], "203.0.113.9"),
            (&["For=\"203.0.113.9:4711\";by=10.0.0.7"], "203.0.113.9"),
            (
                &["for=6.6.6.6, for=\"[2001:db8::1]:4711\" ; proto=https, for=10.1.1.1"],
                "2001:db8::1",
            ),
            (&["for=6.6.6.6", "for=203.0.113.9"], "203.0.113.9"),
            (&["for=6.6.6.6;;, for=203.0.113.9;"], "203.0.113.9"),
            (&["for=[2001:db8::1]"], "2001:db8::1"),
            (&["for=\"203.0.\\113.9\""], "203.0.113.9"),
            (&["for=203.0.113.9, for=unknown"], PROXY),
            (&["for=203.0.113.9, for=\"_secret\""], PROXY),
            (&["for=203.0.113.9, proto=https"], PROXY),
            // Malformed: nothing of the line counts, nor of any before it.
            (&["for=6.6.6.6;x=\", for=203.0.113.9"], PROXY),
            (&["for=6.6.6.6;x=\", for=\"[2001:db8::1]\""], PROXY),
            (&["for=203.0.113.9;for=6.6.6.6"], PROXY),
            (&["203.0.113.9"], PROXY),
            (&["=203.0.113.9"], PROXY),
            (&["for =203.0.113.9"], PROXY),
            (&["for=\"203.0.113.9"], PROXY),
            (&["for=6.6.6.6 for=203.0.113.9"], PROXY),
            (&["for=6.6.6.6", "for=203.0.113.9;\"", "for=10.1.1.1"], "10.1.1.1"),
            (&[""], PROXY),
        ] {
            assert_eq!(sender_by("forwarded", lines), expected, "{lines:?}");
        }
        let line = "for=6.6.6.6;host=evil, for=203.0.113.9;proto=http;host=\"a:81\", for=10.1.1.1;proto=https";
        let said = said(PROXY, &[("forwarded", line)]).unwrap();
        assert_eq!((said.scheme, said.host.unwrap().as_str()), (Some("http"), "a:81"));
    }

    #[test]
    fn the_usual_headers_stand_before_the_standard_one() {
        let both = [("forwarded", "for=6.6.6.6;host=evil"), ("x-forwarded-proto", "https")];
        let said = said(PROXY, &both).unwrap();
        assert_eq!((said.address.to_string().as_str(), said.host), (PROXY, None));
    }

    #[test]
    fn a_network_is_an_address_or_a_prefix() {
        for (text, shown) in
            [("10.0.0.7", "10.0.0.7/32"), ("10.0.0.0/8", "10.0.0.0/8"), ("::1", "::1/128")]
        {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown);
        }
        for text in ["", "10.0.0.0/33", "10.0.0", "proxy", "10.0.0.0/8 ", "0.0.0.0/0,::/0"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_sends_changes_what_the_proxy_adds(claim in "[ -~]{0,60}") {
            let added = format!("{claim}, 203.0.113.9");
            prop_assert_eq!(sender_by("x-forwarded-for", &[&added]), "203.0.113.9");
            prop_assert_eq!(sender_by("x-forwarded-for", &[&claim, "203.0.113.9"]), "203.0.113.9");
            prop_assert_eq!(sender_by("forwarded", &[&claim, "for=203.0.113.9"]), "203.0.113.9");
            // In one line it may make the line unreadable, and gains nothing.
            for word in ["for=203.0.113.9", "for=\"203.0.113.9:1\";by=\"_a\";proto=https"] {
                let sender = sender_by("forwarded", &[&format!("{claim}, {word}")]);
                prop_assert!(sender == "203.0.113.9" || sender == PROXY, "{}", sender);
            }
        }

        #[test]
        fn any_quoting_of_a_claim_gains_nothing(claim in "(for=6\\.6\\.6\\.6|[\";=,\\\\ x])*") {
            let sender = sender_by("forwarded", &[&format!("{claim}, for=203.0.113.9")]);
            prop_assert!(sender == "203.0.113.9" || sender == PROXY, "{}", sender);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
            for name in [FOR, PROTO, HOST, "forwarded"] {
                let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.clone())]);
                let trusted = ["10.0.0.0/8".parse().unwrap()];
                prop_assert!(Proxied::of(&trusted, PROXY.parse().unwrap(), &headers).is_some());
            }
        }
    }
}
