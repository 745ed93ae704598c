//! What a service cannot write down, because it does not compile.

#[test]
fn a_change_without_its_record_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
