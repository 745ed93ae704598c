//! What breaks a rule of the contract is refused by the name of its field, before anything is
//! written.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    Answer, Breach, Case, House, Outcome, Sent, Surface,
    requests::{self, Malformed, with},
    route::{Body, Worded},
    rules::Findings,
};

pub const NAME: &str = "validation";

/// Larger than what the edge takes.
const OVERSIZED: usize = (4 << 20) + 1;

/// A call that breaks a rule, and what came of it.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    Field {
        field: &'a str,
        rule: &'a str,
        answer: &'a Answer,
    },
    /// A body that is no message at all; the status that says so.
    Body {
        what: &'a str,
        status: &'a str,
        answer: &'a Answer,
    },
    /// A stranger breaks a rule, and must not learn of it.
    Stranger(&'a Answer),
    /// The tables of the method's schema, before and after all of these.
    Untouched {
        before: &'a BTreeMap<String, String>,
        after: &'a BTreeMap<String, String>,
    },
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    match observation {
        Observation::Field { field, rule, answer } => {
            let refused = answer.outcome == Outcome::Invalid;
            let named = answer.fields.iter().any(|it| it == field);
            let expected = format!("{field} breaks {rule}: INVALID_ARGUMENT or 400 that names it");
            Breach::unless(refused && named, expected, answer.brief())
        }
        Observation::Body { what, status, answer } => {
            let expected = format!("{what}: {status}");
            Breach::unless(answer.status == *status, expected, answer.brief())
        }
        Observation::Stranger(answer) => {
            let told_nothing =
                answer.outcome == Outcome::Unauthenticated && answer.fields.is_empty();
            Breach::unless(told_nothing, "strangers learn nothing of the rules", answer.brief())
        }
        Observation::Untouched { before, after } => {
            let changed: Vec<_> =
                after.iter().filter(|(it, digest)| before.get(*it) != Some(digest)).collect();
            Breach::unless(changed.is_empty(), "a refused call writes nothing", changed)
        }
    }
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    for case in house.cases() {
        let Some(valid) = house.valid(case).await else { continue };
        let before = house.ledger.digests(case.schema).await;
        for malformed in requests::malformed(&case.method.descriptor.input(), &valid.message) {
            refused(house, case, &valid, &malformed, &mut findings).await;
        }
        unreadable(house, case, &valid, &mut findings).await;
        let after = house.ledger.digests(case.schema).await;
        let observation = Observation::Untouched { before: &before, after: &after };
        findings.case(case, Surface::Grpc, check(&observation));
    }
    findings
}

/// One broken rule, through both doors, by a caller who is let in and by one who is not.
async fn refused(
    house: &House,
    case: &Case,
    valid: &Sent,
    malformed: &Malformed,
    findings: &mut Findings,
) {
    let Malformed { field, rule, message } = malformed;
    for surface in Surface::BOTH {
        let sent = Sent { message: message.clone(), ..valid.clone() };
        let Some(answer) = house.send(case, surface, &sent).await else { continue };
        let observation = Observation::Field { field, rule, answer: &answer };
        findings.case(case, surface, check(&observation));
        if case.is_public() {
            continue;
        }
        let stranger = Sent::new(message.clone());
        let Some(answer) = house.send(case, surface, &stranger).await else { continue };
        findings.case(case, surface, check(&Observation::Stranger(&answer)));
    }
}

/// Bodies and queries that HTTP can carry and that are no message of the method.
async fn unreadable(house: &House, case: &Case, valid: &Sent, findings: &mut Findings) {
    let Some(route) = &case.route else { return };
    let Some(worded) = route.word(&valid.message) else { return };
    let unknown = with(&valid.message, "no_such_field", Some(json!("x")));
    if route.body != Body::Form
        && let Some(answer) =
            house.send(case, Surface::Http, &Sent { message: unknown, ..valid.clone() }).await
    {
        let (field, rule) = ("no_such_field", "being known");
        let observation = Observation::Field { field, rule, answer: &answer };
        findings.case(case, Surface::Http, check(&observation));
    }
    if route.body != Body::Json {
        return;
    }
    for (what, status, worded) in bodies(&worded) {
        let answer = house.send_worded(worded, &valid.headers).await;
        let observation = Observation::Body { what, status, answer: &answer };
        findings.case(case, Surface::Http, check(&observation));
    }
    for field in case.method.descriptor.input().fields() {
        if route.binds(field.name()) {
            continue;
        }
        // No field is written as a list of lists.
        let message = with(&valid.message, field.name(), Some(json!([[{"no_such": []}]])));
        let sent = Sent { message, ..valid.clone() };
        let Some(answer) = house.send(case, Surface::Http, &sent).await else { continue };
        let refused = answer.outcome == Outcome::Invalid
            && answer.fields.iter().any(|it| it.starts_with(field.name()));
        let expected = format!("400 for {} of another type", field.name());
        findings.case(case, Surface::Http, Breach::unless(refused, expected, answer.brief()));
    }
}

fn bodies(valid: &Worded) -> Vec<(&'static str, &'static str, Worded)> {
    let with_body = |body: Vec<u8>| Worded { body, ..valid.clone() };
    let half = valid.body[..valid.body.len() / 2].to_vec();
    let plain = Worded { content_type: Some("text/plain"), ..valid.clone() };
    vec![
        ("JSON that ends early", "400", with_body(half)),
        ("a body of another type", "415", plain),
        ("a body beyond the limit", "413", with_body(vec![b' '; OVERSIZED])),
    ]
}
