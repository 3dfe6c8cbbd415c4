//! The command line, and the guide that is held against it.

use std::collections::BTreeMap;

use super::flag::{Flag, Kind};
use super::*;

const GUIDE: &str = include_str!("../../../../docs/from-melange.md");

#[test]
fn the_name_of_the_link_decides() {
    let is = |program: &str| is_name(OsStr::new(program));
    assert!(is("melange") && is("/usr/bin/melange") && is("./melange"));
    for other in ["boltworks", "melange-2", "my-melange", "melange/x", ""] {
        assert!(!is(other), "{other}");
    }
}

#[test]
fn the_parser_is_sound() {
    parser().debug_assert();
}

/// What the guide says of a flag, in one word.
const fn word(flag: &Flag) -> &'static str {
    match flag.role {
        Role::Acts => "yes",
        Role::Idle(_) => "no effect",
        Role::Refused(..) => "refused",
    }
}

/// What the guide says of a flag's default: nothing where it is empty, or the flag is a switch.
const fn default_of(flag: &Flag) -> &'static str {
    match flag.kind {
        Kind::Text(default) => default,
        Kind::List | Kind::Switch(_) => "",
    }
}

/// What is said of a flag, and its default.
type Said = (&'static str, &'static str);

/// The flags of each command as the guide lists them: the table beneath each heading of a command.
fn listed() -> BTreeMap<&'static str, BTreeMap<String, Said>> {
    let mut listed = BTreeMap::new();
    let mut command = "";
    for line in GUIDE.lines() {
        if let Some(name) = line.strip_prefix("## `melange ") {
            command = name.trim_end_matches('`');
            listed.insert(command, BTreeMap::new());
        } else if line.starts_with("## ") {
            command = "";
        } else if let Some(row) = line.strip_prefix("| `-")
            && !command.is_empty()
        {
            let cells: Vec<&str> = row.split(" | ").collect();
            let (Some(flags), Some(here)) = (cells.first(), cells.get(1)) else {
                panic!("{line}");
            };
            let flags = format!("-{}", flags.trim_end_matches('`'));
            let remark = cells.get(2).copied().unwrap_or_default();
            let default = remark
                .strip_prefix("Default `")
                .and_then(|rest| rest.split('`').next());
            let said = (here.trim(), default.unwrap_or_default());
            let of_command = listed.entry(command).or_default();
            assert!(of_command.insert(flags, said).is_none(), "{line}");
        }
    }
    listed
}

#[test]
fn the_guide_lists_every_command_and_every_flag() {
    let listed = listed();
    let known: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    for name in listed.keys() {
        assert!(known.contains(name), "there is no command '{name}'");
    }
    for command in COMMANDS {
        let of_command = listed.get(command.name);
        let of_command = of_command.unwrap_or_else(|| panic!("{} is not listed", command.name));
        let is_refused = matches!(command.role, Role::Refused(..));
        let expected: BTreeMap<String, Said> = command
            .flags
            .iter()
            .map(|flag| {
                let short = flag
                    .short
                    .map(|short| format!("-{short}, "))
                    .unwrap_or_default();
                let said = if is_refused {
                    ("refused", "")
                } else {
                    (word(flag), default_of(flag))
                };
                (format!("{short}--{}", flag.name), said)
            })
            .collect();
        assert_eq!(of_command, &expected, "{}", command.name);
    }
}

/// What a command line gives for one flag.
fn given(line: &str, name: &str) -> (Option<String>, Vec<String>, bool) {
    let words = line.split_whitespace().map(OsString::from);
    let matches = parser().try_get_matches_from(words).unwrap();
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
        let matches = parser().try_get_matches_from(words).unwrap();
        let failure = carry_out(&matches, &Output::new(false)).unwrap_err();
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
        ("melange bump x.yaml", "melange bump needs more"),
        ("melange source get", "melange source get needs more"),
        (
            "melange build x.yaml --runner podman",
            "'podman' is no runner",
        ),
        (
            "melange keygen --key-size 1024",
            "keys of 1024 bits are not made",
        ),
        ("melange query x.yaml", "melange query needs more"),
        ("melange --log-level loud version", "'loud' is no log level"),
    ] {
        let said = refusal(line);
        assert!(said.contains(words), "{line}: {said}");
    }
}
