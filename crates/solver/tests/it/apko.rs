//! apko's choices, one rule after the other.

use boltworks_model::Architecture;
use boltworks_solver::{LikeApko, Options, Unsolvable, solve, solve_like_apko};

use super::{options, shown, universe, world};

fn chosen(repositories: &[(&str, &str)], wishes: &str) -> Result<LikeApko, Unsolvable> {
    solve_like_apko(&universe(repositories), &world(wishes), &options(), &[])
}

fn check(packages: &str, wishes: &str, expected: &str) {
    check_in(&[("os", packages)], wishes, expected);
}

fn check_in(repositories: &[(&str, &str)], wishes: &str, expected: &str) {
    match chosen(repositories, wishes) {
        Ok(found) => assert_eq!(
            shown(&found.solution),
            expected,
            "{wishes} of {repositories:?}"
        ),
        Err(error) => panic!("{wishes} of {repositories:?}\n{error}"),
    }
}

fn failure(packages: &str, wishes: &str) -> String {
    match chosen(&[("os", packages)], wishes) {
        Ok(found) => panic!("{wishes} of\n{packages}\n{}", shown(&found.solution)),
        Err(error) => error.explanation,
    }
}

#[test]
fn what_is_deeper_comes_first_and_the_world_goes_by_its_texts() {
    let packages = "a 1 needs c b\nb 1 needs d\nc 1\nd 1";
    check(packages, "a", "d-1 b-1 c-1 a-1");
    check(packages, "d c", "c-1 d-1");
    check("a 1 needs b\nb 1 needs a", "a", "b-1 a-1");
}

#[test]
fn candidates_are_ranked() {
    // The version of the name that is asked for, whoever has it; then its own, the priority, …
    check("a 1\nb 9 provides a=2", "a", "b-9");
    check("a 1\na 2", "a", "a-2");
    check(
        "b 1 provides v priority 1\nc 2 provides v priority 2",
        "v",
        "c-2",
    );
    check("b 1 provides v\nc 2 provides v", "v", "c-2");
    check("b 1 provides v\nc 1 provides v", "v", "b-1");
    // Without a version of the name, priority counts before the real name.
    check("a 1\nb 1 provides a priority 1", "a", "b-1");
    // Libraries whose version has no release are below those that have one.
    check("a 1 provides so:x=2\nb 1 provides so:x=1-r0", "so:x", "b-1");
}

#[test]
fn what_is_there_counts_first() {
    check(
        "a 1 needs v\nb 1 provides v priority 9\nc 1 provides v",
        "a c",
        "c-1 a-1",
    );
    // A relative in the version of an origin that is there already.
    check(
        "x 1 origin o\na 1 needs v\nb 9 provides v\nc 1 provides v origin o",
        "a x",
        "c-1 a-1 x-1",
    );
    check(
        "x 2 origin o\na 1 needs v\nb 9 provides v\nc 1 provides v origin o",
        "a x",
        "b-9 a-1 x-2",
    );
}

#[test]
fn an_own_version_may_serve_for_a_provided_name() {
    check("b 2 provides v\na 1 needs v>=2", "a", "b-2 a-1");
    assert_eq!(
        failure("b 1 provides v\na 1 needs v>=2", "a"),
        "world needs a\na-1 needs v>=2\nno version of it fits"
    );
}

