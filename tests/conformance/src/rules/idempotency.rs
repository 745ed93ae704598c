//! A call with a key happens once: a retry gets the first answer, another request is refused.

use registry::Idempotency;

use crate::{Answer, Breach, Case, House, Outcome, Sent, Surface, requests, rules::Findings};

pub const NAME: &str = "idempotency";

/// Calls with keys, and what came of them.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// The same call twice, and the audit rows of the second.
    Replay { first: &'a Answer, second: &'a Answer, rows: usize },
    /// Another request with the key of the first.
    Mismatch(&'a Answer),
    /// A key that is too long, or none where one is required.
    Unusable(&'a Answer),
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    match observation {
        Observation::Replay { first, second, rows } => {
            let same = second.is_success() && second.body == first.body;
            Breach::unless(same, format!("again {}", first.brief()), second.brief())?;
            let said = second.header("idempotent-replayed");
            Breach::unless(said == "true", "the header idempotent-replayed", said)?;
            Breach::unless(*rows == 0, "no audit row of the retry", rows)
        }
        Observation::Mismatch(answer) => {
            let refused = answer.outcome == Outcome::Conflict
                && answer.text.to_lowercase().contains("idempotency_key_payload_mismatch");
            let expected = "ALREADY_EXISTS or 409, idempotency_key_payload_mismatch";
            Breach::unless(refused, expected, answer.brief())
        }
        Observation::Unusable(answer) => {
            let refused = answer.outcome == Outcome::Invalid
                && answer.fields.iter().any(|it| it.eq_ignore_ascii_case("idempotency-key"));
            Breach::unless(refused, "INVALID_ARGUMENT or 400 that names the header", answer.brief())
        }
    }
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    for case in house.cases().filter(|it| it.is_keyed()) {
        for surface in Surface::BOTH {
            let Some(sent) = house.valid(case).await else { continue };
            replayed(house, case, surface, &sent, &mut findings).await;
            let too_long = sent.clone().with("idempotency-key", &"k".repeat(129));
            if let Some(answer) = house.send(case, surface, &too_long).await {
                findings.case(case, surface, check(&Observation::Unusable(&answer)));
            }
            if matches!(case.method.idempotency, Idempotency::Required { .. })
                && let Some(answer) = house.send(case, surface, &sent).await
            {
                findings.case(case, surface, check(&Observation::Unusable(&answer)));
            }
        }
    }
    findings
}

async fn replayed(
    house: &House,
    case: &Case,
    surface: Surface,
    sent: &Sent,
    findings: &mut Findings,
) {
    let sent = sent.clone().with("idempotency-key", &house.unique("key-"));
    let Some(first) = house.send(case, surface, &sent).await else { return };
    let retry_id = house.unique("conformance-retry-");
    let retry = sent.clone().with("x-request-id", &retry_id);
    let Some(second) = house.send(case, surface, &retry).await else { return };
    let rows = house.ledger.audit_of(&retry_id).await;
    let rows = rows.iter().filter(|it| it.schema == case.schema).count();
    let observation = Observation::Replay { first: &first, second: &second, rows };
    findings.case(case, surface, check(&observation));
    if let Some(message) = requests::different(&sent.message) {
        let other = Sent { message, ..sent };
        let Some(answer) = house.send(case, surface, &other).await else { return };
        findings.case(case, surface, check(&Observation::Mismatch(&answer)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{failure, success};

    #[test]
    fn a_retry_gets_the_first_answer_and_says_so() {
        let first = success(r#"{"id":1}"#);
        let mut second = success(r#"{"id":1}"#);
        let replay =
            |second: &Answer, rows| check(&Observation::Replay { first: &first, second, rows });
        assert!(replay(&second, 0).is_err(), "it does not say so");
        second.headers.insert("idempotent-replayed", http::HeaderValue::from_static("true"));
        assert!(replay(&second, 0).is_ok());
        assert!(replay(&second, 1).is_err(), "it was done again");
        second.body = r#"{"id":2}"#.into();
        assert!(replay(&second, 0).is_err(), "another answer");
    }

    #[test]
    fn another_request_under_a_key_is_a_conflict() {
        let mismatch = failure(409, "IDEMPOTENCY_KEY_PAYLOAD_MISMATCH");
        assert!(check(&Observation::Mismatch(&mismatch)).is_ok());
        assert!(check(&Observation::Mismatch(&failure(409, "CONFLICT"))).is_err());
        assert!(check(&Observation::Mismatch(&success("{}"))).is_err());
        assert!(check(&Observation::Unusable(&success("{}"))).is_err());
        assert!(check(&Observation::Unusable(&failure(400, "VALIDATION"))).is_err());
    }
}
