//! Who asks at an OAuth endpoint, as they say it themselves: for the rate limiter only.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::Full;
use oauth_core::Credentials;
use tonic::body::Body;

use super::refuse;
use crate::{Parts, call, page::LARGEST_FORM, record::Record};
use kit::layers::Next;

/// The longest client id that counts as one, in characters.
const LONGEST: usize = 64;

/// The `client_id` of a form or of Basic authentication. Proven by nobody.
#[derive(Clone, Debug)]
pub(crate) struct NamedClient(pub(crate) String);

/// Reads the form of a method that takes one, and leaves it as it was. Such methods are open to
/// the public, so no stranger is let further than before.
pub(crate) async fn name(parts: Arc<Parts>, request: Request<Body>, next: Next) -> Response<Body> {
    let record = Record::of(request.extensions()).clone();
    let stated = record.route().and_then(|it| it.method().largest_body());
    let limit = parts.config.limits.body_of(stated).min(LARGEST_FORM);
    let (mut head, body) = request.into_parts();
    let form = match call::read(&head.headers, body, limit).await {
        Ok(form) => form,
        Err(error) => return refuse(error),
    };
    head.headers.remove(header::CONTENT_ENCODING);
    if let Some(client) = named(&head.headers, &form) {
        head.extensions.insert(client);
    }
    next.run(Request::from_parts(head, Body::new(Full::new(form)))).await
}

fn named(headers: &HeaderMap, form: &Bytes) -> Option<NamedClient> {
    let pairs = || form_urlencoded::parse(form);
    let client_id = pairs().find(|(name, _)| name == "client_id").map(|(_, value)| value);
    let authorization = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let credentials = Credentials::extract(authorization, client_id.as_deref(), None).ok()?;
    let id = credentials.client_id();
    let plausible = id.len() <= LONGEST && id.bytes().all(|it| it.is_ascii_graphic());
    plausible.then(|| NamedClient(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(authorization: Option<&str>, form: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        named(&headers, &Bytes::copy_from_slice(form.as_bytes())).map(|it| it.0)
    }

    #[test]
    fn a_client_is_named_by_its_form_or_by_basic_authentication() {
        assert_eq!(name_of(None, "grant_type=x&client_id=cli_1").as_deref(), Some("cli_1"));
        assert_eq!(name_of(Some("Basic Y2xpXzI6"), "").as_deref(), Some("cli_2"));
        assert_eq!(name_of(None, "grant_type=x"), None);
    }

    #[test]
    fn an_implausible_name_is_none() {
        assert_eq!(name_of(None, &format!("client_id={}", "a".repeat(65))), None);
        assert_eq!(name_of(None, "client_id=a%20b"), None);
        assert_eq!(name_of(Some("Basic %"), "client_id=cli_1"), None);
    }
}
