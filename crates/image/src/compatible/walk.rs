//! The files in apko's order, parted into its layers.
//!
//! Names come folder by folder, each folder's in byte order. Where there are several layers a package's
//! files go into the one of its group, and all else, every folder too, into the topmost. A lower layer has
//! a folder in front of the first thing beneath it, with that thing's time; the folder then has that time
//! wherever it comes again.

use std::collections::BTreeMap;

use boltworks_fsx::{Kind, Meta, Node, RelPath};

use super::files::{Files, Id, What};
use super::names::dir;
use crate::Error;

/// Where apk's list of packages is.
const DATABASE: &[u8] = b"usr/lib/apk/db/installed";

/// A name of the image.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) path: RelPath,
    pub(super) id: Id,
    pub(super) mtime: i64,
}

/// An entry of a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// Which name.
    pub(super) name: usize,
    /// With which time.
    pub(super) mtime: i64,
    /// Whether it is the list of the layer's packages, and not that of the image.
    pub(super) is_partial: bool,
}

/// All names but the root's.
pub(super) fn names(files: &Files) -> Result<Vec<Name>, Error> {
    let mut names = Vec::new();
    let mut todo = children(files, b"", 0);
    while let Some((path, id)) = todo.pop() {
        todo.extend(children(files, &path, id));
        names.push(Name {
            path: RelPath::new(path)?,
            id,
            mtime: files.get(id).mtime,
        });
    }
    Ok(names)
}

/// What is in a folder, the last first.
fn children(files: &Files, path: &[u8], id: Id) -> Vec<(Vec<u8>, Id)> {
    let What::Dir(children) = &files.get(id).what else {
        return Vec::new();
    };
    let below = |name: &Vec<u8>| match path {
        b"" => name.clone(),
        path => [path, b"/", name].concat(),
    };
    let children = children.iter().rev();
    children.map(|(name, id)| (below(name), *id)).collect()
}

/// What a name is, as a layer's entry says it.
pub(super) fn node(files: &Files, name: &Name, mtime: i64) -> Node {
    let inode = files.get(name.id);
    let kind = match &inode.what {
        What::Dir(_) => Kind::Dir,
        What::File => match inode.links.get(name.path.as_bytes()) {
            Some(first) => Kind::Hardlink(first.clone()),
            None => Kind::File(inode.content()),
        },
        What::Symlink(target) => Kind::Symlink(target.clone()),
        &What::Char(major, minor) => Kind::CharDevice { major, minor },
        &What::Block(major, minor) => Kind::BlockDevice { major, minor },
        What::Fifo => Kind::Fifo,
    };
    let xattrs = match kind {
        Kind::Dir | Kind::File(_) => inode.xattrs.clone(),
        _ => BTreeMap::new(),
    };
    Node {
        meta: Meta {
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            mtime,
            xattrs,
        },
        kind,
    }
}

/// All names in one layer.
pub(super) fn whole(names: &[Name]) -> Vec<Item> {
    let items = names.iter().enumerate();
    let item = |(name, one): (usize, &Name)| Item {
        name,
        mtime: one.mtime,
        is_partial: false,
    };
    items.map(item).collect()
}

/// The names in as many layers as there are groups, and one above them. `group` is that of a package.
pub(super) fn part(
    files: &Files,
    names: &mut [Name],
    groups: usize,
    group: impl Fn(usize) -> Option<usize>,
) -> Vec<Vec<Item>> {
    let mut layers: Vec<Layer> = (0..=groups).map(|_| Layer::default()).collect();
    let mut stack: Vec<usize> = Vec::new();
    for at in 0..names.len() {
        let Some(name) = names.get(at) else { break };
        let inode = files.get(name.id);
        if inode.is_dir() {
            let above = dir(name.path.as_bytes());
            let is_above = |at: &usize| {
                names
                    .get(*at)
                    .is_some_and(|one| one.path.as_bytes() == above)
            };
            while stack.last().is_some_and(|last| !is_above(last)) {
                stack.pop();
            }
            stack.push(at);
        }
        let owner = inode
            .source
            .as_ref()
            .and_then(|source| group(source.package));
        let is_database = name.path.as_bytes() == DATABASE;
        let mtime = name.mtime;
        if let Some(layer) = layers.get_mut(owner.unwrap_or(groups)) {
            layer.align(names, &stack, (at, mtime));
            layer.items.push(Item {
                name: at,
                mtime,
                is_partial: false,
            });
        }
        if is_database {
            for layer in layers.iter_mut().take(groups) {
                layer.align(names, &stack, (at, mtime));
                layer.items.push(Item {
                    name: at,
                    mtime,
                    is_partial: true,
                });
            }
        }
    }
    layers.into_iter().map(|layer| layer.items).collect()
}

#[derive(Default)]
struct Layer {
    items: Vec<Item>,
    /// The folders that are above what came last.
    stack: Vec<usize>,
}

impl Layer {
    /// Adds the folders that are above a name and not in the layer yet, with its time.
    fn align(&mut self, names: &mut [Name], stack: &[usize], (at, mtime): (usize, i64)) {
        let same = self.stack.iter().zip(stack);
        let same = same.take_while(|(own, other)| own == other).count();
        self.stack.truncate(same);
        for &folder in stack.get(same..).unwrap_or_default() {
            self.stack.push(folder);
            if folder == at {
                continue;
            }
            if let Some(name) = names.get_mut(folder) {
                name.mtime = mtime;
            }
            self.items.push(Item {
                name: folder,
                mtime,
                is_partial: false,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::Content;
    use boltworks_model::Sha1;

    use super::super::files::Source;
    use super::*;

    /// Each entry with its time, layer by layer; a partial list is marked.
    fn shown(files: &Files, groups: usize) -> String {
        let mut names = names(files).unwrap();
        let layers = part(files, &mut names, groups, Some);
        let entry = |item: &Item| {
            let mark = if item.is_partial { "*" } else { "" };
            format!("{}{mark}@{}", names[item.name].path, item.mtime)
        };
        let layers = layers.iter().map(|items| {
            let entries: Vec<_> = items.iter().map(entry).collect();
            entries.join(" ") + "\n"
        });
        layers.collect()
    }

    #[test]
    fn a_lower_layer_has_the_folders_above_its_files_with_their_times() {
        let mut files = Files::new();
        for (path, package, mtime) in [
            ("usr/lib/apk/db/installed", None, 0),
            ("usr/lib/one", Some(0), 5),
            ("usr/lib/two", Some(1), 6),
            ("usr.d/three", Some(0), 7),
        ] {
            let above = path.rsplit_once('/').unwrap().0;
            let folder = files.make_dirs(above.as_bytes(), 0o755).unwrap();
            files.get_mut(folder).mtime = 3;
            let id = files.write(path.as_bytes(), b"x".to_vec(), 0o644).unwrap();
            let file = files.get_mut(id);
            file.mtime = mtime;
            file.source = package.map(|package| Source {
                package,
                content: Content::Bytes(b"x".as_slice().into()),
                sha1: Sha1::new([0; 20]),
            });
        }
        insta::assert_snapshot!(shown(&files, 2), @r"
        usr@0 usr/lib@0 usr/lib/apk@0 usr/lib/apk/db@0 usr/lib/apk/db/installed*@0 usr/lib/one@5 usr.d@7 usr.d/three@7
        usr@0 usr/lib@0 usr/lib/apk@0 usr/lib/apk/db@0 usr/lib/apk/db/installed*@0 usr/lib/two@6
        usr@0 usr/lib@3 usr/lib/apk@0 usr/lib/apk/db@3 usr/lib/apk/db/installed@0 usr.d@3
        ");
    }
}
