//! What is generated from the code, and how the command line itself is refused.

use crate::kit::Desk;

#[test]
fn there_is_a_manual_page_for_every_command() {
    let desk = Desk::new();
    desk.run("man pages").with_code(0);
    let names = desk.names();
    for page in [
        "boltworks",
        "boltworks-build",
        "boltworks-apk-sign",
        "boltworks-image-build",
    ] {
        assert!(
            names.contains(&format!("pages/{page}.1")),
            "{page}: {names:?}"
        );
    }
    let page = String::from_utf8(desk.read("pages/boltworks-build.1")).unwrap();
    assert!(page.contains("signing\\-key"), "{page}");
}

#[test]
fn there_is_a_completion_for_every_shell() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = desk.run(&format!("completion {shell}")).with_code(0).out;
        assert!(script.contains("keyring-append"), "{shell}");
    }
}

#[test]
fn the_schema_knows_the_factory_file() {
    let desk = Desk::new();
    let schema = desk.run("schema").with_code(0).json();
    assert!(schema["properties"]["stage0"].is_object(), "{schema}");
}

#[test]
fn a_misspelled_flag_or_command_is_answered_with_the_right_one() {
    let desk = Desk::new();
    let flag = desk.run("build x.yaml --signing-kye k").with_code(2);
    assert!(flag.err.contains("'--signing-key'"), "{flag:?}");
    let command = desk.run("biuld x.yaml").with_code(2);
    assert!(command.err.contains("'build'"), "{command:?}");
    let missing = desk.run("image build web.yaml").with_code(2);
    assert!(
        missing.err.contains("<TAG>") && missing.err.contains("<OUT>"),
        "{missing:?}"
    );
}

#[test]
fn a_wrong_command_line_is_a_document_too() {
    let desk = Desk::new();
    let flag = desk.run("build x.yaml --json --signing-kye k").with_code(2);
    let error = &flag.json()["error"];
    assert_eq!(
        error["message"],
        "unexpected argument '--signing-kye' found"
    );
    assert_eq!(error["exit"], 2);
    let help = error["help"].to_string();
    assert!(help.contains("'--signing-key'"), "{help}");
    assert!(flag.err.is_empty(), "{flag:?}");
    for words in [
        "--json",
        "--json biuld",
        "apk --json",
        "image build --json web.yaml",
        "plan --json more",
    ] {
        let document = desk.run(words).with_code(2).json();
        let error = &document["error"];
        assert!(!error["message"].as_str().unwrap().is_empty(), "{document}");
        assert!(error["help"].as_array().is_some(), "{document}");
    }
    // What comes after `--` is no flag.
    let words = desk.run("solve --nothing -- --json").with_code(2);
    assert!(words.out.is_empty(), "{words:?}");
    assert!(
        desk.run("plan --json --help")
            .with_code(0)
            .out
            .contains("Usage")
    );
}

#[test]
fn manual_pages_are_counted_for_machines() {
    let desk = Desk::new();
    let document = desk.run("man --json pages").with_code(0).json();
    let pages = desk.names();
    let pages = pages.iter().filter(|name| name.ends_with(".1")).count();
    assert_eq!(document["folder"], "pages");
    assert_eq!(document["pages"], pages);
}

/// The user guide speaks of every command, and of no flag that is not there.
#[test]
fn the_guide_is_complete_and_true() {
    let desk = Desk::new();
    desk.run("man pages").with_code(0);
    let guide = include_str!("../../../../docs/commands.md");
    let pages: Vec<String> = desk
        .names()
        .into_iter()
        .filter(|name| name.ends_with(".1"))
        .collect();
    let mut all = String::new();
    for page in &pages {
        let command = page
            .trim_start_matches("pages/")
            .trim_end_matches(".1")
            .replace('-', " ")
            // The one command with a hyphen of its own, which is melange's name for it.
            .replace("license check", "license-check");
        assert!(
            guide.contains(&command),
            "the guide does not speak of `{command}`"
        );
        let words = command.trim_start_matches("boltworks");
        all.push_str(&desk.run(&format!("{words} --help")).with_code(0).out);
    }
    let words = guide.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
    let flags = words.filter(|word| word.starts_with("--") && !word.trim_matches('-').is_empty());
    for flag in flags {
        assert!(
            all.contains(flag),
            "the guide speaks of {flag}, which no command has"
        );
    }
}
