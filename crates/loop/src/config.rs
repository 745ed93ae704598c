//! One configuration for every shape, from flags and environment, parsed before anything opens.

mod door;

use std::{fmt, str::FromStr};

use http::Uri;
use kit::PlatformKey;
use sqlx::postgres::PgConnectOptions;

pub use door::Door;

/// What a process of the platform needs to know. A backend that is not set is the embedded one.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// An administrator's URL of the Postgres database, such as postgres://user:password@host/loop
    #[arg(long, env = "LOOP_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Address<PgConnectOptions>>,

    /// Redis, such as redis://host:6379. Unset: short-lived state is kept in this process
    #[arg(long, env = "LOOP_REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Address<Redis>>,

    /// NATS, such as nats://host:4222. Unset: events travel fast within this process only
    #[arg(long, env = "LOOP_NATS_URL", hide_env_values = true)]
    pub nats_url: Option<Address<Nats>>,

    /// The platform's root key: at least 64 hexadecimal digits
    #[arg(long, env = "LOOP_SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<PlatformKey>,

    /// The stage this process belongs to: part of the names of subjects and keys
    #[arg(long, env = "LOOP_STAGE", default_value = "dev", value_parser = stage)]
    pub stage: String,

    /// The base URL that people and apps reach the platform by; with a path, all is below it
    #[arg(long, env = "LOOP_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<Uri>,

    /// Where services of other processes are, such as clinical=http://10.0.0.7:7001; one that is
    /// named several times has replicas
    #[arg(long, env = "LOOP_PEERS", value_delimiter = ',')]
    pub peers: Vec<PeerAddress>,

    /// Seed the demo: two members, one patient, Loop's own app. `loop up` always does
    #[arg(long, env = "LOOP_DEMO_DATA")]
    pub demo_data: bool,

    /// Connections to Postgres that each service may hold
    #[arg(long, env = "LOOP_DATABASE_CONNECTIONS", default_value_t = 8)]
    pub database_connections: u32,

    #[command(flatten)]
    pub door: Door,
}

/// An address with a credential in it: kept as text beside what was parsed, and never printed whole.
#[derive(Clone)]
pub struct Address<T> {
    pub parsed: T,
    text: String,
}

impl<T> Address<T> {
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<T: FromStr> FromStr for Address<T>
where
    T::Err: fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.parse().map_err(|cause: T::Err| cause.to_string())?;
        Ok(Self { parsed, text: text.to_owned() })
    }
}

/// `scheme://…@host/…`: what stands before the `@` is a secret.
impl<T> fmt::Debug for Address<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.text.split_once("://").unwrap_or(("", &self.text));
        match rest.rsplit_once('@') {
            Some((_, host)) => write!(f, "{scheme}://[secret]@{host}"),
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

/// A `redis://` URL.
#[derive(Clone, Debug)]
pub struct Redis;

/// A `nats://` URL.
#[derive(Clone, Debug)]
pub struct Nats;

impl FromStr for Redis {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = text.starts_with("redis://") || text.starts_with("rediss://");
        if known { Ok(Self) } else { Err("must begin with redis:// or rediss://") }
    }
}

impl FromStr for Nats {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = text.starts_with("nats://") || text.starts_with("tls://");
        if known { Ok(Self) } else { Err("must begin with nats:// or tls://") }
    }
}

/// `clinical=http://host:port`.
#[derive(Clone, Debug)]
pub struct PeerAddress {
    pub service: &'static str,
    pub address: Uri,
}

impl FromStr for PeerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text.split_once('=').ok_or("must be service=http://host:port")?;
        let service = crate::service(name).map_err(|cause| cause.to_string())?.name;
        let address: Uri = address.parse().map_err(|cause| format!("{address:?}: {cause}"))?;
        if address.scheme_str() != Some("http") || address.host().is_none() {
            return Err(format!("{address} must be http://host:port"));
        }
        Ok(Self { service, address })
    }
}

fn public_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|cause| format!("{cause}"))?;
    let is_web = matches!(url.scheme_str(), Some("http" | "https"));
    let path = url.path();
    let is_plain = url.query().is_none() && !path.contains("//") && !text.contains('#');
    let has_person = url.authority().is_some_and(|it| it.as_str().contains('@'));
    match is_web && is_plain && !has_person {
        true => Ok(url),
        false => Err("must be such as https://api.example.org or https://example.org/loop".into()),
    }
}

fn stage(text: &str) -> Result<String, &'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.is_empty() && text.len() <= 32 && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("must match ^[a-z0-9-]{1,32}$")
    }
}

impl Config {
    /// What will be used, one line each, with secrets masked.
    pub fn describe(&self) -> String {
        let shown =
            |it: &Option<String>, embedded: &str| it.clone().unwrap_or_else(|| embedded.to_owned());
        let lines = [
            (
                "LOOP_DATABASE_URL",
                shown(
                    &self.database_url.as_ref().map(|it| format!("{it:?}")),
                    "unset: `loop up` starts its own Postgres",
                ),
            ),
            (
                "LOOP_REDIS_URL",
                shown(&self.redis_url.as_ref().map(|it| format!("{it:?}")), "unset: embedded"),
            ),
            (
                "LOOP_NATS_URL",
                shown(&self.nats_url.as_ref().map(|it| format!("{it:?}")), "unset: embedded"),
            ),
            (
                "LOOP_SECRET_KEY",
                shown(
                    &self.secret_key.as_ref().map(|_| "[secret]".into()),
                    "unset: `loop up` makes its own",
                ),
            ),
            ("LOOP_STAGE", self.stage.clone()),
            (
                "LOOP_PUBLIC_URL",
                shown(
                    &self.public_url.as_ref().map(ToString::to_string),
                    "unset: the address the edge listens on",
                ),
            ),
            (
                "LOOP_PEERS",
                self.peers
                    .iter()
                    .map(|it| format!("{}={}", it.service, it.address))
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            ("LOOP_DEMO_DATA", self.demo_data.to_string()),
            ("LOOP_DATABASE_CONNECTIONS", self.database_connections.to_string()),
        ];
        let lines = lines.into_iter().chain(self.door.describe());
        lines.map(|(name, value)| format!("{name:<26} {value}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_print() {
        let address: Address<PgConnectOptions> = "postgres://u:hunter2@db/loop".parse().unwrap();
        let shown = format!("{address:?}");
        assert_eq!(shown, "postgres://[secret]@db/loop");
    }

    #[test]
    fn what_is_malformed_is_named() {
        for text in ["clinical", "nobody=http://h:1", "clinical=https://h:1", "clinical=/path"] {
            assert!(text.parse::<PeerAddress>().is_err(), "{text}");
        }
        assert_eq!("clinical=http://h:1".parse::<PeerAddress>().unwrap().service, "clinical");
        assert!("http://h".parse::<Address<Redis>>().is_err());
        for url in ["https://loop.test", "http://127.0.0.1:8080/", "https://loop.test/a/b/"] {
            assert!(public_url(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "loop.test",
            "/loop",
            "ftp://loop.test",
            "https://a/?b",
            "https://a//b",
            "https://u@a",
        ] {
            assert!(public_url(url).is_err(), "{url}");
        }
        assert!(stage("Dev").is_err() && stage("").is_err() && stage("pr-17").is_ok());
    }
}
