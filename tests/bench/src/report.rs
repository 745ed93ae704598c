//! What was measured, as a document: medians, ratios round by round, and targets kept or missed.

use std::fmt::Write as _;

use crate::{
    measure::{Footprint, Group, Plan, Results, Round, Series},
    peer::Peer,
    sample::Dialect,
    workload::Text,
};

/// What the generated part of docs/benchmarks/edge.md stands between.
const BEGIN: &str = "<!-- measured: written by `make bench-edge` -->";
const END: &str = "<!-- end of what was measured -->";

/// Above this share of foreign work, figures are not worth comparing.
const NOISY: f64 = 0.3;

/// Below this share of its core, a proxy was waiting for the load.
const SATURATED: f64 = 0.9;

/// The most resident memory of the gateway, in MiB: idle, and after the load.
const MEMORY: (f64, f64) = (20.0, 40.0);

/// The whole report, in Markdown.
pub fn write(results: &Results, plan: Plan, machine: &str) -> String {
    let mut text = String::new();
    let (rounds, seconds) = (plan.rounds, plan.duration.as_secs());
    let _ = writeln!(text, "Medians of {rounds} rounds of {seconds} s, {machine}.\n");
    for group in &results.groups {
        text += &table(group);
    }
    text += &memory(&results.footprints);
    text += &noise(results);
    text
}

/// The document with the report in the place of the last one; none if the marks are missing.
pub fn replace(document: &str, report: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{report}\n{END}{after}"))
}

fn table(group: &Group) -> String {
    let size = |text: &Text| text.of(Dialect::Canonical).len();
    let bodies = match (size(&group.workload.body), size(&group.workload.json)) {
        (0, out) => format!("{out} B out"),
        (into, out) => format!("{into} B in, {out} B out"),
    };
    let mut text = format!(
        "### {}, {} connection{}\n\n{} `{}`, {bodies}.\n\n",
        group.workload.name,
        group.connections,
        if group.connections == 1 { "" } else { "s" },
        group.workload.method,
        group.workload.target,
    );
    text += "| | CPU µs/request | to Envoy | to the floor | requests/s | p50 ms | p99 ms |\n";
    text += "|---|---|---|---|---|---|---|\n";
    for series in &group.series {
        text += &row(series, group.of(Peer::Envoy), group.of(Peer::Floor));
    }
    text + &verdicts(group) + "\n"
}

fn row(series: &Series, envoy: Option<&Series>, floor: Option<&Series>) -> String {
    let of = |read: fn(&Round) -> f64| median(series, read).unwrap_or(f64::NAN);
    let cpu = of(|it| it.cpu);
    let (least, most) = range(series, |it| it.cpu);
    let ratio = |to: Option<&Series>| {
        to.and_then(|it| ratio(series, it)).map_or("–".into(), |it| format!("{it:.2}"))
    };
    let waits = if of(|it| it.used) < SATURATED { "*" } else { "" };
    format!(
        "| {} | {cpu:.1} ({least:.1}–{most:.1}) | {} | {} | {:.0}{waits} | {:.2} | {:.2} |\n",
        series.peer.name(),
        ratio(envoy),
        ratio(floor),
        of(|it| it.load.requests as f64 / it.load.seconds),
        of(|it| it.load.p50),
        of(|it| it.load.p99),
    )
}

/// The targets that a saturated gateway has, each with its verdict.
fn verdicts(group: &Group) -> String {
    let Some(edge) = group.of(Peer::Edge).filter(|_| group.connections > 1) else {
        return String::new();
    };
    let targets = group.workload.targets;
    let share = group.of(Peer::Envoy).and_then(|it| ratio(edge, it));
    let told = [
        ("CPU µs/request", 1, targets.cpu, median(edge, |it| it.cpu)),
        ("share of Envoy's", 3, targets.share(), share),
        ("p99 ms", 1, targets.p99, median(edge, |it| it.load.p99)),
    ];
    let line = |(what, digits, most, found)| Some(verdict(what, digits, most?, found?));
    let lines: Vec<_> = told.into_iter().filter_map(line).collect();
    if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join("; ")) }
}

fn verdict(what: &str, digits: usize, most: f64, found: f64) -> String {
    let verdict = if found <= most { "kept" } else { "**missed**" };
    format!("{what}: target {most:.digits$}, measured {found:.digits$}: {verdict}")
}

