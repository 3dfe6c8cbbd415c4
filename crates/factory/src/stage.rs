//! Stage 0 of a factory: made once, then only looked at, or written as a repository for others.

use std::path::{Path, PathBuf};

use boltworks_apk::index::FILE_NAME;
use boltworks_fsx::{RelPath, Root};
use std::sync::Arc;

use boltworks_model::Ambient;
use boltworks_source::DebianArchive;
use boltworks_stage0::{Config, Means, ensure, load};

use crate::equipment::Reach;
use crate::files::write_package;
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

    /// Writes stage 0 as a repository, `out/ARCH/…`, with an index that the factory's key signs; where
    /// that index is. The packages are copies: whoever changes one changes nothing of the store.
    pub fn write_stage0(&self, keys: &Keys, stage0: &Stage0, out: &Path) -> Result<PathBuf, Error> {
        let path = out.join(self.architecture().apk());
        let folder = Root::create(&path)?;
        for entry in &stage0.index.entries {
            if let Some(digest) = stage0.files.get(&entry.identity) {
                let blob = self.store.open_blob(digest)?.reader();
                write_package(blob, &folder, &entry.file_name())?;
            }
        }
        let index = stage0.index.write(&keys.signer, self.epoch().0)?;
        folder.write(&RelPath::try_from(FILE_NAME)?, &index, 0o644)?;
        Ok(path.join(FILE_NAME))
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
            index: Arc::new(made.index),
            digest: Some(made.lock.index),
            files: made.files,
            given: Vec::new(),
            keys: Vec::new(),
        }
    }
}
