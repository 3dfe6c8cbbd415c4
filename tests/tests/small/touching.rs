//! What a change makes stale: only what depends on its bytes.

use anyhow::{Result, ensure};
use boltworks_tests::factory::names;
use boltworks_tests::small::{Small, recipe, writes};

/// `two` is built with `one`, `three` with `two`; the image holds all three.
fn chain() -> Result<Small> {
    let small = Small::new()?;
    small.recipe("two", "one", &writes("two"))?;
    small.recipe("three", "two", &writes("three"))?;
    small.up()?;
    Ok(small)
}

#[test]
fn a_comment_changes_nothing() -> Result<()> {
    let small = chain()?;
    let text = format!(
        "# a comment\n{}\n# and another\n",
        recipe("one", "", &writes("one"))
    );
    small.write("recipes/one.yaml", &text)?;
    small.command(["plan"])?.ok()?.says("nothing is stale")?;
    let report = small.up()?;
    ensure!(report.with("made").is_empty(), "{}", report.document());
    Ok(())
}

#[test]
fn equal_bytes_cut_off_what_follows() -> Result<()> {
    let small = chain()?;
    let before = small.channels()?;
    small.recipe("one", "", &writes("one and more"))?;
    let plan = small.plan()?;
    ensure!(
        plan["recipe one"] == "stale" && plan["recipe two"] != "fresh",
        "{plan:?}"
    );
    let report = small.up()?;
    // `two` was built anew, because its environment has other bytes, and came out the same: so
    // nothing that is built with `two` alone is touched.
    let made = names(&["recipe one", "recipe two", "image small"]);
    ensure!(report.with("made") == made, "{}", report.document());
    ensure!(
        report.row("recipe one")?["changed"] == true,
        "{}",
        report.document()
    );
    ensure!(
        report.row("recipe two")?["changed"] == false,
        "{}",
        report.document()
    );
    ensure!(
        report.with("fresh") == names(&["recipe three"]),
        "{}",
        report.document()
    );
    ensure!(small.channels()? != before, "the image is the old one");
    small.command(["plan"])?.ok()?.says("nothing is stale")?;
    Ok(())
}

#[test]
fn a_change_and_its_reversal_build_nothing_twice() -> Result<()> {
    let small = chain()?;
    let before = small.channels()?;
    small.recipe("one", "", &writes("something else"))?;
    small.up()?;
    small.recipe("one", "", &writes("one"))?;
    let report = small.up()?;
    ensure!(report.with("made").is_empty(), "{}", report.document());
    ensure!(small.channels()? == before, "the channels did not go back");
    Ok(())
}

#[test]
fn explain_names_reason_and_materials() -> Result<()> {
    let small = chain()?;
    small.recipe("one", "", &writes("another"))?;
    small.up()?;
    let newest = small.explain("one")?;
    ensure!(newest.len() == 1, "the older one is shown too: {newest:?}");
    let all = small.command(["explain", "--all", "--json", "one"])?;
    let explained = all.ok()?.json()?;
    let explained = explained.as_array().map_or(&[][..], Vec::as_slice);
    ensure!(
        explained.len() == 2,
        "two packages of that name were made: {explained:?}"
    );
    let newest = &explained[0];
    ensure!(newest["because"][0] == "the recipe changed", "{newest}");
    let materials = newest["materials"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    for kind in ["recipe", "package", "builder"] {
        let is_there = materials.iter().any(|material| material["type"] == kind);
        ensure!(is_there, "no {kind} among the materials of {newest}");
    }
    Ok(())
}
