//! A write leaves one audit row and its events, in one transaction; a read of protected data
//! leaves one access row; anything else leaves none.

use registry::{Audit, Caller, Method};

use crate::{AuditRow, Breach, Case, House, OutboxRow, Surface, house::HOME, rules::Findings};

pub const NAME: &str = "audit";

/// What one successful call left behind.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    pub method: &'a Method,
    pub schema: &'a str,
    /// Kind and id of who called; absent for the public.
    pub actor: Option<(&'a str, &'a str)>,
    /// Rows of the call's request id, in every schema.
    pub audit: Vec<AuditRow>,
    pub outbox: Vec<OutboxRow>,
    /// Rows that the log of the method's own schema has gained.
    pub gained: i64,
    /// Types of the access rows that other services may have left on the way.
    pub accesses: &'a [String],
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let schema = observation.schema;
    let (own, others): (Vec<_>, Vec<_>) =
        observation.audit.iter().partition(|it| it.schema == schema);
    let stray = others.iter().find(|it| !observation.accesses.contains(&it.event_type));
    Breach::unless(stray.is_none(), "other services record accesses only", stray)?;
    let expected = match &observation.method.audit {
        Audit::Write(event_type) | Audit::Read(event_type) => Some(event_type),
        Audit::None(_) => None,
    };
    let count = i64::from(expected.is_some());
    let counted = own.len() as i64 == count && observation.gained == count;
    let told = format!("{own:?}, and {} new rows in all", observation.gained);
    Breach::unless(counted, format!("{count} audit rows of this request"), told)?;
    if let (Some(row), Some(event_type)) = (own.first(), expected) {
        check_row(row, event_type, observation.actor)?;
        check_events(observation, row)?;
    }
    Ok(())
}

fn check_row(row: &AuditRow, event_type: &str, actor: Option<(&str, &str)>) -> Result<(), Breach> {
    Breach::unless(row.event_type == event_type, event_type, &row.event_type)?;
    let Some((kind, id)) = actor else { return Ok(()) };
    let named = row.actor_type == kind && row.actor_id == id && row.brand_id == HOME;
    Breach::unless(named, format!("{kind} {id} in {HOME}"), row)
}

/// All that the contract declares, nothing else, and in the audit row's transaction.
fn check_events(observation: &Observation<'_>, row: &AuditRow) -> Result<(), Breach> {
    let mut names: Vec<_> = observation.outbox.iter().map(|it| it.name.clone()).collect();
    let mut declared = observation.method.emits.clone();
    names.sort();
    declared.sort();
    Breach::unless(names == declared, format!("the events {declared:?}"), &names)?;
    let together = observation
        .outbox
        .iter()
        .all(|it| it.xid == row.xid && it.schema == row.schema && it.brand_id == row.brand_id);
    Breach::unless(together, "events in the audit row's transaction", &observation.outbox)
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    let accesses: Vec<_> = house.contracts.registry.methods().iter().filter_map(access).collect();
    for case in house.cases() {
        for surface in Surface::BOTH {
            let grantees = case.grantees().into_iter().map(|it| Some((it.kind, it.scope)));
            for caller in grantees.chain(case.is_public().then_some(None)) {
                observe(house, case, surface, caller, &accesses, &mut findings).await;
            }
        }
    }
    findings
}

fn access(method: &Method) -> Option<String> {
    match &method.audit {
        Audit::Read(event_type) => Some(event_type.clone()),
        _ => None,
    }
}

async fn observe(
    house: &House,
    case: &Case,
    surface: Surface,
    caller: Option<(Caller, &str)>,
    accesses: &[String],
    findings: &mut Findings,
) {
    let Some(message) = house.message(case).await else { return };
    let grant = caller.map(|(kind, scope)| house.grant(kind, HOME, &[scope]));
    let sent = match &grant {
        Some(grant) => house.as_grant(grant, HOME, message).await,
        None => crate::Sent::new(message),
    };
    let request_id = house.unique("conformance-audit-");
    let sent = sent.with("x-request-id", &request_id);
    let before = house.ledger.audit_count(case.schema).await;
    let Some(answer) = house.send(case, surface, &sent).await else { return };
    // What is not answered is another rule's finding.
    if !answer.is_success() {
        return;
    }
    let observation = Observation {
        method: &case.method,
        schema: case.schema,
        actor: grant.as_ref().map(|it| (it.kind, it.subject.as_str())),
        audit: house.ledger.audit_of(&request_id).await,
        outbox: house.ledger.outbox_of(&request_id).await,
        gained: house.ledger.audit_count(case.schema).await - before,
        accesses,
    };
    findings.case(case, surface, check(&observation));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contracts;

    type Wrong = fn(&mut Observation<'_>);

    /// What a creation of a patient should leave, changed by `change`.
    fn checked(change: impl FnOnce(&mut Observation<'_>)) -> Result<(), Breach> {
        let contracts = Contracts::of(&[&patient_graph::SERVICE]);
        let case = contracts.cases.iter().find(|it| it.name() == "CreatePatient").unwrap();
        let row = AuditRow {
            schema: "patient_graph".into(),
            event_type: "patient_graph.patient.created".into(),
            actor_type: "service".into(),
            actor_id: "cli_1".into(),
            brand_id: HOME.into(),
            request_id: Some("req-1".into()),
            xid: "7".into(),
        };
        let event = OutboxRow {
            schema: "patient_graph".into(),
            name: "patient_graph.patient.created.v1".into(),
            brand_id: HOME.into(),
            xid: "7".into(),
        };
        let mut observation = Observation {
            method: &case.method,
            schema: "patient_graph",
            actor: Some(("service", "cli_1")),
            audit: vec![row],
            outbox: vec![event],
            gained: 1,
            accesses: &[],
        };
        change(&mut observation);
        check(&observation)
    }

    #[test]
    fn one_row_and_its_event_in_one_transaction_are_right() {
        assert_eq!(checked(|_| {}), Ok(()));
    }

    #[test]
    fn everything_else_is_wrong() {
        let wrongs: [(&str, Wrong); 9] = [
            ("no row", |it| it.audit.clear()),
            ("a second row", |it| it.audit.push(it.audit[0].clone())),
            ("a row of no request", |it| it.gained = 2),
            ("another type", |it| it.audit[0].event_type = "patient_graph.patient.read".into()),
            ("another actor", |it| it.audit[0].actor_id = "cli_2".into()),
            ("another brand", |it| it.audit[0].brand_id = "loopbio".into()),
            ("no event", |it| it.outbox.clear()),
            ("an event of another transaction", |it| it.outbox[0].xid = "8".into()),
            ("a write of another service", |it| {
                let row = AuditRow { schema: "clinical".into(), ..it.audit[0].clone() };
                it.audit.push(row);
            }),
        ];
        for (what, wrong) in wrongs {
            assert!(checked(wrong).is_err(), "{what}");
        }
    }
}
