//! Platforms that break the rules, one by one: each must be found out.

mod disguises;
mod walls;

use crate::{
    House, fixture,
    rules::{Findings, RULES},
};

/// Plants a violation a test, and notes whose rule it is under.
macro_rules! plants {
    ($($rule:literal: $module:ident::$deed:ident,)+) => {
        $(#[tokio::test]
        async fn $deed() {
            let Findings { violations, .. } = $module::$deed().await;
            assert!(!violations.is_empty(), "{} is blind to it", $rule);
            assert!(violations.iter().all(|it| it.rule == $rule));
        })+

        static PLANTED: &[&str] = &[$($rule),+];
    };
}

plants! {
    "authentication": disguises::lets_strangers_in,
    "authorization": disguises::lends_its_rights,
    "success": disguises::refuses_everybody,
    "brand": disguises::serves_one_brand,
    "audit": disguises::does_it_twice,
    "audit": disguises::forgets_the_request,
    "audit": walls::tells_too_much,
    "audit": walls::leaves_no_row,
    "atomicity": disguises::writes_beside,
    "confidentiality": disguises::logs_requests,
    "confidentiality": disguises::repeats_requests,
    "confidentiality": walls::audits_values,
    "idempotency": disguises::ignores_keys,
    "validation": disguises::hides_the_field,
    "validation": disguises::counts_refusals,
    "answers": disguises::forgets_the_id,
    "catalogue": walls::opens_a_table,
    "sources": walls::depends_on_a_service,
    "sources": walls::reads_other_tables,
}

#[test]
fn every_rule_has_a_planted_violation() {
    let all = RULES.iter().map(|it| it.name);
    let without: Vec<_> = all.filter(|it| !PLANTED.contains(it)).collect();
    assert!(without.is_empty(), "{without:?}");
}

/// What a rule finds in a house.
async fn find(rule: &str, house: &House) -> Findings {
    let rule = RULES.iter().find(|it| it.name == rule).expect("a rule of that name");
    (rule.walk)(house).await
}

/// The whole platform, of which one service will be walked.
async fn house() -> House {
    let house = House::build(loop_platform::SERVICES).await.focus(SERVICE);
    fixture::known(&house).await; // While all is still well.
    house
}

/// The service that does wrong.
const SERVICE: &str = "patient-graph";
const SCHEMA: &str = "patient_graph";
