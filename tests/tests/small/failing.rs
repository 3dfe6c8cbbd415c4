//! A failed recipe: the others are made, and the end says what failed, its last lines and its log.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::Report;
use boltworks_tests::factory::names;
use boltworks_tests::small::{Small, writes};
use serde_json::Value;

/// Says three hundred lines and fails.
const FAILS: &str = "for n in $(seq 300); do echo line $n of many; done\nexit 3";

#[test]
fn a_failed_recipe_does_not_stop_the_others() -> Result<()> {
    let small = Small::new()?;
    small.recipe("two", "", FAILS)?;
    small.recipe("three", "two", &writes("three"))?;
    small.recipe("four", "", &writes("four"))?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("✓ recipe four")?;
    output.says("✗ recipe two")?;
    output.says("- recipe three")?;
    output.says("line 300 of many")?;
    ensure!(
        !output.stdout.contains("line 2 of many"),
        "the whole log is printed: {output}"
    );
    let log = output
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("log: "));
    let log = std::fs::read_to_string(log.context("no log is named")?)?;
    ensure!(
        log.contains("line 1 of many"),
        "the log lacks the beginning: {log}"
    );
    let again = small.command(["up", "--json"])?.fails(1)?;
    let report = Report::of(&again)?;
    ensure!(report.with("failed") == names(&["recipe two"]), "{again}");
    ensure!(
        report.with("fresh") == names(&["recipe four", "recipe one"]),
        "{again}"
    );
    ensure!(
        report.with("skipped") == names(&["image small", "recipe three"]),
        "{again}"
    );
    cured(&small)
}

/// Three packages with tests, of which two fail and one passes.
const TESTED: &str = "\
subpackages:
  - name: tested-first
    test:
      environment: { contents: { packages: [shell] } }
      pipeline: [{ name: early, runs: echo first words; exit 4 }]
  - name: tested-second
    test:
      environment: { contents: { packages: [shell, nowhere] } }
      pipeline: [{ runs: 'true' }]
  - name: tested-third
    test:
      environment: { contents: { packages: [shell] } }
      pipeline: [{ runs: 'true' }]
test:
  environment: { contents: { packages: [shell] } }
  pipeline: [{ name: late, runs: echo last words; exit 5 }]
";

#[test]
fn all_tests_of_a_build_run_whatever_fails() -> Result<()> {
    let small = Small::new()?;
    let text = boltworks_tests::small::recipe("tested", "", "true") + TESTED;
    small.write("recipes/tested.yaml", &text)?;
    let build = ["build", "recipes/tested.yaml"];
    let output = small.command(build)?.fails(1)?;
    let words = [
        "error: 3 of 4 tests failed: tested, tested-first, tested-second",
        "✗ tested: step 'late': exit code 5",
        "last words",
        "✗ tested-first: step 'early': exit code 4",
        "first words",
        "✗ tested-second: it could not be run",
        "no repository has nowhere",
        "✓ test tested-third: passed",
        "boltworks shell",
    ];
    for words in words {
        output.says(words)?;
    }
    let error = small.command(build)?.arg("--json").fails(1)?.json()?["error"].clone();
    let packages: Vec<_> = error["tests"].as_array().into_iter().flatten().collect();
    let faults = packages.iter().map(|test| test["fault"]["code"].clone());
    let faults: Vec<_> = faults.collect();
    ensure!(faults == [5.into(), 4.into(), Value::Null], "{error}");
    ensure!(error["step"]["code"] == 5, "{error}");
    // Nothing is delivered, and one failure alone is told as ever.
    ensure!(!small.path().join("packages").exists(), "it is delivered");
    let one = text.replace("exit 5", "exit 0").replace(", nowhere", "");
    small.write("recipes/tested.yaml", &one)?;
    let output = small.command(build)?.fails(1)?;
    output.says("error: test of tested-first failed at step 'early': exit code 4")?;
    // The line goes on as well.
    small.write("recipes/tested.yaml", &text)?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("failed: 3 of 4 tests failed: tested, tested-first, tested-second")?;
    output.says("✗ tested-first: step 'early': exit code 4")
}

#[test]
fn a_recipe_says_how_long_its_build_may_take() -> Result<()> {
    let small = Small::new()?;
    let steps = "{ name: first, runs: sleep 0.7 }, { name: second, runs: sleep 0.7 }";
    let text = boltworks_tests::small::recipe("slow", "", "true");
    let (head, _) = text.split_once("pipeline:").context("a pipeline")?;
    let with = |timeout: &str| {
        let head = head.replace("package:\n", &format!("package:\n  timeout: {timeout}\n"));
        small.write("recipes/slow.yaml", &format!("{head}pipeline: [{steps}]\n"))
    };
    // Of all steps together: none alone is too slow.
    with("1s")?;
    let output = small.command(["build", "recipes/slow.yaml"])?.fails(1)?;
    output.says(
        "build of slow failed at step 'second': the build is over its time limit, 1 s \
         (`package.timeout`)",
    )?;
    ensure!(!small.path().join("packages").exists(), "it is delivered");
    for timeout in ["1m", "0"] {
        with(timeout)?;
        small.command(["build", "recipes/slow.yaml"])?.ok()?;
    }
    Ok(())
}

