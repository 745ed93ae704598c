//! Every method has an example, or stands in the list of those that have none.

use transcode::{Style, Unknown};

use crate::Contracts;

const UNEXERCISED: &str = include_str!("../../unexercised.txt");

#[test]
fn a_method_without_an_example_is_listed() {
    let contracts = Contracts::of(loop_platform::SERVICES);
    let without = contracts.cases.iter().filter(|it| it.example.is_none());
    let mut without: Vec<_> = without.map(|it| it.method.path.as_str()).collect();
    without.sort_unstable();
    without.dedup();
    let listed: Vec<_> = UNEXERCISED.lines().filter(|it| !it.starts_with('#')).collect();
    assert_eq!(without, listed, "mend tests/conformance/unexercised.txt, or add the example");
}

#[test]
fn every_example_fits_its_messages() {
    let contracts = Contracts::of(loop_platform::SERVICES);
    for case in &contracts.cases {
        let plan = contracts.api.method(&case.method.path).unwrap();
        for (side, message) in [(&case.example, plan.input()), (&case.answer, plan.output())] {
            let Some(json) = side else { continue };
            let json = json.to_string();
            let wire = message.to_wire(json.as_bytes(), Style::Rest, Unknown::Reject);
            wire.unwrap_or_else(|cause| panic!("{case}: {json}: {cause}"));
        }
    }
}
