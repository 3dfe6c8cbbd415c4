//! Tests in clean guests: none sees or changes what another has, and all are recorded.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::Command;
use boltworks_tests::small::Small;
use serde_json::Value;

/// What a hostile test leaves for others.
const HOSTILE: &str = "\
echo mine >/tmp/mine
echo mine >/dev/shm/mine
echo mine >/home/build/mine
for file in /usr/bin/env /usr/share/victim/victim /etc/passwd; do
  chmod 777 $file || true
  echo overwritten >$file || true
done
rm -f /usr/bin/od
chmod 777 / /usr /usr/share /usr/share/victim || true
mkdir -p /usr/share/mine
(setsid sh -c 'while :; do echo beat >>/tmp/beat; sleep 0.05; done' </dev/null >/dev/null 2>&1 &)
test \"$(cat /usr/share/victim/victim)\" = overwritten
";

/// What the others look for. They take long enough to see what another does meanwhile.
const WATCH: &str = "\
for turn in 1 2 3; do
  test \"$(cat /usr/share/victim/victim)\" = intact
  test \"$(stat -c %a /usr/share/victim /usr/share/victim/victim | tr '\\n' ' ')\" = '755 644 '
  ! grep overwritten /etc/passwd
  test -x /usr/bin/od
  test ! -e /tmp/mine -a ! -e /dev/shm/mine -a ! -e /home/build/mine -a ! -e /usr/share/mine
  env true
  sleep 0.1
done
test \"$(ls /proc | grep -c '^[0-9]')\" -le 5
";

/// A recipe with a package that is a victim, and tests of several others that need it.
fn recipe() -> String {
    let mut text = "\
package:
  name: checked
  version: \"1\"
  epoch: 0
  description: it is tested
  copyright: [{ license: Apache-2.0 }]
environment:
  contents: { packages: [shell] }
pipeline:
  - runs: mkdir -p ${{targets.destdir}}/usr/share/checked
subpackages:
  - name: victim
    description: it is needed by all
    pipeline:
      - runs: |
          mkdir -p ${{targets.subpkgdir}}/usr/share/victim
          echo intact >${{targets.subpkgdir}}/usr/share/victim/victim
"
    .to_owned();
    let tests = [
        ("hostile", HOSTILE),
        ("one", WATCH),
        ("two", WATCH),
        ("three", WATCH),
        ("hostile-too", HOSTILE),
        ("four", WATCH),
    ];
    text.extend(tests.map(|(name, script)| {
        let script = script.replace('\n', "\n            ");
        format!(
            "  - name: checked-{name}
    description: {name}
    pipeline:
      - runs: |
          mkdir -p ${{{{targets.subpkgdir}}}}/usr/share/{name}
          echo {name} >${{{{targets.subpkgdir}}}}/usr/share/{name}/file
    test:
      environment:
        contents: {{ packages: [shell, victim] }}
      pipeline:
        - runs: |
            {script}
"
        )
    }));
    text
}

/// Everything about the files of all environments.
fn environments(small: &Small) -> Result<String> {
    let format = "%P %y %m %U %G %s %T@ %l\\n";
    let list = Command::new("find").dir(small.state().join("trees"));
    let list = list.args([".", "-path", "./locks", "-prune", "-o", "-printf", format]);
    let mut lines: Vec<String> = list.ok()?.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    let sums = Command::new("sh").dir(small.state().join("trees"));
    let sums = sums.args([
        "-c",
        "find pool -type f | sort | xargs sha256sum | sha256sum",
    ]);
    Ok(lines.join("\n") + &sums.ok()?.stdout)
}

