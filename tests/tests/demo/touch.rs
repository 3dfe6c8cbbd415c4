//! One recipe of the demo is touched: it is rebuilt, and only what depends on its bytes.

use anyhow::{Result, ensure};
use boltworks_tests::factory::names;

use crate::once::Demo;

#[test]
fn a_touched_recipe_rebuilds_only_what_needs_its_bytes() -> Result<()> {
    let (_folder, copy) = Demo::get()?.factory.copy()?;
    let before = copy.channels()?;
    copy.edit(
        "recipes/zlib.yaml",
        "package:\n",
        "# the deflate library\npackage:\n",
    )?;
    copy.command(["plan"])?.ok()?.says("nothing is stale")?;

    copy.edit("recipes/zlib.yaml", "  epoch: 0\n", "  epoch: 1\n")?;
    let plan = copy.plan()?;
    let fresh = [
        "recipe baselayout",
        "recipe ca-certificates",
        "recipe musl",
        "recipe pcre2",
        "image static",
    ];
    for subject in fresh {
        ensure!(plan[subject] == "fresh", "{subject}: {plan:?}");
    }
    ensure!(plan["recipe zlib"] == "stale", "{plan:?}");
    let report = copy.up()?;
    let made = names(&["recipe zlib", "recipe lighttpd", "image web"]);
    ensure!(report.with("made") == made, "{}", report.document());
    ensure!(
        report.with("fresh") == names(&fresh),
        "{}",
        report.document()
    );
    let after = copy.channels()?;
    ensure!(
        after["web:1.4"] != before["web:1.4"],
        "the image is the old one"
    );
    ensure!(
        after["static:1"] == before["static:1"],
        "the other image changed"
    );
    copy.verify_store()
}
