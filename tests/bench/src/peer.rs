//! Those who are compared, each as a process in front of the same upstream.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    contract,
    envoy::{self, Authorizer},
    process::{Memory, Process, free_address},
    sample::Dialect,
    workload::Workload,
};

/// The core of the proxies; at any time one of them has work.
const PROXY: usize = 0;

/// The core of the upstream and of the load.
pub const OTHER: usize = 1;

const EDGE_DESCRIPTORS: &str = "edge.pb";
const ENVOY_DESCRIPTORS: &str = "envoy.pb";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    Edge,
    Envoy,
    EnvoyAuthorized,
    Floor,
}

/// What every peer is given.
#[derive(Debug)]
pub struct Stage {
    /// Holds configurations, scripts and logs.
    pub folder: PathBuf,
    /// The repository.
    pub root: PathBuf,
    pub token: String,
    pub upstream: Process,
}

/// A peer that runs.
#[derive(Debug)]
pub struct Running {
    pub peer: Peer,
    pub process: Process,
    /// As it was before the first request.
    pub idle: Memory,
}

impl Peer {
    pub const ALL: [Self; 4] = [Self::Edge, Self::Envoy, Self::EnvoyAuthorized, Self::Floor];

    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge, five checkpoints",
            Self::Envoy => "Envoy",
            Self::EnvoyAuthorized => "Envoy + ext_authz",
            Self::Floor => "bare hop (floor)",
        }
    }

    /// What its callers speak.
    pub fn dialect(self) -> Dialect {
        if self == Self::Edge { Dialect::Rest } else { Dialect::Canonical }
    }

    pub fn is_envoy(self) -> bool {
        matches!(self, Self::Envoy | Self::EnvoyAuthorized)
    }
}

impl Stage {
    /// Starts the upstream.
    pub fn set(folder: PathBuf, root: PathBuf, token: String) -> anyhow::Result<Self> {
        fs::write(folder.join(EDGE_DESCRIPTORS), contract::descriptors()?)?;
        fs::write(folder.join(ENVOY_DESCRIPTORS), contract::descriptors_with_details()?)?;
        let address = free_address()?;
        let arguments = ["upstream".into(), format!("--listen={address}")];
        let log = folder.join("upstream.log");
        let upstream = Process::start(OTHER, &own()?, &arguments, &[], address, &log)?;
        Ok(Self { folder, root, token, upstream })
    }

    /// Starts a peer on its core.
    pub fn start(&self, peer: Peer) -> anyhow::Result<Running> {
        let listen = free_address()?;
        let process = match peer {
            Peer::Edge => self.own("edge", listen, self.edge_descriptors())?,
            Peer::Floor => self.own("floor", listen, None)?,
            Peer::Envoy => self.envoy(listen, Authorizer::None)?,
            Peer::EnvoyAuthorized => self.envoy(listen, Authorizer::Upstream)?,
        };
        let idle = process.memory()?;
        Ok(Running { peer, process, idle })
    }

    fn edge_descriptors(&self) -> Option<String> {
        Some(format!("--descriptors={}", self.folder.join(EDGE_DESCRIPTORS).display()))
    }

    fn own(&self, role: &str, listen: SocketAddr, more: Option<String>) -> anyhow::Result<Process> {
        let upstream = format!("--upstream={}", self.upstream.address);
        let mut arguments = vec![role.to_owned(), format!("--listen={listen}"), upstream];
        arguments.extend(more);
        let log = self.folder.join(format!("{role}.log"));
        // Not as an argument, which any process of the machine may read.
        let token = [("BENCH_TOKEN", self.token.as_str())];
        Process::start(PROXY, &own()?, &arguments, &token, listen, &log)
    }

    fn envoy(&self, listen: SocketAddr, authorizer: Authorizer) -> anyhow::Result<Process> {
        let descriptors = self.folder.join(ENVOY_DESCRIPTORS);
        let text = envoy::configuration(listen, self.upstream.address, &descriptors, authorizer);
        let path = self.folder.join(format!("envoy-{authorizer:?}.yaml"));
        fs::write(&path, text)?;
        let mut arguments = envoy::ARGUMENTS.map(ToOwned::to_owned).to_vec();
        arguments.extend(["-c".to_owned(), path.display().to_string()]);
        let log = path.with_extension("log");
        Process::start(PROXY, &envoy::program(&self.root), &arguments, &[], listen, &log)
    }
}

impl Running {
    pub fn url(&self) -> String {
        format!("http://{}", self.process.address)
    }

    /// Asks once and compares the answer with what the workload expects.
    pub fn check(&self, workload: &Workload, token: &str) -> anyhow::Result<()> {
        let mut answer = self.ask(workload, token)?;
        let (status, text) = (answer.status(), answer.body_mut().read_to_string()?);
        ensure!(status == workload.status, "answered {status}: {text}");
        if status.is_success() {
            let (found, expected) = (read(&text)?, read(workload.json.of(self.peer.dialect()))?);
            ensure!(found == expected, "answered other JSON: {text}");
        }
        Ok(())
    }

    fn ask(&self, workload: &Workload, token: &str) -> anyhow::Result<http::Response<ureq::Body>> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        let request = http::Request::builder()
            .method(&workload.method)
            .uri(format!("{}{}", self.url(), workload.target))
            .header("authorization", format!("Bearer {token}"));
        Ok(match workload.body.of(self.peer.dialect()) {
            "" => agent.run(request.body(())?)?,
            body => agent.run(request.header("content-type", "application/json").body(body)?)?,
        })
    }
}

fn read(text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).with_context(|| format!("no JSON: {text}"))
}

/// This very program, whose other roles the peers are.
fn own() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("find this program")
}
