//! What the edge is told about its door: TLS and whom it believes.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::bail;
use edge::{Network, TlsFiles};
use http::uri::Authority;

/// Settings of the edge alone. Nothing set is a door for plain HTTP that believes nobody.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Door {
    /// The edge's certificate chain, a PEM file that is read again when it changes. Unset: the
    /// edge speaks plain HTTP
    #[arg(long, env = "LOOP_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of that certificate, a PEM file without a password
    #[arg(long, env = "LOOP_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Proxies in front of the edge, by address or network such as 10.0.0.0/8: what they say of
    /// a caller's address, scheme and host counts. Unset: nobody's word does
    #[arg(long, env = "LOOP_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORK")]
    pub trusted_proxies: Vec<Network>,

    /// Hosts that the edge answers besides those of the public URL and of its services, such as
    /// api.internal; requests for any other are refused. Unset: every host is answered
    #[arg(long, env = "LOOP_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub hosts: Vec<Authority>,

    /// A second address of the edge, where JSON is spelled as proto3 has it: names in
    /// lowerCamelCase, enum values in upper case. Unset: there is none
    #[arg(long, env = "LOOP_CANONICAL_LISTEN", value_name = "ADDRESS")]
    pub canonical_listen: Option<SocketAddr>,

    #[arg(skip)]
    is_canonical: bool,
}

impl Door {
    /// The URL of an edge that listens on `address` and is told no other.
    pub fn own_url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// The configuration of an edge that is reached by `public_url`. Fails where settings
    /// contradict each other.
    pub fn edge(&self, public_url: &str) -> anyhow::Result<edge::Config> {
        let tls = self.tls()?;
        if tls.is_some() && public_url.starts_with("http://") {
            bail!(
                "LOOP_TLS_CERT is set, so LOOP_PUBLIC_URL must begin with https://: {public_url}"
            );
        }
        let trusted_proxies = self.trusted_proxies.clone();
        let hosts = self.hosts.iter().map(Authority::to_string).collect();
        let config = edge::Config::new(public_url);
        let config = if self.is_canonical { config.canonical() } else { config };
        Ok(edge::Config { tls, trusted_proxies, hosts, ..config })
    }

    /// The same door, where JSON is spelled as proto3 has it.
    pub fn canonical(&self) -> Self {
        Self { is_canonical: true, ..self.clone() }
    }

    /// The files of the edge's certificate. Fails where one of the two is missing.
    pub fn tls(&self) -> anyhow::Result<Option<TlsFiles>> {
        match (self.tls_cert.clone(), self.tls_key.clone()) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => bail!("LOOP_TLS_KEY is not set: the key of LOOP_TLS_CERT"),
            (None, Some(_)) => bail!("LOOP_TLS_CERT is not set: the certificate of LOOP_TLS_KEY"),
        }
    }

    /// What will be used, by name.
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let path = |it: &Option<PathBuf>| {
            it.as_ref().map_or("unset: plain HTTP".to_owned(), |it| it.display().to_string())
        };
        let proxies: Vec<_> = self.trusted_proxies.iter().map(Network::to_string).collect();
        let hosts: Vec<_> = self.hosts.iter().map(Authority::as_str).collect();
        let hosts = if hosts.is_empty() { "unset: every host".into() } else { hosts.join(",") };
        vec![
            ("LOOP_TLS_CERT", path(&self.tls_cert)),
            ("LOOP_TLS_KEY", path(&self.tls_key)),
            ("LOOP_TRUSTED_PROXIES", proxies.join(",")),
            ("LOOP_HOSTS", hosts),
            (
                "LOOP_CANONICAL_LISTEN",
                self.canonical_listen.map_or("unset: none".into(), |it| it.to_string()),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(door: &Door, public_url: &str) -> String {
        door.edge(public_url).unwrap_err().to_string()
    }

    #[test]
    fn half_of_a_pair_is_an_error_that_names_the_other_half() {
        let cert = Door { tls_cert: Some("a".into()), ..Door::default() };
        assert!(refused(&cert, "https://loop.test").contains("LOOP_TLS_KEY is not set"));
        let key = Door { tls_key: Some("b".into()), ..Door::default() };
        assert!(refused(&key, "https://loop.test").contains("LOOP_TLS_CERT is not set"));
        let both = Door { tls_key: Some("b".into()), ..cert };
        let tls = both.edge("https://loop.test").unwrap().tls.unwrap();
        assert_eq!((tls.certificate, tls.key), ("a".into(), "b".into()));
        assert!(Door::default().edge("http://loop.test").unwrap().tls.is_none());
    }

    #[test]
    fn the_second_door_spells_json_as_proto3_does_and_is_like_the_first_in_all_else() {
        let first = Door { trusted_proxies: vec!["10.0.0.7".parse().unwrap()], ..Door::default() };
        let spelled = |door: &Door| door.edge("http://loop.test").unwrap();
        let (first, second) = (spelled(&first), spelled(&first.canonical()));
        assert_ne!(first.style, second.style);
        assert_eq!(second.style, edge::Config::new("").canonical().style);
        assert_eq!(first.trusted_proxies, second.trusted_proxies);
    }

    #[test]
    fn a_door_with_a_certificate_is_reached_by_https() {
        let (tls_cert, tls_key) = (Some("a".into()), Some("b".into()));
        let pair = Door { tls_cert, tls_key, ..Door::default() };
        assert_eq!(pair.own_url("127.0.0.1:8443".parse().unwrap()), "https://127.0.0.1:8443");
        assert!(refused(&pair, "http://loop.test").contains("LOOP_PUBLIC_URL"));
        let plain = Door::default().own_url("127.0.0.1:8080".parse().unwrap());
        assert_eq!(plain, "http://127.0.0.1:8080");
    }
}
