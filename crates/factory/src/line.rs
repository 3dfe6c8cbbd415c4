//! A factory with everything laid out for work: the door's commands are methods here.

use std::collections::BTreeMap;

use boltworks_model::{Ambient, Event};
use boltworks_plan::Plan;

use crate::catalog::Loaded;
use crate::equipment::Equipment;
use crate::keys::Keys;
use crate::planning::{Planner, Stage0};
use crate::releasing::{Released, release};
use crate::up::{Report, up};
use crate::{Error, Home};

/// A factory, its catalog and its keys.
pub struct Line {
    /// The factory.
    pub home: Home,
    /// What it can make.
    pub loaded: Loaded,
    /// Its keys.
    pub keys: Keys,
}

impl Line {
    /// Reads the catalog and the keys of an open factory.
    pub fn new(home: Home) -> Result<Self, Error> {
        let loaded = Loaded::read(&home)?;
        let keys = home.keys()?;
        Ok(Self { home, loaded, keys })
    }

    /// Stage 0, if it was made as the factory's file asks for it.
    pub fn known_stage0(&self) -> Result<Option<Stage0>, Error> {
        self.home.known_stage0(&self.keys)
    }

    /// What is stale and why. Without a stage 0 every recipe is blocked until [`Line::up`] has made
    /// it.
    pub fn plan(&self, stage0: Option<&Stage0>) -> Result<Plan, Error> {
        let nothing = Stage0::default();
        self.planner(stage0.unwrap_or(&nothing))
            .plan(&BTreeMap::new())
    }

    /// Makes, judges and releases everything.
    pub fn up(&self, ambient: &Ambient<'_>) -> Result<(Report, Released), Error> {
        let _lock = self.home.lock(|| {
            ambient.sink.event(Event::Warning {
                text: "another run holds this factory: waiting for it",
            });
        })?;
        let (report, plan) = self.make(ambient)?;
        match release(&self.home, &self.loaded, &self.keys, &plan, ambient) {
            Ok(released) => Ok((report, released)),
            // What failed before must be seen: it may be why this failed too.
            Err(error) if !report.is_complete() && !matches!(error, Error::Cancelled(_)) => {
                Ok((report, Released::nothing(&error)))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes or refreshes stage 0.
    pub fn stage0(&self, ambient: &Ambient<'_>) -> Result<Stage0, Error> {
        self.home.ensure_stage0(&self.keys, ambient)
    }

    fn make(&self, ambient: &Ambient<'_>) -> Result<(Report, Plan), Error> {
        let stage0 = self.home.ensure_stage0(&self.keys, ambient)?;
        let planner = self.planner(&stage0);
        let plan = planner.plan(&BTreeMap::new())?;
        if plan.ready().next().is_none() {
            return Ok((Report::of(&plan, &self.loaded.catalog), plan));
        }
        let equipment = Equipment::open(&self.home)?;
        up(&equipment.means(planner), ambient)
    }

    fn planner<'a>(&'a self, stage0: &'a Stage0) -> Planner<'a> {
        Planner {
            home: &self.home,
            loaded: &self.loaded,
            keys: &self.keys,
            stage0,
        }
    }
}
