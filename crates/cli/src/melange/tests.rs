//! The command line, and the guide that is held against it.

use std::ffi::{OsStr, OsString};

use super::*;
use crate::dialect::guide::hold;

const GUIDE: &str = include_str!("../../../../docs/from-melange.md");

#[test]
fn the_name_of_the_link_decides() {
    let is = |program: &str| MELANGE.is_name(OsStr::new(program));
    assert!(is("melange") && is("/usr/bin/melange") && is("./melange"));
    for other in ["boltworks", "melange-2", "my-melange", "melange/x", ""] {
        assert!(!is(other), "{other}");
    }
}

#[test]
fn the_parser_is_sound() {
    MELANGE.parser().debug_assert();
}

#[test]
fn the_guide_lists_every_command_and_every_flag() {
    hold(&MELANGE, GUIDE);
}

/// What a command line gives for one flag.
fn given(line: &str, name: &str) -> (Option<String>, Vec<String>, bool) {
    let words = line.split_whitespace().map(OsString::from);
    let matches = MELANGE.parser().try_get_matches_from(words).unwrap();
    let (_, matches) = matches.subcommand().unwrap();
    let words = Words::new(matches);
    (words.text(name), words.texts(name), words.is_on(name))
}

#[test]
fn flags_are_written_as_go_writes_them() {
    let on = |line: &str, name: &str| given(line, name).2;
    assert!(on("melange build x.yaml", "rm"));
    assert!(on("melange build --rm x.yaml", "rm"));
    assert!(!on("melange build --rm=false x.yaml", "rm"));
    assert!(!on("melange build --rm=F x.yaml", "rm"));
    assert!(!on(
        "melange build x.yaml --generate-index=0",
        "generate-index"
    ));
    assert!(on(
        "melange build x.yaml --generate-index false",
        "generate-index"
    ));
    let texts = |line: &str, name: &str| given(line, name).1;
    let line = "melange build -r a,b x.yaml --repository-append=c -rd --keyring-append k";
    assert_eq!(texts(line, "repository-append"), ["a", "b", "c", "d"]);
    let text = |line: &str, name: &str| given(line, name).0;
    assert_eq!(
        text("melange build --out-dir a --out-dir=b x", "out-dir"),
        Some("b".to_owned())
    );
    assert_eq!(text("melange build --signing-key= x", "signing-key"), None);
    assert_eq!(
        text("melange build x", "namespace"),
        Some("unknown".to_owned())
    );
    assert_eq!(
        text("melange --log-level=debug build x", "log-level"),
        Some("debug".to_owned())
    );
    assert_eq!(
        text("melange build --log-level warn x", "log-level"),
        Some("warn".to_owned())
    );
    assert_eq!(
        text("melange index -o f a.apk", "output"),
        Some("f".to_owned())
    );
    assert!(on("melange sign-index -f i", "force"));
    for line in [
        "melange source --source-dir p -o there get x",
        "melange source -o there get --source-dir p x",
        "melange source get x --source-dir=p --output there",
        "melange source --source-dir other get x --source-dir=p --output there",
    ] {
        assert_eq!(text(line, "source-dir"), Some("p".to_owned()), "{line}");
        assert_eq!(text(line, "output"), Some("there".to_owned()), "{line}");
    }
    let default = Some("./source".to_owned());
    assert_eq!(text("melange source pop x", "output"), default);
}

#[test]
fn what_would_change_something_is_refused() {
    let refusal = |line: &str| {
        let words = line.split_whitespace().map(OsString::from);
        let matches = MELANGE.parser().try_get_matches_from(words).unwrap();
        let failure = MELANGE
            .carry_out(&matches, &Output::new(false))
            .unwrap_err();
        failure.to_string()
    };
    for (line, words) in [
        (
            "melange build --strip-origin-name x.yaml",
            "--strip-origin-name is not taken",
        ),
        (
            "melange build --generate-provenance x.yaml",
            "--generate-provenance is not taken",
        ),
        (
            "melange bump x.yaml",
            "melange bump is not complete: it takes VERSION too",
        ),
        (
            "melange source get",
            "melange source get is not complete: it takes RECIPE too",
        ),
        (
            "melange build x.yaml --runner podman",
            "'podman' is no runner",
        ),
        (
            "melange keygen --key-size 1024",
            "keys of 1024 bits are not made",
        ),
        (
            "melange query x.yaml",
            "melange query is not complete: it takes TEMPLATE too",
        ),
        ("melange --log-level loud version", "'loud' is no log level"),
    ] {
        let said = refusal(line);
        assert!(said.contains(words), "{line}: {said}");
    }
}
