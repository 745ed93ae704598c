//! Only the callers whom the contract names, and only with a scope that it names.

use registry::Caller;

use crate::{
    Answer, Breach, House, Outcome, Sent, Surface, house::HOME, requests::with, rules::Findings,
};

pub const NAME: &str = "authorization";

/// Why a caller has no right to a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Holds every scope of its kind but those that would do.
    Scope,
    /// Holds the scopes, and is of a kind that the contract does not name.
    Kind(Caller),
    /// Is a machine, and asks identity for what people grant.
    Machine,
}

#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub lack: Lack,
    pub answer: &'a Answer,
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let Observation { lack, answer } = observation;
    let denied = answer.outcome == Outcome::Denied;
    match lack {
        Lack::Scope => {
            let challenge = answer.header("www-authenticate");
            let named = answer.surface == Surface::Grpc || challenge.contains("insufficient_scope");
            let holds = denied && named && answer.reason == "INSUFFICIENT_SCOPE";
            let expected = "PERMISSION_DENIED or 403, INSUFFICIENT_SCOPE and a challenge";
            Breach::unless(holds, expected, answer.brief())
        }
        Lack::Kind(kind) => {
            let holds = denied && answer.reason == "CALLER_FORBIDDEN";
            let expected = format!("PERMISSION_DENIED or 403, CALLER_FORBIDDEN for {kind:?}");
            Breach::unless(holds, expected, answer.brief())
        }
        Lack::Machine => {
            let refused = answer.outcome == Outcome::Invalid && answer.text.contains("scope");
            Breach::unless(refused, "invalid_scope for a machine", answer.brief())
        }
    }
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    for case in house.cases().filter(|it| !it.is_public()) {
        let Some(message) = house.message(case).await else { continue };
        let required: Vec<_> = case.method.scopes.iter().map(String::as_str).collect();
        let mut callers = Vec::new();
        for kind in [Caller::User, Caller::Service, Caller::Staff] {
            if case.method.callers.contains(&kind) {
                callers.push((Lack::Scope, house.grant(kind, HOME, &case.useless_scopes(kind))));
            } else {
                callers.push((Lack::Kind(kind), house.grant(kind, HOME, &required)));
            }
        }
        for (lack, grant) in &callers {
            let sent = house.as_grant(grant, HOME, message.clone()).await;
            for surface in Surface::BOTH {
                let Some(answer) = house.send(case, surface, &sent).await else { continue };
                let observation = Observation { lack: *lack, answer: &answer };
                findings.case(case, surface, check(&observation));
            }
        }
    }
    machines(house, &mut findings).await;
    findings
}

/// No machine gets a scope that people grant, so none can show one.
async fn machines(house: &House, findings: &mut Findings) {
    let mut cases = house.cases();
    let Some(case) = cases.find(|it| it.name() == "IssueToken") else { return };
    let Some(message) = house.message(case).await else { return };
    for scope in oauth_core::scope::user_scopes() {
        let message = with(&message, "scope", Some(scope.name.into()));
        let sent = Sent::new(message);
        let Some(answer) = house.send(case, Surface::Grpc, &sent).await else { return };
        let observation = Observation { lack: Lack::Machine, answer: &answer };
        findings.case(case, Surface::Grpc, check(&observation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{failure, success};

    #[test]
    fn each_lack_is_told_by_its_reason() {
        let observe = |lack, answer: &Answer| check(&Observation { lack, answer });
        let (scope, kind) = (failure(403, "INSUFFICIENT_SCOPE"), failure(403, "CALLER_FORBIDDEN"));
        assert!(observe(Lack::Scope, &scope).is_err(), "no challenge");
        assert!(observe(Lack::Kind(Caller::Staff), &scope).is_err());
        assert!(observe(Lack::Kind(Caller::Staff), &kind).is_ok());
        assert!(observe(Lack::Scope, &success("{}")).is_err());
        assert!(observe(Lack::Machine, &success("{}")).is_err());
    }
}
