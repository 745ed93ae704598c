//! Cross-origin requests: which pages in a browser may call, and see what is answered.
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>
//!
//! What is open to the public is open to pages of every origin. All else is for pages whose origin
//! the token's client has registered. A preflight carries no token, so it is granted to every
//! origin that any client has registered; the request that follows is judged by its token. A
//! request without `Origin` comes from no page, and costs one look at its headers here.
//!
//! `Access-Control-Allow-Credentials` is never sent: no cookie lets anybody call a method.

mod origins;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use contract::{Method, Rate};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, header};
use kit::{
    Caller, Error, Result,
    layers::{Check, Finding},
};
use tonic::body::Body;
use transcode::Route;

use crate::{
    Parts, Served,
    page::asked_host,
    protocol::Protocol,
    record::{ClientAddress, Record, Target},
};

pub(crate) use origins::Origins;

/// How long a browser may keep a preflight's answer.
const MAX_AGE: Duration = Duration::from_secs(600);

const ANY: HeaderValue = HeaderValue::from_static("*");

/// What a page may send, on top of what every page may.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "authorization, connect-accept-encoding, connect-content-encoding, connect-protocol-version, \
     connect-timeout-ms, content-encoding, content-type, grpc-timeout, idempotency-key, if-match, \
     if-modified-since, if-none-match, if-unmodified-since, last-event-id, prefer, range, \
     request-timeout, traceparent, tracestate, x-brand-id, x-grpc-web, x-request-id, x-user-agent",
);

/// What a page may read, on top of what every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "accept-ranges, allow, connect-content-encoding, content-disposition, content-encoding, \
     content-range, deprecation, etag, grpc-message, grpc-status, grpc-status-details-bin, \
     idempotent-replayed, link, location, preference-applied, ratelimit-limit, \
     ratelimit-remaining, ratelimit-reset, retry-after, sunset, www-authenticate, x-request-id",
);

/// What of a preflight its answer depends on, besides its origin.
const ASKED: HeaderValue =
    HeaderValue::from_static("access-control-request-method, access-control-request-headers");

/// The page that a request comes from.
pub(crate) struct RequestOrigin {
    value: HeaderValue,
    /// The gateway's own: by the platform's public URL, or by the name the request was sent to.
    is_own: bool,
    /// Whether the page may see the answer, as soon as somebody knows.
    may_read: OnceLock<bool>,
    address: ClientAddress,
    origins: Origins,
}

impl RequestOrigin {
    /// None if no page sends the request.
    pub(crate) fn of(parts: &Parts, record: &Record, request: &Request<Body>) -> Option<Self> {
        let value = request.headers().get(header::ORIGIN)?;
        let text = value.to_str().unwrap_or_default();
        let host = asked_host(record, request.uri(), request.headers());
        let is_own = is_own(text, &parts.config.public_url, host);
        Some(Self {
            value: value.clone(),
            is_own,
            may_read: OnceLock::new(),
            address: record.client.address,
            origins: parts.origins.clone(),
        })
    }

    /// Whether any client has registered it.
    async fn is_registered(&self) -> bool {
        self.origins.allows(self.text(), self.address).await
    }

    /// Whether the page may see the answer. Where the request did not come as far as its token,
    /// what is known of the origin decides: nobody waits for it.
    fn may_read(&self) -> bool {
        let known = || {
            let known = self.origins.known(self.text());
            if known.is_none() {
                self.origins.learn(self.text(), self.address);
            }
            known.unwrap_or(false)
        };
        self.may_read.get().copied().unwrap_or_else(|| self.is_own || known())
    }

    fn dress(&self, headers: &mut HeaderMap, told: &[HeaderName]) {
        // A preflight of what is open has been granted to all.
        if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_name(header::ORIGIN));
        if self.may_read() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.value.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, and(EXPOSED, told));
        }
    }

    fn text(&self) -> &str {
        self.value.to_str().unwrap_or_default()
    }
}

/// A checkpoint after which it is known from whose pages the caller may call: what would write,
/// or go on as a WebSocket, is refused to others. What only reads is hidden from them by their
/// browser.
#[derive(Clone)]
pub(crate) struct FromPage<C>(pub(crate) C);

