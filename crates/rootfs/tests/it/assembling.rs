//! Who may lay what where.

use boltworks_fsx::RelPath;

use super::{assembled, package, rel, shown};

fn check(packages: &[&str], expected: &str) {
    let lines = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let expected = lines.collect::<Vec<_>>().join("\n");
    match assembled(packages) {
        Ok(assembly) => assert_eq!(shown(&assembly), expected, "{packages:#?}"),
        Err(error) => panic!("{packages:#?}\n{error}"),
    }
}

fn check_fails(packages: &[&str]) -> String {
    match assembled(packages) {
        Ok(assembly) => panic!("{packages:#?}\n{}", shown(&assembly)),
        Err(error) => error.to_string(),
    }
}

/// Where each package's files lie.
fn paths(packages: &[&str]) -> Vec<Vec<RelPath>> {
    let assembly = assembled(packages).unwrap();
    let own = packages.iter().zip(&assembly.belongings);
    own.map(|(text, belongings)| belongings.paths(&package(text).1).cloned().collect())
        .collect()
}

#[test]
fn packages_lie_beside_each_other() {
    check(
        &[
            "a 1\nusr/\nusr/a = x\nusr/l -> a",
            "b 1\nusr/\nusr/b = y 755\nopt/b = z",
        ],
        "opt/b = z 644 #1
         usr/ 755 #0
         usr/a = x 644 #0
         usr/b = y 755 #1
         usr/l -> a #0",
    );
}

#[test]
fn the_first_decides_on_a_directory() {
    check(
        &["a 1\nsrv/ 2775", "b 1\nsrv/ 755\ntmp/ 1777"],
        "srv/ 2775 #0\ntmp/ 1777 #1",
    );
    check(
        &["b 1\nsrv/ 755\ntmp/ 1777", "a 1\nsrv/ 2775"],
        "srv/ 755 #0\ntmp/ 1777 #0",
    );
    let paths = paths(&["a 1\nsrv/\nsrv/a = x", "b 1\nsrv/"]);
    assert_eq!(paths, [vec![rel("srv"), rel("srv/a")], vec![rel("srv")]]);
}

#[test]
fn equal_content_is_no_conflict() {
    check(&["a 1\nf = x 600", "b 1\nf = x 644"], "f = x 600 #0");
    check(&["a 1\nf -> x", "b 1\nf -> x"], "f -> x #0");
    check(&["a 1\nf device", "b 1\nf device"], "f device #0");
    // Even where it could be replaced.
    check(
        &["a 1\nf = x 600", "b 1 replaces a\nf = x 644"],
        "f = x 600 #0",
    );
}

#[test]
fn other_content_is_a_conflict() {
    insta::assert_snapshot!(check_fails(&["a 1\nf = x", "b 2-r1\nf = y"]), @"lay 'f' of b-2-r1: a-1 has it too, with other content; one of them must declare that it replaces the other");
    check_fails(&["a 1\nf -> x", "b 1\nf -> y"]);
    check_fails(&["a 1\nf = x", "b 1\nf -> x"]);
    check_fails(&["a 1\nf = x", "b 1 replaces c\nf = y"]);
    check_fails(&["a 1\nf = x", "b 1 replaces a<1\nf = y"]);
}

#[test]
fn what_is_declared_is_replaced() {
    check(&["a 1\nf = x", "b 1 replaces a\nf = y 755"], "f = y 755 #1");
    check(&["a 1\nf = x", "b 1 replaces a<2\nf = y"], "f = y 644 #1");
    check(&["a 1 replaces b\nf = x", "b 1\nf = y"], "f = x 644 #0");
    check(
        &["a 1 origin o\nf = x", "b 1 origin o\nf = y"],
        "f = y 644 #1",
    );
    check(
        &["a 1 origin o replaces b\nf = x", "b 1 origin o\nf = y"],
        "f = x 644 #0",
    );
    check(
        &["a 1 replaces b\nf = x", "b 1 replaces a\nf = y"],
        "f = x 644 #0",
    );
    check(
        &[
            "a 1 replaces b priority 1\nf = x",
            "b 1 replaces a priority 2\nf = y",
        ],
        "f = y 644 #1",
    );
    let paths = paths(&["a 1\nf = x\ng = x", "b 1 replaces a\nf = y"]);
    assert_eq!(paths, [[rel("g")], [rel("f")]]);
}

#[test]
fn a_directory_says_nothing_of_where_a_link_leads() {
    let link = "l 1\netc/d -> /tmp";
    let directory = "d 1\netc/d/ 755\netc/d/f = x";
    let temporary = "t 1\ntmp/ 1777";
    let files = "etc/d -> /tmp #1\ntmp/f = x 644 #0";
    check(&[directory, link], files);
    let with_owner = "etc/d -> /tmp #1\ntmp/ 1777 #2\ntmp/f = x 644 #0";
    check(&[directory, link, temporary], with_owner);
    check_fails(&["d 1\netc/d/ 755", link, "f 1\ntmp = x"]);
}

