//! The one binary. What it runs is decided by its arguments, not by its name.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use kit::{PlatformKey, Service};
use loop_platform::{
    SERVICES, audit_log,
    config::Config,
    demo,
    process::{Backends, Process, bind, bind_on_cores},
    service, up,
};
use mimalloc::MiMalloc;
use sqlx::postgres::PgConnectOptions;

/// What it brings is in docs/benchmarks/edge.md.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The Loop Platform: health and commerce services behind one edge.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "\
Examples:
  loop up                                   everything in one process, with its own Postgres
  loop demo partner-gym                     a partner app's story, over public HTTP
  loop serve clinical patient-graph         two services, for peers in other processes
  loop edge --listen 0.0.0.0:8080           the public door of a platform of many processes
  loop audit verify                         are the audit logs what they were when sealed?"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process, on an embedded default
    Up(up::Up),
    /// Serve some services to peers of other processes
    Serve {
        #[command(flatten)]
        config: Config,
        /// Where peers reach them
        #[arg(long, env = "LOOP_LISTEN", default_value = "127.0.0.1:7000")]
        listen: SocketAddr,
        /// The services; all when none is named
        services: Vec<String>,
    },
    /// Serve the public API
    Edge {
        #[command(flatten)]
        config: Config,
        #[arg(long, env = "LOOP_LISTEN", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// On how many cores; all that there are if it is not said
        #[arg(long, env = "LOOP_CORES")]
        cores: Option<NonZeroUsize>,
    },
    /// Relay the outboxes of services to the buses
    Relay {
        #[command(flatten)]
        config: Config,
        /// The services; all when none is named
        services: Vec<String>,
    },
    /// Bring every schema up to date, then exit
    Migrate {
        #[command(flatten)]
        config: Config,
    },
    /// Print the configuration, with secrets masked
    #[command(name = "config")]
    Settings {
        #[command(flatten)]
        config: Config,
    },
    /// Read every contract and say what it lacks
    Check,
    /// Play a story against a running platform, step by step
    #[command(subcommand)]
    Demo(demo::Demo),
    /// Verify the sealed audit logs
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Subcommand)]
enum Audit {
    /// Recompute every seal; exits with 1 when a log was tampered with
    Verify {
        #[command(flatten)]
        config: Config,
        /// The folder of a running `loop up`, where no database is configured
        #[arg(long, env = "LOOP_DATA", default_value = ".loop")]
        data: PathBuf,
        /// The services; all when none is named
        services: Vec<String>,
    },
    /// Prove that one row stands in a sealed log
    Prove {
        #[command(flatten)]
        config: Config,
        /// The folder of a running `loop up`, where no database is configured
        #[arg(long, env = "LOOP_DATA", default_value = ".loop")]
        data: PathBuf,
        service: String,
        /// The row's id
        row: kit::Uuid,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loop: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => up::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Demo(demo) => demo::run(&demo),
        Command::Check => {
            let registry = loop_platform::check()?;
            let (methods, events) = (registry.methods().len(), registry.events().len());
            println!(
                "{} services, {methods} methods, {events} events: complete",
                registry.services().len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Settings { config } => {
            print!("{}", config.describe());
            Ok(ExitCode::SUCCESS)
        }
        other => tokio::runtime::Runtime::new()?.block_on(run_async(other)),
    }
}

async fn run_async(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve { config, listen, services } => {
            let services = select(&services)?;
            let (listener, process) = (bind(listen).await?, process(&config, None).await?);
            process.run_services(&services).await?;
            process.serve(listener, &services)?;
            eprintln!("serving {} on {listen}", names(&services));
            process.run_until_stopped().await?;
        }
        Command::Edge { config, listen, cores } => {
            let cores = cores.map_or_else(std::thread::available_parallelism, Ok)?;
            let listeners = bind_on_cores(listen, cores)?;
            let process = process(&config, Some(listen)).await?;
            process.serve_edge_on_cores(listeners)?;
            process.serve_canonical_edge().await?;
            eprintln!("the edge listens on {listen}, on {cores} cores");
            process.run_until_stopped().await?;
        }
        Command::Relay { config, services } => {
            let services = select(&services)?;
            let process = process(&config, None).await?;
            process.run_relays(&services);
            eprintln!("relaying {}", names(&services));
            process.run_until_stopped().await?;
        }
        Command::Migrate { config } => {
            let (database, key) = required(&config)?;
            kit::migrate(&database, &key, SERVICES).await?;
            eprintln!("every schema is up to date");
        }
        Command::Audit(Audit::Verify { config, data, services }) => {
            let (database, key) = here(&config, &data)?;
            if !audit_log::verify(&database, &key, &select(&services)?).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Audit(Audit::Prove { config, data, service: name, row }) => {
            let (database, key) = here(&config, &data)?;
            audit_log::prove(&database, &key, service(&name)?, row).await?;
        }
        Command::Up(_) | Command::Demo(_) | Command::Check | Command::Settings { .. } => {
            unreachable!("run without a runtime")
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn process(config: &Config, listen: Option<SocketAddr>) -> anyhow::Result<Process> {
    let (database, key) = required(config)?;
    let public_url = match (&config.public_url, listen) {
        (Some(url), _) => url.to_string(),
        (None, Some(listen)) => config.door.own_url(listen),
        (None, None) => {
            anyhow::bail!("LOOP_PUBLIC_URL is not set: the URL that people reach the edge by")
        }
    };
    let backends = Backends::open(config, database, key, &public_url).await?;
    Process::new(backends, config)
}

/// What every shape beyond one process must be told.
fn required(config: &Config) -> anyhow::Result<(PgConnectOptions, PlatformKey)> {
    let database = config.database_url.as_ref().context(
        "LOOP_DATABASE_URL is not set: an administrator's URL such as postgres://user:password@host/loop",
    )?;
    let key = config.secret_key.clone().context(
        "LOOP_SECRET_KEY is not set: 64 hexadecimal digits, such as `openssl rand -hex 32` prints",
    )?;
    Ok((database.parsed.clone(), key))
}

/// The database and key to look at: as configured, or those of the `loop up` of this folder.
fn here(config: &Config, data: &Path) -> anyhow::Result<(PgConnectOptions, PlatformKey)> {
    if config.database_url.is_some() || config.secret_key.is_some() {
        return required(config);
    }
    up::own(data)
}

fn select(names: &[String]) -> anyhow::Result<Vec<&'static Service>> {
    match names {
        [] => Ok(SERVICES.to_vec()),
        names => names.iter().map(|it| service(it)).collect(),
    }
}

fn names(services: &[&Service]) -> String {
    services.iter().map(|it| it.name).collect::<Vec<_>>().join(", ")
}

/// Log lines go to standard error; `LOOP_LOG` filters them, such as `LOOP_LOG=debug`.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOOP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        builder.compact().init();
    } else {
        builder.json().init();
    }
}
