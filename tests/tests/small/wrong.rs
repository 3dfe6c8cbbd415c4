//! What is wrong in a factory's files is said clearly, with its place and what would help.

use anyhow::{Result, ensure};
use boltworks_tests::small::{Small, recipe, writes};

#[test]
fn an_unknown_key_has_a_place_and_a_suggestion() -> Result<()> {
    let small = Small::new()?;
    let text = recipe("two", "", &writes("two")).replace("pipeline:", "pipelin:");
    small.write("recipes/two.yaml", &text)?;
    for command in ["plan", "up"] {
        let output = small.command([command])?.fails(1)?;
        output.says("✗ recipe two")?;
        output.says("recipes/two.yaml:11:1")?;
        output.says("pipelin")?;
        output.says("did you mean 'pipeline'?")?;
    }
    small.recipe("two", "", &writes("two"))?;
    small.edit("boltworks.yaml", "channels:", "chanels:")?;
    let output = small.command(["plan"])?.fails(2)?;
    output.says("boltworks.yaml:")?;
    output.says("did you mean 'channels'?")?;
    small.edit("boltworks.yaml", "chanels:", "channels:")?;
    small.edit("boltworks.yaml", "image: small", "image: smal")?;
    let output = small.command(["plan"])?.fails(2)?;
    output.says("boltworks.yaml:")?;
    output.says("there is no image 'smal'")?;
    output.says("did you mean 'small'?")
}

#[test]
fn a_missing_dependency_is_named_with_who_wants_it() -> Result<()> {
    let small = Small::new()?;
    small.recipe("two", "no-such-package", &writes("two"))?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("no-such-package")?;
    output.says("✓ recipe one")?;
    ensure!(
        output.stdout.contains("- recipe two") || output.stdout.contains("✗ recipe two"),
        "{output}"
    );
    output.says("- image small")
}

#[test]
fn a_circle_is_named() -> Result<()> {
    let small = Small::new()?;
    small.recipe("two", "three", &writes("two"))?;
    small.recipe("three", "two", &writes("three"))?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("recipes need one another in a circle: three needs two needs three")?;
    output.says("✓ recipe one")?;
    output.says("- image small")
}

#[test]
fn two_recipes_of_one_name_are_refused() -> Result<()> {
    let small = Small::new()?;
    small.write("recipes/again.yaml", &recipe("two", "", &writes("two")))?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("✗ recipe two")?;
    output.says("it is made by two files, recipes/again.yaml and recipes/two.yaml")?;
    output.says("✓ recipe one")?;
    output.says("- image small")
}

#[test]
fn a_folder_without_a_factory_says_how_to_make_one() -> Result<()> {
    let folder = boltworks_tests::Folder::new()?;
    let output = boltworks_tests::Factory::at(folder.path())
        .command(["up"])?
        .fails(2)?;
    output.says("boltworks init")
}

#[test]
fn a_file_that_is_no_recipe_says_where_and_what_to_do() -> Result<()> {
    let small = Small::new()?;
    let told = |content: &[u8], place: &str, help: &str| {
        small.write_bytes("odd.yaml", content)?;
        let output = small.command(["recipe", "compile", "odd.yaml"])?.fails(2)?;
        output.says(place)?;
        output.says(help)?;
        let output = small
            .command(["recipe", "compile", "odd.yaml", "--json"])?
            .fails(2)?;
        let document: serde_json::Value = serde_json::from_str(&output.stdout)?;
        let lines = document["error"]["help"].to_string();
        ensure!(lines.contains(help), "{output}");
        anyhow::Ok(())
    };
    told(b"package:\n  name: caf\xe9\n", "odd.yaml:2:12", "UTF-8")?;
    told(&vec![b'#'; (4 << 20) + 1], "odd.yaml", "make several of it")?;
    told(b"", "odd.yaml:1:1", "a recipe begins with `package:`")?;
    told(
        b"package:\n  name: ..\n  version: 1\n",
        "odd.yaml:2:9",
        "a letter or a digit",
    )?;
    told(
        b"package:\n  name: a\n  versoin: 1\n",
        "odd.yaml:3:3",
        "did you mean 'version'?",
    )
}

#[test]
fn an_address_that_nothing_can_fetch_is_shown_where_it_stands() -> Result<()> {
    let small = Small::new()?;
    let text = recipe("two", "", &writes("two"));
    let fetch = "pipeline:\n  - uses: fetch\n    with:\n      uri: file:///etc/passwd\n      expected-sha256: ";
    let digest = "9".repeat(64);
    let text = text.replace("pipeline:\n", &format!("{fetch}{digest}\n"));
    small.write("recipes/two.yaml", &text)?;
    let output = small.command(["up"])?.fails(1)?;
    output.says("✗ recipe two")?;
    output.says("nothing here can fetch 'file:///etc/passwd'")?;
    output.says("recipes/two.yaml:14:12")
}
