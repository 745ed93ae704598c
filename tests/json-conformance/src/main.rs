//! Google's conformance suite of protobuf JSON, put to the transcoder's codec.
//!
//! `cargo run -p json-conformance` runs the suite, which starts this program once more as the
//! testee: `json-conformance answer <descriptors>`. `make conformance-json` installs the suite.

mod editions;
mod protocol;
mod suite;
mod testee;
mod unknown;

use std::io;
use std::path::Path;

use anyhow::{Context as _, bail};
use prost_reflect::DescriptorPool;
use transcode::{Api, Style, Unknown};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => suite::run(),
        ["answer", descriptors] => {
            let pool = pool(Path::new(descriptors))?;
            let (api, input, output) = (Api::build(&pool)?, io::stdin(), io::stdout());
            let tally = testee::serve(&pool, &api, &mut input.lock(), &mut output.lock())?;
            eprintln!("testee: {tally}");
            Ok(())
        }
        _ => bail!("usage: json-conformance [answer <descriptors>]"),
    }
}

/// The messages of the suite, from a descriptor set in JSON.
fn pool(path: &Path) -> anyhow::Result<DescriptorPool> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let mut set = serde_json::from_slice(&text)?;
    editions::lower(&mut set)?;
    let descriptors = Api::build(&DescriptorPool::global())?;
    let message = descriptors.message("google.protobuf.FileDescriptorSet");
    let message = message.context("descriptors describe themselves")?;
    let wire = message.to_wire(&serde_json::to_vec(&set)?, Style::Canonical, Unknown::Ignore)?;
    Ok(DescriptorPool::decode(wire.as_slice())?)
}
