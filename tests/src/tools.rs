//! Programs the tests need, and what installs them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::Command;

/// Program and Debian's package of it.
const PACKAGES: &[(&str, &str)] = &[
    ("cmp", "diffutils"),
    ("curl", "curl"),
    ("diff", "diffutils"),
    ("docker-registry", "docker-registry"),
    ("file", "file"),
    ("find", "findutils"),
    ("fsck.erofs", "erofs-utils"),
    ("git", "git"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("podman", "podman"),
    ("python3", "python3"),
    ("readelf", "binutils"),
    ("runc", "runc"),
    ("setpriv", "util-linux"),
    ("sha256sum", "coreutils"),
    ("skopeo", "skopeo"),
    ("strace", "strace"),
    ("tar", "tar"),
    ("taskset", "util-linux"),
    ("umoci", "umoci"),
    ("unshare", "util-linux"),
];

/// An ordinary user.
const USER: u32 = 65_534;

/// Folders that `PATH` may lack for an ordinary user.
const MORE: &[&str] = &["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// A program's path. A missing one is an error that says how to install it.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests look around before they start"
)]
pub fn need(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE.iter().map(PathBuf::from));
    let found = folders
        .map(|folder| folder.join(name))
        .find(|program| is_program(program));
    found.with_context(|| missing(name))
}

/// The library that fakes the clock.
pub fn need_faketime() -> Result<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/faketime"];
    folders
        .iter()
        .map(|folder| Path::new(folder).join("libfaketime.so.1"))
        .find(|library| library.exists())
        .context("libfaketime is missing: apt-get install -y libfaketime")
}

fn missing(name: &str) -> String {
    let package = PACKAGES
        .iter()
        .find(|(program, _)| *program == name)
        .map_or(name, |(_, package)| *package);
    format!("the program '{name}' is missing: apt-get install -y {package}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests look around before they start"
)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// Words that run a program as an ordinary user, who is nobody of importance; none if the tests are
/// run by one already.
pub fn as_ordinary_user() -> Result<Vec<OsString>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Vec::new());
    }
    let ids = [
        format!("--reuid={USER}"),
        format!("--regid={USER}"),
        "--clear-groups".to_owned(),
    ];
    let words = std::iter::once(need("setpriv")?.into_os_string());
    Ok(words.chain(ids.map(OsString::from)).collect())
}

/// Gives files to the user of [`as_ordinary_user`].
pub fn give_to_ordinary_user(path: &Path) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        let owner = format!("{USER}:{USER}");
        Command::new("chown")
            .args(["--recursive", "--no-dereference", &owner])
            .arg(path)
            .ok()?;
    }
    Ok(())
}
