//! Which services a host leads to: `clinical.example.org` to one, the platform's own to all.
//!
//! A service's host is its name before the public URL's host, or before `localhost`. Names of
//! services are names of hosts: they have hyphens and no underscores (RFC 1123 section 2.1).

use http::Uri;
use kit::Error;
use tonic::Code;

use crate::{Config, reflection};

const LOCAL: &str = "localhost";

/// The hosts of the gateway.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// The host of the public URL.
    domain: String,
    /// What callers see of the gateway: the public URL without its path.
    origin: String,
    services: Vec<&'static str>,
    /// Other hosts that are answered; empty if every host is.
    others: Vec<String>,
}

/// What a host leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    All,
    /// One service, by its name.
    Only(&'static str),
    /// The request came to the wrong door.
    Nothing,
}

impl Hosts {
    pub(crate) fn new(config: &Config, services: impl Iterator<Item = &'static str>) -> Self {
        let url: Uri = config.public_url.parse().unwrap_or_default();
        let authority = url.authority().map_or("", |it| it.as_str());
        let mut services: Vec<_> = services.collect();
        services.sort_unstable();
        services.dedup();
        Self {
            domain: bare(authority).to_owned(),
            origin: format!("{}://{authority}", config.scheme()),
            services,
            others: config.hosts.clone(),
        }
    }

    /// What the host leads to that a request asks for, with or without a port.
    pub(crate) fn reach(&self, host: Option<&str>) -> Reach {
        let name = bare(host.unwrap_or_default());
        if let Some((label, rest)) = name.split_once('.')
            && [self.domain.as_str(), LOCAL].iter().any(|it| rest.eq_ignore_ascii_case(it))
            && let Some(service) = self.services.iter().find(|it| it.eq_ignore_ascii_case(label))
        {
            return Reach::Only(service);
        }
        let is_ours = |it: &str| name.eq_ignore_ascii_case(it);
        let known = self.others.is_empty()
            || is_ours(&self.domain)
            || self.others.iter().any(|it| is_ours(bare(it)));
        if known { Reach::All } else { Reach::Nothing }
    }

    pub(crate) fn services(&self) -> &[&'static str] {
        &self.services
    }

    /// What pages of one service's host may ask besides it: where tokens are.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

impl Reach {
    pub(crate) fn holds(self, service: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(one) => one == service || service == reflection::NAME,
            Self::Nothing => false,
        }
    }
}

/// A host without its port and the root's dot.
fn bare(host: &str) -> &str {
    let port = match host.rfind(']') {
        Some(bracket) => host[bracket..].find(':').map(|it| bracket + it),
        None => host.find(':'),
    };
    let name = &host[..port.unwrap_or(host.len())];
    name.strip_suffix('.').unwrap_or(name)
}

/// The method or page is there, at another host: 404.
pub(crate) fn elsewhere(service: &str, reached: Reach) -> Error {
    let here = match reached {
        Reach::Only(here) => here,
        Reach::All | Reach::Nothing => "no service",
    };
    let message = format!("this is the host of {here}; what has this path is at {service}'s");
    Error::not_found("OTHER_HOST", message).with("service", service)
}

/// The request is for a host that is not served here (RFC 9110 section 15.5.20).
pub(crate) fn misdirected() -> Error {
    Error::new(Code::NotFound, "HOST_UNKNOWN", "no such host is served here")
        .with("http_status", "421")
        .with("error", "misdirected_request")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(public_url: &str, others: &[&str]) -> Hosts {
        let mut config = Config::new(public_url);
        config.hosts = others.iter().map(ToString::to_string).collect();
        Hosts::new(&config, ["clinical", "patient-graph", "clinical"].into_iter())
    }

    #[test]
    fn a_service_is_found_by_its_label() {
        let hosts = hosts("https://API.Example.org:8443/loop", &[]);
        for (host, expected) in [
            ("clinical.api.example.org", Reach::Only("clinical")),
            ("CLINICAL.API.example.ORG:8443", Reach::Only("clinical")),
            ("clinical.api.example.org.", Reach::Only("clinical")),
            ("clinical.localhost:8080", Reach::Only("clinical")),
            ("patient-graph.api.example.org", Reach::Only("patient-graph")),
            ("api.example.org", Reach::All),
            ("localhost", Reach::All),
            // Unknown names lead to all, as an address does.
            ("patient_graph.api.example.org", Reach::All),
            ("clinical.example.org", Reach::All),
            ("clinical.api.example.org.evil", Reach::All),
            ("a.clinical.api.example.org", Reach::All),
            ("clinical", Reach::All),
            ("127.0.0.1:8080", Reach::All),
            ("[::1]:8080", Reach::All),
            ("", Reach::All),
            (":", Reach::All),
            (".", Reach::All),
            ("]:[", Reach::All),
        ] {
            assert_eq!(hosts.reach(Some(host)), expected, "{host}");
        }
        assert_eq!(hosts.reach(None), Reach::All);
        assert_eq!(hosts.services(), ["clinical", "patient-graph"]);
        assert_eq!(hosts.origin(), "https://API.Example.org:8443");
    }

    #[test]
    fn named_hosts_are_all_that_are_answered() {
        let hosts = hosts("https://example.org", &["10.0.0.7", "[fd00::1]", "api.internal"]);
        for (host, expected) in [
            ("example.org", Reach::All),
            ("10.0.0.7:8080", Reach::All),
            ("[fd00::1]:8080", Reach::All),
            ("api.internal", Reach::All),
            ("clinical.example.org", Reach::Only("clinical")),
            ("nobody.example.org", Reach::Nothing),
            ("clinical.api.internal", Reach::Nothing),
            ("10.0.0.8", Reach::Nothing),
            ("example.org:x]:80", Reach::Nothing),
            ("", Reach::Nothing),
        ] {
            assert_eq!(hosts.reach(Some(host)), expected, "{host}");
        }
        assert_eq!(hosts.reach(None), Reach::Nothing);
    }
}
