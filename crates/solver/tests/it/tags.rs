//! Repositories with a tag.

use boltworks_solver::explain;

use super::{shown, solved};

const REPOSITORIES: [(&str, &str); 3] = [
    ("os", "a 1 needs b\nb 1\nc 1\nd 1 needs b>1"),
    ("new@edge", "a 2 needs b>1\na 3 needs gone\nb 2\nc 2"),
    ("odd@testing", "a 9\ne 1 needs f\nf 1"),
];

fn check(wishes: &str, expected: &str) {
    match solved(&REPOSITORIES, wishes) {
        Ok(solution) => assert_eq!(shown(&solution), expected, "{wishes}"),
        Err(error) => panic!("{wishes}\n{error}"),
    }
}

fn failure(wishes: &str) -> String {
    solved(&REPOSITORIES, wishes).unwrap_err().to_string()
}

#[test]
fn only_who_asks_for_a_tag_gets_what_has_it() {
    check("a c", "b-1 a-1 c-1");
    check("a@edge", "b-2 a-2");
    check("a@edge c", "b-2 a-2 c-1");
    check("a@testing", "a-9");
    check("e@testing", "f-1 e-1");
}

#[test]
fn a_tag_is_a_preference_and_others_serve_too() {
    check("d@edge", "b-2 d-1");
    check("a@edge<2", "b-1 a-1");
    check("b@edge a=1", "b-2 a-1");
    let solution = solved(&REPOSITORIES, "c@edge").unwrap();
    insta::assert_snapshot!(explain(&solution), @r"
    c-2 (new@edge)
      world needs c@edge
      preferred to c-1 (os), of a repository with another tag
    ");
}

#[test]
fn what_lacks_a_tag_is_told() {
    insta::assert_snapshot!(failure("d"), @r"
    world needs d
    d-1 needs b>1
    repositories have b 1 (os)
    help: write b@edge: b-2 (new@edge) would do, but is only for who asks for that tag
    ");
    insta::assert_snapshot!(failure("e"), @r"
    world needs e
    no repository that may be used has e
    help: write e@testing: e-1 (odd@testing) would do, but is only for who asks for that tag
    ");
    insta::assert_snapshot!(failure("a@stable"), @r"
    world needs a@stable
    a is pinned to @stable, and repositories have @edge, @testing
    help: write a without @stable
    ");
    insta::assert_snapshot!(solved(&[("os", "a 1")], "a@edge").unwrap_err(), @r"
    world needs a@edge
    a is pinned to @edge, and no repository has a tag
    help: write a without @edge
    ");
}
