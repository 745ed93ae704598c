//! The edge beside its peers, on one core each, in one run: `make bench-edge`.
//!
//! Reading order: `workload` says what is asked, `peer` who is asked, `measure` how, `report` what
//! it comes to. The peers of ours are other roles of this program: `gateway`, `floor`, `upstream`.

mod contract;
mod envoy;
mod floor;
mod gateway;
mod load;
mod measure;
mod peer;
mod process;
mod report;
mod sample;
mod upstream;
mod workload;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use oauth_core::{Kind, Token};
use tokio::{net::TcpListener, runtime};

use measure::Plan;
use peer::{Peer, Running, Stage};

/// As in the platform's own program; the floor has it too.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures the edge beside Envoy and a bare hop
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Measure all peers and write the report
    Run {
        /// Rounds of each peer under each workload
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Seconds of one round
        #[arg(long, default_value_t = 2)]
        seconds: u64,
        /// Only workloads whose name contains this
        #[arg(long, default_value = "")]
        only: String,
        /// The document whose measured part is replaced
        #[arg(long)]
        report: Option<PathBuf>,
    },
    /// Be the edge
    Edge {
        #[command(flatten)]
        place: Place,
        /// The contract's descriptor set
        #[arg(long)]
        descriptors: PathBuf,
        /// The one access token that is known
        #[arg(long, env = "BENCH_TOKEN", hide_env_values = true)]
        token: String,
    },
    /// Be the bare hop
    Floor {
        #[command(flatten)]
        place: Place,
    },
    /// Be the service behind all of them
    Upstream {
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[derive(clap::Args)]
struct Place {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    upstream: SocketAddr,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().role {
        Role::Run { rounds, seconds, only, report } => {
            let plan =
                Plan { rounds: rounds.max(1), duration: Duration::from_secs(seconds.max(1)) };
            run(plan, &only, report.as_deref())
        }
        Role::Edge { place, descriptors, token } => {
            log();
            let descriptors = fs::read(descriptors)?;
            // As `loop edge` runs.
            let serving = gateway::serve(place.listen, place.upstream, descriptors, &token);
            runtime::Runtime::new()?.block_on(serving)
        }
        Role::Floor { place } => single()?
            .block_on(async { floor::serve(bind(place.listen).await?, place.upstream).await }),
        Role::Upstream { listen } => single()?.block_on(async {
            upstream::serve(bind(listen).await?).await;
            Ok(())
        }),
    }
}

fn run(plan: Plan, only: &str, report: Option<&Path>) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let folder = tempfile::tempdir()?;
    let token = Token::mint(Kind::AccessToken).expose().to_owned();
    let stage = Stage::set(folder.path().to_owned(), root.clone(), token)?;
    let peers = start(&stage)?;
    let mut workloads = workload::all();
    workloads.retain(|it| it.name.contains(only));
    let results = measure::run(&stage, &peers, workloads, plan)?;
    let text = report::write(&results, plan, &machine()?);
    println!("{text}");
    let Some(report) = report else { return Ok(()) };
    let path = root.join(report);
    let document = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let document = report::replace(&document, &text).context("the report's marks are missing")?;
    Ok(fs::write(&path, document)?)
}

/// All peers that can be had.
fn start(stage: &Stage) -> anyhow::Result<Vec<Running>> {
    let has_envoy = envoy::program(&stage.root).exists();
    if !has_envoy {
        eprintln!("Envoy is not here and is left out; `deploy/dev/install.sh bench` installs it");
    }
    let peers = Peer::ALL.into_iter().filter(|it| has_envoy || !it.is_envoy());
    peers.map(|it| stage.start(it).with_context(|| format!("start {}", it.name()))).collect()
}

/// As an operator runs it under load: no access log. Envoy writes none either.
fn log() {
    let filter = tracing_subscriber::EnvFilter::new("warn");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).json().init();
}

fn single() -> std::io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))
}

/// What the figures were taken on.
fn machine() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text.lines().find_map(|it| it.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, it)| it);
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores of {model}"))
}
