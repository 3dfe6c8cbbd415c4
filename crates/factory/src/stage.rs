//! Stage 0 of a factory: made once, then only looked at.

use boltworks_model::Ambient;
use boltworks_source::DebianArchive;
use boltworks_stage0::{Config, Means, ensure, load};

use crate::equipment::Reach;
use crate::keys::Keys;
use crate::planning::Stage0;
use crate::{Error, Home};

impl Home {
    /// Stage 0 as it was made, if it still answers the factory's file. Starts no program.
    pub fn known_stage0(&self, keys: &Keys) -> Result<Option<Stage0>, Error> {
        if self.is_makeshift {
            return Ok(Some(Stage0::default()));
        }
        self.with_stage0(keys, |config, means| {
            Ok(load(config, means)?.map(Stage0::from))
        })
    }

    /// Makes stage 0, or finds that nothing is to do.
    pub fn ensure_stage0(&self, keys: &Keys, ambient: &Ambient<'_>) -> Result<Stage0, Error> {
        if self.is_makeshift {
            return Ok(Stage0::default());
        }
        self.with_stage0(keys, |config, means| {
            Ok(ensure(config, means, ambient)?.into())
        })
    }

    fn with_stage0<T>(
        &self,
        keys: &Keys,
        work: impl FnOnce(&Config, &Means<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let archive: DebianArchive = Reach::archive(self)?;
        let folder = self.state_folder("stage0")?;
        let config = Config {
            packages: self.config.stage0.packages.clone(),
            provides: self.config.stage0.provides.clone(),
            architecture: self.architecture(),
        };
        let means = Means {
            archive: &archive,
            store: &self.store,
            folder: &folder,
            signer: &keys.signer,
            workers: self.host.jobs,
            offline: self.host.offline,
        };
        work(&config, &means)
    }
}

impl From<boltworks_stage0::Stage0> for Stage0 {
    fn from(made: boltworks_stage0::Stage0) -> Self {
        Self {
            index: made.index,
            files: made.files,
            given: Vec::new(),
        }
    }
}
