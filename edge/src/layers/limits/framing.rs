//! Where a request ends and whom it asks: what two readers may read differently is refused.
//!
//! hyper refuses what cannot be framed: lengths that differ or are no numbers, chunks that are
//! none, lines that are folded. What it lets through and should not is refused here.

use http::{Request, Version, header};
use kit::Result;
use tonic::body::Body;

use super::malformed;

pub(super) fn check(request: &Request<Body>) -> Result<()> {
    // RFC 9112 section 7: hyper undoes the chunks and no other coding, and it looks at the last
    // coding alone.
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (!coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some())
    {
        return Err(malformed("transfer-encoding", "must be chunked"));
    }
    check_host(request)
}

/// One host is asked, and it is a host. `Host` and the target may both name it, and then agree
/// (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1).
fn check_host(request: &Request<Body>) -> Result<()> {
    let named = request.headers().get(header::HOST).map(|it| it.as_bytes());
    let target = request.uri().authority().map(|it| it.as_str().as_bytes());
    let is_missing = named.or(target).is_none() && request.version() > Version::HTTP_10;
    if is_missing {
        return Err(malformed("host", "must be sent once"));
    }
    if let (Some(named), Some(target)) = (named, target)
        && !named.eq_ignore_ascii_case(target)
    {
        return Err(malformed("host", "must be that of the target"));
    }
    match named.or(target).is_none_or(is_host) {
        true => Ok(()),
        false => Err(malformed("host", "must be a host and maybe a port")),
    }
}

/// Whether text may be a host and a port (RFC 3986 section 3.2.2): not who asks, not a path.
fn is_host(text: &[u8]) -> bool {
    text.iter().all(|it| it.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fine(target: &str, version: Version, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::get(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn a_host_is_named_where_there_must_be_one() {
        for (target, version, expected) in [
            ("/", Version::HTTP_10, true),
            ("/", Version::HTTP_11, false),
            ("/", Version::HTTP_2, false),
            ("http://a/", Version::HTTP_2, true),
        ] {
            assert_eq!(is_fine(target, version, &[]), expected, "{target} {version:?}");
            assert!(is_fine(target, version, &[("host", "a")]));
            assert!(!is_fine(target, version, &[("host", "a/b")]));
        }
        assert!(is_fine("http://A:80/", Version::HTTP_2, &[("host", "a:80")]));
        assert!(!is_fine("http://a:80/", Version::HTTP_2, &[("host", "a")]));
    }

    #[test]
    fn chunks_are_the_only_coding() {
        let codings = |values: &[&str]| {
            let values = values.iter().map(|it| ("transfer-encoding", *it));
            is_fine(
                "/",
                Version::HTTP_11,
                &[("host", "a")].into_iter().chain(values).collect::<Vec<_>>(),
            )
        };
        assert!(codings(&[]) && codings(&["chunked"]) && codings(&["Chunked"]));
        for values in [&["gzip, chunked"][..], &["chunked", "chunked"], &["identity"], &[""]] {
            assert!(!codings(values), "{values:?}");
        }
    }
}