#[test]
fn it_never_goes_back() {
    let packages = "a 1 needs b c\nb 1 needs d\nb 2 needs d\nc 1 needs b<2\nc 2 needs b<2\nd 1";
    insta::assert_snapshot!(failure(packages, "a"), @r"
    world needs a
    a-1 needs c
    c-2 needs b<2
    b-2 is chosen already
    ");
    let found = solve(&universe(&[("os", packages)]), &world("a"), &options());
    assert_eq!(shown(&found.unwrap()), "d-1 b-1 c-2 a-1");
    insta::assert_snapshot!(failure("a 1 needs missing\na 0", "a"), @r"
    world needs a
    a-1 needs missing
    nothing provides missing
    ");
    insta::assert_snapshot!(failure("a 1 provides v=1\nb 1 provides v=1", "a b"), @r"
    world needs b
    b-1 is out: a-1 provides v already
    ");
    // It does not even see that `c` needs another one, where that needs nothing itself.
    check(
        "a 1 needs b c\nb 1\nb 2\nc 1 needs b<2\nc 2 needs b<2",
        "a",
        "b-2 c-2 a-1",
    );
}

#[test]
fn conflicts_put_out_what_is_not_taken() {
    insta::assert_snapshot!(failure("a 1\nb 1", "a !b"), @r"
    world needs !b
    nothing provides !b
    ");
    check(
        "a 1 needs !b v\nb 1 provides v priority 9\nc 1 provides v",
        "a",
        "c-1 a-1",
    );
    // `b` is chosen before anybody forbids it.
    check("a 1 needs b c\nb 1\nc 1 needs !b", "a", "b-1 c-1 a-1");
}

#[test]
fn operators_are_apkos() {
    check("a 1\na 2\na 3", "a<=2", "a-2");
    check("a 1.2.3-r0\na 1.3-r0", "a~1.2", "a-1.2.3-r0");
    check("a 1\na 3", "a<~1", "a-3");
    check("a 1_p1_p2\na 0", "a", "a-0");
}

#[test]
fn install_if_looks_at_one_wish_and_not_further() {
    let packages = "a 1 needs b docs\nb 1\ndocs 1\nb-doc 1 needs m if b=1 docs\nm 1";
    check(packages, "a", "b-1 docs-1 b-doc-1 a-1");
    check(packages, "b docs", "b-1 docs-1");
    // A name without a version hides those with one.
    check("a 1 needs b\nb 1\nc 1 if b\nd 1 if b=1", "a", "b-1 c-1 a-1");
}

#[test]
fn tags_are_for_who_asks() {
    let repositories = [
        ("os", "a 1 needs b\nb 1\nc 1"),
        ("new@edge", "a 2 needs b>1\nb 2\nc 2"),
    ];
    check_in(&repositories, "a c", "b-1 a-1 c-1");
    check_in(&repositories, "a@edge", "b-2 a-2");
    check_in(&repositories, "a@edge c", "b-2 a-2 c-1");
    check_in(&repositories, "c@elsewhere", "c-1");
}

#[test]
fn what_another_architecture_lacks_is_not_taken() {
    let own = universe(&[("os", "a 1\na 2\nb 1")]);
    let other = universe(&[("os", "a 1 arch aarch64\nb 1 arch aarch64")]);
    let others = [(Options::new(Architecture::Aarch64), &other)];
    let found = solve_like_apko(&own, &world("a b"), &options(), &others).unwrap();
    assert_eq!(shown(&found.solution), "a-1 b-1");
    let error = solve_like_apko(&own, &world("a=2"), &options(), &others).unwrap_err();
    insta::assert_snapshot!(error.explanation, @r"
    world needs a=2
    a-1 is out: a=2 does not mean it
    a-2 is out: aarch64 does not have it
    ");
}

#[test]
fn differences_are_told_with_their_rule() {
    let repositories = [(
        "os",
        "a 1\nb 9 provides a=2\nc 1 needs v\nd 1 provides v=1 needs e\ne 1\nf 1 provides v=2 priority 1\ng 1 provides v=1 priority 2",
    )];
    let theirs = chosen(&repositories, "a c").unwrap();
    let ours = solve(&universe(&repositories), &world("a c"), &options()).unwrap();
    insta::assert_snapshot!(theirs.differences(&ours).join("\n"), @r"
    world needs a: apko takes b-9, not a-1: it is preferred to one with a lower version of the name that is asked for
    c-1 needs v: apko takes f-1, not g-1: it is preferred to one with a lower version of the name that is asked for
    ");
    assert!(theirs.differences(&theirs.solution).is_empty());
}