#[test]
fn the_paths_of_an_environment_are_in_its_guest() -> Result<()> {
    let small = Small::new()?;
    let paths = "\
paths:
  - { path: /srv/data, type: directory, permissions: 0o1750 }
  - { path: /srv/data/empty, type: empty-file, permissions: 0o640 }
  - { path: /srv/link, type: symlink, source: data }
  - { path: /srv/names, type: hardlink, source: /etc/passwd }
  - { path: /etc, type: permissions, permissions: 0o711 }
";
    let look =
        "test \"$(stat -c %a /srv/data /srv/data/empty /etc | tr '\\n' ' ')\" = '1750 640 711 '
test \"$(readlink /srv/link)\" = data
test -f /srv/link/empty -a ! -s /srv/data/empty
grep -q root /srv/names
test -e /etc/passwd";
    let indented = |depth: usize| paths.replace('\n', &format!("\n{}", " ".repeat(depth)));
    let text = boltworks_tests::small::recipe("one", "", look);
    let text = text.replace(
        "environment:\n",
        &format!("environment:\n  {}\n", indented(2).trim_end()),
    );
    let test = format!(
        "test:\n  environment:\n    {}\n    contents: {{ packages: [shell] }}\n  pipeline:\n    - runs: |\n        {}\n",
        indented(4).trim_end(),
        look.replace('\n', "\n        ")
    );
    small.write("recipes/one.yaml", &(text.clone() + &test))?;
    small.command(["build", "recipes/one.yaml"])?.ok()?;
    let wrong = text.replace(
        "/srv/names, type: hardlink, source: /etc/passwd",
        "/srv/names, type: hardlink, source: /none",
    );
    small.write("recipes/one.yaml", &wrong)?;
    let output = small.command(["build", "recipes/one.yaml"])?.fails(2)?;
    output.says("nothing is there to link to")
}

#[test]
fn no_test_sees_or_changes_what_another_has() -> Result<()> {
    let small = Small::new()?;
    small.write("recipes/checked.yaml", &recipe())?;
    small.command(["build", "recipes/checked.yaml"])?.ok()?;
    let before = environments(&small)?;
    ensure!(before.contains("usr/share/victim/victim"), "{before}");
    let output = small.command(["test", "recipes/checked.yaml"])?.ok()?;
    output.says("6 tests passed")?;
    ensure!(
        environments(&small)? == before,
        "an environment was changed"
    );
    let left: Vec<_> = std::fs::read_dir(small.state().join("builds"))?.collect();
    ensure!(left.is_empty(), "workspaces are left: {left:?}");
    small.verify_store()
}

#[test]
fn what_a_test_used_is_recorded() -> Result<()> {
    let small = Small::new()?;
    small.write("recipes/checked.yaml", &recipe())?;
    small.command(["build", "recipes/checked.yaml"])?.ok()?;
    let explained = |name: &str| -> Result<Value> {
        let known = small.explain(name)?;
        Ok(known.first().context("it is not known")?["tests"].clone())
    };
    let names = |run: &Value| -> Vec<String> {
        let packages = run["packages"].as_array().into_iter().flatten();
        let word =
            |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let text = |package: &Value| {
            let digest = word(package, "sha256");
            assert_eq!(digest.len(), 64, "{package}");
            format!(
                "{} of {}",
                word(package, "name"),
                word(package, "repository")
            )
        };
        packages.map(text).collect()
    };
    let runs = explained("checked-one")?;
    ensure!(
        runs.as_array().is_some_and(|runs| runs.len() == 1),
        "{runs}"
    );
    let used = names(&runs[0]);
    for package in ["bash of stage0", "victim of os", "checked-one of os"] {
        ensure!(used.contains(&package.to_owned()), "{package}: {used:?}");
    }
    ensure!(!used.contains(&"checked-two of os".to_owned()), "{used:?}");
    let log = runs[0]["log-file"].as_str().context("no log is named")?;
    ensure!(
        std::fs::read_to_string(log)?.starts_with("== step 1"),
        "{log}"
    );
    ensure!(
        explained("victim")? == Value::Array(Vec::new()),
        "it has no test"
    );

    let output = small.command(["test", "--json", "recipes/checked.yaml", "checked-one"])?;
    let output = output.ok()?.json()?;
    ensure!(names(&output["tests"][0]) == used, "{output}");
    let report = output["report-file"]
        .as_str()
        .context("no report is named")?;
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    ensure!(report["subject"] == "recipe checked", "{report}");
    let runs = explained("checked-one")?;
    ensure!(
        runs.as_array().is_some_and(|runs| runs.len() == 2),
        "{runs}"
    );
    let text = small.command(["explain", "checked-one"])?.ok()?;
    text.says("passed, with")?;
    text.says("  log       ")
}