/// With the recipe cured, only what failed or waited is made.
fn cured(small: &Small) -> Result<()> {
    small.recipe("two", "", &writes("two"))?;
    let report = small.up()?;
    let made = names(&["image small", "recipe three", "recipe two"]);
    ensure!(report.with("made") == made, "{}", report.document());
    small.verify_store()
}

#[test]
fn a_file_that_is_not_understood_does_not_stop_the_others() -> Result<()> {
    let small = Small::new()?;
    small.up()?;
    let whole = std::fs::read_to_string(small.path().join("recipes/two.yaml"))?;
    // Under another name: the package's own still says what it was.
    std::fs::remove_file(small.path().join("recipes/two.yaml"))?;
    small.write("recipes/2.yaml", &whole.replace("pipeline:", "pipeline: ]"))?;
    small.recipe("one", "", &format!("{}\ntrue", writes("one")))?;
    small.recipe("four", "", &writes("four"))?;
    small.write(
        "images/alone.yaml",
        "contents: { packages: [one] }\narchs: [x86_64\n",
    )?;
    let output = small.command(["up", "--json"])?.fails(1)?;
    let report = Report::of(&output)?;
    ensure!(
        report.with("made") == names(&["recipe four", "recipe one"]),
        "{output}"
    );
    let failed = names(&["image alone", "recipe two"]);
    ensure!(report.with("failed") == failed, "{output}");
    ensure!(
        report.with("skipped") == names(&["image small"]),
        "{output}"
    );
    ensure!(
        released(&small)? == names(&["four", "one", "three", "two"]),
        "what was released of it before stays"
    );
    small
        .command(["build", "recipes/2.yaml"])?
        .fails(2)?
        .says("recipes/2.yaml:")?;
    std::fs::remove_file(small.path().join("images/alone.yaml"))?;
    small.write("recipes/2.yaml", &whole)?;
    let made = small.up()?.with("made");
    ensure!(
        made == names(&["image small"]),
        "the recipe is as it was: {made:?}"
    );
    Ok(())
}

#[test]
fn what_fails_its_test_is_not_released() -> Result<()> {
    let small = Small::new()?;
    let script = "echo the test looks at it; test -s /usr/share/nothing";
    let test = format!(
        "test:\n  environment:\n    contents:\n      packages: [shell]\n  pipeline:\n    - runs: {script}\n"
    );
    let good = std::fs::read_to_string(small.path().join("recipes/two.yaml"))?;
    small.write("recipes/two.yaml", &format!("{good}{test}"))?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("✗ recipe two")?;
    output.says("the test looks at it")?;
    output.says("- image small")?;
    let packages = released(&small)?;
    ensure!(
        packages == names(&["one", "three"]),
        "released: {packages:?}"
    );
    let cured = test.replace("/usr/share/nothing", "/usr/share/two");
    small.write("recipes/two.yaml", &format!("{good}{cured}"))?;
    small.up()?;
    ensure!(
        released(&small)? == names(&["one", "three", "two"]),
        "not all are released"
    );
    Ok(())
}

/// The names in the index that is served.
fn released(small: &Small) -> Result<std::collections::BTreeSet<String>> {
    let server = boltworks_tests::Server::of(small)?;
    let index = small.folder().path().join("index");
    let folder = small.folder().path().join("unpacked");
    let url = format!("http://{}/apk/os/x86_64/APKINDEX.tar.gz", server.address);
    boltworks_tests::Command::new(boltworks_tests::tools::need("curl")?)
        .args(["--silent", "--show-error", "--fail", "--output"])
        .arg(&index)
        .arg(url)
        .ok()?;
    boltworks_tests::layout::unpack(&index, &folder)?;
    let text = std::fs::read_to_string(folder.join("APKINDEX"))?;
    Ok(text
        .lines()
        .filter_map(|line| line.strip_prefix("P:"))
        .map(str::to_owned)
        .collect())
}

