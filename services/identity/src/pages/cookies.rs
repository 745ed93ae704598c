//! Cookies that no script reads and no other host sets (RFC 6265bis section 4.1.3.2).

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use chrono::TimeDelta;

use super::public_url::{is_secure, path};

/// The name of a cookie. Over https its prefix binds it to this host; browsers take a cookie with
/// that prefix over https only, and with the path `/` only. Below a path of the host it has the
/// weaker prefix, so that it goes to nobody else who serves another path.
pub fn name(public_url: &str, name: &str) -> String {
    match (is_secure(public_url), path(public_url)) {
        (true, "") => format!("__Host-{name}"),
        (true, _) => format!("__Secure-{name}"),
        (false, _) => name.to_owned(),
    }
}

/// The value of a cookie. Of two with one name, as a neighbour host may have set, neither counts.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
    let pairs = lines.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    let mut values = pairs.filter(|it| it.0 == name).map(|it| it.1);
    let value = values.next();
    if values.next().is_some() { None } else { value }
}

/// A `Set-Cookie` value. It goes along when a person follows a link to us, and with no request
/// that another site sends in their name.
pub fn set(public_url: &str, name: &str, value: &str, lifetime: TimeDelta) -> HeaderValue {
    let secure = if is_secure(public_url) { "; Secure" } else { "" };
    let seconds = lifetime.num_seconds();
    let path = if path(public_url).is_empty() { "/" } else { path(public_url) };
    let text =
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("names and values of ours are ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|it| (COOKIE, HeaderValue::from_static(it))).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&["a=1; loop_session=x=y", "b=2"]);
        assert_eq!(read(&headers, "loop_session"), Some("x=y"));
        assert_eq!(read(&headers, "session"), None);
    }

    #[test]
    fn a_cookie_that_comes_twice_is_none() {
        assert_eq!(read(&headers(&["a=1; a=2"]), "a"), None);
        assert_eq!(read(&headers(&["a=1", "a=1"]), "a"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(line in "[ -~]*", name in "[a-z]{0,3}") {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&line).unwrap())]);
            let _ = read(&headers, &name);
        }
    }

    #[test]
    fn over_https_a_cookie_is_bound_to_the_host() {
        let url = "https://id.loop.test";
        let cookie = set(url, &name(url, "loop_session"), "x", TimeDelta::minutes(1));
        let expected = "__Host-loop_session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(cookie, expected);
        let url = "https://loop.test/loop";
        let cookie = set(url, &name(url, "loop_session"), "x", TimeDelta::minutes(1));
        let expected =
            "__Secure-loop_session=x; Path=/loop; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(cookie, expected);
        let url = "http://localhost:8080";
        let cookie = set(url, &name(url, "loop_session"), "x", TimeDelta::zero());
        assert_eq!(cookie, "loop_session=x; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
