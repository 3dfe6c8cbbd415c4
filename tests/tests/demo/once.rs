//! The demo, made once for all tests of this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use boltworks_tests::folder::shared;
use boltworks_tests::layout::{Layout, unpack};
use boltworks_tests::program::program;
use boltworks_tests::tools::need;
use boltworks_tests::{Command, Factory, Output, Server};

/// It stops itself after this time.
const LIMIT: Duration = Duration::from_mins(12);

/// The made demo, and what was said while it was made.
#[derive(Debug)]
pub(crate) struct Demo {
    /// The factory.
    pub(crate) factory: Factory,
    /// `boltworks up` from nothing.
    pub(crate) first: Output,
    /// `boltworks up` after it.
    pub(crate) second: Output,
    /// `boltworks plan` after that.
    pub(crate) plan: Output,
    folder: PathBuf,
}

impl Demo {
    /// The demo; made by whoever comes first.
    pub(crate) fn get() -> Result<&'static Self> {
        static DEMO: OnceLock<Result<Demo, String>> = OnceLock::new();
        let demo = DEMO.get_or_init(|| Self::make().map_err(|error| format!("{error:#}")));
        demo.as_ref()
            .map_err(|reason| anyhow!("the demo cannot be made: {reason}"))
    }

    fn make() -> Result<Self> {
        let folder = shared("demo")?;
        let path = folder.join("web");
        Command::new(program()?)
            .arg("init")
            .arg(&path)
            .ok()?
            .says("boltworks up")?;
        let factory = Factory::at(path);
        let first = factory.command(["up"])?.limit(LIMIT).ok()?;
        let second = factory.command(["up"])?.ok()?;
        let plan = factory.command(["plan"])?.ok()?;
        Ok(Self {
            factory,
            first,
            second,
            plan,
            folder,
        })
    }

    /// An image of the demo, pulled once by skopeo from a server of its own: by tag, and by the
    /// digest that the factory says.
    pub(crate) fn pulled(&self, name: &str, tag: &str) -> Result<Pulled> {
        static PULLING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = PULLING.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.folder.join(format!("pulled-{name}"));
        if !folder.exists() {
            self.pull(name, tag, &folder)
                .with_context(|| format!("{name}:{tag} is not pulled"))?;
        }
        Ok(Pulled {
            tag: tag.to_owned(),
            folder,
        })
    }

    fn pull(&self, name: &str, tag: &str, folder: &PathBuf) -> Result<()> {
        let part = folder.with_extension("part");
        Command::new("mkdir").arg("--parents").arg(&part).ok()?;
        let channels = self.factory.channels()?;
        let digest = channels
            .get(&format!("{name}:{tag}"))
            .context("it is not released")?;
        let server = Server::of(&self.factory)?;
        let place = format!("docker://{}/{name}", server.address);
        for (source, layout) in [
            (
                format!("{place}:{tag}"),
                format!("oci:{}/by-tag:{tag}", part.display()),
            ),
            (
                format!("{place}@{digest}"),
                format!("oci:{}/by-digest:{tag}", part.display()),
            ),
        ] {
            let copy = Command::new(need("skopeo")?).args(["copy", "--src-tls-verify=false"]);
            copy.args([source, layout]).ok()?;
        }
        server.stop()?;
        let layout = Layout::read(&part.join("by-tag"))?;
        ensure!(
            layout.digest == *digest,
            "{} was pulled, not {digest}",
            layout.digest
        );
        let layers = layout.layers()?;
        // One for each origin, and what the image file sets.
        ensure!(layers.len() > 1, "there is one layer");
        for layer in &layers {
            unpack(layer, &part.join("root"))?;
        }
        Command::new("mv").arg(&part).arg(folder).ok()?;
        Ok(())
    }

    /// The `.apk` files of a recipe's repository, by package name.
    pub(crate) fn packages(&self) -> Result<BTreeMap<String, PathBuf>> {
        let index = self
            .factory
            .channels()?
            .remove("os/x86_64")
            .context("no repository")?;
        let folder = self.folder.join("index");
        if !folder.exists() {
            unpack(&self.factory.blob(&index), &folder)?;
        }
        let text = Command::new("cat")
            .arg(folder.join("APKINDEX"))
            .ok()?
            .stdout;
        let names = text.lines().filter_map(|line| line.strip_prefix("P:"));
        names
            .map(|name| {
                let explained = self.factory.explain(name)?;
                let digest = explained[0]["artifact"]["digest"]
                    .as_str()
                    .context("no digest")?;
                Ok((name.to_owned(), self.factory.blob(digest)))
            })
            .collect()
    }
}

/// A pulled image.
#[derive(Debug)]
pub(crate) struct Pulled {
    /// Its tag.
    pub(crate) tag: String,
    folder: PathBuf,
}

impl Pulled {
    /// The layout that was pulled by tag.
    pub(crate) fn by_tag(&self) -> PathBuf {
        self.folder.join("by-tag")
    }

    /// The layout that was pulled by digest.
    pub(crate) fn by_digest(&self) -> PathBuf {
        self.folder.join("by-digest")
    }

    /// The only layer, unpacked by tar.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The layout, read.
    pub(crate) fn layout(&self) -> Result<Layout> {
        Layout::read(&self.by_tag())
    }
}
