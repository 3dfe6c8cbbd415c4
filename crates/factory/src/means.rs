//! What every build of one run shares, in one hand.

use boltworks_image::Memory;
use boltworks_rootfs::Environments;
use boltworks_sandbox::Local;
use boltworks_source::Fetcher;

use crate::Home;
use crate::catalog::Loaded;
use crate::equipment::Equipment;
use crate::keys::Keys;
use crate::planning::{Planner, Stage0};
use crate::turns::Places;

/// What every build of one run shares.
pub struct Means<'a> {
    /// The factory.
    pub home: &'a Home,
    /// What it can make.
    pub loaded: &'a Loaded,
    /// Its keys.
    pub keys: &'a Keys,
    /// Stage 0.
    pub stage0: &'a Stage0,
    /// Gets sources.
    pub fetcher: Fetcher<'a>,
    /// Where steps run.
    pub sandbox: &'a Local,
    /// Lays environments out.
    pub environments: &'a Environments,
    /// As many tests run at once.
    pub places: &'a Places,
    /// What images before have in common with those that follow.
    pub memory: &'a Memory,
}

impl Equipment {
    /// The means to carry out items of a plan.
    pub fn means<'a>(
        &'a self,
        home: &'a Home,
        loaded: &'a Loaded,
        keys: &'a Keys,
        stage0: &'a Stage0,
    ) -> Means<'a> {
        Means {
            home,
            loaded,
            keys,
            stage0,
            fetcher: self.reach.fetcher(home),
            sandbox: &self.sandbox,
            environments: &self.environments,
            places: &self.places,
            memory: &self.memory,
        }
    }
}

impl<'a> From<&Means<'a>> for Planner<'a> {
    fn from(means: &Means<'a>) -> Self {
        Self {
            home: means.home,
            loaded: means.loaded,
            key: means.keys.fingerprint,
            stage0: means.stage0,
        }
    }
}
