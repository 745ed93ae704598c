//! A commit that fails leaves nothing: no row, no event, no audit entry, and no answer.

use std::collections::BTreeMap;

use crate::{Answer, Breach, House, Outcome, Surface, rules::Findings};

pub const NAME: &str = "atomicity";

/// A call whose commit was refused, and every table before and after it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub answer: &'a Answer,
    pub before: &'a BTreeMap<String, String>,
    pub after: &'a BTreeMap<String, String>,
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let Observation { answer, before, after } = observation;
    let failed = answer.outcome == Outcome::Failed;
    Breach::unless(failed, "INTERNAL or UNAVAILABLE, 500 or 503", answer.brief())?;
    let changed: Vec<_> =
        after.iter().filter(|(it, digest)| before.get(*it) != Some(digest)).collect();
    Breach::unless(changed.is_empty(), "no table changed", changed)
}

/// Every transaction that leaves an audit row in this schema fails at its commit.
fn sabotage(schema: &str) -> String {
    format!(
        "CREATE FUNCTION {schema}.refuse_commit() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'the conformance suite refuses this commit'; END $$;
         CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT ON {schema}.audit_log
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_commit();"
    )
}

fn repair(schema: &str) -> String {
    format!("DROP FUNCTION {schema}.refuse_commit CASCADE")
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    for case in house.cases().filter(|it| it.is_audited()) {
        for surface in Surface::BOTH {
            // Machine tokens that the call needs on its way are there after the first.
            let Some(first) = house.valid(case).await else { continue };
            house.send(case, surface, &first).await;
            let Some(sent) = house.valid(case).await else { continue };
            let before = house.ledger.digests(case.schema).await;
            house.ledger.execute(&sabotage(case.schema)).await;
            let answer = house.send(case, surface, &sent).await;
            house.ledger.execute(&repair(case.schema)).await;
            let after = house.ledger.digests(case.schema).await;
            let Some(answer) = answer else { continue };
            let observation = Observation { answer: &answer, before: &before, after: &after };
            findings.case(case, surface, check(&observation));
        }
    }
    findings
}
