//! The factory of the pipelines, made once for all tests of this process, and once more elsewhere.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, ensure};
use boltworks_tests::folder::shared_in_memory;
use boltworks_tests::layout::unpack;
use boltworks_tests::program::repository;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Factory, Report};
use serde_json::Value;

use crate::cloned::Cloned;

/// What two factories made of the same recipes.
#[derive(Debug)]
pub(crate) struct Made {
    /// Packages by name, and their digests.
    pub(crate) first: BTreeMap<String, String>,
    /// The same in the other factory.
    pub(crate) second: BTreeMap<String, String>,
    /// What `apk info` says of each package.
    about: BTreeMap<String, Value>,
    folder: PathBuf,
    /// Where they were made first.
    pub(crate) factory: Factory,
    /// Whose repositories they are made from.
    pub(crate) cloned: Cloned,
}

impl Made {
    /// Made by whoever comes first.
    pub(crate) fn get() -> Result<&'static Self> {
        static MADE: OnceLock<Result<Made, String>> = OnceLock::new();
        let made = MADE.get_or_init(|| Self::make().map_err(|error| format!("{error:#}")));
        made.as_ref()
            .map_err(|reason| anyhow!("the recipes cannot be made: {reason}"))
    }

    fn make() -> Result<Self> {
        let folder = shared_in_memory("pipelines")?;
        let factory = Factory::at(folder.join("factory"));
        let files = repository().join("tests/tests/pipelines/factory");
        let copy = Command::new("cp").arg("-a").arg(files).arg(factory.path());
        copy.ok()?;
        std::fs::create_dir(factory.path().join("images"))?;
        let cloned = Cloned::new(&folder.join("upstream"), &factory)?;
        factory.command(["stage0"])?.ok()?;
        let (_copied, elsewhere) = factory.copy()?;
        factory.up()?;
        let again = Report::of(&elsewhere.command(["up", "--json"])?.ok()?)?;
        ensure!(again.with("made").len() > 5, "{:?}", again.document());
        let first = packages(&factory, &folder.join("index"))?;
        let second = packages(&elsewhere, &folder.join("index-elsewhere"))?;
        let unpacked = folder.join("unpacked");
        let mut about = BTreeMap::new();
        for (name, digest) in &first {
            let file = factory.blob(digest);
            unpack(&file, &unpacked.join(name))?;
            let told = factory.command(["apk", "info", "--json"])?.arg(&file);
            about.insert(name.clone(), told.ok()?.json()?);
        }
        Ok(Self {
            first,
            second,
            about,
            folder: unpacked,
            factory,
            cloned,
        })
    }

    /// The folder that holds one folder of files for each package.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of a package.
    pub(crate) fn file(&self, package: &str, path: &str) -> PathBuf {
        self.folder.join(package).join(path)
    }

    /// A package's files and links, sorted; without those that every package has.
    pub(crate) fn files(&self, package: &str) -> Result<Vec<String>> {
        let find = Command::new(need("find")?)
            .args([".", "-not", "-type", "d", "-printf", "%P\\n"])
            .dir(self.folder.join(package));
        let out = find.ok()?.stdout;
        let mut files: Vec<_> = out
            .lines()
            .filter(|path| !path.starts_with('.') && !path.starts_with("var/lib/db/sbom/"))
            .map(str::to_owned)
            .collect();
        files.sort_unstable();
        Ok(files)
    }

    /// A package has these files, and no other.
    pub(crate) fn holds(&self, package: &str, expected: &[&str]) -> Result<()> {
        let files = self.files(package)?;
        ensure!(files == expected, "{package} holds {files:#?}");
        Ok(())
    }

    /// A package needs at least this.
    pub(crate) fn depends(&self, package: &str, expected: &[&str]) -> Result<()> {
        self.says(package, "depends", expected)
    }

    /// A package offers at least this.
    pub(crate) fn provides(&self, package: &str, expected: &[&str]) -> Result<()> {
        self.says(package, "provides", expected)
    }

    fn says(&self, package: &str, field: &str, expected: &[&str]) -> Result<()> {
        let about = self.about.get(package).context("no such package")?;
        let list = about["control"][field].as_array().context("no list")?;
        for one in expected {
            ensure!(list.iter().any(|said| said == one), "{package}: {list:?}");
        }
        Ok(())
    }
}

/// The packages of the released index, and their digests.
fn packages(factory: &Factory, folder: &Path) -> Result<BTreeMap<String, String>> {
    let index = factory.channels()?.remove("os/x86_64");
    let index = index.context("nothing is released")?;
    unpack(&factory.blob(&index), folder)?;
    let text = std::fs::read_to_string(folder.join("APKINDEX"))?;
    let names = text.lines().filter_map(|line| line.strip_prefix("P:"));
    names
        .map(|name| {
            let explained = factory.explain(name)?;
            let digest = explained
                .first()
                .and_then(|it| it["artifact"]["digest"].as_str());
            let digest = digest.with_context(|| format!("{name} is not explained"))?;
            Ok((name.to_owned(), digest.to_owned()))
        })
        .collect()
}
