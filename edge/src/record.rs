//! What becomes known of a request on its way in, kept where the outermost layers can see it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, OnceLock},
    time::Instant,
};

use cache::Verdict;
use contract::{Audit, Method};
use http::{Extensions, HeaderMap, HeaderValue, Request, StatusCode, Uri};
use kit::{Brand, Caller, REQUEST_ID, RequestId, Uuid};
use tokio::sync::OwnedSemaphorePermit;
use tonic::body::Body;
use transcode::{Match, MethodPlan};

use crate::{
    Network,
    layers::{Allowance, cors::RequestOrigin},
    protocol::Protocol,
    proxies::Proxied,
};

/// One request, as the layers found it out. Each fact is set once, by the layer that proved it.
/// Not `Debug`: a route holds values of the path.
pub(crate) struct Record {
    pub(crate) request_id: RequestId,
    pub(crate) began: Instant,
    pub(crate) client: Client,
    /// What a trusted proxy says of the request, if it came by one.
    pub(crate) proxied: Option<Box<Proxied>>,
    /// How long it may take.
    pub(crate) allowance: OnceLock<Allowance>,
    pub(crate) origin: OnceLock<RequestOrigin>,
    pub(crate) target: OnceLock<Target>,
    pub(crate) client_id: OnceLock<Arc<str>>,
    pub(crate) brand: OnceLock<Brand>,
    pub(crate) rate: OnceLock<Rated>,
    /// The room that the request takes up until all of it has ended.
    pub(crate) permit: OnceLock<OwnedSemaphorePermit>,
    pub(crate) status: OnceLock<StatusCode>,
}

/// What nginx calls "client closed request".
const GONE: u16 = 499;

/// One log line for every outcome, when everything about the request has ended: an answer that
/// was sent, a stream that has closed, a caller who went away.
impl Drop for Record {
    fn drop(&mut self) {
        tracing::info!(
            request_id = &*self.request_id.0,
            method = self.name(),
            status = self.status.get().map_or(GONE, |it| it.as_u16()),
            duration_us = self.began.elapsed().as_micros() as u64,
            client_id = self.client_id.get().map_or("", |it| it),
            brand_id = self.brand.get().map_or("", Brand::as_str),
            "served"
        );
    }
}

/// Where a request comes from: the other end of its connection, or whom a trusted proxy there
/// speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Where a request comes from, and how services are told.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: ClientAddress,
    pub(crate) header: HeaderValue,
}

impl Client {
    pub(crate) fn at(address: IpAddr) -> Self {
        let header = HeaderValue::try_from(address.to_canonical().to_string());
        Self { address: ClientAddress(address), header: header.expect("an address is ASCII") }
    }
}

/// What a request is for.
pub(crate) enum Target {
    Method(Called),
    /// A page that this service renders.
    Page(&'static str),
    /// The gateway's own.
    Own(&'static str),
}

/// A method, and how it is called.
pub(crate) struct Called {
    pub(crate) method: &'static Method,
    pub(crate) plan: &'static MethodPlan,
    /// Where the service has the method.
    pub(crate) uri: &'static Uri,
    pub(crate) protocol: Protocol,
}

impl Called {
    /// Whether messages come or go for as long as the two sides like.
    pub(crate) fn streams(&self) -> bool {
        self.plan.is_client_streaming() || self.plan.is_server_streaming()
    }
}

/// What the rate limiter said, and of which limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rated {
    pub(crate) limit: u32,
    pub(crate) verdict: Verdict,
}

impl Record {
    /// Takes up what the connection says of the request.
    pub(crate) fn new(request: &mut Request<Body>, trusted_proxies: &[Network]) -> Self {
        let peer = request.extensions_mut().remove();
        let peer = peer.unwrap_or_else(|| Client::at(Ipv4Addr::UNSPECIFIED.into()));
        let proxied = Proxied::of(trusted_proxies, peer.address.0, request.headers());
        Self {
            request_id: request_id(request.headers()),
            began: Instant::now(),
            client: proxied.as_ref().map_or(peer, |it| Client::at(it.address)),
            proxied: proxied.map(Box::new),
            allowance: OnceLock::new(),
            origin: OnceLock::new(),
            target: OnceLock::new(),
            client_id: OnceLock::new(),
            brand: OnceLock::new(),
            rate: OnceLock::new(),
            permit: OnceLock::new(),
            status: OnceLock::new(),
        }
    }

    /// The record of a request; the outermost layer made it.
    pub(crate) fn of(extensions: &Extensions) -> &Arc<Self> {
        extensions.get().expect("the outermost layer makes a record")
    }

    /// Keeps what checkpoints have left in a request's extensions.
    pub(crate) fn note(&self, extensions: &Extensions) {
        if let Some(caller) = extensions.get::<Arc<Caller>>() {
            let _ = self.client_id.set(caller.client_id.clone());
        }
        if let Some(brand) = extensions.get::<Brand>() {
            let _ = self.brand.set(brand.clone());
        }
    }

    pub(crate) fn called(&self) -> Option<&Called> {
        match self.target.get()? {
            Target::Method(called) => Some(called),
            _ => None,
        }
    }

    pub(crate) fn route(&self) -> Option<&Match<'static>> {
        self.called()?.protocol.route()
    }

    /// The target's name in a log: never a path, which may hold anything.
    pub(crate) fn name(&self) -> &'static str {
        match self.target.get() {
            Some(Target::Method(called)) => called.method.path,
            Some(Target::Page(_)) => "page",
            Some(Target::Own(path)) => path,
            None => "none",
        }
    }

    /// Whether the errors of this target have the form of RFC 6749.
    pub(crate) fn speaks_oauth(&self) -> bool {
        self.called().is_some_and(|it| it.protocol.route().is_some() && it.plan.oauth_errors())
    }

    /// Whether no cache at all may keep the answer: it holds tokens or protected data.
    pub(crate) fn is_secret(&self) -> bool {
        self.called()
            .is_some_and(|it| matches!(it.method.audit, Audit::Read(_)) || it.plan.oauth_errors())
    }
}

impl ClientAddress {
    /// Who is counted as one by the rate limiter: an address, or an IPv6 network of 64 bits,
    /// which is the least that one subscriber has.
    pub(crate) fn network(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            address => address,
        }
    }
}

/// A caller's id is kept if it is harmless in a log.
fn request_id(headers: &HeaderMap) -> RequestId {
    let harmless = |it: &&str| {
        (1..=64).contains(&it.len())
            && it.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    let sent = headers.get(REQUEST_ID).and_then(|it| it.to_str().ok()).filter(harmless);
    RequestId(sent.map_or_else(new_id, Into::into))
}

fn new_id() -> Arc<str> {
    let id = Uuid::now_v7();
    Arc::from(&*id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_harmless_request_id_is_kept() {
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, text.parse().unwrap());
            request_id(&headers).0.to_string()
        };
        assert_eq!(id("req-1_a.b"), "req-1_a.b");
        for text in ["", "a b", "a\"b", "a{b", &"a".repeat(65)] {
            assert_eq!(id(text).len(), 36, "{text}");
        }
    }

    #[test]
    fn one_ipv6_subscriber_is_one_network() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network().to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    }
}
