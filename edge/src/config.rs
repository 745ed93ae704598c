//! What an operator decides about the gateway.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use contract::Rate;
use transcode::Style;

use crate::{Network, TlsFiles};

/// How the gateway is reached, what it bears and what it passes through.
#[derive(Clone, Debug)]
pub struct Config {
    /// The base URL that people and apps reach the platform by, without a slash at its end.
    pub public_url: Arc<str>,
    /// The listener's certificate; without one it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The proxies that are believed when they say whom they speak for.
    pub trusted_proxies: Vec<Network>,
    /// Hosts that are answered besides those of the public URL and of services. Empty: all are.
    pub hosts: Vec<String>,
    pub limits: Limits,
    /// How the JSON of requests and answers is spelled.
    pub style: Style,
    pub rates: Rates,
    /// The HTML pages: exact path to the name of the service that renders it.
    pub pages: BTreeMap<&'static str, &'static str>,
}

/// What one request and all of them may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body of a request, in bytes, where the contract states none.
    pub body: usize,
    /// The largest body that a contract may state for one of its methods, in bytes.
    pub stated_body: usize,
    /// The largest sum of target, header names and header values, in bytes.
    pub head: usize,
    /// The longest time from a request's head to its answer.
    pub timeout: Duration,
    /// The longest time that a stream may last.
    pub stream: Duration,
    /// The longest time from a connection to the end of its first request's head.
    pub head_timeout: Duration,
    /// Requests that may be under way at once; more are refused.
    pub in_flight: usize,
    /// Streams that may be under way at once, on top of requests; more are refused.
    pub streams: usize,
    /// Connections that may be open at once; more wait to be accepted.
    pub connections: usize,
}

/// How many requests a minute one client may send of each class. The default is what is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    pub read: u32,
    pub write: u32,
    pub admin: u32,
    pub token: u32,
    pub introspect: u32,
    pub revoke: u32,
    pub authorize: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 4 << 20,
            stated_body: 64 << 20,
            head: 16 << 10,
            timeout: Duration::from_secs(30),
            stream: Duration::from_secs(3600),
            head_timeout: Duration::from_secs(10),
            in_flight: 512,
            streams: 2048,
            connections: 10_000,
        }
    }
}

impl Limits {
    /// What one of several listeners bears. Requests and streams are counted for all of them.
    pub(crate) fn share(self, listeners: usize) -> Self {
        Self { connections: self.connections.div_ceil(listeners), ..self }
    }

    /// The largest body of a request for a method whose contract states this one.
    pub(crate) fn body_of(&self, stated: Option<usize>) -> usize {
        stated.map_or(self.body, |it| it.min(self.stated_body))
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            read: 1000,
            write: 200,
            admin: 100,
            token: 60,
            introspect: 600,
            revoke: 60,
            authorize: 30,
        }
    }
}

impl Rates {
    pub(crate) fn of(&self, class: Rate) -> u32 {
        match class {
            Rate::Read => self.read,
            Rate::Write => self.write,
            Rate::Admin => self.admin,
            Rate::Token => self.token,
            Rate::Introspect => self.introspect,
            Rate::Revoke => self.revoke,
            Rate::Authorize => self.authorize,
        }
    }
}

impl Config {
    /// A gateway at `public_url` with the default limits and rates, and no pages.
    pub fn new(public_url: impl Into<Arc<str>>) -> Self {
        Self {
            public_url: public_url.into(),
            tls: None,
            trusted_proxies: Vec::new(),
            hosts: Vec::new(),
            limits: Limits::default(),
            style: Style::Rest,
            rates: Rates::default(),
            pages: BTreeMap::new(),
        }
    }

    /// The same with JSON as proto3 has it, instead of the platform's own spelling.
    pub fn canonical(self) -> Self {
        Self { style: Style::Canonical, ..self }
    }

    /// The scheme that callers use; TLS may end before this process.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.public_url.starts_with("https://") { "https" } else { "http" }
    }
}
