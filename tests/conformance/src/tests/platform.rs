//! Every rule holds for every method of the platform.

use crate::{
    Case, House, Surface,
    rules::{Findings, RULES},
};

async fn holds(name: &str) {
    let rule = RULES.iter().find(|it| it.name == name).expect("a rule of that name");
    let house = House::build(loop_platform::SERVICES).await;
    let Findings { violations, seen, .. } = (rule.walk)(&house).await;
    let told: Vec<_> = violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations\n\n{}", told.len(), told.join("\n\n"));
    assert!(!seen.is_empty(), "{name} saw nothing");
    for (case, surface) in doors(&house).filter(|(case, surface)| (rule.applies)(case, *surface)) {
        let looked = seen.contains(&(case.to_string(), Some(surface)));
        assert!(looked, "{name} did not look at {case} over {surface}");
    }
}

/// Every method through every door that leads to it.
fn doors(house: &House) -> impl Iterator<Item = (&Case, Surface)> {
    let exercised = house.cases().filter(|it| it.example.is_some());
    let both = exercised.flat_map(|case| Surface::BOTH.map(|surface| (case, surface)));
    both.filter(|(case, surface)| *surface == Surface::Grpc || case.route.is_some())
}

/// One test a rule, so that they run beside each other and are told apart.
macro_rules! every_method {
    ($($test:ident: $rule:literal,)+) => {
        $(#[tokio::test]
        async fn $test() {
            holds($rule).await;
        })+

        #[test]
        fn every_rule_is_walked() {
            let walked = [$($rule),+];
            let all: Vec<_> = RULES.iter().map(|it| it.name).collect();
            assert_eq!(walked.as_slice(), all);
        }
    };
}

every_method! {
    nobody_is_let_in_without_a_good_token: "authentication",
    nobody_does_what_the_contract_does_not_let_them: "authorization",
    whoever_the_contract_admits_is_answered: "success",
    nothing_of_a_brand_exists_for_another: "brand",
    a_write_leaves_one_audit_row_and_its_events: "audit",
    a_failed_commit_leaves_nothing: "atomicity",
    protected_values_stay_where_they_belong: "confidentiality",
    a_keyed_call_happens_once: "idempotency",
    what_breaks_a_field_rule_is_refused_by_its_name: "validation",
    every_answer_has_its_form: "answers",
    the_database_holds_the_walls: "catalogue",
    services_know_each_other_by_contract: "sources",
}
