//! A factory with everything laid out for work: the door's commands are methods here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use boltworks_model::{Ambient, Sha256};
use boltworks_plan::{ActionKind, Plan, Subject};

use crate::catalog::Loaded;
use crate::equipment::Equipment;
use crate::image_tests::ImageTested;
use crate::keys::Keys;
use crate::planning::{Planner, Stage0, fresh_recipes};
use crate::recipes::{Basis, Workshop};
use crate::released::Released;
use crate::releasing::release;
use crate::up::{Planned, Report, up};
use crate::{Error, Home};

/// A factory and its catalog.
pub struct Line {
    /// The factory.
    pub home: Home,
    /// What it can make.
    pub loaded: Loaded,
}

impl Line {
    /// Reads the catalog of an open factory.
    pub fn new(home: Home) -> Result<Self, Error> {
        let loaded = Loaded::read(&home)?;
        Ok(Self { home, loaded })
    }

    /// What is stale and why, and whether stage 0 was made as the factory's file asks for it.
    /// Without it every recipe is blocked until [`Line::up`] has made it. Makes nothing.
    pub fn plan(&self) -> Result<(Plan, bool), Error> {
        let keys = self.home.known_keys()?;
        let stage0 = match &keys {
            Some(keys) => self.home.known_stage0(keys)?,
            None => None,
        };
        let has_stage0 = stage0.is_some();
        let planner = Planner {
            home: &self.home,
            loaded: &self.loaded,
            key: keys.map_or(Sha256::new([0; 32]), |keys| keys.fingerprint),
            stage0: &stage0.unwrap_or_default(),
        };
        Ok((planner.plan(&BTreeMap::new())?, has_stage0))
    }

    /// Makes, judges and releases everything.
    pub fn up(&self, ambient: &Ambient<'_>) -> Result<(Report, Released), Error> {
        let _lock = self.home.lock(ambient)?;
        let keys = self.home.keys()?;
        let (report, plan) = self.make(&keys, ambient)?;
        match release(&self.home, &self.loaded, &keys, &plan, ambient) {
            Ok(released) => Ok((report, released)),
            // What failed before must be seen: it may be why this failed too.
            Err(error) if !report.is_complete() && !matches!(error, Error::Cancelled(_)) => {
                Ok((report, Released::nothing(&error)))
            }
            Err(error) => Err(error),
        }
    }

    /// Tests an image as it was made last, whatever is known of it. Records nothing.
    pub fn test_image(&self, name: &str, ambient: &Ambient<'_>) -> Result<ImageTested, Error> {
        let Self { home, loaded } = self;
        if let Some(why) = loaded.catalog.unread.get(&Subject::image(name)) {
            return Err(Error::asked(why.clone(), "correct it, and test again"));
        }
        if !loaded.images.contains_key(name) {
            return Err(loaded.missing(ActionKind::Image, name));
        }
        let Some(test) = loaded.image_tests.get(name) else {
            return Err(Error::asked(
                format!("image {name} has no tests"),
                format!("write them into {name}.test.yaml beside its file"),
            ));
        };
        let record = home.records().latest_good_for(&format!("image {name}"))?;
        let Some(artifact) = record.and_then(|record| record.artifacts.first().cloned()) else {
            return Err(Error::asked(
                format!("image {name} was never made"),
                "make it: `boltworks up` tests it too",
            ));
        };
        let _lock = home.lock(ambient)?;
        let keys = home.keys()?;
        let stage0 = home.known_stage0(&keys)?.unwrap_or_default();
        let fresh = fresh_recipes(&self.plan()?.0);
        let equipment = Equipment::open(home)?;
        let workshop = Workshop {
            means: &equipment.means(home, loaded, &keys, &stage0),
            basis: Basis::Actions(&fresh),
            attendant: None,
        };
        workshop.test_image_anew((name, test), &artifact, ambient)
    }

    /// Makes or refreshes stage 0.
    pub fn stage0(&self, ambient: &Ambient<'_>) -> Result<Stage0, Error> {
        self.home.ensure_stage0(&self.home.keys()?, ambient)
    }

    /// Writes stage 0 as a signed repository into a folder; where its index is.
    pub fn write_stage0(&self, stage0: &Stage0, out: &Path) -> Result<PathBuf, Error> {
        self.home.write_stage0(&self.home.keys()?, stage0, out)
    }

    fn make(&self, keys: &Keys, ambient: &Ambient<'_>) -> Result<(Report, Plan), Error> {
        let Self { home, loaded } = self;
        loaded.forget_workspaces(home)?;
        let stage0 = home.ensure_stage0(keys, ambient)?;
        let planner = Planner {
            home,
            loaded,
            key: keys.fingerprint,
            stage0: &stage0,
        };
        let planned = Planned::now(&planner, &BTreeMap::new(), ambient)?;
        if !planned.has_work() {
            let plan = planned.into_plan()?;
            return Ok((Report::of(&plan, &loaded.catalog), plan));
        }
        let equipment = Equipment::open(home)?;
        up(
            &equipment.means(home, loaded, keys, &stage0),
            planned,
            ambient,
        )
    }
}
