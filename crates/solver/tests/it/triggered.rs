//! `install_if`.

use boltworks_solver::explain;

use super::{check, solved};

#[test]
fn a_package_comes_with_all_that_it_waits_for() {
    let packages = "a 1 needs b\nb 1\ndocs 1\nb-doc 1 needs m if b=1 docs\nm 1";
    check(packages, "a", "b-1 a-1");
    check(packages, "a docs", "b-1 a-1 m-1 b-doc-1 docs-1");
    check("a 1 provides v=2\nc 1 if v>1\nd 1 if v>2", "a", "a-1 c-1");
    check("a 1\nb 2\nb 1\nc 1 if b=1", "a b", "a-1 b-2");
    check("a 1\nc 1 if a !b\nb 1", "a", "a-1 c-1");
    check("a 1\nc 1 if a !b\nb 1", "a b", "a-1 b-1");
}

#[test]
fn one_brings_the_next() {
    check(
        "a 1\nb 1 if a\nc 1 if b needs e\nd 1 if e\ne 1",
        "a",
        "a-1 b-1 e-1 c-1 d-1",
    );
}

#[test]
fn nothing_else_is_changed_for_it() {
    // It needs what the world forbids, what is there in another version, or what is not there.
    check("a 1\nb 1 if a", "a !b", "a-1");
    check("a 1 needs c\nc 1\nc 2\nb 1 if a needs c<2", "a", "c-2 a-1");
    check("a 1\nb 1 if a needs gone", "a", "a-1");
    check("a 1\nb 2 if a needs gone\nb 1 if a", "a", "a-1 b-1");
    // Of two that exclude each other the first in the alphabet is taken.
    check(
        "a 1\nc 1 if a provides v=1\nb 1 if a provides v=2",
        "a",
        "a-1 b-1",
    );
}

#[test]
fn the_reason_is_told() {
    let solution = solved(&[("os", "a 1\nb 1 if a=1")], "a").unwrap();
    insta::assert_snapshot!(explain(&solution), @r"
    a-1 (os)
      world needs a
    b-1 (os)
      comes with a=1
    ");
}
