//! Whoever the contract admits is answered: every kind of caller, with the method's example.

use crate::{Answer, Breach, House, Surface, house::HOME, rules::Findings};

pub const NAME: &str = "success";

/// A call that keeps every rule of the contract, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub caller: &'a str,
    /// The HTTP status that the contract names.
    pub status: u16,
    pub answer: &'a Answer,
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let Observation { caller, status, answer } = observation;
    let expected = format!("OK or {status} for {caller}");
    let status = answer.surface == Surface::Grpc || answer.status == status.to_string();
    Breach::unless(answer.is_success() && status, expected, answer.brief())
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    for case in house.cases() {
        let admitted =
            case.method.callers.len() == case.grantees().len() + usize::from(case.is_public());
        let expected = "a scope that each kind of caller can hold";
        findings.part(case.to_string(), Breach::unless(admitted, expected, &case.method.scopes));
        let plan = house.contracts.api.method(&case.method.path);
        let status = plan.map_or(0, |it| it.success_status().as_u16());
        for surface in Surface::BOTH {
            let grantees = case.grantees().into_iter().map(Some);
            for grantee in grantees.chain(case.is_public().then_some(None)) {
                let Some(message) = house.message(case).await else { continue };
                let sent = match grantee {
                    Some(grantee) => house.admitted(grantee, HOME, message).await,
                    None => crate::Sent::new(message),
                };
                let Some(answer) = house.send(case, surface, &sent).await else { continue };
                let caller = grantee.map_or("the public".to_owned(), |it| format!("{it:?}"));
                let observation = Observation { caller: &caller, status, answer: &answer };
                findings.case(case, surface, check(&observation));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{answer, failure, success};

    #[test]
    fn a_success_has_the_status_of_the_contract() {
        let observe =
            |answer: &Answer| check(&Observation { caller: "the public", status: 201, answer });
        assert!(observe(&answer(201, "{}")).is_ok());
        assert!(observe(&success("{}")).is_err());
        assert!(observe(&failure(403, "CALLER_FORBIDDEN")).is_err());
    }
}
