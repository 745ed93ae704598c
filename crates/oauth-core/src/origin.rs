//! Web origins: those whose pages a client runs in, as browsers write them.
//!
//! A browser sends the serialised origin (RFC 6454 section 6.2) in `Origin`: scheme, host in lower
//! case, and the port unless it is the scheme's own. A registered origin is kept in that form, so
//! that the two are compared byte for byte.

use std::{fmt, net::Ipv6Addr};

use crate::{
    error::{Error, ErrorCode},
    redirect::{LOOPBACK_HOSTS, is_port, split_authority},
};

/// Bytes of the longest origin.
const MAX_LENGTH: usize = 255;

/// A web origin, serialised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin that a client wants to register: https, or http on `127.0.0.1`, `[::1]` or
    /// `localhost`. Capitals, the scheme's own port and one slash at the end are put right.
    ///
    /// Fails with `invalid_request`; the description names the rule.
    pub fn parse(text: &str) -> Result<Origin, Error> {
        if text.len() > MAX_LENGTH {
            return refuse("has at most 255 bytes");
        }
        if !text.is_ascii() {
            return refuse("has only ASCII: write an international domain name as xn--");
        }
        let text = text.to_ascii_lowercase();
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("is a scheme, :// and a host");
        };
        let own_port = match scheme {
            "https" => "443",
            "http" => "80",
            _ => return refuse("has the scheme https, or http on this machine"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let Some((host, port)) = split_authority(authority) else {
            return refuse("has a domain name or an IP address, perhaps a port, and nothing else");
        };
        if port.is_some_and(|it| !is_port(it)) {
            return refuse("has a port of 1 to 65535");
        }
        let host = normal_host(host);
        if scheme == "http" && !LOOPBACK_HOSTS.contains(&&*host) {
            return refuse("is https, unless it is on 127.0.0.1, [::1] or localhost");
        }
        Ok(Origin(match port.filter(|it| *it != own_port) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }))
    }

    /// The value of a request's `Origin`, if a client could have registered it: in the one
    /// spelling that browsers use.
    pub fn of_header(value: &str) -> Option<Origin> {
        Origin::parse(value).ok().filter(|it| it.0 == value)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn refuse<T>(rule: &'static str) -> Result<T, Error> {
    Err(Error::new(ErrorCode::InvalidRequest, rule))
}

/// An IPv6 address has many spellings; browsers use the shortest.
fn normal_host(host: &str) -> String {
    let address = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match address.and_then(|it| it.parse::<Ipv6Addr>().ok()) {
        Some(address) => format!("[{address}]"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_origin_is_kept_as_browsers_write_it() {
        for (text, origin) in [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example/", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("https://app.example:8443/", "https://app.example:8443"),
            ("https://app.example:80", "https://app.example:80"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://LOCALHOST:80/", "http://localhost"),
            ("http://127.0.0.1:443", "http://127.0.0.1:443"),
            ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(Origin::parse(text).map(|it| it.0).as_deref(), Ok(origin), "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_and_the_rule_that_is_named() {
        let too_long = format!("https://{}.example", "a.".repeat(130));
        for (text, rule) in [
            ("", "scheme"),
            ("null", "scheme"),
            ("*", "scheme"),
            ("app.example", "scheme"),
            ("https:app.example", "scheme"),
            ("ftp://app.example", "https"),
            ("capacitor://localhost", "https"),
            ("http://app.example", "unless"),
            ("http://localhost.evil.example", "unless"),
            ("https://", "nothing else"),
            ("https:///", "nothing else"),
            ("https://*.example", "nothing else"),
            ("https://app.example/path", "nothing else"),
            ("https://app.example//", "nothing else"),
            ("https://app.example?x", "nothing else"),
            ("https://app.example#x", "nothing else"),
            ("https://user@app.example", "nothing else"),
            ("https://app.example.", "nothing else"),
            ("https://app .example", "nothing else"),
            (" https://app.example", "https"),
            ("https://app.example, https://b.example", "nothing else"),
            ("https://app.example:", "port"),
            ("https://app.example:0", "port"),
            ("https://app.example:65536", "port"),
            ("https://bücher.example", "ASCII"),
            (&too_long, "255"),
        ] {
            let error = Origin::parse(text).expect_err(text);
            assert!(error.description().contains(rule), "{text}: {error}");
        }
    }

    #[test]
    fn a_header_has_one_spelling() {
        assert!(Origin::of_header("https://app.example").is_some());
        for value in
            ["null", "https://app.example/", "https://App.example", "https://app.example:443"]
        {
            assert_eq!(Origin::of_header(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_its_own_spelling(text in "https?://[a-zA-Z0-9.:\\[\\]-]{0,20}/?") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(Origin::of_header(origin.as_str()), Some(origin.clone()));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Origin::parse(&text);
        }
    }
}
