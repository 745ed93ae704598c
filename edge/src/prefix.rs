//! The path that the platform is served under: that of the public URL, such as `/loop`.
//!
//! Inside the gateway paths begin at the root, as contracts and services have them.

use http::{HeaderValue, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use tonic::body::Body;
use transcode::Status;

use crate::{grpc, layers::refuse};

/// Where the metadata of an issuer with a path are: before its path, not below it (RFC 8414
/// section 3.1).
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// A path of at least one segment, without a slash at its end.
#[derive(Debug)]
pub(crate) struct Prefix {
    path: String,
    metadata: String,
}

impl Prefix {
    /// None where the public URL has no path.
    pub(crate) fn of(public_url: &str) -> Option<Self> {
        let url: Uri = public_url.parse().ok()?;
        let path = url.path().trim_end_matches('/').to_owned();
        (!path.is_empty()).then(|| Self { metadata: format!("{METADATA}{path}"), path })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.path
    }

    /// The request as it would be at the root. What is outside does not exist; the prefix alone
    /// leads to the front page, whose links need the slash at its end.
    pub(crate) fn strip(
        &self,
        mut request: Request<Body>,
    ) -> Result<Request<Body>, Box<Response<Body>>> {
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let path = request.uri().path();
        let inside = match path.strip_prefix(&*self.path) {
            Some("") => return Err(Box::new(self.front_page(request.uri().query()))),
            Some(rest) if rest.starts_with('/') => target[self.path.len()..].parse(),
            _ if path == self.metadata => METADATA.parse(),
            _ => return Err(outside()),
        };
        let mut uri = request.uri().clone().into_parts();
        uri.path_and_query = inside.ok();
        match Uri::from_parts(uri) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return Err(outside()),
        }
        Ok(request)
    }

    fn front_page(&self, query: Option<&str>) -> Response<Body> {
        let mark = if query.is_some() { "?" } else { "" };
        let location = format!("{}/{mark}{}", self.path, query.unwrap_or_default());
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

fn outside() -> Box<Response<Body>> {
    Box::new(refuse(grpc::status(&Status::no_route())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_has_no_prefix() {
        for url in ["https://loop.test", "https://loop.test/", "http://127.0.0.1:8080", ""] {
            assert!(Prefix::of(url).is_none(), "{url}");
        }
        assert_eq!(Prefix::of("https://loop.test/a/b/").unwrap().as_str(), "/a/b");
    }

    #[test]
    fn only_what_is_below_the_prefix_is_served() {
        let prefix = Prefix::of("https://loop.test/loop").unwrap();
        let strip = |target: &str| {
            let request = Request::get(target).body(Body::empty()).unwrap();
            match prefix.strip(request) {
                Ok(request) => request.uri().to_string(),
                Err(response) => match response.headers().get(header::LOCATION) {
                    Some(location) => format!("-> {}", location.to_str().unwrap()),
                    None => "none".to_owned(),
                },
            }
        };
        for (target, expected) in [
            ("/loop/", "/"),
            ("/loop/v1/x?a=/b", "/v1/x?a=/b"),
            ("/loop//v1", "//v1"),
            ("/loop/loop/v1", "/loop/v1"),
            ("/loop/%6Coop", "/%6Coop"),
            ("http://loop.test/loop/v1?x", "http://loop.test/v1?x"),
            ("/loop", "-> /loop/"),
            ("/loop?a=b", "-> /loop/?a=b"),
            ("/.well-known/oauth-authorization-server/loop", METADATA),
            ("/.well-known/oauth-authorization-server", "none"),
            ("/", "none"),
            ("/v1/x", "none"),
            ("/loops/v1", "none"),
            ("/LOOP/v1", "none"),
            ("/%6Coop/v1", "none"),
            ("//loop/v1", "none"),
            ("*", "none"),
        ] {
            assert_eq!(strip(target), expected, "{target}");
        }
    }
}
