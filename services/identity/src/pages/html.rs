//! What every page has in common: its headers, its style, and how it words a failure.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_core::RedirectUri;
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

/// The only style of all pages, allowed by its hash.
pub const STYLE: &str = include_str!("../../templates/style.css");

/// What ends the handling of a page before its end: an answer to show, or a way to go.
#[derive(Debug)]
pub struct Stop(Response);

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    style: &'static str,
    title: &'a str,
    message: &'a str,
}

/// A page. Its forms lead to ourselves and on to `destination`, if it has one: browsers hold
/// `form-action` against redirects as well.
pub fn page(
    status: StatusCode,
    template: &impl Template,
    destination: Option<&RedirectUri>,
) -> Response {
    let body = template.render().expect("a template of strings renders");
    let mut response = (status, Html(body)).into_response();
    let policy = HeaderValue::from_str(&policy(destination)).expect("a checked URI is ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// A page that says what is wrong and leads nowhere.
pub fn problem(status: StatusCode, title: &str, message: &str) -> Stop {
    Stop(page(status, &Problem { style: STYLE, title, message }, None))
}

/// 303: whatever the method was, the browser goes on with GET, and repeats no form.
pub fn go(location: &str) -> Response {
    Redirect::to(location).into_response()
}

impl From<Response> for Stop {
    fn from(response: Response) -> Self {
        Self(response)
    }
}

impl From<kit::Error> for Stop {
    fn from(error: kit::Error) -> Self {
        // Made a status, for the cause is logged there.
        match Status::from(error).code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Aborted => problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not possible right now",
                "Please try again in a moment.",
            ),
            _ => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "It is our fault, not yours. Please try again later.",
            ),
        }
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        self.0
    }
}

/// Headers of every answer here, pages and redirects alike.
pub async fn close(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn policy(destination: Option<&RedirectUri>) -> String {
    static STYLE_HASH: LazyLock<String> =
        LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE.as_bytes())));
    let destination = destination.map(|it| source(it.as_str())).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {destination}; \
         base-uri 'none'; frame-ancestors 'none'",
        *STYLE_HASH
    )
}

/// A redirect URI as a source of a policy: its origin, or its scheme where an origin cannot be
/// written, as for private-use schemes and IPv6 addresses (CSP3 section 2.3.1).
fn source(uri: &str) -> String {
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    let authority = rest.strip_prefix("//").unwrap_or_default();
    let authority = authority.split('/').next().unwrap_or_default();
    match scheme {
        "http" | "https" if !authority.starts_with('[') => format!("{scheme}://{authority}"),
        _ => format!("{scheme}:"),
    }
}

/// Where a redirect URI leads, as the person should read it.
pub fn host(uri: &RedirectUri) -> String {
    let (scheme, rest) = uri.as_str().split_once(':').unwrap_or_default();
    let authority = rest.strip_prefix("//").and_then(|it| it.split('/').next());
    match authority.filter(|_| ["http", "https"].contains(&scheme)) {
        Some(authority) => authority.to_owned(),
        None => format!("an app on this device ({scheme})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_where_the_form_ends() {
        for (uri, expected) in [
            ("https://app.example:8443/cb", "https://app.example:8443"),
            ("http://127.0.0.1:9/callback", "http://127.0.0.1:9"),
            ("http://[::1]:9/callback", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
        ] {
            assert_eq!(source(uri), expected);
        }
    }

    #[test]
    fn a_person_reads_the_host_and_not_the_path() {
        let host = |uri| host(&RedirectUri::parse(uri).unwrap());
        assert_eq!(host("https://app.example/login.loop.health"), "app.example");
        assert_eq!(host("com.example.app:/cb"), "an app on this device (com.example.app)");
    }

    #[test]
    fn what_a_problem_says_is_escaped() {
        let problem = Problem { style: STYLE, title: "<b>", message: "\"&'" };
        let body = problem.render().unwrap();
        assert!(!body.contains("<b>"), "{body}");
    }
}
