//! What stands before any package, and the packages, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use boltworks_apk::Control;
use boltworks_fsx::{Kind, Node, RelPath};
use boltworks_model::Sha1;
use boltworks_rootfs::Opened;

use super::Compatible;
use super::files::{Fault, Files, Inode, Source, What};
use super::names::clean;
use crate::Error;
use crate::place::verify_name;

/// What apko makes in the root, with modes.
const FOLDERS: [(&str, u32); 16] = [
    ("/tmp", 0o1777),
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o555),
    ("/var", 0o755),
    ("/usr", 0o755),
    ("/etc/apk", 0o755),
    ("/etc/apk/keys", 0o755),
    ("/usr/lib", 0o755),
    ("/usr/lib/apk", 0o755),
    ("/usr/lib/apk/db", 0o755),
    ("/usr/lib/apk/exec", 0o755),
    ("/var/cache", 0o755),
    ("/var/cache/apk", 0o755),
    ("/var/cache/misc", 0o755),
];
/// Its devices: major, minor and mode. Two of the numbers are not the kernel's for these names.
const DEVICES: [(&str, u32, u32, u32); 5] = [
    ("/dev/zero", 1, 5, 0o666),
    ("/dev/urandom", 1, 9, 0o666),
    ("/dev/null", 1, 3, 0o666),
    ("/dev/random", 1, 8, 0o666),
    ("/dev/console", 5, 1, 0o620),
];
/// Where nothing is a package's.
const DATABASES: [&[u8]; 2] = [b"lib/apk/db/", b"usr/lib/apk/db/"];
const LOCK: &str = "/usr/lib/apk/db/lock";

/// What a package said of a path, as apk's database has it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: RelPath,
    pub(crate) is_dir: bool,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) sha1: Option<Sha1>,
}

/// What apko writes before it looks at packages.
pub(super) fn skeleton(
    files: &mut Files,
    compatible: &Compatible,
    architecture: &str,
) -> Result<(), Error> {
    let fault = |path: &str| {
        let path = path.to_owned();
        move |fault: Fault| Error::refused(path, fault.words())
    };
    for (path, mode) in FOLDERS {
        files.make_dir(path.as_bytes(), mode).map_err(fault(path))?;
    }
    for (path, major, minor, mode) in DEVICES {
        let device = Inode::new(What::Char(major, minor), mode, 0);
        files.make(path.as_bytes(), device).map_err(fault(path))?;
    }
    let lines = |lines: &[String]| format!("{}\n", lines.join("\n")).into_bytes();
    let mut write = |path: &str, bytes: Vec<u8>, mode| {
        let written = files.write(path.as_bytes(), bytes, mode);
        written.map(|_| ()).map_err(fault(path))
    };
    write(LOCK, Vec::new(), 0o600)?;
    for name in ["triggers", "installed", "scripts.tar"] {
        write(&format!("/usr/lib/apk/db/{name}"), Vec::new(), 0o644)?;
    }
    write(
        "/etc/apk/arch",
        format!("{architecture}\n").into_bytes(),
        0o644,
    )?;
    write("/etc/apk/world", lines(&compatible.world), 0o644)?;
    write(
        "/etc/apk/repositories",
        lines(&compatible.repositories),
        0o644,
    )?;
    for (name, bytes) in &compatible.keys {
        write(&format!("/etc/apk/keys/{name}"), bytes.clone(), 0o644)?;
    }
    Ok(())
}

