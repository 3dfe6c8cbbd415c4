//! Failures in words.

use boltworks_solver::solve;

use super::{check_fails, options, universe, world};

#[test]
fn a_version_that_nobody_has() {
    insta::assert_snapshot!(check_fails("
        web 1.4-r0 needs pcre2
        pcre2 10.46-r0 needs zlib>=2
        zlib 1.3-r0
        zlib 1.3.1-r0
    ", "web"), @r"
    world needs web
    web-1.4-r0 needs pcre2
    pcre2-10.46-r0 needs zlib>=2
    repositories have zlib 1.3.1-r0 (os), 1.3-r0 (os)
    help: build a zlib that satisfies zlib>=2, or ask for less
    ");
}

#[test]
fn a_version_without_its_release() {
    insta::assert_snapshot!(check_fails("h 1.0-r0\nh 1.0-r10\nh 1.0-r9\nh 1.0.1-r0", "h=1.0"), @r"
    world needs h=1.0
    repositories have h 1.0.1-r0 (os), 1.0-r10 (os), 1.0-r9 (os), 1.0-r0 (os)
    help: write h=1.0-r10 or h~1.0: a version has its release (-r0) at the end
    ");
    insta::assert_snapshot!(check_fails("h 1.0.1-r0", "h=1.0"), @r"
    world needs h=1.0
    repositories have h 1.0.1-r0 (os)
    help: build a h that satisfies h=1.0, or ask for less
    ");
}

#[test]
fn a_name_that_nobody_has() {
    insta::assert_snapshot!(check_fails("web 1 needs zlibb\nzlib 1\nzlib-dev 1\nbzip2 1", "web"), @r"
    world needs web
    web-1 needs zlibb
    no repository has zlibb
    help: did you mean zlib?
    ");
    insta::assert_snapshot!(check_fails("busybox 1 provides cmd:awk=1\ngawk 1 provides cmd:gawk=1", "awk"), @r"
    world needs awk
    no repository has awk
    help: did you mean cmd:awk or gawk?
    ");
    insta::assert_snapshot!(check_fails("a 1", "something"), @r"
    world needs something
    no repository has something
    help: add a recipe or a repository that has something
    ");
}

#[test]
fn a_repository_that_was_left_out() {
    let universe = universe(&[
        ("os", "web 1 needs gcc perl>5"),
        ("stage0", "gcc 14\nperl 5.42"),
    ]);
    let error = solve(&universe, &world("web"), &options().without("stage0")).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r"
    world needs web
    web-1 needs gcc
    no repository that may be used has gcc
    help: gcc-14 (stage0) would do, but nothing is taken from there here
    ");
}

#[test]
fn a_conflict_between_two_wishes() {
    insta::assert_snapshot!(check_fails("
        a 1 needs liba
        liba 1 needs !libb<2
        c 1 needs libb
        libb 1
        unrelated 1
    ", "a c unrelated"), @r"
    world needs a
    a-1 needs liba
    world needs c
    c-1 needs libb
    only libb-1 would do, but liba-1 forbids it (!libb<2)
    help: leave out a or c
    ");
}

#[test]
fn a_conflict_of_the_world() {
    insta::assert_snapshot!(check_fails("web 1 needs openssl\nopenssl 3", "web !openssl"), @r"
    world needs web
    web-1 needs openssl
    only openssl-3 would do, but the world forbids it (!openssl)
    help: allow what the world forbids: !openssl
    help: leave out web
    ");
}

#[test]
fn two_who_stand_for_the_same_name() {
    insta::assert_snapshot!(check_fails("
        a 1 needs gawk
        b 1 needs mawk
        gawk 5 provides cmd:awk=5
        mawk 1 provides cmd:awk=1
    ", "a b"), @r"
    world needs a
    a-1 needs gawk
    world needs b
    b-1 needs mawk
    only mawk-1 would do, but gawk-5 stands for cmd:awk too, and only one package can do that
    help: leave out a or b
    ");
}

#[test]
fn two_versions_of_one_package() {
    insta::assert_snapshot!(check_fails("
        a 1 needs lib<2
        b 1 needs lib>=2
        lib 1
        lib 2
    ", "a b"), @r"
    world needs a
    a-1 needs lib<2
    world needs b
    b-1 needs lib>=2
    only lib-2 would do, but lib-1 is needed, and only one version of lib can be installed
    help: leave out a or b
    ");
}

#[test]
fn every_candidate_fails_in_its_own_way() {
    insta::assert_snapshot!(check_fails("
        web 1 needs tls other
        other 1 provides z
        other 2 provides z
        openssl 3 provides tls=3 needs missing
        libressl 2 provides tls=2 needs !web
        gnutls 1 provides tls=1 needs nettle>3
        nettle 3
    ", "web"), @r"
    world needs web
    web-1 needs tls
    nothing that satisfies tls can be had:
      openssl-3:
        it needs missing
        no repository has missing
      libressl-2: it forbids web-1 (!web)
      gnutls-1:
        it needs nettle>3
        repositories have nettle 3 (os)
    help: add a recipe or a repository that has missing
    help: build a nettle that satisfies nettle>3, or ask for less
    help: web stands in its own way: one of the packages above has to change
    ");
}

#[test]
fn what_stands_in_its_own_way() {
    insta::assert_snapshot!(check_fails("a 1 needs b c\nb 1 needs !c\nc 1", "a"), @r"
    world needs a
    a-1 needs b
    a-1 needs c
    only c-1 would do, but b-1 forbids it (!c)
    help: a stands in its own way: one of the packages above has to change
    ");
}

#[test]
fn a_pin_and_a_foreign_architecture() {
    insta::assert_snapshot!(check_fails("a 1", "a@edge"), @r"
    world needs a@edge
    a is pinned to @edge, and no repository has a tag
    help: write a without @edge
    ");
    insta::assert_snapshot!(check_fails("a 1 arch aarch64", "a"), @r"
    world needs a
    no repository has a
    help: a-1 (os) would do, but is for another architecture
    help: add a recipe or a repository that has a
    ");
}

#[test]
fn long_lists_are_cut() {
    let lines = (1..=20).map(|n| format!("lib {n}\nbad {n} needs gone"));
    let packages = lines.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(check_fails(&packages, "lib>20"), @r"
    world needs lib>20
    repositories have lib 20 (os), 19 (os), 18 (os), 17 (os), 16 (os), 15 (os) and 14 more
    help: build a lib that satisfies lib>20, or ask for less
    ");
    insta::assert_snapshot!(check_fails(&packages, "bad"), @r"
    world needs bad
    nothing that satisfies bad can be had:
      bad-20, bad-19, bad-18, bad-17, bad-16, bad-15 and 14 more:
        it needs gone
        no repository has gone
    help: add a recipe or a repository that has gone
    ");
}
