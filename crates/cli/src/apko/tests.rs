//! The command line, and the guide that is held against it.

use std::ffi::{OsStr, OsString};

use super::*;
use crate::dialect::guide::hold;

const GUIDE: &str = include_str!("../../../../docs/from-apko.md");

#[test]
fn the_name_of_the_link_decides() {
    let is = |program: &str| APKO.is_name(OsStr::new(program));
    assert!(is("apko") && is("/usr/bin/apko") && is("./apko"));
    for other in ["boltworks", "melange", "apko-2", "apko/x", ""] {
        assert!(!is(other), "{other}");
    }
}

#[test]
fn the_parser_is_sound() {
    APKO.parser().debug_assert();
}

#[test]
fn the_guide_lists_every_command_and_every_flag() {
    hold(&APKO, GUIDE);
}

#[test]
fn what_would_change_something_is_refused() {
    let refusal = |line: &str| {
        let words = line.split_whitespace().map(OsString::from);
        let matches = APKO.parser().try_get_matches_from(words).unwrap();
        let failure = APKO.carry_out(&matches, &Output::new(false)).unwrap_err();
        failure.to_string()
    };
    for (line, words) in [
        (
            "apko build x.yaml x:1",
            "apko build is not complete: it takes ",
        ),
        ("apko -C /tmp show-config x.yaml", "--workdir is not taken"),
        ("apko show-config x.yaml -C /tmp", "--workdir is not taken"),
        (
            "apko build x.yaml x:1 o.tar --max-apk-data-size 7",
            "--max-apk-data-size is not taken",
        ),
        (
            "apko publish x.yaml r.test/x:1 --local",
            "--local is not taken",
        ),
        ("apko login r.test", "needs a registry and a name"),
        ("apko login r.test -u me", "needs a password"),
        ("apko clean --dry-run", "apko clean is not taken"),
        (
            "apko erofs ls",
            "apko erofs ls is not complete: it takes IMAGE too",
        ),
        ("apko erofs mount x y --mode all", "'all' is no mode"),
        ("apko dot --web x.yaml", "--web is not taken"),
        ("apko --log-level loud version", "'loud' is no log level"),
    ] {
        let said = refusal(line);
        assert!(said.contains(words), "{line}: {said}");
    }
}