/// Lays all packages; what each of them has, without what another has replaced.
pub(super) fn packages(
    files: &mut Files,
    opened: &[Arc<Opened>],
) -> Result<Vec<Vec<Entry>>, Error> {
    let mut owners: BTreeMap<RelPath, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, package) in opened.iter().enumerate() {
        let mut entries = Vec::new();
        for (path, node) in package.files.tree.iter() {
            let mut layer = Layer {
                files: &mut *files,
                opened,
                at,
            };
            let is_laid = layer.lay(path, node)?;
            if is_laid && matches!(node.kind, Kind::File(_)) {
                owners.insert(path.clone(), at);
            }
            let is_summed = matches!(node.kind, Kind::File(_) | Kind::Symlink(_));
            entries.push(Entry {
                path: path.clone(),
                is_dir: node.is_dir(),
                mode: node.meta.mode & 0o7777,
                uid: node.meta.uid,
                gid: node.meta.gid,
                sha1: package
                    .files
                    .checksums
                    .get(path)
                    .copied()
                    .filter(|_| is_summed),
            });
        }
        all.push(entries);
    }
    for (at, entries) in all.iter_mut().enumerate() {
        entries.retain(|entry| owners.get(&entry.path).is_none_or(|owner| *owner == at));
    }
    Ok(all)
}

/// One package being laid.
struct Layer<'a> {
    files: &'a mut Files,
    opened: &'a [Arc<Opened>],
    at: usize,
}

impl Layer<'_> {
    fn control(&self, at: usize) -> Option<&Control> {
        self.opened.get(at).map(|package| &package.control)
    }

    fn refused(&self, path: &RelPath, why: &str) -> Error {
        let control = self.control(self.at);
        let package = control.map(|one| format!("{}-{}", one.name, one.version));
        Error::refused(package.unwrap_or_default(), format!("'/{path}': {why}"))
    }

    /// Lays one path; whether the package's is there now.
    fn lay(&mut self, path: &RelPath, node: &Node) -> Result<bool, Error> {
        verify_name(path)?;
        let is_in = |folder: &&[u8]| path.as_bytes().starts_with(folder);
        if !node.is_dir() && DATABASES.iter().any(is_in) {
            return Err(self.refused(path, "apk's own database lies there"));
        }
        let name = path.as_bytes();
        let meta = &node.meta;
        let laid = match &node.kind {
            Kind::Dir => self.files.make_dirs(name, meta.mode & 0o777).map(|id| {
                self.files.get_mut(id).mtime = meta.mtime;
                true
            }),
            Kind::File(_) => self.file(path, node, What::File)?,
            Kind::Symlink(target) if self.files.link_at(name) == Some(target) => return Ok(false),
            Kind::Symlink(target) => self.file(path, node, What::Symlink(target.clone()))?,
            Kind::Hardlink(target) => self.files.link(target.as_bytes(), name).map(|id| {
                let links = &mut self.files.get_mut(id).links;
                links.insert(name.to_vec(), target.clone());
                true
            }),
            &Kind::CharDevice { major, minor } => {
                self.special(path, node, What::Char(major, minor))
            }
            &Kind::BlockDevice { major, minor } => {
                self.special(path, node, What::Block(major, minor))
            }
            Kind::Fifo => self.special(path, node, What::Fifo),
        };
        let laid = laid.map_err(|fault| self.refused(path, fault.words()))?;
        let is_plain = matches!(node.kind, Kind::Dir | Kind::File(_) | Kind::Symlink(_));
        if is_plain
            && !meta.xattrs.is_empty()
            && let Ok(id) = self.files.find(name)
        {
            let xattrs = meta.xattrs.clone();
            self.files.get_mut(id).xattrs.extend(xattrs);
        }
        Ok(laid)
    }

    /// What apko knows nothing of is laid where nothing is.
    fn special(&mut self, path: &RelPath, node: &Node, what: What) -> Result<bool, Fault> {
        let inode = Inode::new(what, node.meta.mode & 0o7777, node.meta.mtime);
        self.files.make(path.as_bytes(), inode).map(|_| true)
    }

    fn file(
        &mut self,
        path: &RelPath,
        node: &Node,
        what: What,
    ) -> Result<Result<bool, Fault>, Error> {
        let name = path.as_bytes();
        let package = self.opened.get(self.at);
        let sum = package.and_then(|package| package.files.checksums.get(path));
        let Some(&sha1) = sum else {
            return Err(self.refused(path, "the package has no checksum of it"));
        };
        let mut inode = Inode::new(what, node.meta.mode & 0o7777, node.meta.mtime);
        inode.source = Some(Source {
            package: self.at,
            content: match &node.kind {
                Kind::File(content) => content.clone(),
                _ => boltworks_fsx::Content::Bytes(Arc::default()),
            },
            sha1,
        });
        if let Some(above) = path.parent()
            && self.files.find(above.as_bytes()) == Err(Fault::Missing)
            && let Err(fault) = self.files.make_dirs(above.as_bytes(), 0o755)
        {
            return Ok(Err(fault));
        }
        let there = match self.files.make(name, inode.clone()) {
            Err(Fault::Exists) => self.files.itself(name),
            other => return Ok(other.map(|_| true)),
        };
        let there = match there {
            Ok(id) => self.files.get(id),
            Err(fault) => return Ok(Err(fault)),
        };
        let Some(source) = &there.source else {
            let own = there.own().map(boltworks_crypto::sha1);
            return match own {
                Some(sum) if sum == sha1 => Ok(Ok(false)),
                _ if there.is_dir() => Ok(Err(Fault::Directory)),
                _ => Err(self.refused(path, "the image has a file of its own there")),
            };
        };
        if source.sha1 == sha1 {
            return Ok(Ok(false));
        }
        match self.decide(source.package) {
            Some(true) => Ok(self.files.replace(name, inode).map(|_| true)),
            Some(false) => Ok(Ok(false)),
            None => {
                let other = self.control(source.package).map(|one| one.name.to_string());
                let other = other.unwrap_or_default();
                Err(self.refused(path, &format!("{other} has it too, with other content")))
            }
        }
    }

    /// Whether this package's file takes the place of another's. Names alone count, as in apko;
    /// where it would give up, versions do too.
    fn decide(&self, other: usize) -> Option<bool> {
        let (own, other) = (self.control(self.at)?, self.control(other)?);
        let says = |one: &Control, name: &str| {
            let mut said = one.replaces.iter().map(ToString::to_string);
            said.any(|text| text == name)
        };
        let replaces = |one: &Control, of: &Control| {
            let mut said = one.replaces.iter();
            said.any(|said| said.name == of.name && said.matches(Some(&of.version)))
        };
        if says(other, own.name.as_str()) {
            return Some(false);
        }
        if own.origin == other.origin || says(own, other.name.as_str()) {
            return Some(true);
        }
        match (replaces(other, own), replaces(own, other)) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        }
    }
}

