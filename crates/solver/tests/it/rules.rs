//! What satisfies what, and what is preferred.

use boltworks_solver::{explain, solve};

use super::{check, check_fails, options, shown, solved, universe, world};

#[test]
fn dependencies_come_first_and_ties_go_by_name() {
    check(
        "web 1 needs z b\nz 1 needs c\nb 1 needs c\nc 1",
        "web",
        "c-1 b-1 z-1 web-1",
    );
    check("a 1 needs b\nb 1 needs a c\nc 1", "b", "c-1 b-1 a-1");
    check("b 1\na 1", "b a", "a-1 b-1");
    check("a 1", "", "");
}

#[test]
fn the_newest_that_fits_is_taken() {
    check("a 1\na 1.10\na 1.9\na 2_rc1", "a", "a-2_rc1");
    check("a 1\na 1.10\na 1.9\na 2_rc1", "a<2_rc", "a-1.10");
    check("a 1.2.3-r0\na 1.3-r0", "a~1.2", "a-1.2.3-r0");
    check("a 2 needs b<2\nb 1\nb 2", "a b", "b-1 a-2");
    check("a 2 needs missing\na 1", "a", "a-1");
}

#[test]
fn names_are_provided() {
    check(
        "musl 1.2.5-r0 provides so:libc.musl-x86_64.so.1=1\na 1 needs so:libc.musl-x86_64.so.1",
        "a",
        "musl-1.2.5-r0 a-1",
    );
    check("x 1 provides v=3\na 1 needs v>=2", "a", "x-1 a-1");
    check_fails("x 1 provides v=1\na 1 needs v>=2", "a");
    // As in apk-tools: what has no version fits every constraint.
    check("x 1 provides v\na 1 needs v>=2", "a", "x-1 a-1");
    // A package's own offers count for itself.
    check("a 1 needs v provides v", "a", "a-1");
    check("a 1 needs a=1", "a", "a-1");
}

#[test]
fn the_real_name_comes_before_who_provides_it() {
    check("a 1\nb 9 provides a=9 priority 9", "a", "a-1");
    check("b 1 provides v=1\nc 1 provides v=2", "v", "c-1");
    check(
        "b 1 provides v=1 priority 2\nc 1 provides v=2 priority 1",
        "v",
        "b-1",
    );
    check("b 1 provides v\nc 2 provides v", "v", "c-2");
    check("b 1 provides v\nc 1 provides v", "v", "b-1");
}

#[test]
fn what_is_there_anyway_is_not_doubled() {
    check(
        "b 1 provides v priority 9\nc 1 provides v\nd 1 needs v",
        "c d",
        "c-1 d-1",
    );
    check(
        "b 1 provides v priority 9\nc 1 provides v\nc 2 provides v\na 1 needs v\nd 1 needs c",
        "a d",
        "c-2 a-1 d-1",
    );
}

#[test]
fn who_provides_a_name_with_a_version_stands_alone() {
    check_fails("a 1 provides v=1\nb 1 provides v=1", "a b");
    check_fails("a 1 provides v=1\nb 1 provides v", "a b");
    check_fails("a 1\nb 1 provides a=2", "a=1 b");
    check_fails("a 1\nb 1 provides a\nc 1 provides a=2", "b c");
    check("a 1 provides v\nb 1 provides v", "a b", "a-1 b-1");
    check("a 1 provides v=1\nb 1 provides w=1", "a b", "a-1 b-1");
    // `b` stands for `a` itself, so that the wish for `a` is met.
    check("b 1 provides a=1", "a b", "b-1");
}

#[test]
fn conflicts_are_kept() {
    check_fails("a 1 needs !b\nb 1", "a b");
    check("a 1 needs !b<2\nb 1\nb 2", "a b", "a-1 b-2");
    check_fails("a 1 needs !b<2\nc 1 provides b", "a c");
    check(
        "a 1 needs !b\nc 1 provides v=1 priority 9 provides b\nd 1 provides v=1\ne 1 needs v",
        "a e",
        "a-1 d-1 e-1",
    );
    check(
        "a 1 needs v\nb 1 provides v priority 1\nc 1 provides v",
        "a !b",
        "c-1 a-1",
    );
    check("a 1 needs !a provides a", "a", "a-1");
    check("a 1", "a !nobody", "a-1");
}

#[test]
fn what_was_chosen_in_vain_is_forgotten() {
    // The newest `a` is tried first, and brings `b`, before `c` forbids it.
    check(
        "a 2 needs b c\na 1 needs c\nb 1\nc 1 needs !b",
        "a",
        "c-1 a-1",
    );
}

#[test]
fn repositories_are_preferred_and_left_out() {
    let repositories = [("os", "a 1\nb 1"), ("stage0", "a 1\nb 2\nc 1")];
    let from = |wishes| {
        let solution = solved(&repositories, wishes).unwrap();
        let lines = solution.packages.iter().map(|chosen| {
            format!(
                "{}-{}@{}",
                chosen.entry.name, chosen.entry.version, chosen.repository
            )
        });
        lines.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(from("a b c"), "a-1@os b-2@stage0 c-1@stage0");

    let universe = universe(&repositories);
    let image = options().without("stage0");
    assert_eq!(
        shown(&solve(&universe, &world("a b"), &image).unwrap()),
        "a-1 b-1"
    );
    assert!(solve(&universe, &world("c"), &image).is_err());
    let mut only = options();
    only.allow = Some(["stage0".to_owned()].into());
    assert_eq!(
        shown(&solve(&universe, &world("a b"), &only).unwrap()),
        "a-1 b-2"
    );
}

#[test]
fn another_architecture_does_not_fit() {
    check(
        "a 1 arch x86_64\na 2 arch aarch64\nb 1 arch noarch",
        "a b",
        "a-1 b-1",
    );
}

#[test]
fn every_choice_has_its_reasons() {
    let packages = "
        web 1.4-r0 needs so:libz.so.1 cmd:sh
        zlib 1.3.1-r0 provides so:libz.so.1=1.3.1
        zlib 1.3-r0 provides so:libz.so.1=1.3
        busybox 1.37-r0 provides cmd:sh=1.37 priority 10
        dash 0.5.12-r0 provides cmd:sh=9
    ";
    let solution = solved(&[("os", packages)], "web zlib").unwrap();
    insta::assert_snapshot!(explain(&solution), @r"
    busybox-1.37-r0 (os)
      web-1.4-r0 needs cmd:sh
      preferred to dash-0.5.12-r0 (os), of lower provider priority
    zlib-1.3.1-r0 (os)
      world needs zlib
      web-1.4-r0 needs so:libz.so.1
      preferred to zlib-1.3-r0 (os), of a lower version
    web-1.4-r0 (os)
      world needs web
    ");
}
