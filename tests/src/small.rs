//! A factory that is made in a second, from a tiny stage 0.
//!
//! Stage 0 comes from Debian's archive, through the program itself, once for all tests of a
//! process; each test gets a copy.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use crate::folder::shared_in_memory;
use crate::{Command, Factory, Folder};

/// Three recipes that need one another not, and an image of them.
const CONFIGURATION: &str = "\
factory: small
recipes: [recipes]
images: [images]
stage0:
  debian: { suite: trixie }
  packages: [bash, coreutils]
  provides:
    shell: [bash, coreutils]
repositories:
  os: {}
channels:
  \"small:1\": { image: small }
policies:
  release:
    require: [materials, sbom, signature, origin]
    forbid-repositories: [stage0]
";

const IMAGE: &str = "\
contents:
  packages: [one, two, three]
archs: [x86_64]
";

/// A small factory, not made yet, but for its stage 0.
#[derive(Debug)]
pub struct Small {
    /// The factory.
    pub factory: Factory,
    folder: Folder,
}

impl std::ops::Deref for Small {
    type Target = Factory;

    fn deref(&self) -> &Factory {
        &self.factory
    }
}

impl Small {
    /// With recipes `one`, `two` and `three`, and the image `small` of them.
    pub fn new() -> Result<Self> {
        let small = Self::empty()?;
        for name in ["one", "two", "three"] {
            small.recipe(name, "", &writes(name))?;
        }
        small.write("images/small.yaml", IMAGE)?;
        Ok(small)
    }

    /// Without recipes, images and channels.
    pub fn empty() -> Result<Self> {
        let folder = Folder::inside(&shared_in_memory("small")?)?;
        let factory = Factory::at(folder.path().join("factory"));
        std::fs::create_dir(factory.path())?;
        let start = start()?;
        for part in ["keys", ".boltworks", "boltworks.yaml"] {
            let copy = Command::new("cp").arg("-a").arg(start.join(part));
            copy.arg(factory.path().join(part)).ok()?;
        }
        std::fs::create_dir(factory.path().join("recipes"))?;
        std::fs::create_dir(factory.path().join("images"))?;
        Ok(Self { factory, folder })
    }

    /// Writes a recipe: more packages for its environment (`a, b`), and a shell script.
    pub fn recipe(&self, name: &str, more: &str, script: &str) -> Result<()> {
        self.write(&format!("recipes/{name}.yaml"), &recipe(name, more, script))
    }

    /// The folder around the factory.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// A script that installs a file `/usr/share/<name>` with the name in it.
pub fn writes(name: &str) -> String {
    let share = "${{targets.destdir}}/usr/share";
    format!("mkdir -p {share}\necho {name} > {share}/{name}")
}

/// The text of a recipe.
pub fn recipe(name: &str, more: &str, script: &str) -> String {
    let script = script.replace('\n', "\n      ");
    format!(
        "\
package:
  name: {name}
  version: \"1\"
  epoch: 0
  description: the package {name}
  copyright:
    - license: Apache-2.0
environment:
  contents:
    packages: [shell, {more}]
pipeline:
  - runs: |
      {script}
"
    )
    .replace(", ]", "]")
}

/// A factory with stage 0 and nothing else. Made once.
fn start() -> Result<PathBuf> {
    static START: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    START
        .get_or_init(|| make_start().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|reason| anyhow!("the small factory has no stage 0: {reason}"))
}

fn make_start() -> Result<PathBuf> {
    let folder = shared_in_memory("small")?;
    let factory = Factory::at(folder.join("start"));
    std::fs::create_dir_all(factory.path().join("recipes"))?;
    std::fs::create_dir_all(factory.path().join("images"))?;
    // A channel needs its image: the first configuration has neither.
    factory.write("boltworks.yaml", CONFIGURATION)?;
    factory.write("images/small.yaml", IMAGE)?;
    factory.command(["stage0"])?.ok()?;
    // What apt keeps is large, and of use only for making stage 0 anew.
    Command::new("rm")
        .arg("-rf")
        .arg(factory.state().join("apt"))
        .ok()?;
    Ok(factory.path().to_owned())
}
