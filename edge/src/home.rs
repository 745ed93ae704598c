//! What the gateway answers itself: whether it lives, whether it is ready, what can be called.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use kit::Introspector;
use oauth_core::{Kind, Token};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tonic::body::Body;

use crate::{Parts, entity_tag, hosts::Reach, reference::Asset};

/// How long an answer to "are you ready?" stands, so that asking costs the others nothing.
const STANDS: Duration = Duration::from_secs(1);

/// How long a part may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

const WELCOME: &str = include_str!("home.html");

/// A path of the gateway's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    Welcome,
    Health,
    Readiness,
    OpenApi,
    Reference(Asset),
}

/// A document and its entity tag.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    content_type: &'static str,
    bytes: Bytes,
    etag: HeaderValue,
}

/// The last look at the parts that the gateway stands on, shared by all who ask.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Look)>>);

/// Which parts were there.
#[derive(Clone, Copy, Debug)]
struct Look {
    identity: bool,
    cache: bool,
}

impl Own {
    pub(crate) fn at(path: &str) -> Option<Self> {
        [Self::Welcome, Self::Health, Self::Readiness, Self::OpenApi]
            .into_iter()
            .find(|it| it.path() == path)
            .or_else(|| Asset::at(path).map(Self::Reference))
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Welcome => "/",
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::OpenApi => "/openapi.json",
            Self::Reference(asset) => asset.path(),
        }
    }

    /// Whether anybody who looks after the process may ask, by whatever name they know it.
    pub(crate) fn is_for_probes(self) -> bool {
        matches!(self, Self::Health | Self::Readiness)
    }

    pub(crate) async fn answer(
        self,
        parts: &Parts,
        reach: Reach,
        headers: &HeaderMap,
    ) -> Response<Body> {
        match self {
            Self::Welcome => {
                content("text/html; charset=utf-8", Bytes::from_static(WELCOME.as_bytes()))
            }
            Self::Health => json(r#"{"status":"ok"}"#),
            Self::Readiness => parts.readiness.answer(parts).await,
            Self::OpenApi => openapi(parts, reach).answer(headers),
            Self::Reference(asset) => asset.answer(headers, token_origin(parts, reach)),
        }
    }
}

fn openapi(parts: &Parts, reach: Reach) -> &Document {
    match reach {
        Reach::Only(service) => parts.documents.of(service, |path| {
            parts.methods.get(path).is_some_and(|it| it.method.service == service)
        }),
        Reach::All | Reach::Nothing => parts.documents.all(),
    }
}

/// Where the pages of a host get tokens, if not at that host.
fn token_origin(parts: &Parts, reach: Reach) -> Option<&str> {
    matches!(reach, Reach::Only(_)).then(|| parts.hosts.origin())
}

impl Document {
    pub(crate) fn new(content_type: &'static str, bytes: Bytes) -> Self {
        let hash = hex::encode(&Sha256::digest(&bytes)[..16]);
        let etag = HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal is ASCII");
        Self { content_type, bytes, etag }
    }

    pub(crate) fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let mut response = entity_tag::not_modified(headers, &self.etag).unwrap_or_else(|| {
            let mut response = content(self.content_type, self.bytes.clone());
            response.headers_mut().insert(header::ETAG, self.etag.clone());
            response
        });
        let shared = HeaderValue::from_static("public, no-cache");
        response.headers_mut().insert(header::CACHE_CONTROL, shared);
        response
    }
}

impl Readiness {
    /// 503 while identity cannot be asked, because then nobody can be let in. Without the cache
    /// the gateway is slower and counts nobody, but serves; it is told and changes nothing.
    async fn answer(&self, parts: &Parts) -> Response<Body> {
        let mut last = self.0.lock().await;
        let look = match *last {
            Some((at, look)) if at.elapsed() < STANDS => look,
            _ => {
                let look = Look::take(parts).await;
                *last = Some((Instant::now(), look));
                look
            }
        };
        let word = |is_there| if is_there { "ok" } else { "unreachable" };
        let status = if look.identity { "ready" } else { "not_ready" };
        let (identity, cache) = (word(look.identity), word(look.cache));
        let mut response = json(format!(
            r#"{{"status":"{status}","parts":{{"identity":"{identity}","cache":"{cache}"}}}}"#
        ));
        if !look.identity {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }
}

impl Look {
    async fn take(parts: &Parts) -> Self {
        let cache = tokio::time::timeout(PATIENCE, parts.cache.ping());
        let identity = tokio::time::timeout(PATIENCE, knows_strangers(&parts.introspector));
        let (identity, cache) = tokio::join!(identity, cache);
        Self { identity: identity == Ok(true), cache: matches!(cache, Ok(Ok(()))) }
    }
}

/// Asks for a token that nobody has: any answer but an error comes from the source of truth.
async fn knows_strangers(introspector: &Introspector) -> bool {
    introspector.caller(Token::mint(Kind::AccessToken).expose()).await.is_ok()
}

fn json(text: impl Into<Bytes>) -> Response<Body> {
    content("application/json", text.into())
}

fn content(content_type: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(bytes)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
