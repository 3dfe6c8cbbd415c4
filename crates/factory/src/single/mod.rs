//! One recipe or one image, wherever its file is.
//!
//! 1. [`reading`]: the recipe, and what a command line changes about it.
//! 2. [`mod@build`]: its packages, made if they are stale, and delivered into a folder.
//!    `deliver`: into which folder, signed by whom.
//! 3. [`mod@check`]: its tests, run against packages that are there.
//!    [`mod@shell`]: a shell in what a failed one left.
//! 4. [`mod@image`]: an image, assembled and delivered. `desk`: where. `making`: of what. `own`: repositories that its
//!    file names.
//!    `compatible`: what there is to know where layers are laid as apko lays them.
//! 5. [`mod@choose`]: only the choice of packages.
//! 6. [`cached`]: its sources, put into a folder.
//! 7. [`linting`]: its packages, linted when they are there already.
//! 8. [`mod@rebuild`]: its packages, made again from the recipe inside one of them, and compared.
//! 9. [`scanning`]: what its packages need and offer, read off their files again.
//! 10. [`licences`]: what it declares, beside what its sources show.
//! 11. [`mod@mirrored`]: repositories at addresses, brought into folders; `keyring`: keys at addresses.
//! 12. [`mod@bump`]: its text, moved to another version.
//! 13. [`worktree`]: its commit, laid out for a person, and what they committed as its patches.
//! 14. [`mod@compile`]: many recipes, only understood.
//! 15. [`mod@configuration`]: an image file with what it includes; [`overlay`]: or stands upon.
//! 16. [`mod@lock`]: its packages, chosen (`resolving`) and written down; `together`: for all architectures;
//!     `locked`: taken as they were. `below`: the base
//!     image that they are laid upon.
//! 17. [`erofs`]: it with layers of EROFS, listed and mounted.
//! 18. [`mod@publish`]: it, brought to registries, `layouts`: also out of a layout. [`pulled`]: the way back.
//!
//! All of them see the factory's packages, stage 0 (an image does not), and the repositories that
//! the command line names.
//!
//! A recipe of the factory that is built as the factory would build it is the factory's own: `up`
//! finds it made. Anything else is built *apart*: it is recorded under a name of its own, so that
//! neither a plan nor a release ever takes it for the factory's.

mod below;
pub mod build;
pub mod bump;
pub mod cached;
pub mod check;
pub mod choose;
mod compatible;
pub mod compile;
pub mod configuration;
mod deliver;
mod desk;
pub mod erofs;
mod exported;
pub mod image;
mod keyring;
mod layouts;
pub mod licences;
pub mod linting;
pub mod lock;
mod locked;
mod making;
pub mod mirrored;
pub mod overlay;
mod own;
pub mod publish;
pub mod pulled;
pub mod reading;
pub mod rebuild;
mod resolving;
pub mod scanning;
pub mod shell;
mod together;
pub mod worktree;

use std::collections::BTreeSet;
use std::sync::Arc;

use boltworks_apk::Index;
use boltworks_crypto::Keyring;
use boltworks_model::{Ambient, Material};
use boltworks_records::ActionRecord;
use boltworks_version::apk::Dependency;

pub use build::{BuildOrder, Delivered, Made, Signing, build};
pub use bump::{BumpOrder, Bumped, Renewed, bump};
pub use cached::keep_sources;
pub use check::{CheckOrder, Checked, Subjects, check};
pub use choose::{Choice, Solver, Wish, choose};
pub use compatible::Laying;
pub use compile::{CompileOrder, compile};
pub use configuration::{Configuration, configuration, every_architecture};
pub use image::{Assembly, ImageOrder, ImageOut, image};
pub use lock::{Lock, lock};
pub use mirrored::mirrored;
pub use overlay::configuration_of;
pub use publish::{PublishOrder, Published, publish, push_image};
pub use pulled::pull_image;
pub use reading::{Reading, SourceFolder, variables};
pub use rebuild::{Comparison, Inside, RebuildOrder, Rebuilt, compare, rebuild};
pub use resolving::{ResolveOrder, Resolved, resolved};
pub use shell::{KeptWorkspace, kept, shell};
pub use worktree::{LaidOut, WorktreeOrder, Written, lay_out, write_back};

use crate::catalog::Loaded;
use crate::keys::Keys;
use crate::planning::Stage0;
use crate::repository::{Dock, Given, Repository};
use crate::{Error, Home, listing};

/// An open factory with what one command brings.
struct Bench<'h> {
    home: &'h Home,
    loaded: Loaded,
    keys: Keys,
    keyring: Keyring,
    ignore_signatures: bool,
    fetched_keys: BTreeSet<Material>,
    repositories: Vec<Repository>,
}

impl<'h> Bench<'h> {
    fn open(home: &'h Home, given: &Given) -> Result<Self, Error> {
        let loaded = Loaded::read(home)?;
        let keys = home.keys()?;
        let keyring = given.keyring(Some(&keys))?;
        let indexes = home.state_folder(listing::FOLDER)?;
        let repositories = given.open(home.architecture(), &keyring, Some(indexes))?;
        Ok(Self {
            home,
            loaded,
            keys,
            keyring,
            ignore_signatures: given.ignore_signatures,
            fetched_keys: given.fetched_keys.clone(),
            repositories,
        })
    }

    /// Stage 0, made if needed, and what the repositories have of what is wanted.
    fn stage0(&self, wanted: &[Dependency], ambient: &Ambient<'_>) -> Result<Stage0, Error> {
        let stage0 = self.home.ensure_stage0(&self.keys, ambient)?;
        self.with_repositories(stage0, wanted, ambient)
    }

    fn with_repositories(
        &self,
        mut stage0: Stage0,
        wanted: &[Dependency],
        ambient: &Ambient<'_>,
    ) -> Result<Stage0, Error> {
        if self.repositories.is_empty() {
            return Ok(stage0);
        }
        let own = self.last_indexes()?;
        let others = std::iter::once(&stage0.index).chain(&own);
        let others: Vec<&Index> = others.map(AsRef::as_ref).collect();
        let scratch = self.home.state_folder("scratch")?;
        let memory = self.home.state_folder("brought")?;
        let dock = Dock {
            store: &self.home.store,
            scratch: &scratch,
            keyring: (!self.ignore_signatures).then_some(&self.keyring),
            memory: Some(&memory),
        };
        let brought = dock.bring(&self.repositories, wanted, &others, ambient)?;
        stage0.give(brought)?;
        stage0.keys = self.fetched_keys.iter().cloned().collect();
        Ok(stage0)
    }

    /// The last good action for each recipe of the catalog.
    fn last_records(&self) -> Result<Vec<ActionRecord>, Error> {
        last_records(self.home, &self.loaded)
    }

    fn last_indexes(&self) -> Result<Vec<Arc<Index>>, Error> {
        let records = self.last_records()?;
        let indexes = records.iter().map(|record| self.home.index_of(record));
        Ok(indexes
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    }
}

/// The last good action for each recipe of a catalog.
fn last_records(home: &Home, loaded: &Loaded) -> Result<Vec<ActionRecord>, Error> {
    let names = loaded.catalog.recipe_names().into_iter();
    let records = names.map(|name| {
        let subject = boltworks_plan::Subject::recipe(name).to_string();
        Ok(home.records().latest_good_for(&subject)?)
    });
    Ok(records
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter()
        .flatten()
        .collect())
}
