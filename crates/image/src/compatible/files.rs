//! Files in memory, reached by paths as apko reaches them.
//!
//! Its ways differ from a kernel's, and they decide bytes: a relative link counts from the path that was
//! named, not from where that led; asking for a link itself gives what it leads to; and a package's file
//! that is written anew stays that package's, with its time, and has its old bytes again if the new ones
//! are none.

use std::collections::BTreeMap;

use boltworks_fsx::{Content, RelPath};
use boltworks_model::Sha1;

use super::names::{base, clean, dir, join};

/// More links than this on one path and it is a circle.
const MAX_LINKS: u32 = 40;

/// An inode's number; the root's is 0.
pub(super) type Id = usize;

/// What an inode is.
#[derive(Debug, Clone)]
pub(super) enum What {
    Dir(BTreeMap<Vec<u8>, Id>),
    File,
    Symlink(Vec<u8>),
    /// Major and minor.
    Char(u32, u32),
    /// Major and minor.
    Block(u32, u32),
    Fifo,
}

/// Where a package's file or link comes from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The package's place in the order of installation.
    pub(super) package: usize,
    pub(super) content: Content,
    pub(super) sha1: Sha1,
}

#[derive(Debug, Clone)]
pub(super) struct Inode {
    pub(super) what: What,
    /// Permissions, with setuid, setgid and sticky.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) source: Option<Source>,
    /// The names under which a package gave it another name, and the name it said.
    pub(super) links: BTreeMap<Vec<u8>, RelPath>,
    /// What was written here.
    written: Option<Vec<u8>>,
}

impl Inode {
    pub(super) const fn new(what: What, mode: u32, mtime: i64) -> Self {
        Self {
            what,
            mode,
            uid: 0,
            gid: 0,
            mtime,
            xattrs: BTreeMap::new(),
            source: None,
            links: BTreeMap::new(),
            written: None,
        }
    }

    pub(super) const fn is_dir(&self) -> bool {
        matches!(self.what, What::Dir(_))
    }

    /// A file's bytes.
    pub(super) fn content(&self) -> Content {
        let written = self.written.as_deref().unwrap_or_default();
        match &self.source {
            Some(source) if written.is_empty() => source.content.clone(),
            _ => Content::Bytes(written.into()),
        }
    }

    /// What was written here and by no package.
    pub(super) fn own(&self) -> Option<&[u8]> {
        self.written.as_deref()
    }
}

/// Why something cannot be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Missing,
    Exists,
    NotDirectory,
    Directory,
    Circle,
}

impl Fault {
    /// In words that fit behind a path.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Missing => "it is not there, nor may what is above it be",
            Self::Exists => "it is there already",
            Self::NotDirectory => "it, or what is above it, is there and no directory",
            Self::Directory => "it is a directory",
            Self::Circle => "its links lead in a circle",
        }
    }
}

/// All files.
#[derive(Debug)]
pub(super) struct Files(Vec<Inode>);

impl Files {
    /// Only the root.
    pub(super) fn new() -> Self {
        Self(vec![Inode::new(What::Dir(BTreeMap::new()), 0o755, 0)])
    }

    pub(super) fn get(&self, id: Id) -> &Inode {
        &self.0[id]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Inode {
        &mut self.0[id]
    }

    fn child(&self, folder: Id, name: &[u8]) -> Option<Id> {
        match &self.get(folder).what {
            What::Dir(children) => children.get(name).copied(),
            _ => None,
        }
    }

    fn put(&mut self, folder: Id, name: &[u8], id: Id) {
        if let What::Dir(children) = &mut self.get_mut(folder).what {
            children.insert(name.to_vec(), id);
        }
    }

    fn add(&mut self, inode: Inode) -> Id {
        self.0.push(inode);
        self.0.len() - 1
    }

    /// Where a path leads; also where the last of it is a link.
    pub(super) fn find(&self, path: &[u8]) -> Result<Id, Fault> {
        self.find_within(path, 0)
    }

    fn find_within(&self, path: &[u8], links: u32) -> Result<Id, Fault> {
        if matches!(path, b"/" | b".") {
            return Ok(0);
        }
        let (mut id, mut passed) = (0, Vec::new());
        for part in path.split(|byte| *byte == b'/') {
            if part.is_empty() {
                continue;
            }
            let mut next = self.child(id, part).ok_or(Fault::Missing)?;
            if let What::Symlink(target) = &self.get(next).what {
                if links >= MAX_LINKS {
                    return Err(Fault::Circle);
                }
                next = self.find_within(&beside(&passed, target), links + 1)?;
            }
            id = next;
            passed.push(part);
        }
        Ok(id)
    }

    /// The folder a path is in, and its name there.
    fn place<'p>(&self, path: &'p [u8]) -> Result<(Id, &'p [u8]), Fault> {
        let folder = self.find(&dir(path))?;
        Ok((folder, base(path)))
    }

