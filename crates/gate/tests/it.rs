//! What must not compile.

#[test]
fn nobody_but_the_judge_makes_cleared() {
    trybuild::TestCases::new().compile_fail("tests/cases/*.rs");
}
