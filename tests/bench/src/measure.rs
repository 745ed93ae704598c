//! One run: every workload, round by round, each peer in its turn, so that what disturbs the
//! machine disturbs all alike.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::{
    load::{Load, Script},
    peer::{OTHER, Peer, Running, Stage},
    process::{Memory, busy, cpu_of_ended},
    workload::Workload,
};

/// Connections of the load: saturated, and one request at a time.
pub const CONNECTIONS: [usize; 2] = [64, 1];

/// How long a peer is warmed before its rounds.
const WARM_UP: Duration = Duration::from_secs(1);

/// The cores that the benchmark uses.
const CORES: f64 = 2.0;

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub rounds: usize,
    pub duration: Duration,
}

/// One round of one peer.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    pub load: Load,
    /// CPU microseconds of the proxy a request.
    pub cpu: f64,
    /// The share of its core that the proxy had.
    pub used: f64,
    /// The share of the whole machine that none of ours had.
    pub foreign: f64,
}

/// All rounds of one peer under one workload.
#[derive(Debug)]
pub struct Series {
    pub peer: Peer,
    pub rounds: Vec<Round>,
}

/// All peers under one workload.
#[derive(Debug)]
pub struct Group {
    pub workload: Workload,
    pub connections: usize,
    pub series: Vec<Series>,
}

/// Memory of one peer before the first request and after the last.
#[derive(Debug)]
pub struct Footprint {
    pub peer: Peer,
    pub idle: Memory,
    pub loaded: Memory,
}

#[derive(Debug)]
pub struct Results {
    pub groups: Vec<Group>,
    pub footprints: Vec<Footprint>,
}

/// Runs all. Fails when any answer is not the expected one.
pub fn run(
    stage: &Stage,
    peers: &[Running],
    workloads: Vec<Workload>,
    plan: Plan,
) -> anyhow::Result<Results> {
    for workload in &workloads {
        for it in peers {
            it.check(workload, &stage.token)
                .with_context(|| format!("{}, {}", workload.name, it.peer.name()))?;
        }
    }
    let mut groups = Vec::new();
    for workload in workloads {
        for connections in CONNECTIONS {
            groups.push(group(stage, peers, workload.clone(), connections, plan)?);
        }
    }
    let footprints = peers.iter().map(footprint).collect::<anyhow::Result<_>>()?;
    Ok(Results { groups, footprints })
}

fn group(
    stage: &Stage,
    peers: &[Running],
    workload: Workload,
    connections: usize,
    plan: Plan,
) -> anyhow::Result<Group> {
    let script =
        |it: &Running| Script::write(&stage.folder, &workload, it.peer.dialect(), &stage.token);
    let scripts = peers.iter().map(script).collect::<anyhow::Result<Vec<_>>>()?;
    let mut series: Vec<_> =
        peers.iter().map(|it| Series { peer: it.peer, rounds: Vec::new() }).collect();
    for number in 0..=plan.rounds {
        for ((it, script), series) in peers.iter().zip(&scripts).zip(&mut series) {
            let duration = if number == 0 { WARM_UP } else { plan.duration };
            let round = round(stage, it, script, connections, duration)
                .with_context(|| format!("{}, {}", workload.name, it.peer.name()))?;
            if number > 0 {
                say(&workload, connections, number, it.peer, &round);
                series.rounds.push(round);
            }
        }
    }
    Ok(Group { workload, connections, series })
}

fn round(
    stage: &Stage,
    peer: &Running,
    script: &Script,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Round> {
    let ours = || anyhow::Ok(peer.process.cpu()? + stage.upstream.cpu()? + cpu_of_ended()?);
    let (began, busy_before, ours_before) = (Instant::now(), busy()?, ours()?);
    let before = peer.process.cpu()?;
    let load = script.run(OTHER, &peer.url(), connections, duration)?;
    let cpu = (peer.process.cpu()? - before) as f64;
    let wall = began.elapsed().as_micros() as f64;
    let foreign = (busy()? - busy_before) as f64 - (ours()? - ours_before) as f64;
    Ok(Round {
        cpu: cpu / load.requests as f64,
        used: cpu / wall,
        foreign: (foreign / (wall * CORES)).clamp(0.0, 1.0),
        load,
    })
}

fn footprint(peer: &Running) -> anyhow::Result<Footprint> {
    Ok(Footprint { peer: peer.peer, idle: peer.idle, loaded: peer.process.memory()? })
}

fn say(workload: &Workload, connections: usize, number: usize, peer: Peer, round: &Round) {
    eprintln!(
        "{:11} c={connections:<2} round {number}  {:23} {:7.1} us CPU {:8.0}/s  p50 {:7.2}  p99 {:7.2} ms  others {:2.0} %",
        workload.name,
        peer.name(),
        round.cpu,
        round.load.requests as f64 / round.load.seconds,
        round.load.p50,
        round.load.p99,
        100.0 * round.foreign,
    );
}
