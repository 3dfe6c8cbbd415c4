//! The two ways of mounting a layer: the kernel's own, for root, and FUSE, for anybody.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_source::Program;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What the programs print is not longer.
const SAID: Limit = Limit::kib(64);
/// No list of mounts is longer.
const MOUNTS: Limit = Limit::mib(16);

/// How a layer is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// By the kernel, with `mount`.
    Kernel,
    /// By `erofsfuse`.
    Fuse,
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn fusermount() -> Program {
    Program::new("fusermount3", "fuse3")
}

impl Way {
    /// The kernel's for root, FUSE for others.
    pub(super) fn possible() -> Self {
        if is_root() { Self::Kernel } else { Self::Fuse }
    }

    /// That who asks may go it.
    pub(super) fn verify(self, what: &str) -> Result<(), Error> {
        match self {
            // Else nobody could take down what is mounted. Root needs it not.
            Self::Fuse if !is_root() => {
                fusermount().arg("--version").output(SAID)?;
                Ok(())
            }
            Self::Kernel if !is_root() => Err(Error::asked(
                format!("only root can {what} through the kernel"),
                "run it as root, or mount with --mode fuse; `apko erofs ls` needs neither",
            )),
            Self::Kernel | Self::Fuse => Ok(()),
        }
    }

    /// Mounts a layer for reading.
    pub(super) fn mount_layer(self, layer: &Path, place: &Path) -> Result<(), Error> {
        // What begins with a hyphen is no option, and what has a colon in it no other machine's.
        let layer = Path::new(".").join(layer);
        let program = match self {
            Self::Kernel => Program::new("mount", "mount").args(["-t", "erofs", "-o", "ro", "--"]),
            Self::Fuse => Program::new("erofsfuse", "erofsfuse"),
        };
        program.arg(layer).arg(place).output(SAID)?;
        Ok(())
    }

    /// Lays what is mounted one over the other. What FUSE mounted the kernel lays, where it lets who asks.
    pub(super) fn overlay(self, options: OsString, merged: &Path) -> Result<(), Error> {
        let mount = Program::new("mount", "mount").args(["-t", "overlay", "-o"]);
        let mount = mount.arg(&options).arg("overlay").arg(merged);
        let laid = mount.output(SAID);
        if self == Self::Fuse && laid.is_err() {
            let mount = Program::new("fuse-overlayfs", "fuse-overlayfs").arg("-o");
            mount.arg(options).arg(merged).output(SAID)?;
            return Ok(());
        }
        laid?;
        Ok(())
    }
}

/// Takes down, for who is not root, what FUSE mounted. What is not mounted is down.
pub(super) fn take_down_through_fuse(place: &Path) -> Result<(), Error> {
    let mounts = mounts()?;
    if covering(&mounts, place).is_some_and(|(at, _)| at == place) {
        let done = fusermount().args(["-u", "--"]).arg(place).output(SAID);
        done.map_err(|why| {
            Error::asked(
                format!("{} is not unmounted: {why}", place.display()),
                "leave it, end what has files open in it, and run this again",
            )
        })?;
    }
    Ok(())
}

/// How the layer was mounted that a place is in, if it is in one.
pub(super) fn layer_at(place: &Path) -> Result<Option<Way>, Error> {
    let mounts = mounts()?;
    let kind = covering(&mounts, place).map(|(_, kind)| kind);
    Ok(match kind {
        Some(b"erofs") => Some(Way::Kernel),
        Some(b"fuse.erofsfuse") => Some(Way::Fuse),
        _ => None,
    })
}

/// What is mounted, as the kernel tells it (proc(5), `mountinfo`).
fn mounts() -> Result<Vec<u8>, Error> {
    let own = Root::open(Path::new("/proc/self"))?;
    Ok(own.read_vec(&RelPath::try_from("mountinfo")?, MOUNTS)?)
}

/// Where what a place is in is mounted, and its type: the last where there are several.
fn covering<'m>(mounts: &'m [u8], place: &Path) -> Option<(PathBuf, &'m [u8])> {
    let lines = mounts.split(|byte| *byte == b'\n');
    let above = lines.filter_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        let at = unescaped(words.nth(4)?);
        let kind = words.skip_while(|word| *word != b"-").nth(1)?;
        place.starts_with(&at).then_some((at, kind))
    });
    above.max_by_key(|(at, _)| at.components().count())
}

/// A path in which blanks and backslashes are written as three octal digits.
fn unescaped(text: &[u8]) -> PathBuf {
    let mut parts = text.split(|byte| *byte == b'\\');
    let mut bytes = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(part.len().min(3));
        let digits = OsStr::from_bytes(digits).to_str();
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.extend(byte);
        bytes.extend_from_slice(rest);
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts_and_of_several_the_last() {
        let mounts = b"23 1 8:1 / / rw shared:1 - ext4 /dev/a rw\n\
            30 23 0:40 / /srv/a\\040b\\134c ro - erofs /dev/loop0 ro\n\
            31 23 0:41 / /srv/two ro master:1 shared:2 - tmpfs none ro\n\
            32 31 0:42 / /srv/two rw - fuse.erofsfuse erofsfuse rw\nbroken - line\n";
        let check = |place: &str, at: &str, kind: &str| {
            let found = covering(mounts, Path::new(place));
            assert_eq!(found, Some((at.into(), kind.as_bytes())), "{place}");
        };
        check("/", "/", "ext4");
        check("/srv", "/", "ext4");
        check("/srv/a", "/", "ext4");
        check("/srv/a b\\c", "/srv/a b\\c", "erofs");
        check("/srv/a b\\c/d", "/srv/a b\\c", "erofs");
        check("/srv/two/three", "/srv/two", "fuse.erofsfuse");
        check("/srv/twos", "/", "ext4");
    }
}
