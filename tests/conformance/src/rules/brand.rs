//! What belongs to one brand does not exist for another.

use std::collections::BTreeSet;

use regex_lite::Regex;
use registry::Caller;
use serde_json::Value;

use crate::{
    Answer, Breach, Case, Grantee, House, Outcome, Sent, Surface,
    house::{ABROAD, HOME},
    requests::with,
    rules::Findings,
};

pub const NAME: &str = "brand";

/// A call that reaches for another brand, and what came of it.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// A token of one brand, and another brand in `X-Brand-Id`.
    Header(&'a Answer),
    /// A token of one brand, and another brand in the message.
    Body(&'a Answer),
    /// A caller of another brand asks by the path for what a caller at home was shown.
    ByPath(&'a Answer),
    /// A caller of another brand asks what a caller at home asked.
    Unnamed { home: &'a Answer, abroad: &'a Answer, request: &'a Value },
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    match observation {
        Observation::Header(answer) | Observation::Body(answer) => {
            let denied = answer.outcome == Outcome::Denied && answer.reason == "BRAND_FORBIDDEN";
            let expected = "PERMISSION_DENIED or 403, BRAND_FORBIDDEN";
            Breach::unless(denied, expected, answer.brief())
        }
        Observation::ByPath(answer) => {
            let hidden = answer.outcome == Outcome::NotFound;
            Breach::unless(hidden, "NOT_FOUND or 404 for another brand's object", answer.brief())
        }
        Observation::Unnamed { home, abroad, request } => {
            let answered = matches!(abroad.outcome, Outcome::Success | Outcome::NotFound);
            Breach::unless(answered, "a success or NOT_FOUND", abroad.brief())?;
            let asked = ids(&request.to_string());
            let (home, seen) = (ids(&home.text), ids(&abroad.text));
            let leaked: Vec<_> =
                seen.intersection(&home).filter(|it| !asked.contains(*it)).collect();
            Breach::unless(leaked.is_empty(), "nothing that the other brand has", leaked)
        }
    }
}

/// What names a row: TypeIDs and UUIDs. The callers themselves are the same in both brands.
fn ids(text: &str) -> BTreeSet<String> {
    let id = "[a-z]{3}_[0-9a-z]{26}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let id = Regex::new(id).expect("a literal");
    let found = id.find_iter(text).map(|it| it.as_str().to_owned());
    found.filter(|it| !it.starts_with("usr_") && !it.starts_with("stf_")).collect()
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    for case in house.cases().filter(|it| !it.is_public()) {
        for surface in Surface::BOTH {
            named_in_header(house, case, surface, &mut findings).await;
            named_in_body(house, case, surface, &mut findings).await;
            for grantee in case.grantees() {
                asked_from_abroad(house, case, surface, grantee, &mut findings).await;
            }
        }
    }
    findings
}

/// Every caller whose token is for one brand; a machine's token may be, too.
async fn named_in_header(house: &House, case: &Case, surface: Surface, findings: &mut Findings) {
    for Grantee { kind, scope } in case.grantees() {
        let Some(message) = house.message(case).await else { return };
        let mut grant = house.grant(kind, HOME, &[scope]);
        if kind == Caller::Service {
            (grant.brand, grant.brands) = (Some(HOME.into()), Vec::new());
        }
        let sent = Sent::new(message).bearer(&house.tokens.issue(&grant).await);
        let sent = sent.with("x-brand-id", ABROAD);
        let Some(answer) = house.send(case, surface, &sent).await else { return };
        findings.case(case, surface, check(&Observation::Header(&answer)));
    }
}

async fn named_in_body(house: &House, case: &Case, surface: Surface, findings: &mut Findings) {
    if !has_brand(case) {
        return;
    }
    for grantee in case.grantees() {
        let Some(message) = house.message(case).await else { return };
        let message = with(&message, "brand_id", Some(ABROAD.into()));
        let sent = house.admitted(grantee, HOME, message).await;
        let Some(answer) = house.send(case, surface, &sent).await else { return };
        findings.case(case, surface, check(&Observation::Body(&answer)));
    }
}

async fn asked_from_abroad(
    house: &House,
    case: &Case,
    surface: Surface,
    grantee: Grantee,
    findings: &mut Findings,
) {
    let Some(message) = house.message(case).await else { return };
    let mut moved = message.clone();
    if has_brand(case) {
        moved = with(&moved, "brand_id", Some(ABROAD.into()));
    }
    let sent = house.admitted(grantee, ABROAD, moved).await;
    let Some(abroad) = house.send(case, surface, &sent).await else { return };
    if case.route.as_ref().is_some_and(|it| !it.template.variables.is_empty()) {
        findings.case(case, surface, check(&Observation::ByPath(&abroad)));
        return;
    }
    let sent = house.admitted(grantee, HOME, message.clone()).await;
    let Some(home) = house.send(case, surface, &sent).await else { return };
    let observation = Observation::Unnamed { home: &home, abroad: &abroad, request: &message };
    findings.case(case, surface, check(&observation));
}

fn has_brand(case: &Case) -> bool {
    case.method.descriptor.input().get_field_by_name("brand_id").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::{failure, success};

    const BIO: &str = r#"{"id":"bio_01kc000000e008000000000b10"}"#;

    #[test]
    fn a_row_that_both_brands_are_shown_is_a_leak() {
        let (home, none) = (success(BIO), success("{}"));
        let request = serde_json::json!({});
        let unnamed = |abroad| Observation::Unnamed { home: &home, abroad, request: &request };
        assert!(check(&unnamed(&home)).is_err());
        assert!(check(&unnamed(&none)).is_ok());
        assert!(check(&unnamed(&failure(500, "INTERNAL"))).is_err());
    }

    #[test]
    fn an_object_of_another_brand_is_absent_and_not_forbidden() {
        assert!(check(&Observation::ByPath(&failure(404, "BIOMARKER_NOT_FOUND"))).is_ok());
        assert!(check(&Observation::ByPath(&failure(403, "BRAND_FORBIDDEN"))).is_err());
        assert!(check(&Observation::ByPath(&success(BIO))).is_err());
    }

    #[test]
    fn another_brand_than_the_tokens_is_forbidden() {
        assert!(check(&Observation::Header(&failure(403, "BRAND_FORBIDDEN"))).is_ok());
        assert!(check(&Observation::Header(&success("{}"))).is_err());
        assert!(check(&Observation::Body(&failure(404, "PATIENT_NOT_FOUND"))).is_err());
    }
}
