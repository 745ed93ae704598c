//! The parts of the public URL: an origin, as `https://example.org`, and maybe a path below which
//! all pages are, as `/loop`.

/// Scheme, host and port, as browsers name them in `Origin`.
pub fn origin(url: &str) -> &str {
    &url[..url.len() - path(url).len()]
}

/// The path, without a slash at its end; empty where pages are at the root.
pub fn path(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |it| it + 3);
    url[authority..].find('/').map_or("", |it| &url[authority + it..])
}

pub fn is_secure(url: &str) -> bool {
    url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_an_origin_and_maybe_a_path() {
        for (url, expected) in [
            ("https://loop.test", ("https://loop.test", "")),
            ("http://[::1]:8080", ("http://[::1]:8080", "")),
            ("https://loop.test/loop", ("https://loop.test", "/loop")),
            ("https://loop.test:8443/a/b", ("https://loop.test:8443", "/a/b")),
        ] {
            assert_eq!((origin(url), path(url)), expected);
        }
    }
}
