//! What a recipe names of the machine, what a command line names that is not there, and what is said of
//! a failure.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::Command;
use boltworks_tests::small::{recipe, writes};

use crate::melange::Desk;

/// A recipe whose environment, or that of its test, names something of the machine.
fn naming(desk: &Desk, what: &str, is_of_test: bool) -> Result<()> {
    let text = recipe("names", "", &writes("names"));
    let text = if is_of_test {
        let test = "test:\n  environment:\n    contents:\n      packages: [shell]\n";
        format!("{text}{test}      {what}\n  pipeline: [{{ runs: \"true\" }}]\n")
    } else {
        text.replace("  contents:\n", &format!("  contents:\n    {what}\n"))
    };
    std::fs::write(desk.path("recipes/names.yaml"), text)?;
    Ok(())
}

#[test]
fn a_recipe_names_nothing_outside_of_its_folder() -> Result<()> {
    let desk = Desk::new()?;
    std::os::unix::fs::symlink("/etc", desk.path("recipes/link"))?;
    std::fs::copy(desk.key(), desk.path("small.rsa.pub"))?;
    let elsewhere = desk.key().display().to_string();
    let build = "build recipes/names.yaml --out-dir packages";
    for (field, named, flag) in [
        ("keyring", "/etc/shadow", "--keyring-append"),
        ("keyring", "../small.rsa.pub", "--keyring-append"),
        ("keyring", "recipes/link/shadow", "--keyring-append"),
        ("repositories", "/root", "--repository-append"),
        ("build_repositories", "recipes/link", "--repository-append"),
    ] {
        naming(&desk, &format!("{field}: ['{named}']"), false)?;
        let output = desk.with_os(build).fails(2)?;
        output.says(&format!("{named} lies outside"))?;
        output.says("--> recipes/names.yaml:10:")?;
        output.says(&format!("name it yourself: {flag} {named}"))?;
    }
    // What the command line names may lie anywhere.
    naming(
        &desk,
        &format!("keyring: ['{elsewhere}', small.rsa.pub]"),
        false,
    )?;
    desk.melange(build).args(["-r", "os"]).fails(2)?;
    desk.with_os(build).ok()?;

    naming(&desk, "keyring: [/etc/shadow]", true)?;
    let test = desk.with_os("test recipes/names.yaml -r packages --ignore-signatures");
    let output = test.fails(2)?;
    output.says("/etc/shadow lies outside")?;
    output.says("--> recipes/names.yaml:19:17")?;

    // The repository and the key of the folder that the command runs in.
    naming(
        &desk,
        "repositories: [./os]\n    keyring: [small.rsa.pub]",
        false,
    )?;
    desk.melange(build).ok()?;
    let from_its_folder = Command::new("../melange").dir(desk.path("recipes"));
    let from_its_folder = from_its_folder
        .env("XDG_CACHE_HOME", desk.path("cache"))
        .args(["build", "names.yaml", "--out-dir", "../packages"]);
    from_its_folder.fails(2)?;
    Ok(())
}

#[test]
fn a_folder_of_pipelines_that_is_not_there_is_told() -> Result<()> {
    let desk = Desk::new()?;
    let compile = desk.melange("compile recipes/echo.yaml --pipeline-dir ./pipelines");
    let output = compile.ok()?;
    output.says("! --pipeline-dir ./pipelines is not there")?;
    ensure!(output.stdout.starts_with('{'), "{output}");
    let lint = Command::new(boltworks_tests::program::program()?).dir(desk.path("recipes"));
    lint.args(["recipe", "lint", "echo.yaml", "--pipeline-dir", "none"])
        .ok()?
        .says("! --pipeline-dir none is not there")
}

#[test]
fn a_failure_is_told_once_with_a_command_that_can_be_pasted() -> Result<()> {
    let desk = Desk::new()?;
    let text = recipe("fails", "", "exit 3");
    std::fs::write(desk.path("recipes/fails.yaml"), text)?;
    let output = desk.with_os("build recipes/fails.yaml").fails(1)?;
    let times = output.stderr.matches("failed at step").count();
    ensure!(times == 1, "{output}");
    let line = output.stderr.lines().last().unwrap_or_default();
    let shell = line.split_once("where it stands: ");
    let (_, shell) = shell.context(format!("no shell: {output}"))?;
    let pasted = Command::new("bash").args(["-c", shell]);
    pasted.fails(2)?.says("boltworks shell needs a terminal")
}