    /// What a path itself is: its last part is not followed.
    pub(super) fn itself(&self, path: &[u8]) -> Result<Id, Fault> {
        let (folder, name) = self.place(path)?;
        self.child(folder, name).ok_or(Fault::Missing)
    }

    /// What a link says.
    pub(super) fn link_at(&self, path: &[u8]) -> Option<&[u8]> {
        match &self.get(self.itself(path).ok()?).what {
            What::Symlink(target) => Some(target),
            _ => None,
        }
    }

    /// Puts something where nothing is.
    pub(super) fn make(&mut self, path: &[u8], inode: Inode) -> Result<Id, Fault> {
        let (folder, name) = self.place(path)?;
        if !self.get(folder).is_dir() {
            return Err(Fault::NotDirectory);
        }
        if self.child(folder, name).is_some() {
            return Err(Fault::Exists);
        }
        let id = self.add(inode);
        self.put(folder, name, id);
        Ok(id)
    }

    /// Puts something in the place of what is there.
    pub(super) fn replace(&mut self, path: &[u8], inode: Inode) -> Result<Id, Fault> {
        let (folder, name) = self.place(path)?;
        let id = self.add(inode);
        self.put(folder, name, id);
        Ok(id)
    }

    pub(super) fn make_dir(&mut self, path: &[u8], mode: u32) -> Result<Id, Fault> {
        self.make(path, Inode::new(What::Dir(BTreeMap::new()), mode, 0))
    }

    /// Makes a folder, and those above it that are missing, all with this mode.
    pub(super) fn make_dirs(&mut self, path: &[u8], mode: u32) -> Result<Id, Fault> {
        let (mut id, mut passed) = (0, Vec::new());
        for part in path.split(|byte| *byte == b'/') {
            if part.is_empty() {
                continue;
            }
            let mut next = if let Some(next) = self.child(id, part) {
                next
            } else {
                let next = self.add(Inode::new(What::Dir(BTreeMap::new()), mode, 0));
                self.put(id, part, next);
                next
            };
            if let What::Symlink(target) = &self.get(next).what {
                next = self.find(&beside(&passed, target))?;
            }
            if !self.get(next).is_dir() {
                return Err(Fault::NotDirectory);
            }
            id = next;
            passed.push(part);
        }
        Ok(id)
    }

    /// Makes a link; it has the time of its folder.
    pub(super) fn symlink(&mut self, target: &[u8], path: &[u8]) -> Result<Id, Fault> {
        let (folder, _) = self.place(path)?;
        let mtime = self.get(folder).mtime;
        self.make(
            path,
            Inode::new(What::Symlink(target.to_vec()), 0o777, mtime),
        )
    }

    /// Gives what a path leads to another name.
    pub(super) fn link(&mut self, from: &[u8], path: &[u8]) -> Result<Id, Fault> {
        let (folder, name) = self.place(path)?;
        let id = self.find(from)?;
        if self.child(folder, name).is_some() {
            return Err(Fault::Exists);
        }
        self.put(folder, name, id);
        Ok(id)
    }

    pub(super) fn remove(&mut self, path: &[u8]) -> Result<(), Fault> {
        let (folder, name) = self.place(path)?;
        match &mut self.get_mut(folder).what {
            What::Dir(children) => children.remove(name).map(|_| ()).ok_or(Fault::Missing),
            _ => Err(Fault::NotDirectory),
        }
    }

    /// The file that a path opens; made with this mode where it is missing.
    pub(super) fn file(&mut self, path: &[u8], mode: u32) -> Result<Id, Fault> {
        let mut path = path.to_vec();
        for _ in 0..=MAX_LINKS {
            match self.opened(&path)? {
                Ok(id) => return Ok(id),
                Err(Some(target)) => path = target,
                Err(None) => return self.make(&path, Inode::new(What::File, mode, 0)),
            }
        }
        Err(Fault::Circle)
    }

