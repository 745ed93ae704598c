//! Google's conformance suite of protobuf JSON, put to the transcoder's codec.
//!
//! `cargo run -p json-conformance` runs the suite, which starts this program once more as the
//! testee: `json-conformance answer <descriptors>`. `make conformance-json` installs the suite.

mod editions;
mod protocol;
mod suite;
mod testee;

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
            let api = api(Path::new(descriptors))?;
            let tally = testee::serve(&api, &mut io::stdin().lock(), &mut io::stdout().lock())?;
            eprintln!("testee: {tally}");
            Ok(())
        }
        _ => bail!("usage: json-conformance [answer <descriptors>]"),
    }
}

/// The messages of the suite, from a descriptor set in JSON.
fn api(path: &Path) -> anyhow::Result<Api> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let mut set = serde_json::from_slice(&text)?;
    editions::lower(&mut set)?;
    let descriptors = Api::build(&DescriptorPool::global())?;
    let message = descriptors.message("google.protobuf.FileDescriptorSet");
    let message = message.context("descriptors describe themselves")?;
    let wire = message.to_wire(&serde_json::to_vec(&set)?, Style::Canonical, Unknown::Ignore)?;
    Ok(Api::build(&DescriptorPool::decode(wire.as_slice())?)?)
}
