//! Proof that a form was filled in on our page, in this browser, and not on another site.

use axum::http::HeaderMap;
use kit::PlatformKey;
use subtle::ConstantTimeEq as _;

use super::public_url;

/// The hidden field of a form: only this server can make it, and only for one browser (`binding`:
/// a cookie or a session), one page and one authorization request.
pub fn token(key: &PlatformKey, page: &str, binding: &[u8], query: &str) -> String {
    let mut message = b"form token".to_vec();
    for part in [page.as_bytes(), binding, query.as_bytes()] {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend(part);
    }
    hex::encode(key.mac(&message))
}

/// Whether a submitted form carries the token it was shown with, and comes from our own origin.
pub fn is_ours(expected: &str, submitted: &str, headers: &HeaderMap, public_url: &str) -> bool {
    bool::from(expected.as_bytes().ct_eq(submitted.as_bytes())) && same_origin(headers, public_url)
}

/// What the browser says of where a request comes from. `Sec-Fetch-Site` decides where it is sent
/// (Fetch Metadata). Older browsers send `Origin`, and `null` on pages that tell no referrer.
fn same_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let header = |name| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    match (header("sec-fetch-site"), header("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == "null" || origin == public_url::origin(public_url),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://id.loop.test";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_form_of_another_origin_is_not_ours() {
        for (pairs, expected) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[("sec-fetch-site", "same-site"), ("origin", URL)], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", URL)], true),
            (&[("origin", "null")], true),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://id.loop.test.evil.example")], false),
        ] {
            assert_eq!(is_ours("token", "token", &headers(pairs), URL), expected, "{pairs:?}");
            let below = format!("{URL}/loop");
            assert_eq!(is_ours("token", "token", &headers(pairs), &below), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_token_is_for_one_page_one_browser_and_one_request() {
        let key = PlatformKey::new([7; 32]);
        let one = token(&key, "/consent", b"a", "x");
        for other in [
            token(&key, "/sign-in", b"a", "x"),
            token(&key, "/consent", b"b", "x"),
            token(&key, "/consent", b"a", "y"),
            token(&key, "/consent", b"ax", ""),
            token(&PlatformKey::new([8; 32]), "/consent", b"a", "x"),
            String::new(),
        ] {
            assert!(!is_ours(&one, &other, &HeaderMap::new(), URL));
        }
        assert!(is_ours(&one, &one, &HeaderMap::new(), URL));
    }
}
