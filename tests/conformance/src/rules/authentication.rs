//! Nobody is let in without a token that holds now; the public needs none.

use std::time::Duration;

use crate::{Answer, Breach, House, Outcome, Sent, Surface, fixture, house::HOME, rules::Findings};

pub const NAME: &str = "authentication";

/// What a caller shows who shows no good token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    None,
    /// Not even of a token's form.
    Garbage,
    /// Of a token's form, and never issued.
    Forged,
    Expired,
    Revoked,
}

/// A call with a bad credential, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub credential: Credential,
    pub public: bool,
    pub answer: &'a Answer,
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let Observation { credential, public, answer } = observation;
    if *public && *credential == Credential::None {
        let let_in = !matches!(answer.outcome, Outcome::Unauthenticated | Outcome::Denied);
        return Breach::unless(let_in, "the public needs no token", answer.brief());
    }
    let expected = format!("with {credential:?}: UNAUTHENTICATED or 401, and a challenge");
    let challenged =
        answer.surface == Surface::Grpc || answer.header("www-authenticate").starts_with("Bearer");
    let refused = answer.outcome == Outcome::Unauthenticated && challenged;
    Breach::unless(refused, expected, answer.brief())
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    let (credentials, aged) = credentials(house).await;
    for case in house.cases() {
        let Some(message) = house.message(case).await else { continue };
        for surface in Surface::BOTH {
            for (credential, token) in &credentials {
                let sent = Sent::new(message.clone());
                let sent = token.iter().fold(sent, |it, token| it.bearer(token));
                let Some(answer) = house.send(case, surface, &sent).await else { continue };
                let observation = Observation {
                    credential: *credential,
                    public: case.is_public(),
                    answer: &answer,
                };
                findings.case(case, surface, check(&observation));
            }
        }
    }
    // Last, for the clock does not go back: a token that was good a moment ago.
    house.world.clock.advance(Duration::from_secs(2 * 3600));
    for case in house.cases().filter(|it| !it.is_public()) {
        let Some(message) = &case.example else { continue };
        for surface in Surface::BOTH {
            let sent = Sent::new(message.clone()).bearer(&aged);
            let Some(answer) = house.send(case, surface, &sent).await else { continue };
            let credential = Credential::Expired;
            let observation = Observation { credential, public: false, answer: &answer };
            findings.case(case, surface, check(&observation));
        }
    }
    findings
}

/// One bad token of each kind, and one of identity's own that time will make bad.
async fn credentials(house: &House) -> (Vec<(Credential, Option<String>)>, String) {
    let grant = house.grant(registry::Caller::User, HOME, &["read:account"]);
    let (revoked, aged) =
        (fixture::machine_token(house).await, fixture::machine_token(house).await);
    use_once(house, [&revoked, &aged]).await;
    fixture::revoke(house, &revoked).await;
    let bad = vec![
        (Credential::None, None),
        (Credential::Garbage, Some("garbage".to_owned())),
        (Credential::Forged, Some(house.tokens.forge())),
        (Credential::Expired, Some(house.tokens.issue_expired(&grant).await)),
        (Credential::Revoked, Some(revoked)),
    ];
    (bad, aged)
}

/// Shows that tokens are good now, and lets the checkpoints keep what they stand for.
async fn use_once(house: &House, tokens: [&str; 2]) {
    let case = house.contracts.cases.iter().find(|it| it.name() == "ListEventTypes");
    let case = case.expect("events is among the services");
    for token in tokens {
        let sent = Sent::new(serde_json::json!({})).bearer(token);
        let answer = house.send(case, Surface::Grpc, &sent).await;
        let answer = answer.expect("gRPC reaches every method");
        assert!(answer.is_success(), "a fresh token: {}", answer.brief());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{failure, success};

    #[test]
    fn a_refusal_without_a_challenge_is_not_enough() {
        let mut answer = failure(401, "UNAUTHENTICATED");
        let observe = |answer: &Answer, public| {
            check(&Observation { credential: Credential::None, public, answer })
        };
        assert!(observe(&answer, false).is_err());
        answer.headers.insert("www-authenticate", http::HeaderValue::from_static("Bearer"));
        assert!(observe(&answer, false).is_ok());
        assert!(observe(&answer, true).is_err(), "the public needs no token");
        assert!(observe(&success("{}"), false).is_err());
        assert!(observe(&success("{}"), true).is_ok());
    }
}