#[test]
fn tests_side_by_side_are_heard_in_order() -> Result<()> {
    let small = Small::new()?;
    let mut text = recipe();
    text.truncate(text.find("  - name: checked-hostile").context("no test")?);
    text.extend((1..=6).map(|number| {
        // The first are the slowest.
        let pause = 6 - number;
        format!(
            "  - name: checked-{number}
    description: {number}
    pipeline: [{{ runs: 'mkdir -p ${{{{targets.subpkgdir}}}}/usr/share/n{number}' }}]
    test:
      environment: {{ contents: {{ packages: [shell] }} }}
      pipeline:
        - runs: 'for n in 1 2 3; do echo {number}-$n; sleep 0.{pause}; done'
"
        )
    }));
    small.write("recipes/checked.yaml", &text)?;
    let output = small
        .command(["build", "--log", "recipes/checked.yaml"])?
        .ok()?;
    let said: Vec<&str> = output.stderr.lines().map(str::trim).collect();
    let said: Vec<&&str> = said.iter().filter(|line| line.len() == 3).collect();
    let expected: Vec<String> = (1..=6)
        .flat_map(|number| (1..=3).map(move |line| format!("{number}-{line}")))
        .collect();
    ensure!(said == expected.iter().collect::<Vec<_>>(), "{output}");
    output.says("= test checked-6: step 1 of 1: step 1")
}

#[test]
fn a_failed_step_says_all_there_is_to_know() -> Result<()> {
    let small = Small::new()?;
    small.recipe(
        "one",
        "",
        "echo begins\nif true; then\n  ls /nowhere\nfi\necho never",
    )?;
    let output = small.command(["build", "recipes/one.yaml"])?.fails(1)?;
    output.says("build of one failed at step 'step 1': exit code 2")?;
    output.says("step 1 of 1")?;
    output.says("at or after line 3 of its script: ls /nowhere")?;
    output.says("    begins")?;
    let log = output
        .stderr
        .lines()
        .find_map(|line| line.trim().strip_prefix("log: "));
    let log = log.context("no log is named")?;
    ensure!(std::fs::read_to_string(log)?.contains("begins"), "{log}");
    let error = small
        .command(["build", "--json", "recipes/one.yaml"])?
        .fails(1)?;
    let step = error.json()?["error"]["step"].clone();
    ensure!(step["command"]["line"] == 3 && step["code"] == 2, "{step}");
    ensure!(step["log-file"] == log, "{step}");
    let workspace = step["workspace"].as_str().context("no workspace")?;
    ensure!(Path::new(workspace).join("home").exists(), "{step}");
    Ok(())
}

#[test]
fn a_step_that_is_refused_something_is_told_why() -> Result<()> {
    let small = Small::new()?;
    small.recipe("one", "", "echo a > x; chmod 444 x\necho b > x")?;
    let output = small.command(["build", "recipes/one.yaml"])?.fails(1)?;
    output.says("a step has no privileges")?;
    output.says("`chmod u+w FILE` before")?;
    small.recipe(
        "one",
        "",
        "echo Permission denied\necho b c d e f | tr ' ' '\\n'\nfalse",
    )?;
    let output = small.command(["build", "recipes/one.yaml"])?.fails(1)?;
    output.says("correct the recipe. A shell where it stands")
}

