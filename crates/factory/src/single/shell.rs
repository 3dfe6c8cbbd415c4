//! A shell in a workspace that a failed build or test left.

use std::path::{Path, PathBuf};

use boltworks_fsx::{Lock, RelPath, Root};
use boltworks_model::{Ambient, Event};
use boltworks_package::rescue::{Attendant, Kept};
use boltworks_sandbox::{Exit, Local};

use crate::home::WORKSPACES;
use crate::{Error, Home};

/// A workspace that was kept.
#[derive(Debug, Clone)]
pub struct KeptWorkspace {
    /// Its folder's name: `build-zlib`.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// What is known of it.
    pub kept: Kept,
}

impl Home {
    /// The workspaces that failed builds and tests left, by name.
    pub fn kept_workspaces(&self) -> Result<Vec<KeptWorkspace>, Error> {
        let folder = self.state_folder(WORKSPACES)?;
        let mut found = Vec::new();
        for entry in folder.list()? {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            let workspace = RelPath::new(entry.name)?;
            if let Some(kept) = Kept::read(&folder.dir(&workspace)?)? {
                let path = self.state.join(WORKSPACES).join(workspace.as_path());
                found.push(KeptWorkspace { name, path, kept });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The folder of a workspace of this name.
    pub fn workspace(&self, name: &str) -> PathBuf {
        self.state.join(WORKSPACES).join(name)
    }
}

/// Gives a person a shell in a workspace's guest, as its failed step left it. `exe` is this program.
/// Nobody else changes that factory meanwhile.
pub fn shell(
    workspace: &Path,
    exe: &Path,
    attendant: Attendant<'_>,
    ambient: &Ambient<'_>,
) -> Result<Exit, Error> {
    let _lock = lock(workspace, ambient).ok_or_else(|| none(workspace))??;
    let kept = kept(workspace)?;
    if let Some(gone) = kept
        .guest
        .lowers
        .iter()
        .find(|tree| Root::open(tree).is_err())
    {
        return Err(Error::asked(
            format!(
                "the environment of {} is gone: {}",
                kept.what,
                gone.display()
            ),
            "run the same build or test again: it lays its environment out",
        ));
    }
    let sandbox = Local::probe(exe)?;
    let text = format!(
        "{} failed at step '{}': {}. This is a shell in its guest; $STEP is the step's script",
        kept.what, kept.step, kept.how
    );
    ambient.sink.event(Event::Warning { text: &text });
    Ok(kept.shell(&sandbox, attendant, ambient)?)
}

/// What is known of a workspace that a failed build or test left.
pub fn kept(workspace: &Path) -> Result<Kept, Error> {
    let folder = match Root::open(workspace) {
        Err(error) if error.is_not_found() => return Err(none(workspace)),
        other => other?,
    };
    Kept::read(&folder)?.ok_or_else(|| none(workspace))
}

fn none(workspace: &Path) -> Error {
    Error::asked(
        format!(
            "there is no workspace of a failed build or test at {}",
            workspace.display()
        ),
        "`boltworks shell` lists those there are; a build that fails leaves one",
    )
}

/// The lock of the factory whose workspace this is; nothing, where it is none's.
fn lock(workspace: &Path, ambient: &Ambient<'_>) -> Option<Result<Lock, Error>> {
    let workspaces = workspace.parent()?;
    let is_one = workspaces.file_name()? == WORKSPACES;
    let state = Root::open(workspaces.parent()?).ok().filter(|_| is_one)?;
    let waiting = || {
        ambient.sink.event(Event::Warning {
            text: "another run holds this factory: waiting for it",
        });
    };
    let lock = RelPath::try_from("lock").map_err(Error::from);
    Some(lock.and_then(|lock| Ok(state.lock(&lock, waiting)?)))
}