#[test]
fn what_a_recipe_did_is_said_with_what_helps() -> Result<()> {
    let small = Small::new()?;
    let says = |script: &str, what: &str, help: &str| {
        small.recipe("one", "", script)?;
        let output = small.command(["build", "recipes/one.yaml"])?.fails(1)?;
        output.says(what)?;
        output.says(&format!("help: {help}"))?;
        ensure!(!output.stderr.contains("with -v"), "{output}");
        Ok(())
    };
    let folder = "melange-out/one";
    says(
        &format!("rm -rf {folder}\nln -s /etc {folder}"),
        "take what the steps left for the package one: ",
        "correct the recipe: its steps must leave melange-out/one a folder",
    )?;
    for (script, path) in [
        ("touch .PKGINFO", ".PKGINFO"),
        ("echo x >b\nln b c", "c"),
        ("printf 'touch \"a\\nb\"' >x\n. ./x\nrm x", "a\\nb"),
    ] {
        says(
            &format!("mkdir -p {folder}\ncd {folder}\n{script}"),
            &format!("write the package one: take '{path}' into a package: "),
            &format!("correct the recipe: its steps must leave no such '{path}' for one"),
        )?;
    }
    let whole = std::fs::read_to_string(small.path().join("recipes/one.yaml"))?;
    small.write("recipes/one.yaml", &whole.replace("[shell]", "[]"))?;
    let output = small.command(["build", "recipes/one.yaml"])?.fails(1)?;
    output.says("build of one cannot start its step 'step 1'")?;
    output.says("help: add a shell to `environment.contents.packages` in the recipe")
}

#[test]
fn a_test_without_a_shell_says_that_it_needs_one() -> Result<()> {
    let small = Small::new()?;
    let test = "test:\n  pipeline:\n    - name: look\n      runs: ls /usr/share/two\n";
    let whole = std::fs::read_to_string(small.path().join("recipes/two.yaml"))?;
    small.write("recipes/two.yaml", &format!("{whole}{test}"))?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("test of two cannot start its step 'look'")?;
    // In a run over everything no line of advice follows by itself.
    output.says("add a shell to `test.environment.contents.packages` in the recipe")
}

#[test]
fn what_is_not_copied_is_told() -> Result<()> {
    let small = Small::new()?;
    small.write("recipes/one/file", "content")?;
    std::os::unix::fs::symlink("file", small.path().join("recipes/one/link"))?;
    small.recipe(
        "one",
        "",
        "mkdir -p melange-out/one\ncp file melange-out/one\ntest ! -e link",
    )?;
    let output = small.command(["build", "recipes/one.yaml"])?.ok()?;
    output.says("! link beside the recipe one is a symbolic link and is not copied")
}

#[test]
fn what_only_the_build_sees_is_told_where_it_stands() -> Result<()> {
    let small = Small::new()?;
    let with = |more: &str, accounts: &str| {
        let script = "install -D /dev/null melange-out/one/usr/bin/one";
        let text = boltworks_tests::small::recipe("one", "", script);
        let text = text.replace("environment:\n", &format!("{more}environment:\n{accounts}"));
        small.write("recipes/one.yaml", &text)?;
        small.command(["build", "recipes/one.yaml"])?.fails(2)
    };
    let wish = |path: &str, flags: &str| {
        format!("    - {{ path: {path}, add: {{ cap_net_raw: {flags} }}, reason: test }}\n")
    };
    let missing = with(&format!("  setcap:\n{}", wish("/usr/bin/two", "+ep")), "")?;
    missing.says("recipes/one.yaml:9:15")?;
    missing.says("its steps leave no such file")?;
    let (once, again) = (wish("/usr/bin/one", "+ep"), wish("usr/bin/one", "+p"));
    let twice = with(&format!("  setcap:\n{once}{again}"), "")?;
    twice.says("recipes/one.yaml:10:15")?;
    twice.says("it is asked for twice")?;
    let users = "  accounts: { run-as: root, users: [{ username: root, uid: 55 }] }\n";
    let root = with("", users)?;
    root.says("recipes/one.yaml:9:49")
}

#[test]
fn the_text_of_a_licence_is_there_in_the_end() -> Result<()> {
    let small = Small::new()?;
    let with = |script: &str| {
        let text = boltworks_tests::small::recipe("one", "", script);
        let named = "license: Apache-2.0\n      license-path: doc/COPYING";
        small.write(
            "recipes/one.yaml",
            &text.replace("license: Apache-2.0", named),
        )
    };
    let build = || small.command(["build", "recipes/one.yaml"]);
    with("mkdir -p doc/COPYING")?;
    let output = build()?.fails(2)?;
    output.says("recipes/one.yaml:8:21")?;
    output.says("left a folder, not a file, at \"doc/COPYING\", which a `license-path`")?;
    output.says("help: write where the text lies once all steps are done")?;
    // Links are followed, and lead nowhere else.
    with("mkdir doc; ln -s /etc/passwd doc/COPYING")?;
    let output = build()?.fails(2)?;
    output.says("left a link that leads to nothing")?;
    with("mkdir doc; mkfifo doc/COPYING")?;
    build()?.fails(2)?.says("left a pipe, not a file,")?;
    with("true")?;
    build()?.fails(2)?.says("left no file at")?;
    with("mkdir doc; echo text >here; ln -s ../here doc/COPYING")?;
    build()?.ok()?;
    Ok(())
}
