//! A factory with everything laid out for work: the door's commands are methods here.

use std::collections::BTreeMap;

use boltworks_model::{Ambient, Event};
use boltworks_plan::Plan;

use crate::catalog::Loaded;
use crate::equipment::{Floor, Reach};
use crate::home::Keys;
use crate::planning::{Planner, Stage0};
use crate::releasing::{Released, release};
use crate::up::{Means, Report, up};
use crate::{Error, Home};

/// A factory, its catalog and its keys.
pub struct Line {
    /// The factory.
    pub home: Home,
    /// What it can make.
    pub loaded: Loaded,
    /// Its keys.
    pub keys: Keys,
    floor: Floor,
}

impl Line {
    /// Reads the catalog and the keys of an open factory.
    pub fn new(home: Home) -> Result<Self, Error> {
        let loaded = Loaded::read(&home)?;
        let keys = home.keys()?;
        Ok(Self {
            home,
            loaded,
            keys,
            floor: Floor::default(),
        })
    }

    /// Whether stage 0 was made, as the factory's file asks for it.
    pub fn has_stage0(&self) -> Result<bool, Error> {
        Ok(self.home.known_stage0(&self.keys)?.is_some())
    }

    /// What is stale and why. Stage 0 is taken as it is; where there is none yet, every recipe is
    /// blocked until [`Line::up`] has made it.
    pub fn plan(&self) -> Result<Plan, Error> {
        let stage0 = self.home.known_stage0(&self.keys)?.unwrap_or_default();
        self.planner(&stage0).plan(&BTreeMap::new())
    }

    /// Makes, judges and releases everything.
    pub fn up(&self, ambient: &Ambient<'_>) -> Result<(Report, Released), Error> {
        let _lock = self.home.lock(|| {
            ambient.sink.event(Event::Warning {
                text: "another run holds this factory: waiting for it",
            });
        })?;
        let report = self.make(ambient)?;
        let released = self
            .plan()
            .and_then(|plan| release(&self.home, &self.loaded, &self.keys, &plan, ambient));
        match released {
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

    fn make(&self, ambient: &Ambient<'_>) -> Result<Report, Error> {
        let stage0 = self.home.ensure_stage0(&self.keys, ambient)?;
        let plan = self.planner(&stage0).plan(&BTreeMap::new())?;
        if plan.is_done() {
            return Ok(Report::of_fresh(&plan));
        }
        let reach = Reach::new(&self.home)?;
        let fetcher = reach.fetcher(&self.home);
        let means = Means {
            home: &self.home,
            loaded: &self.loaded,
            keys: &self.keys,
            stage0: &stage0,
            fetcher: &fetcher,
            sandbox: self.floor.sandbox(&self.home)?,
            environments: self.floor.environments(&self.home)?,
        };
        up(&means, ambient)
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