/// Makes `/lib/apk` lead to the database where nothing does yet. Where the image below has merged
/// `/lib` into `/usr`, it is the same here.
pub(super) fn link_database(files: &mut Files, is_lib_merged: bool) -> Result<(), Error> {
    let leads_to = |files: &Files, path: &[u8], wanted: &[u8]| {
        let target = files.link_at(path);
        target.is_some_and(|target| clean(&[b"/", target].concat()) == wanted)
    };
    if leads_to(files, b"/lib", b"/usr/lib") || leads_to(files, b"/lib/apk", b"/usr/lib/apk") {
        return Ok(());
    }
    let fault = |fault: Fault| Error::refused("/lib/apk", fault.words());
    if is_lib_merged && files.itself(b"lib").is_err() {
        files.symlink(b"usr/lib", b"lib").map_err(fault)?;
        return Ok(());
    }
    if files.find(b"lib").is_err() {
        files.make_dir(b"lib", 0o755).map_err(fault)?;
    }
    if let Ok(id) = files.find(b"lib/apk")
        && let What::Dir(children) = &files.get(id).what
    {
        for (name, child) in children {
            match &files.get(*child).what {
                What::Dir(beneath) if beneath.is_empty() => {}
                _ => {
                    let name = String::from_utf8_lossy(name);
                    let reason =
                        format!("'{name}' is in it, and apk's database is looked for there");
                    return Err(Error::refused("/lib/apk", reason));
                }
            }
        }
        files.remove(b"lib/apk").map_err(fault)?;
    }
    files
        .symlink(b"../usr/lib/apk", b"lib/apk")
        .map_err(fault)?;
    Ok(())
}
