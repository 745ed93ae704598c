//! Protected values stay where they belong: no log, span, error, event or audit row shows one.

use std::collections::BTreeSet;

use crate::{
    Answer, Breach, Case, House, Sent, Surface,
    house::{ABROAD, HOME},
    phi, requests,
    rules::Findings,
};

pub const NAME: &str = "confidentiality";

/// A place that people read who run the platform, and the values that went through it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub protected: &'a BTreeSet<String>,
    pub place: &'a str,
    pub content: &'a str,
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let Observation { protected, place, content } = observation;
    let mut found = protected.iter().filter_map(|it| Some((it, content.find(it.as_str())?)));
    let Some((value, at)) = found.next() else { return Ok(()) };
    let line = content[..at].rfind('\n').map_or(0, |it| it + 1);
    let shown: String = content[line..].lines().next().unwrap_or_default().into();
    Err(Breach::new(format!("no protected value in {place}"), format!("{value:?} in {shown}")))
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    let mut protected = BTreeSet::new();
    for case in house.cases() {
        let seen = expose(house, case, &mut findings).await;
        protected.extend(seen);
    }
    let log = house.log.text();
    let observation = Observation { protected: &protected, place: "the logs", content: &log };
    findings.part("the logs", check(&observation));
    for (table, content) in house.ledger.told().await {
        let observation = Observation { protected: &protected, place: &table, content: &content };
        findings.part(&table, check(&observation));
    }
    findings
}

/// Sends protected values through a method, in every way that succeeds or fails, and tells which.
async fn expose(house: &House, case: &Case, findings: &mut Findings) -> BTreeSet<String> {
    let mut protected = BTreeSet::new();
    let (input, output) = (case.method.descriptor.input(), case.method.descriptor.output());
    for surface in Surface::BOTH {
        let Some(mut message) = house.message(case).await else { return protected };
        phi::plant(&input, &mut message, &house.unique("canary"));
        protected.extend(phi::collect(&input, &message));
        let sent = match case.grantees().first() {
            Some(grantee) => house.admitted(*grantee, HOME, message.clone()).await,
            None => Sent::new(message.clone()),
        };
        let Some(answer) = house.send(case, surface, &sent).await else { continue };
        if answer.is_success() && surface == Surface::Grpc {
            protected.extend(phi::collect(&output, &answer.json()));
        }
        for sent in refused(house, case, &message).await {
            let Some(answer) = house.send(case, surface, &sent).await else { continue };
            findings.case(case, surface, check_error(&protected, &answer));
        }
    }
    protected
}

fn check_error(protected: &BTreeSet<String>, answer: &Answer) -> Result<(), Breach> {
    if answer.is_success() {
        return Ok(());
    }
    check(&Observation { protected, place: "an error", content: &answer.text })
}

/// The same values in requests that fail: of a stranger, of another brand, with a broken rule.
async fn refused(house: &House, case: &Case, message: &serde_json::Value) -> Vec<Sent> {
    let mut all = vec![Sent::new(message.clone())];
    let Some(grantee) = case.grantees().first().copied() else { return all };
    all.push(house.admitted(grantee, ABROAD, message.clone()).await);
    for malformed in requests::malformed(&case.method.descriptor.input(), message) {
        all.push(house.admitted(grantee, HOME, malformed.message).await);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_shows_a_value_is_told() {
        let protected = BTreeSet::from(["ada@loop.test".to_owned()]);
        let observe = |content: &str| {
            check(&Observation { protected: &protected, place: "the logs", content })
        };
        assert_eq!(observe("served\nadmitted\n"), Ok(()));
        let breach = observe("served\nto ada@loop.test\nserved").unwrap_err();
        assert_eq!(breach.got, "\"ada@loop.test\" in to ada@loop.test");
    }
}
