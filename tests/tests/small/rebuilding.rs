//! Packages made again from the recipe inside them, with the records that know them and far from home;
//! and their files looked at again.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::program::program;
use boltworks_tests::small::{Small, recipe, writes};
use boltworks_tests::{Command, Folder};
use serde_json::Value;

/// A second package, and variables that the first stage fills in.
const SUBPACKAGE: &str = "\
subpackages:
  - name: whole-doc
    description: of ${{package.name}}
    dependencies:
      runtime: [whole]
    pipeline:
      - runs: |
          mkdir -p ${{targets.destdir}}/usr/bin ${{targets.subpkgdir}}/usr/share/doc
          printf '#!/usr/bin/env bash\\n' > ${{targets.destdir}}/usr/bin/say
          chmod 755 ${{targets.destdir}}/usr/bin/say
          cp word ${{targets.subpkgdir}}/usr/share/doc/word
          ln -s word ${{targets.subpkgdir}}/usr/share/doc/link
";

/// A factory with a package that was built from a recipe and a file beside it.
struct Desk {
    small: Small,
}

impl Desk {
    fn new() -> Result<Self> {
        let small = Small::new()?;
        let text = recipe("whole", "", &format!("{}\ncat word", writes("whole"))) + SUBPACKAGE;
        small.write("recipes/whole.yaml", &text)?;
        small.write("recipes/whole/word", "first\n")?;
        let build = ["build", "recipes/whole.yaml", "--out-dir", "out"];
        let date = ["--build-date", "2020-01-02T03:04:05Z"];
        small.command(build.into_iter().chain(date))?.ok()?;
        Ok(Self { small })
    }

    fn package(&self, name: &str) -> PathBuf {
        let folder = self.small.path().join("out/x86_64");
        folder.join(format!("{name}-1-r0.apk"))
    }

    fn rebuild(&self) -> Result<Command> {
        let command = self.small.command(["apk", "rebuild", "--json"])?;
        Ok(command.arg(self.package("whole")))
    }
}

fn only(document: &Value) -> Result<&Value> {
    let packages = document["packages"].as_array().context("no packages")?;
    let [package] = packages.as_slice() else {
        anyhow::bail!("one package was named: {document}");
    };
    Ok(package)
}

#[test]
fn what_nothing_changed_is_made_again_to_the_byte() -> Result<()> {
    let desk = Desk::new()?;
    let command = desk.rebuild()?.arg(desk.package("whole-doc"));
    let document = command.args(["--out-dir", "again"]).ok()?.json()?;
    ensure!(document["equal"] == true, "{document}");
    for package in document["packages"].as_array().context("no packages")? {
        ensure!(package["built-among"] == "recorded", "{document}");
        ensure!(package["same-bytes"] == true, "{document}");
    }
    for name in ["whole", "whole-doc"] {
        let file = format!("again/x86_64/{name}-1-r0.apk");
        let again = std::fs::read(desk.small.path().join(file))?;
        ensure!(again == std::fs::read(desk.package(name))?, "{name}");
    }
    // It was no build: nothing of it is known to the factory.
    let explained = desk.small.explain("whole")?;
    ensure!(explained.len() == 1, "{explained:?}");
    Ok(())
}

#[test]
fn a_file_that_became_another_is_shown() -> Result<()> {
    let desk = Desk::new()?;
    desk.small.write("recipes/whole/word", "second\n")?;
    let document = desk.rebuild()?.fails(1)?.json()?;
    let package = only(&document)?;
    let changes = package["changes"].to_string();
    ensure!(changes.contains("file word: other bytes"), "{document}");
    // The file is in the other package; here only the SBOM names what went in.
    let files = package["difference"]["files"].as_array();
    let [sbom] = files.context("no files")?.as_slice() else {
        anyhow::bail!("one file differs: {document}");
    };
    ensure!(sbom["path"].to_string().contains("sbom"), "{document}");
    let doc = desk.package("whole-doc");
    let again = desk.small.command(["apk", "rebuild"])?.arg(&doc);
    let output = again.fails(1)?;
    output.says("whole-doc-1-r0: different")?;
    output.says("~ usr/share/doc/word: size 6 → 7, content sha256:")?;
    // The file as it was.
    let folder = Folder::new()?;
    std::fs::write(folder.path().join("word"), "first\n")?;
    again.arg("--source-dir").arg(folder.path()).ok()?;
    Ok(())
}

