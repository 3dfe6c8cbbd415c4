//! `boltworks recipe compile`, and how errors in users' files are shown.

use serde_json::Value;

use crate::kit::Desk;

const RECIPE: &str = "package:
  name: hello
  version: 3.10
  epoch: 2
  description: says hello
  copyright:
    - license: MIT
environment:
  contents:
    packages: [busybox]
options:
  loud:
    environment:
      contents:
        packages:
          add: [megaphone]
pipeline:
  - uses: autoconf/make
  - runs: echo ${{host.triplet.gnu}} ${{package.full-version}}
";

#[test]
fn a_recipe_is_one_line_of_json() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    let answer = desk.run("recipe compile hello.yaml").with_code(0);
    assert_eq!(answer.out.lines().count(), 1);
    let document = answer.json();
    assert_eq!(document["package"]["version"], "3.10");
    let text = document["pipeline"].to_string();
    assert!(text.contains("x86_64-pc-linux-musl 3.10-r2"), "{text}");
    let again = desk.run("recipe compile --json hello.yaml").with_code(0);
    assert_eq!(again.out, answer.out, "it is JSON with and without --json");
}

#[test]
fn flags_change_what_is_understood() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    let compiled = |flags: &str| -> Value {
        desk.run(&format!("recipe compile hello.yaml {flags}"))
            .with_code(0)
            .json()
    };
    let text = compiled("--libc gnu --arch arm64")["pipeline"].to_string();
    assert!(text.contains("aarch64-unknown-linux-gnu"), "{text}");
    let packages =
        compiled("--build-option loud")["environment"]["contents"]["packages"].to_string();
    assert!(packages.contains("megaphone"), "{packages}");
    desk.write("own/autoconf/make.yaml", "name: mine\nruns: make mine\n");
    let text = compiled("--pipeline-dir own")["pipeline"].to_string();
    assert!(text.contains("make mine"), "{text}");

    let unknown = desk
        .run("recipe compile hello.yaml --build-option quiet")
        .with_code(2);
    insta::assert_snapshot!(unknown.err, @r"
    error: the recipe has no option 'quiet'
    help: its options are: loud
    ");
}

#[test]
fn a_misspelled_key_is_shown_where_it_stands() {
    let desk = Desk::new();
    desk.write("bad.yaml", RECIPE.replace("description", "descripton"));
    let failed = desk.run("recipe compile bad.yaml").with_code(2);
    assert!(failed.err.contains("bad.yaml:5:3"), "{failed:?}");
    assert!(
        failed.err.contains("  descripton: says hello"),
        "{failed:?}"
    );
    assert!(
        failed.err.contains("did you mean 'description'?"),
        "{failed:?}"
    );
    let document = desk
        .run("recipe compile --json bad.yaml")
        .with_code(2)
        .json();
    assert_eq!(document["error"]["exit"], 2);
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("bad.yaml:5:3: "), "{message}");
}

#[test]
fn a_misspelled_pipeline_and_variable_too() {
    let desk = Desk::new();
    desk.write("bad.yaml", RECIPE.replace("autoconf/make", "autoconf/mkae"));
    let failed = desk.run("recipe compile bad.yaml").with_code(2);
    assert!(failed.err.contains("bad.yaml:18:11"), "{failed:?}");
    assert!(
        failed.err.contains("did you mean 'autoconf/make'?"),
        "{failed:?}"
    );
    desk.write(
        "bad.yaml",
        RECIPE.replace("package.full-version", "package.ful-version"),
    );
    let failed = desk.run("recipe compile bad.yaml").with_code(2);
    assert!(
        failed.err.contains("did you mean 'package.full-version'?"),
        "{failed:?}"
    );
}

#[test]
fn hostile_yaml_is_refused_at_once() {
    let desk = Desk::new();
    let deep = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let lines = ('b'..='k').zip('a'..).map(|(this, last)| {
        let items = [format!("*{last}").as_str(); 10].join(",");
        format!("{this}: &{this} [{items}]\n")
    });
    let bomb = format!("a: &a [x,x,x,x,x,x,x,x,x,x]\n{}", lines.collect::<String>());
    for text in [deep.as_str(), bomb.as_str(), "a: 1\na: 2\n", "\u{0}", "%"] {
        desk.write("bad.yaml", text);
        let failed = desk.run("recipe compile bad.yaml").with_code(2);
        assert!(failed.err.contains("bad.yaml"), "{failed:?}");
        assert!(failed.err.len() < 4000, "{} bytes", failed.err.len());
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let desk = Desk::new();
    let failed = desk.run("recipe compile nope/hello.yaml").with_code(2);
    insta::assert_snapshot!(failed.err, @r"
    error: nope is not there
    help: check the name, and the folder you are in
    ");
}