fn memory(footprints: &[Footprint]) -> String {
    let mut text =
        String::from("### Memory\n\n| | idle MiB | loaded MiB | most MiB |\n|---|---|---|---|\n");
    let mib = |kib: u64| kib as f64 / 1024.0;
    for it in footprints {
        let (idle, loaded, most) = (mib(it.idle.now), mib(it.loaded.now), mib(it.loaded.most));
        let _ = writeln!(text, "| {} | {idle:.1} | {loaded:.1} | {most:.1} |", it.peer.name());
    }
    if let Some(edge) = footprints.iter().find(|it| it.peer == Peer::Edge) {
        let idle = verdict("idle MiB", 1, MEMORY.0, mib(edge.idle.now));
        let loaded = verdict("loaded MiB", 1, MEMORY.1, mib(edge.loaded.now));
        let _ = write!(text, "\n{idle}; {loaded}\n");
    }
    text + "\n"
}

/// How much of the machine others had, so that a reader knows what the figures are worth.
fn noise(results: &Results) -> String {
    let rounds = results.groups.iter().flat_map(|it| &it.series).flat_map(|it| &it.rounds);
    let mut shares: Vec<_> = rounds.map(|it| it.foreign).collect();
    let most = shares.iter().copied().fold(0.0, f64::max) * 100.0;
    let middle = middle(&mut shares).unwrap_or(0.0);
    let warning = if middle > NOISY { " **Too much: compare nothing, run it again.**" } else { "" };
    let middle = middle * 100.0;
    format!(
        "Other processes had {middle:.0} % of the machine, {most:.0} % in the worst round.{warning}\n"
    )
}

impl Group {
    fn of(&self, peer: Peer) -> Option<&Series> {
        self.series.iter().find(|it| it.peer == peer)
    }
}

/// The CPU time of one by that of another, round by round, as they took turns: a machine that
/// is slower for a while is so for both.
fn ratio(series: &Series, to: &Series) -> Option<f64> {
    let rounds = series.rounds.iter().zip(&to.rounds);
    middle(&mut rounds.map(|(one, other)| one.cpu / other.cpu).collect::<Vec<_>>())
}

fn median(series: &Series, read: impl Fn(&Round) -> f64) -> Option<f64> {
    middle(&mut series.rounds.iter().map(read).collect::<Vec<_>>())
}

fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[half]),
        _ => Some(values[half - 1].midpoint(values[half])),
    }
}

fn range(series: &Series, read: impl Fn(&Round) -> f64) -> (f64, f64) {
    let values = series.rounds.iter().map(read);
    values.fold((f64::INFINITY, 0.0), |(least, most), it| (least.min(it), most.max(it)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{load::Load, workload};

    fn round(cpu: f64, foreign: f64) -> Round {
        let load =
            Load { requests: 2000, refused: 0, failed: 0, seconds: 2.0, p50: 0.9, p99: 1.25 };
        Round { load, cpu, used: 0.95, foreign }
    }

    fn results(edge: f64, foreign: f64) -> Results {
        let series =
            |peer, cpu: [f64; 3]| Series { peer, rounds: cpu.map(|it| round(it, foreign)).into() };
        let group = Group {
            workload: workload::all().remove(0),
            connections: 64,
            series: vec![
                series(Peer::Edge, [edge, 99.0, edge]),
                series(Peer::Envoy, [35.0, 35.0, 36.0]),
                series(Peer::Floor, [10.0, 10.0, 10.0]),
            ],
        };
        Results { groups: vec![group], footprints: Vec::new() }
    }

    fn text(edge: f64, foreign: f64) -> String {
        let plan = Plan { rounds: 3, duration: Duration::from_secs(2) };
        write(&results(edge, foreign), plan, "here")
    }

    #[test]
    fn ratios_are_of_rounds_and_targets_have_verdicts() {
        let kept = text(14.0, 0.0);
        assert!(kept.contains("| 14.0 (14.0–99.0) | 0.40 | 1.40 | 1000 | 0.90 | 1.25 |"), "{kept}");
        assert!(kept.contains("target 14.0, measured 14.0: kept"), "{kept}");
        assert!(
            kept.contains("share of Envoy's: target 0.392, measured 0.400: **missed**"),
            "{kept}"
        );
        assert!(text(14.1, 0.0).contains("measured 14.1: **missed**"));
        assert!(text(13.6, 0.0).contains("target 0.392, measured 0.389: kept"));
    }

    #[test]
    fn a_run_among_others_says_so() {
        assert!(!text(14.0, 0.1).contains("run it again"));
        assert!(text(14.0, 0.4).contains("run it again"));
    }

    #[test]
    fn a_run_without_envoy_has_no_ratio_to_it() {
        let mut results = results(14.0, 0.0);
        results.groups[0].series.remove(1);
        let row = table(&results.groups[0]);
        assert!(row.contains("| 14.0 (14.0–99.0) | – | 1.40 |"), "{row}");
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between() {
        assert_eq!(middle(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(middle(&mut []), None);
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = replace(&document, "new").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n{END}\nb\n"));
        assert_eq!(replace(&once, "new").unwrap(), once);
        assert_eq!(replace("a", "new"), None);
    }
}