    /// The file that a path opens, if it is there.
    pub(super) fn existing_file(&self, path: &[u8]) -> Result<Id, Fault> {
        let mut path = path.to_vec();
        for _ in 0..=MAX_LINKS {
            match self.opened(&path)? {
                Ok(id) => return Ok(id),
                Err(target) => path = target.ok_or(Fault::Missing)?,
            }
        }
        Err(Fault::Circle)
    }

    /// A file; or where the link leads that is there instead; or nothing.
    fn opened(&self, path: &[u8]) -> Result<Result<Id, Option<Vec<u8>>>, Fault> {
        let (folder, name) = self.place(path)?;
        if !self.get(folder).is_dir() {
            return Err(Fault::NotDirectory);
        }
        let Some(id) = self.child(folder, name) else {
            return Ok(Err(None));
        };
        match &self.get(id).what {
            What::Dir(_) => Err(Fault::Directory),
            What::Symlink(target) if target.starts_with(b"/") => Ok(Err(Some(target.clone()))),
            What::Symlink(target) => Ok(Err(Some(join(&dir(path), target)))),
            _ => Ok(Ok(id)),
        }
    }

    /// Writes a file anew. The mode is that of one that was missing.
    pub(super) fn write(&mut self, path: &[u8], bytes: Vec<u8>, mode: u32) -> Result<Id, Fault> {
        let id = self.file(path, mode)?;
        self.get_mut(id).written = (!bytes.is_empty()).then_some(bytes);
        Ok(id)
    }
}

/// What a link leads to, from the folders that were passed on the way to it.
fn beside(passed: &[&[u8]], target: &[u8]) -> Vec<u8> {
    if target.starts_with(b"/") {
        return target.to_vec();
    }
    if passed.is_empty() {
        return clean(target);
    }
    join(&passed.join(&b'/'), target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let mut files = Files::new();
        files.make_dirs(b"/usr/lib", 0o755).unwrap();
        files.symlink(b"usr/lib", b"lib").unwrap();
        files
    }

    #[test]
    fn folders_are_made_through_links() {
        let mut files = files();
        let made = files.make_dirs(b"lib/apk/db", 0o700).unwrap();
        assert_eq!(files.find(b"/usr/lib/apk/db"), Ok(made));
        assert_eq!(files.get(files.find(b"usr/lib/apk").unwrap()).mode, 0o700);
        assert_eq!(files.make_dir(b"lib/apk", 0o755), Err(Fault::Exists));
    }

    #[test]
    fn a_relative_link_counts_from_the_path_that_was_named() {
        let mut files = files();
        files.make_dir(b"far", 0o755).unwrap();
        files.symlink(b"../far", b"usr/lib/far").unwrap();
        // In the running image both would lead to /usr/far.
        assert_eq!(files.find(b"usr/lib/far"), Err(Fault::Missing));
        assert_eq!(files.find(b"lib/far"), files.find(b"far"));
    }

    #[test]
    fn a_packages_file_has_its_bytes_again_when_it_is_emptied() {
        let mut files = files();
        let id = files.file(b"/usr/passwd", 0o600).unwrap();
        files.get_mut(id).source = Some(Source {
            package: 0,
            content: Content::Bytes(b"old".as_slice().into()),
            sha1: Sha1::new([0; 20]),
        });
        let text = |files: &Files| files.get(id).content().sha256().unwrap();
        let old = text(&files);
        files.write(b"usr/passwd", b"new".to_vec(), 0o644).unwrap();
        assert_ne!(text(&files), old);
        files.write(b"usr/passwd", Vec::new(), 0o644).unwrap();
        assert_eq!((text(&files), files.get(id).mode), (old, 0o600));
    }

    #[test]
    fn links_in_a_circle_are_told_of() {
        let mut files = files();
        files.symlink(b"b", b"a").unwrap();
        files.symlink(b"a", b"b").unwrap();
        assert_eq!(files.find(b"a"), Err(Fault::Circle));
        assert_eq!(files.file(b"a", 0o644), Err(Fault::Circle));
    }
}