#[test]
fn another_key_is_told_and_is_no_difference() -> Result<()> {
    let desk = Desk::new()?;
    let folder = Folder::new()?;
    let key = folder.path().join("other.rsa");
    desk.small.command(["apk", "keygen"])?.arg(&key).ok()?;
    let again = desk.rebuild()?.arg("--signing-key").arg(&key).ok()?;
    let document = again.json()?;
    let package = only(&document)?;
    ensure!(package["equal"] == true, "{document}");
    ensure!(
        package["signed-by"] == serde_json::json!(["small.rsa.pub"]),
        "{document}"
    );
    ensure!(
        package["signed-again-by"] == serde_json::json!(["other.rsa.pub"]),
        "{document}"
    );
    Ok(())
}

#[test]
fn far_from_home_it_is_built_among_the_newest() -> Result<()> {
    let desk = Desk::new()?;
    let small = &desk.small;
    small.command(["stage0", "--out-dir", "os"])?.ok()?;
    let folder = Folder::new()?;
    let melange = folder.path().join("melange");
    std::os::unix::fs::symlink(program()?, &melange)?;
    let key = small.path().join("keys/small.rsa.pub");
    let again = || {
        let command = Command::new(&melange).dir(folder.path());
        let command = command.env("XDG_CACHE_HOME", folder.path().join("cache"));
        let command = command.arg("rebuild").arg(desk.package("whole"));
        command.arg("-k").arg(&key)
    };
    again().fails(1)?.says("no repository has shell")?;
    let again = || again().arg("-r").arg(small.path().join("os"));
    // What lay beside the recipe is not in the package.
    again().fails(1)?.says("word")?;
    // A folder that is not there has no files either, and is told of.
    let output = again().args(["--source-dir", "nowhere"]).fails(1)?;
    output.says("--source-dir nowhere is not there")?;
    output.says("word")?;
    let files = small.path().join("recipes/whole");
    let output = again().arg("--source-dir").arg(files).ok()?;
    output.says("whole-1-r0: equal")?;
    output.says("the newest packages there are")?;
    output.says("signed by small.rsa.pub then, by nobody now")?;
    let written = folder.path().join("rebuilt-packages/x86_64/whole-1-r0.apk");
    ensure!(written.exists(), "{output}");
    Ok(())
}

#[test]
fn files_say_again_what_packages_say() -> Result<()> {
    let desk = Desk::new()?;
    let scan = |words: &[&str]| -> Result<Command> {
        let command = desk.small.command(["apk", "scan", "--diff"])?.args(words);
        Ok(command.arg(desk.package("whole")))
    };
    let doc = desk.package("whole-doc");
    let both = scan(&["--comments"])?.arg(&doc).ok()?;
    both.says("whole-1-r0.apk: as it says")?;
    both.says("whole-doc-1-r0.apk: as it says")?;
    let document = scan(&["--json"])?.ok()?.json()?;
    let found = &only(&document)?["found"];
    let text = found["depends"].to_string() + &found["provides"].to_string();
    ensure!(text.contains("cmd:bash"), "{document}");
    ensure!(text.contains("cmd:say=1-r0"), "{document}");
    // The other package of the build says what links lead to: that it is gone is told.
    let away = desk.small.path().join("away.apk");
    std::fs::rename(&doc, &away)?;
    scan(&[])?.ok()?.says("whole-doc-1-r0.apk is not there")?;
    std::fs::rename(&away, &doc)?;
    // By another recipe they would say something else.
    let recipe = "recipes/whole.yaml";
    desk.small
        .edit(recipe, "runtime: [whole]", "runtime: [other]")?;
    let melange = desk
        .small
        .command(["melange", "scan", recipe, "-r", "out"])?;
    let output = melange.clone().arg("--diff").fails(1)?;
    output.says("- depend whole")?;
    output.says("+ depend other")?;
    let output = melange.args(["-p", "whole"]).ok()?;
    output.says("pkgname = whole\n")?;
    ensure!(!output.stdout.contains("whole-doc"), "{output}");
    Ok(())
}
