//! `loop demo`: stories played over public HTTP only, each step checked.

mod http;
mod page;
mod partner_gym;
mod report;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context as _;

#[derive(Clone, Debug, clap::Subcommand)]
pub enum Demo {
    /// A partner app reads a member's biomarkers through all five checkpoints
    PartnerGym(Where),
}

/// Which platform to play against.
#[derive(Clone, Debug, clap::Args)]
pub struct Where {
    /// The file that `loop up` writes: the API's address, the operator's client, the demo member
    #[arg(long, env = "LOOP_CREDENTIALS", default_value = ".loop/credentials.json")]
    pub credentials: PathBuf,
}

/// What `loop up` wrote.
#[derive(Clone)]
pub struct Credentials {
    pub api: String,
    pub operator_id: String,
    pub operator_secret: String,
    pub member: String,
    pub member_password: String,
}

/// Fails, naming the step, as soon as one differs from its expectation.
pub fn run(demo: &Demo) -> anyhow::Result<ExitCode> {
    let Demo::PartnerGym(place) = demo;
    partner_gym::play(&Credentials::read(place)?)?;
    Ok(ExitCode::SUCCESS)
}

impl Credentials {
    fn read(place: &Where) -> anyhow::Result<Self> {
        let path = place.credentials.display();
        let text = fs::read_to_string(&place.credentials)
            .with_context(|| format!("read {path}; is the platform up? Start it with `make up`"))?;
        let json: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("{path}"))?;
        let at = |pointer: &str| {
            let value = json.pointer(pointer).and_then(|it| it.as_str());
            value.map(str::to_owned).with_context(|| format!("{path} has no {pointer}"))
        };
        Ok(Self {
            api: at("/api")?,
            operator_id: at("/operator/client_id")?,
            operator_secret: at("/operator/client_secret")?,
            member: at("/member/email")?,
            member_password: at("/member/password")?,
        })
    }
}
