//! What lies beside a recipe and changes while it is built: logs, and what other builds leave there.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Result, ensure};
use boltworks_tests::Command;
use boltworks_tests::small::recipe;

use crate::melange::Desk;

/// Writes into a folder until it is stopped: a log that grows, a file that is another every time, one
/// that comes and goes, and the same beneath a folder that does.
const BUSY: &str = "\
while :; do
    echo more >> log
    echo $((n += 1)) > swap; echo $n > new; mv new moved
    mkdir -p come; echo it > come/go; rm -r come
done";

/// Shows that the log is as it was, whatever was added to it, and puts what the step saw into its package.
const SCRIPT: &str = "test \"$(head -n 1 log)\" = first\n\
    mkdir -p ${{targets.destdir}}/usr/share\n\
    sha256sum swap moved > ${{targets.destdir}}/usr/share/sums || true";

#[test]
fn what_changes_beside_a_recipe_stops_no_build() -> Result<()> {
    let desk = Desk::new()?;
    std::fs::write(desk.path("recipes/log"), "first\n")?;
    let folder = desk.path("recipes");
    let busy = Command::new("bash").args(["-c", BUSY]).dir(&folder);
    let busy = busy.start()?;
    for round in 0..4 {
        let script = format!("{SCRIPT}\ntrue {round}");
        std::fs::write(folder.join("look.yaml"), recipe("look", "", &script))?;
        desk.with_os("build recipes/look.yaml --out-dir recipes/packages")
            .ok()?;
    }
    drop(busy);
    // Nothing changes any more: what is recorded is what was seen.
    let build = "build recipes/look.yaml --out-dir recipes/packages";
    desk.with_os(build).ok()?;
    desk.with_os(build).ok()?.says("made before")
}

/// As Makefiles do it.
#[test]
fn a_log_beside_the_recipe_grows_while_it_is_built() -> Result<()> {
    let desk = Desk::new()?;
    let text = recipe(
        "talks",
        "",
        "for n in $(seq 50); do echo $n; done; test -e build.log",
    );
    std::fs::write(desk.path("recipes/talks.yaml"), text)?;
    let key = desk.key();
    let line = format!(
        "set -o pipefail; echo first > build.log; ../melange build talks.yaml --debug \
         -r ../os -k {} 2>&1 | tee -a build.log",
        key.display()
    );
    let shell = Command::new("bash").args(["-c", &line]);
    let shell = shell.env("XDG_CACHE_HOME", desk.path("cache"));
    shell.dir(desk.path("recipes")).ok()?;
    let log = std::fs::read_to_string(desk.path("recipes/build.log"))?;
    ensure!(log.contains("talks-1-r0"), "{log}");
    Ok(())
}
