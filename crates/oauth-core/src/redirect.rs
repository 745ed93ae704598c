//! Redirect URIs: what a client may register, and which request matches it.
//!
//! A request matches byte for byte; nothing is normalised (RFC 9700 section 4.1.3). The one
//! exception is the port of a loopback address, which a native app learns only when it starts to
//! listen (RFC 8252 section 7.3).

use std::fmt;

use crate::error::{Error, ErrorCode};

/// Bytes of the longest redirect URI.
pub const MAX_LENGTH: usize = 2000;

/// A redirect URI that keeps every rule of registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// Checks a URI that a client wants to register, or one that was registered.
    ///
    /// It is https; or http on `127.0.0.1`, `[::1]` or `localhost`; or of a private-use scheme
    /// with a dot (RFC 8252 section 7.1). It has no query, no fragment and no user information.
    ///
    /// Fails with `invalid_redirect_uri`; the description names the rule.
    pub fn parse(uri: &str) -> Result<RedirectUri, Error> {
        check_characters(uri)?;
        let Some((scheme, rest)) = uri.split_once(':') else {
            return refuse("a redirect URI is absolute: it begins with a scheme");
        };
        match scheme {
            "https" => check_web(rest, false)?,
            "http" => check_web(rest, true)?,
            _ => check_private_use(scheme, rest)?,
        }
        Ok(RedirectUri(uri.to_owned()))
    }

    /// The requested URI, if this registered one covers it.
    pub fn accept(&self, requested: &str) -> Option<RedirectUri> {
        let same = self.0 == requested || self.same_but_for_loopback_port(requested);
        // Parsed again: with a longer port it may be too long.
        if same { RedirectUri::parse(requested).ok() } else { None }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This URI with parameters in its query, percent-encoded
    /// (RFC 6749 section 4.1.2 and appendix B).
    pub(crate) fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let url = format!("{}?", self.0);
        let query_start = url.len();
        form_urlencoded::Serializer::for_suffix(url, query_start).extend_pairs(parameters).finish()
    }

    fn same_but_for_loopback_port(&self, requested: &str) -> bool {
        match (split_loopback(&self.0), split_loopback(requested)) {
            (Some(registered), Some(requested)) => registered == requested,
            _ => false,
        }
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(crate) const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

fn refuse<T>(rule: &'static str) -> Result<T, Error> {
    Err(Error::new(ErrorCode::InvalidRedirectUri, rule))
}

/// What holds for a URI of any scheme.
fn check_characters(uri: &str) -> Result<(), Error> {
    if uri.is_empty() {
        return refuse("a redirect URI is not empty");
    }
    if uri.len() > MAX_LENGTH {
        return refuse("a redirect URI has at most 2000 bytes");
    }
    for (character, rule) in [
        ('*', "a redirect URI has no wildcard"),
        ('#', "a redirect URI has no fragment"),
        ('?', "a redirect URI has no query"),
        ('\\', "a redirect URI has no backslash"),
        ('@', "a redirect URI has no user information, thus no @"),
    ] {
        if uri.contains(character) {
            return refuse(rule);
        }
    }
    if !uri.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~:/[]!$&'()+,;=%".contains(&it)) {
        return refuse("a redirect URI has only the characters of RFC 3986");
    }
    if !percent_signs_are_escapes(uri) {
        return refuse("a percent sign in a redirect URI begins an escape of two hex digits");
    }
    Ok(())
}

fn percent_signs_are_escapes(uri: &str) -> bool {
    uri.split('%').skip(1).all(|it| {
        let digits = it.as_bytes().get(..2);
        digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
    })
}

/// What holds after `https:` and `http:`.
fn check_web(rest: &str, loopback_only: bool) -> Result<(), Error> {
    let Some(rest) = rest.strip_prefix("//") else {
        return refuse("an https redirect URI has // after its scheme");
    };
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    let Some((host, port)) = split_authority(authority) else {
        return refuse("the host of a redirect URI is a domain name or an IP address");
    };
    if port.is_some_and(|it| !is_port(it)) {
        return refuse("the port of a redirect URI is 1 to 65535");
    }
    if loopback_only && !LOOPBACK_HOSTS.contains(&host) {
        return refuse("an http redirect URI is on 127.0.0.1, [::1] or localhost; else use https");
    }
    Ok(())
}

/// Host and port of an authority, if the host is well formed.
pub(crate) fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    let host_length = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(host_length);
    let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
    is_host(host).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// A port in its only spelling: no sign, no leading zero.
pub(crate) fn is_port(port: &str) -> bool {
    !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok()
}