#[test]
fn some_names_are_not_for_packages() {
    insta::assert_snapshot!(check_fails(&["a 1\netc/.wh.passwd = x"]), @"lay 'etc/.wh.passwd' of a-1: no package may have that, image layers take it for a removal");
    check_fails(&["a 1\netc/.wh..wh..opq = x"]);
    check_fails(&["a 1\netc/.wh.d/f = x"]);
    insta::assert_snapshot!(check_fails(&["a 1\nlib/apk/db/installed = x"]), @"lay 'lib/apk/db/installed' of a-1: no package may have that, apk's own database lies there");
    check_fails(&["l 1\nlib -> usr/lib", "a 1\nlib/apk/db/world = x"]);
    check(
        &["a 1\nlib/apk/db/ 755\nwh. = x"],
        "lib/apk/db/ 755 #0\nwh. = x 644 #0",
    );
}

#[test]
fn a_directory_is_nothing_else() {
    insta::assert_snapshot!(check_fails(&["a 1\nx = 1", "b 1 replaces a\nx/"]), @"lay 'x' of b-1: 'x' of a-1 is not a directory");
    insta::assert_snapshot!(check_fails(&["a 1\nx/", "b 1 replaces a\nx = 1"]), @"lay 'x' of b-1: 'x' of a-1 is a directory");
    insta::assert_snapshot!(check_fails(&["a 1\nx = 1", "b 1 replaces a\nx/y/z = 1"]), @"lay 'x/y/z' of b-1: 'x' of a-1 is not a directory");
    insta::assert_snapshot!(check_fails(&["a 1\nx/y/z = 1\nx-y = 1", "b 1 replaces a\nx = 1"]), @"lay 'x' of b-1: 'x' of a-1 is a directory");
}

#[test]
fn a_merged_usr_is_followed() {
    let base = "base 1\nbin -> usr/bin\nlib -> usr/lib\nusr/\nusr/bin/\nusr/lib/ 2755";
    let musl = "musl 1\nlib/\nlib/ld.so = x 755\nbin/\nbin/sh => lib/ld.so";
    check(
        &[base, musl],
        "bin -> usr/bin #0
         lib -> usr/lib #0
         usr/ 755 #0
         usr/bin/ 755 #0
         usr/bin/sh = x 755 #1
         usr/lib/ 2755 #0
         usr/lib/ld.so => usr/bin/sh #1",
    );
    // Who names it through a link says nothing of its attributes, whatever the order.
    check(
        &[musl, base],
        "bin -> usr/bin #1
         lib -> usr/lib #1
         usr/ 755 #1
         usr/bin/ 755 #1
         usr/bin/sh = x 755 #0
         usr/lib/ 2755 #1
         usr/lib/ld.so => usr/bin/sh #0",
    );
    insta::assert_snapshot!(check_fails(&[base, "a 1\nbin/x = 1", "b 1\nusr/bin/x = 2"]), @"lay 'usr/bin/x' of b-1: a-1 has it too, with other content; one of them must declare that it replaces the other");
    insta::assert_snapshot!(check_fails(&[base, "a 1\nbin/x = 1\nusr/bin/x = 2"]), @"lay 'usr/bin/x' of a-1: a-1 has it too, with other content; one of them must declare that it replaces the other");
    check(
        &["base 1\nl -> d", "a 1\nl/x = 1\nd/x = 1"],
        "d/x = 1 644 #1\nl -> d #0",
    );
}

#[test]
fn nothing_is_laid_outside_of_the_tree() {
    insta::assert_snapshot!(check_fails(&["a 1\nx -> ../etc", "b 1\nx/passwd = root"]), @"lay 'x/passwd': the link 'x' of a-1 leads out of the tree");
    insta::assert_snapshot!(check_fails(&["a 1\nx -> y\ny -> x", "b 1\nx/passwd = root"]), @"lay 'x/passwd': the link 'x' of a-1 leads in a circle");
    insta::assert_snapshot!(check_fails(&["a 1\nx -> f\nf = 1", "b 1\nx/passwd = root"]), @"lay 'f/passwd' of b-1: 'f' of a-1 is not a directory");
    // A link that leads out and that nobody uses is the guest's own business.
    check(&["a 1\nx -> ../../etc/passwd"], "x -> ../../etc/passwd #0");
    check(
        &["a 1\nx -> /etc", "b 1\nx/passwd = root"],
        "etc/passwd = root 644 #1\nx -> /etc #0",
    );
    insta::assert_snapshot!(check_fails(&["a 1\nf = 1", "b 1\ng => f"]), @"lay 'g' of b-1: it is a hard link to 'f', which is no file of this package");
    insta::assert_snapshot!(check_fails(&["a 1\nd/\nf => d"]), @"lay 'f' of a-1: it is a hard link to 'd', which is no file of this package");
}

#[test]
fn hard_links_stay_together_whatever_is_replaced() {
    check(
        &["a 1\nb = x 755\na => b\nc => a"],
        "a = x 755 #0\nb => a #0\nc => a #0",
    );
    // The name that was the file goes to somebody else.
    check(
        &["a 1\na = x 755\nb => a\nc => a", "z 1 replaces a\na = y"],
        "a = y 644 #1\nb = x 755 #0\nc => b #0",
    );
    // A link's name goes, and the file stays.
    check(
        &["a 1\na = x\nb => a", "z 1 replaces a\nb = y\nc => b"],
        "a = x 644 #0\nb = y 644 #1\nc => b #1",
    );
    // A name keeps another package's equal file.
    check(
        &["a 1\na = x", "z 1\na = x\nb => a"],
        "a = x 644 #0\nb = x 644 #1",
    );
}