#[test]
fn what_lies_in_the_workspace() -> Result<()> {
    let small = Small::new()?;
    let test = "test:\n  environment:\n    contents:\n      packages: [shell]\n  pipeline:\n    - runs: test -z \"$(ls -A)\"\n";
    let there = ".melange.clang.cfg .melange.fdo.h .melange.gcc.spec melange-out";
    let script = format!("test \"$(echo $(ls -A | LC_ALL=C sort))\" = '{there}'");
    small.recipe("one", "", &script)?;
    let whole = std::fs::read_to_string(small.path().join("recipes/one.yaml"))?;
    small.write("recipes/one.yaml", &format!("{whole}{test}"))?;
    small.command(["build", "recipes/one.yaml"])?.ok()?;
    small.command(["test", "recipes/one.yaml"])?.ok()?;
    Ok(())
}

/// Subpackages whose tests cannot be set up, or not started, between others.
const UNREADY: &str = "\
subpackages:
  - name: lost
    test:
      environment:
        contents:
          packages:
            - shell
            - nowhere
      pipeline: [{ runs: 'true' }]
  - name: bare
    test:
      pipeline: [{ runs: 'true' }]
  - name: good
    test:
      environment: { contents: { packages: [shell] } }
      pipeline: [{ runs: 'true' }]
";

#[test]
fn a_test_that_cannot_be_run_stops_no_other() -> Result<()> {
    let small = Small::new()?;
    let one = boltworks_tests::small::recipe("one", "", "true");
    let bare = one.clone() + "subpackages: [{ name: lost }, { name: bare }, { name: good }]\n";
    small.write("recipes/one.yaml", &bare)?;
    small.command(["build", "recipes/one.yaml"])?.ok()?;
    small.write("recipes/one.yaml", &(one.clone() + UNREADY))?;
    let words = [
        "✗ lost: it could not be run",
        "recipes/one.yaml:21:15: the packages of the test of lost cannot be chosen",
        "✗ bare: it could not be run",
        "help: add a shell to `test.environment.contents.packages`",
        "✓ good",
        "2 of 3 tests failed",
    ];
    let output = small.command(["test", "recipes/one.yaml"])?.fails(1)?;
    for words in words {
        output.says(words)?;
    }
    let output = small.command(["test", "--json", "recipes/one.yaml"])?;
    let tests = output.fails(1)?.json()?["tests"].clone();
    let passed = [&tests[0], &tests[1], &tests[2]].map(|test| test["passed"] == true);
    ensure!(passed == [false, false, true], "{tests}");
    ensure!(
        tests[0]["unready"].to_string().contains("nowhere"),
        "{tests}"
    );
    // Alone it is the command's own error.
    let alone = small.command(["test", "recipes/one.yaml", "lost"])?;
    alone.fails(1)?.says("nowhere")?;
    Ok(())
}

#[test]
fn who_tests_what_was_never_built_is_told_what_builds_it() -> Result<()> {
    let small = Small::new()?;
    let tested = "test:\n  environment: { contents: { packages: [shell] } }\n  \
                  pipeline: [{ runs: 'true' }]\n";
    let text = boltworks_tests::small::recipe("one", "", "true");
    let test = |text: &str| -> Result<_> {
        small.write("recipes/one.yaml", &format!("{text}{tested}"))?;
        small.command(["test", "recipes/one.yaml"])?.fails(1)
    };
    let never = test(&text)?;
    never.says("package one-1-r0 is not there\n")?;
    never.says("help: build it first: boltworks build recipes/one.yaml")?;
    let split = format!("{text}subpackages: [{{ name: one-more, test: {{ pipeline: [] }} }}]\n");
    small.write("recipes/one.yaml", &split)?;
    small.command(["build", "recipes/one.yaml"])?.ok()?;
    let older = test(&split.replace("epoch: 0", "epoch: 1"))?;
    older.says("package one-1-r1 is not there, there is 1-r0 (os)")?;
    older.says("help: build it first: boltworks build recipes/one.yaml")?;
    // As melange is called, any version does, and packages come from folders.
    let other = boltworks_tests::small::recipe("two", "", "true") + tested;
    small.write("two.yaml", &other)?;
    let melange = small.command(["melange", "test", "two.yaml"])?.fails(1)?;
    melange.says("package two is not there\n")?;
    melange.says("help: build it first: melange build two.yaml, and name its out-dir")
}