/// The dot shows a domain name in reverse that the app's maker controls (RFC 8252 section 7.1);
/// it also keeps out `javascript`, `data` and their like.
fn check_private_use(scheme: &str, rest: &str) -> Result<(), Error> {
    let allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"+-.".contains(&it);
    if !scheme.bytes().all(allowed) || !scheme.starts_with(|it: char| it.is_ascii_lowercase()) {
        return refuse("the scheme of a redirect URI is in lower case");
    }
    let reversed_domain = scheme.contains('.') && scheme.split('.').all(|it| !it.is_empty());
    if !reversed_domain {
        return refuse("the scheme of a redirect URI is https, or a reversed domain name");
    }
    if !rest.starts_with('/') {
        return refuse("a redirect URI has a path after its scheme");
    }
    Ok(())
}

/// A loopback URI without its port: the part before it and the part after it.
fn split_loopback(uri: &str) -> Option<(&str, &str)> {
    let authority_and_path = uri.strip_prefix("http://")?;
    let host = LOOPBACK_HOSTS.iter().find(|it| authority_and_path.starts_with(**it))?;
    let (before, after) = uri.split_at("http://".len() + host.len());
    let (port, path) = after.split_at(after.find('/').unwrap_or(after.len()));
    let port_is_valid = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    port_is_valid.then_some((before, path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_registered() {
        let longest = format!("https://app.example/{}", "a".repeat(MAX_LENGTH - 20));
        for uri in [
            "https://app.example",
            "https://app.example/",
            "https://app.example:8443/callback/%41",
            "https://xn--bcher-kva.example/cb",
            "https://192.0.2.1/cb",
            "https://[2001:db8::1]:8443/cb",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:8080/cb",
            "http://[::1]:8080/cb",
            "http://localhost:3000/api/auth/callback",
            "com.example.app:/callback",
            "com.example.app://callback",
            &longest,
        ] {
            assert_eq!(RedirectUri::parse(uri).map(|it| it.0).as_deref(), Ok(uri));
        }
    }

    #[test]
    fn what_may_not_be_registered_and_the_rule_that_is_named() {
        let too_long = format!("https://app.example/{}", "a".repeat(MAX_LENGTH - 19));
        for (uri, rule) in [
            ("", "not empty"),
            (too_long.as_str(), "at most 2000"),
            ("/callback", "absolute"),
            ("https://*.example/cb", "wildcard"),
            ("https://app.example/*", "wildcard"),
            ("https://app.example/cb#", "fragment"),
            ("https://app.example/cb?next=1", "query"),
            ("https://app.example\\@evil.example/", "backslash"),
            ("https://app.example@evil.example/", "user information"),
            ("https://app.example/\r\nx", "RFC 3986"),
            ("https://app.example/\0", "RFC 3986"),
            ("https://app.example/a b", "RFC 3986"),
            ("https://bücher.example/", "RFC 3986"),
            ("https://app.example/%", "percent"),
            ("https://app.example/%4", "percent"),
            ("https://app.example/%zz", "percent"),
            ("https:app.example", "//"),
            ("https://", "host"),
            ("https:///cb", "host"),
            ("https://app.example./cb", "host"),
            ("https://app..example/cb", "host"),
            ("https://app%2eexample/cb", "host"),
            ("https://[::1/cb", "host"),
            ("https://[::1]x/cb", "host"),
            ("https://[v1.x]/cb", "host"),
            ("https://app.example:/cb", "port"),
            ("https://app.example:0/cb", "port"),
            ("https://app.example:65536/cb", "port"),
            ("http://localhost:*/cb", "wildcard"),
            ("http://app.example/cb", "https"),
            ("http://localhost.evil.example/cb", "https"),
            ("http://127.0.0.2/cb", "https"),
            ("http://LOCALHOST/cb", "https"),
            ("HTTPS://app.example/cb", "lower case"),
            ("javascript:alert(1)", "reversed domain"),
            ("data:text/html,x", "reversed domain"),
            ("myapp://callback", "reversed domain"),
            ("com..app:/cb", "reversed domain"),
            ("com.example.app:", "path"),
        ] {
            let error = RedirectUri::parse(uri).expect_err(uri);
            assert_eq!(error.code(), ErrorCode::InvalidRedirectUri);
            assert!(error.description().contains(rule), "{uri}: {error}");
        }
    }

    #[test]
    fn a_request_matches_byte_for_byte() {
        let registered = RedirectUri::parse("https://app.example/cb").unwrap();
        assert_eq!(registered.accept("https://app.example/cb"), Some(registered.clone()));
        for requested in [
            "",
            "https://app.example/cb/",
            "https://app.example/cb/x",
            "https://app.example/c",
            "https://app.example/CB",
            "https://APP.example/cb",
            "https://app.example./cb",
            "https://app.example:443/cb",
            "https://app.example:8443/cb",
            "https://user@app.example/cb",
            "https://app.example%25@evil.example/cb",
            "https://app.example/cb?x=1",
            "https://app.example/cb#x",
            "https://app.example/x/../cb",
            "https://app.example/x/%2e%2e/cb",
            "https://app.example\\cb",
            "http://app.example/cb",
            " https://app.example/cb",
            "https://app.example/cb\n",
            "https://app.ex\u{0430}mple/cb",
        ] {
            assert_eq!(registered.accept(requested), None, "{requested}");
        }
    }

    #[test]
    fn a_loopback_request_may_name_any_port_and_nothing_else() {
        for host in LOOPBACK_HOSTS {
            for registered in [format!("http://{host}/cb"), format!("http://{host}:3000/cb")] {
                let registered = RedirectUri::parse(&registered).unwrap();
                for port in ["", ":1", ":3000", ":65535"] {
                    let requested = format!("http://{host}{port}/cb");
                    assert!(registered.accept(&requested).is_some(), "{requested}");
                }
                for (port, path) in [
                    (":", "/cb"),
                    (":0", "/cb"),
                    (":03000", "/cb"),
                    (":+80", "/cb"),
                    (":65536", "/cb"),
                    (":80@evil.example", "/cb"),
                    (".evil.example", "/cb"),
                    (":80.evil.example", "/cb"),
                    (":80", "/cb/"),
                    (":80", "/cb?x"),
                    (":80", ""),
                ] {
                    let requested = format!("http://{host}{port}{path}");
                    assert_eq!(registered.accept(&requested), None, "{requested}");
                }
            }
        }
    }

    #[test]
    fn a_port_does_not_make_a_redirect_uri_too_long() {
        let path = "a".repeat(MAX_LENGTH - "http://localhost/".len());
        let registered = RedirectUri::parse(&format!("http://localhost/{path}")).unwrap();
        assert!(registered.accept(registered.as_str()).is_some());
        assert_eq!(registered.accept(&format!("http://localhost:1/{path}")), None);
    }

    #[test]
    fn the_loopback_names_are_not_each_other() {
        let registered = RedirectUri::parse("http://127.0.0.1/cb").unwrap();
        assert_eq!(registered.accept("http://localhost/cb"), None);
        assert_eq!(registered.accept("http://[::1]/cb"), None);
        assert_eq!(registered.accept("https://127.0.0.1/cb"), None);
        let secure = RedirectUri::parse("https://localhost/cb").unwrap();
        assert_eq!(secure.accept("https://localhost:1/cb"), None);
    }

    #[test]
    fn parameters_are_percent_encoded() {
        let uri = RedirectUri::parse("com.example.app:/cb").unwrap();
        let url = uri.with_query(&[("state", "a b&c=d#\r\n\u{e9}"), ("iss", "https://id.example")]);
        assert_eq!(
            url,
            "com.example.app:/cb?state=a+b%26c%3Dd%23%0D%0A%C3%A9&iss=https%3A%2F%2Fid.example"
        );
    }

    /// A URI that can be registered, loopback half of the time.
    fn registrable() -> impl Strategy<Value = String> {
        let web = "https://[a-z]{1,5}\\.example(:[1-9][0-9]{0,3})?(/[a-z]{0,4})?";
        let loopback =
            "http://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:[1-9][0-9]{0,3})?(/[a-z]{0,4})?";
        prop_oneof![web, loopback]
    }

    /// The oracle: removes the port of a loopback URI by other means than the code.
    fn without_loopback_port(uri: &str) -> String {
        for host in LOOPBACK_HOSTS {
            let prefix = format!("http://{host}:");
            if let Some(rest) = uri.strip_prefix(&prefix) {
                let path = rest.trim_start_matches(|it: char| it.is_ascii_digit());
                return format!("http://{host}{path}");
            }
        }
        uri.to_owned()
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*|https?://\\PC*|[a-z.]{1,8}:\\PC*") {
            if let Ok(uri) = RedirectUri::parse(&text) {
                prop_assert_eq!(uri.accept(&text), Some(uri.clone()));
            }
        }

        #[test]
        fn a_changed_byte_outside_the_loopback_port_never_matches(
            uri in registrable(),
            at in any::<prop::sample::Index>(),
            change in prop_oneof![any::<char>().prop_map(Some), Just(None)],
            insert in any::<bool>(),
        ) {
            let registered = RedirectUri::parse(&uri).unwrap();
            let mut characters: Vec<char> = uri.chars().collect();
            let at = at.index(characters.len());
            if !insert {
                characters.remove(at);
            }
            characters.splice(at..at, change);
            let requested: String = characters.into_iter().collect();
            if let Some(accepted) = registered.accept(&requested) {
                prop_assert_eq!(without_loopback_port(&requested), without_loopback_port(&uri));
                prop_assert!(RedirectUri::parse(accepted.as_str()).is_ok());
            }
        }

        #[test]
        fn another_uri_never_matches(registered in registrable(), requested in registrable()) {
            let accepted = RedirectUri::parse(&registered).unwrap().accept(&requested).is_some();
            let same = without_loopback_port(&registered) == without_loopback_port(&requested);
            prop_assert_eq!(accepted, same);
        }
    }
}