impl<C: Check> Check for FromPage<C> {
    fn check(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Finding {
        let finding = self.0.check(headers, extensions);
        if !headers.contains_key(header::ORIGIN) {
            return finding;
        }
        let record = Record::of(extensions).clone();
        let caller = extensions.get::<Arc<Caller>>().cloned();
        Finding::Later(Box::pin(async move {
            let found = finding.settled().await?;
            let caller = found.get::<Arc<Caller>>().cloned().or(caller);
            judge(&record, caller.as_deref()).await?;
            Ok(found)
        }))
    }
}

async fn judge(record: &Record, caller: Option<&Caller>) -> Result<()> {
    let (Some(origin), Some(called)) = (record.origin.get(), record.called()) else {
        return Ok(());
    };
    let method = called.method;
    if is_open(method) {
        return Ok(());
    }
    let registered = |it: &Caller| it.origins.iter().any(|it| *it == *origin.text());
    let may_read = origin.is_own
        || match method.is_public() {
            true => origin.is_registered().await,
            false => caller.is_some_and(registered),
        };
    let _ = origin.may_read.set(may_read);
    let is_socket = matches!(called.protocol, Protocol::Socket { .. });
    // What the public may do, a page may: there is no token that it could misuse.
    if may_read || method.is_public() || !(method.writes() || is_socket) {
        return Ok(());
    }
    Err(Error::denied("ORIGIN", "pages of this origin may not use this token"))
}

/// Says whether a request may follow that a page wants to send to `path`, if it is that which is
/// asked. `allow` has the HTTP methods that the path knows.
pub(crate) async fn preflight(
    parts: &Parts,
    record: &Record,
    headers: &HeaderMap,
    path: &str,
    allow: &HeaderValue,
    answer: &mut HeaderMap,
) {
    // The gateway's own files and the pages of services are for no other page.
    if record.target.get().is_some() {
        return;
    }
    let verb = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let (Some(verb), Some(origin)) = (verb, record.origin.get()) else { return };
    answer.append(header::VARY, ASKED);
    let served = served_at(parts, verb, path);
    if served.is_some_and(|it| is_open(it.method)) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    } else {
        let may_call = origin.is_own || origin.is_registered().await;
        let _ = origin.may_read.set(may_call);
        if !may_call {
            return;
        }
    }
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
    let metadata = served.map_or(&[][..], |it| &it.plan.metadata().request);
    answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, and(ALLOWED, metadata));
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE.as_secs()));
}

fn served_at(parts: &Parts, verb: &HeaderValue, path: &str) -> Option<Served> {
    if let Some(served) = parts.methods.get(path) {
        return Some(*served);
    }
    let verb = http::Method::from_bytes(verb.as_bytes()).ok()?;
    match parts.api.route(&verb, path) {
        Route::Found(route) => Some(parts.methods[route.method().grpc_path()]),
        _ => None,
    }
}

/// Lets the page that asked see an answer, a failure as well, if it may. Caches keep no answer
/// without asking again, so one that no page asked for need not say that origins matter.
pub(crate) fn dress(record: &Record, headers: &mut HeaderMap) {
    let asked = record.origin.get();
    let told = record.called().map_or(&[][..], |it| &it.plan.metadata().response);
    match record.target.get() {
        Some(Target::Method(it)) if is_open(it.method) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
            if asked.is_some() {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, and(EXPOSED, told));
            }
        }
        Some(Target::Method(_)) | None => {
            if let Some(origin) = asked {
                origin.dress(headers, told);
            }
        }
        Some(Target::Page(_) | Target::Own(_)) => {}
    }
}

/// A list of headers, and those that a method's contract names besides.
fn and(list: HeaderValue, names: &[HeaderName]) -> HeaderValue {
    if names.is_empty() {
        return list;
    }
    let names = names.iter().map(HeaderName::as_str);
    let all: Vec<_> = list.to_str().into_iter().chain(names).collect();
    HeaderValue::try_from(all.join(", ")).expect("names of headers are ASCII")
}

/// Whether pages of every origin may call: what the public may read, and the token endpoint,
/// where apps in a browser exchange their codes. None of it looks at cookies.
fn is_open(method: &Method) -> bool {
    method.is_public() && matches!(method.rate, Rate::Read | Rate::Token)
}

/// The platform's public URL, or the name that the request was sent to: a page from there talks to
/// itself. The scheme is that of the URL, as TLS may end before this process.
fn is_own(origin: &str, public_url: &str, host: Option<&str>) -> bool {
    let (Some((scheme, name)), Some((own_scheme, rest))) =
        (origin.split_once("://"), public_url.split_once("://"))
    else {
        return false;
    };
    let own_name = rest.split('/').next().unwrap_or_default();
    let is_name = |it: &str| name.eq_ignore_ascii_case(it);
    scheme.eq_ignore_ascii_case(own_scheme) && (is_name(own_name) || host.is_some_and(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_own_origin_is_that_of_its_url_or_of_the_name_asked() {
        let own = |origin: &str| is_own(origin, "https://loop.test/base", Some("api.loop.test"));
        for origin in ["https://loop.test", "HTTPS://LOOP.test", "https://api.loop.test"] {
            assert!(own(origin), "{origin}");
        }
        for origin in [
            "",
            "null",
            "loop.test",
            "http://loop.test",
            "http://api.loop.test",
            "https://loop.test:8443",
            "https://loop.test.evil.example",
            "https://evil.example",
            "https://evil-loop.test",
            "https://api.loop.test:8443",
        ] {
            assert!(!own(origin), "{origin}");
        }
        assert!(!is_own("null", "", None) && !is_own("https://a", "https://b", None));
    }
}
