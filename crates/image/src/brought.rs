//! What of the image's files is still as the packages brought it.
//!
//! The image writes files of its own, some of them where a package has one: accounts go into the
//! package's `/etc/passwd`, certificates into its bundle, `paths` wherever they say. Such a path
//! is no longer the package's: the database does not list it, since apk would take the bytes for
//! those of the package, and lay the next version's over them. A path the database does not know
//! apk leaves as it is, beneath `/etc`, and puts the package's beside it.

use std::collections::BTreeSet;
use std::sync::Arc;

use boltworks_fsx::{Content, Kind, Meta, Node, RelPath, Tree};
use boltworks_model::Sha256;
use boltworks_rootfs::{Assembly, Belongings, Member};

use crate::Error;

/// The packages' files, before the image changes any.
#[derive(Debug, Clone, Copy)]
pub struct Brought<'a> {
    /// The packages, merged.
    pub assembly: &'a Assembly,
    /// The packages, in install order.
    pub members: &'a [Member<'a>],
    /// How many of them are none, but the image below.
    pub below: usize,
}

impl Brought<'_> {
    /// Name and version of the package that a path came from.
    pub fn package(&self, path: &RelPath) -> Option<String> {
        let place = *self.assembly.origin.get(path)?;
        let control = self
            .members
            .get(place)
            .filter(|_| place >= self.below)?
            .control;
        Some(format!("{}-{}", control.name, control.version))
    }

    /// What a package brought at a path.
    pub fn node(&self, path: &RelPath) -> Option<&Node> {
        self.assembly.tree.get(path)
    }

    /// What of the finished image is still as the packages brought it.
    pub fn standing(&self, tree: &Tree) -> Result<Standing, Error> {
        let own = self.members.iter().zip(&self.assembly.belongings);
        let whole = own.skip(self.below).map(|(member, belongings)| {
            *belongings == Belongings::All && has_all_of(tree, member.tree)
        });
        Ok(Standing {
            replaced: self.replaced(tree)?,
            whole: whole.collect(),
        })
    }

    fn replaced(&self, tree: &Tree) -> Result<BTreeSet<RelPath>, Error> {
        let mut replaced = BTreeSet::new();
        let mut after = tree.iter().peekable();
        for (path, node) in self.assembly.tree.iter() {
            while after.next_if(|(other, _)| *other < path).is_some() {}
            let new = after.next_if(|(other, _)| *other == path);
            let is_same = match new {
                Some((_, new)) => is_same(path, (&self.assembly.tree, node), (tree, new))?,
                None => false,
            };
            if !is_same {
                replaced.insert(path.clone());
            }
        }
        Ok(replaced)
    }
}

/// What of an image is still as its packages brought it.
#[derive(Debug, Default)]
pub struct Standing {
    /// The packages' paths at which the finished image has something else: other bytes, or
    /// another kind of file. Owners and modes do not count.
    pub replaced: BTreeSet<RelPath>,
    /// Of each package, whether all that it has is there as it has it.
    whole: Vec<bool>,
}

impl Standing {
    /// Whether all that a package has is in the image where and as it has it, but for the times of
    /// folders, which are anybody's.
    pub fn is_whole(&self, package: usize) -> bool {
        self.whole.get(package) == Some(&true)
    }
}

/// Whether a tree has every node of a package's as it is there.
fn has_all_of(tree: &Tree, own: &Tree) -> bool {
    own.iter().all(|(path, node)| {
        let there = tree.get(path);
        there.is_some_and(|there| {
            let Meta {
                mode,
                uid,
                gid,
                mtime,
                xattrs,
            } = &there.meta;
            let own = &node.meta;
            let is_same = match (&there.kind, &node.kind) {
                (Kind::File(there), Kind::File(own)) => is_one(there, own),
                (there, own) => there.is_same_without_bytes(own),
            };
            is_same
                && (mode, uid, gid, xattrs) == (&own.mode, &own.uid, &own.gid, &own.xattrs)
                && (node.is_dir() || *mtime == own.mtime)
        })
    })
}

fn is_same(
    path: &RelPath,
    (before, old): (&Tree, &Node),
    (after, new): (&Tree, &Node),
) -> Result<bool, Error> {
    let contents = (content(path, before, old), content(path, after, new));
    if let (Some(old), Some(new)) = contents {
        return has_same_bytes(path, old, new);
    }
    Ok(old.kind.is_same_without_bytes(&new.kind))
}

/// The bytes of a file, whichever of its names this is.
fn content<'t>(path: &RelPath, tree: &'t Tree, node: &'t Node) -> Option<&'t Content> {
    match &node.kind {
        Kind::File(content) => Some(content),
        Kind::Hardlink(_) => tree.file(path),
        _ => None,
    }
}

/// Whether two contents of a path are the same bytes.
pub(crate) fn has_same_bytes(path: &RelPath, old: &Content, new: &Content) -> Result<bool, Error> {
    Ok(is_one(old, new) || old.len() == new.len() && digest(path, old)? == digest(path, new)?)
}

/// Whether these are the very same bytes, which need not be read to know it.
fn is_one(old: &Content, new: &Content) -> bool {
    match (old, new) {
        (Content::Bytes(old), Content::Bytes(new)) => Arc::ptr_eq(old, new),
        (
            Content::Span { file, offset, len },
            Content::Span {
                file: new_file,
                offset: new_offset,
                len: new_len,
            },
        ) => Arc::ptr_eq(file, new_file) && (offset, len) == (new_offset, new_len),
        (Content::Checked { sha256, .. }, Content::Checked { sha256: new, .. }) => sha256 == new,
        _ => false,
    }
}

/// The digest of a path's bytes.
pub(crate) fn digest(path: &RelPath, content: &Content) -> Result<Sha256, Error> {
    content.sha256().map_err(|source| Error::Content {
        path: path.clone(),
        source,
    })
}
