//! Where tests work, and what they clean away.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};
use rustix::fs::StatVfsMountFlags;
use tempfile::TempDir;

use crate::program;

/// A folder of one test: on disk, where an ordinary user may go too; removed when dropped, unless
/// `BOLTWORKS_KEEP` is set.
#[derive(Debug)]
pub struct Folder {
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Folder {
    /// Makes one.
    pub fn new() -> Result<Self> {
        Self::inside(Path::new("/var/tmp"))
    }

    /// Makes one inside another, so that files can be linked between them.
    pub fn inside(parent: &Path) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut folder = tempfile::Builder::new()
            .prefix("boltworks-test-")
            .tempdir_in(parent)?;
        folder.disable_cleanup(std::env::var_os("BOLTWORKS_KEEP").is_some());
        let path = folder.path().to_owned();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            folder: Some(folder),
            path,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a test could not remove is for the person who runs it to look at.
        drop(self.folder.take());
    }
}

/// Where a factory may lie whose runs are killed hundreds of times: memory, if there is plenty, for
/// the program syncs every few calls. A kill, unlike a power cut, leaves the same in either.
const MEMORY: &str = "/dev/shm";
/// Plenty.
const PLENTY: u64 = 2 << 30;

/// A folder that all tests of this process share. It lies in the target folder, and a small program
/// removes it when the process has ended. Should that be killed, the next process does.
pub fn shared(name: &str) -> Result<PathBuf> {
    let parent = program::target()?.join("tmp");
    std::fs::create_dir_all(&parent)?;
    shared_inside(&parent.canonicalize()?, name)
}

/// As [`shared`], in memory where that can be.
pub fn shared_in_memory(name: &str) -> Result<PathBuf> {
    // Ordinary users need attributes in their overlays that old kernels do not keep in memory.
    let is_root = rustix::process::geteuid().is_root();
    let about = rustix::fs::statvfs(MEMORY).ok().filter(|_| is_root);
    let is_fit = about.is_some_and(|about| {
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        free > PLENTY && !about.f_flag.contains(StatVfsMountFlags::NOEXEC)
    });
    if is_fit {
        shared_inside(Path::new(MEMORY), name)
    } else {
        shared(name)
    }
}

fn shared_inside(parent: &Path, name: &str) -> Result<PathBuf> {
    for entry in std::fs::read_dir(parent)? {
        let path = entry?.path();
        let owner = path.file_name().and_then(|name| {
            name.to_str()?
                .strip_prefix("boltworks-shared-")?
                .rsplit('-')
                .next()
        });
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            std::fs::remove_dir_all(&path).with_context(|| format!("{} stays", path.display()))?;
        }
    }
    let path = parent.join(format!("boltworks-shared-{name}-{}", std::process::id()));
    if !path.exists() {
        std::fs::create_dir_all(&path)?;
        remove_at_the_end(&path)?;
    }
    Ok(path)
}

/// Has a folder removed once this process is gone: a static value is never dropped.
fn remove_at_the_end(path: &Path) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    if std::env::var_os("BOLTWORKS_KEEP").is_some() {
        return Ok(());
    }
    let pid = std::process::id().to_string();
    std::process::Command::new("sh")
        .args(["-c", "tail --pid=\"$0\" -f /dev/null; rm -rf \"$1\"", &pid])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(())
}
