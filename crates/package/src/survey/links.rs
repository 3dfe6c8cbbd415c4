//! Where symbolic links lead: to libraries of their own package, and of others of the same build.

use std::collections::BTreeMap;

use boltworks_fsx::{Kind, Limit, RelPath, Tree};

use super::elf::{self, ElfKind};
use super::{FileFacts, HEAD, Shape, TEXT_LIMIT, script};
use crate::Error;

/// So many links are followed on one way, as in Linux.
const LINK_STEPS: usize = 40;
/// Folders the dynamic loader searches without being told.
const LIBRARY_FOLDERS: [&str; 4] = ["lib", "usr/lib", "lib64", "usr/lib64"];

/// The packages of one build, and where their programs find libraries.
pub struct Family<'a> {
    trees: Vec<&'a Tree>,
    /// The library folders, and which is searched before which.
    folders: BTreeMap<Vec<u8>, usize>,
    /// What lies in library folders, by name; in the order in which it is searched.
    names: BTreeMap<&'a [u8], Vec<Place<'a>>>,
}

/// A path of one of the packages, which are counted from 0.
type Place<'a> = (usize, &'a RelPath);

impl<'a> Family<'a> {
    /// The family of these packages. The folders that their files in `etc/ld.so.conf.d` name are
    /// library folders for each of them.
    pub fn new(trees: &[&'a Tree]) -> Result<Self, Error> {
        let mut all: Vec<Vec<u8>> = LIBRARY_FOLDERS.map(Vec::from).into();
        let lists = RelPath::try_from("etc/ld.so.conf.d")?;
        for tree in trees {
            for (path, node) in tree.beneath(&lists) {
                if let (Kind::File(content), true) =
                    (&node.kind, path.file_name().ends_with(b".conf"))
                {
                    let text = content.read_vec(Limit(TEXT_LIMIT))?;
                    all.extend(script::library_folders(&text));
                }
            }
        }
        let mut folders = BTreeMap::new();
        for (rank, folder) in all.into_iter().enumerate() {
            folders.entry(folder).or_insert(rank);
        }
        let mut places = Vec::new();
        for (number, tree) in trees.iter().enumerate() {
            let entries = tree.iter().filter_map(|(path, _)| {
                let rank = folders.get(folder(path))?;
                Some(((number, *rank), path))
            });
            places.extend(entries);
        }
        places.sort();
        let mut names: BTreeMap<&[u8], Vec<Place<'_>>> = BTreeMap::new();
        for ((number, _), path) in places {
            let named = names.entry(path.file_name()).or_default();
            named.push((number, path));
        }
        Ok(Self {
            trees: trees.to_vec(),
            folders,
            names,
        })
    }

    pub(super) fn has_library_folder(&self, folder: &[u8]) -> bool {
        self.folders.contains_key(folder)
    }

    /// The soname of the library that a link is there for. Which one that is says the last part of
    /// its target alone, as for melange: links lead to where the library's package is installed.
    pub(super) fn soname_behind(
        &self,
        link: &RelPath,
        target: &[u8],
    ) -> Result<Option<String>, Error> {
        if !link.as_bytes().windows(3).any(|part| part == b".so") {
            return Ok(None);
        }
        let mut parts = target.split(|&byte| byte == b'/');
        let name = parts.rfind(|part| !part.is_empty()).unwrap_or_default();
        let places = self.names.get(name).into_iter().flatten();
        let mut found = places.filter_map(|(number, path)| {
            let tree = self.trees.get(*number)?;
            Some((tree, followed(tree, path)?))
        });
        let Some(content) = found.next().and_then(|(tree, path)| tree.file(&path)) else {
            return Ok(None);
        };
        let bytes = content.opened()?;
        let elf = elf::read(&bytes, &bytes.at(0, HEAD)?)?;
        Ok(elf
            .filter(|elf| elf.kind == ElfKind::Shared)
            .and_then(|elf| elf.soname))
    }
}

/// A library that has another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its `DT_SONAME`.
    pub soname: String,
    /// Whether it can be run, too.
    pub is_program: bool,
}

/// Says of each link that leads to a library of its own package which that is.
pub(super) fn add_libraries(tree: &Tree, files: &mut [FileFacts<'_>]) {
    let links = files.iter().enumerate();
    let links = links.filter(|(_, facts)| facts.shape == Shape::Symlink);
    let found: Vec<(usize, Library)> = links
        .filter_map(|(index, facts)| {
            let home = followed(tree, facts.path)?;
            let at = files.binary_search_by(|facts| facts.path.cmp(&home));
            let elf = files.get(at.ok()?)?.elf.as_deref()?;
            let soname = Some(elf).filter(|elf| elf.kind == ElfKind::Shared)?;
            let library = Library {
                soname: soname.soname.clone()?,
                is_program: elf.interpreter.is_some(),
            };
            Some((index, library))
        })
        .collect();
    for (index, library) in found {
        if let Some(facts) = files.get_mut(index) {
            facts.linked = Some(library);
        }
    }
}

/// What a path leads to in its own package: not through absolute links, which lead to where
/// packages are installed.
fn followed(tree: &Tree, path: &RelPath) -> Option<RelPath> {
    let mut done: Vec<&[u8]> = Vec::new();
    let mut parts: Vec<&[u8]> = reversed(path.as_bytes());
    let mut steps = 0;
    while let Some(part) = parts.pop() {
        match part {
            b"" | b"." => continue,
            b".." => {
                done.pop()?;
                continue;
            }
            part => done.push(part),
        }
        let here = RelPath::new(done.join(&b'/')).ok()?;
        if let Kind::Symlink(target) = &tree.get(&here)?.kind {
            steps += 1;
            if steps > LINK_STEPS || target.starts_with(b"/") {
                return None;
            }
            done.pop();
            parts.extend(reversed(target));
        }
    }
    RelPath::new(done.join(&b'/')).ok()
}

fn reversed(path: &[u8]) -> Vec<&[u8]> {
    path.split(|&byte| byte == b'/').rev().collect()
}

/// The folder that a path lies in; empty at the top.
pub(super) fn folder(path: &RelPath) -> &[u8] {
    let bytes = path.as_bytes();
    let end = bytes.iter().rposition(|&byte| byte == b'/');
    end.and_then(|end| bytes.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::{Meta, Node};

    use super::*;

    #[test]
    fn links_are_followed_in_their_own_package_only() {
        let mut tree = Tree::new();
        let meta = || Meta::new(0o755, 0);
        let file = RelPath::try_from("usr/lib/x/a").unwrap();
        tree.insert(file, Node::file(meta(), b"".to_vec())).unwrap();
        for (path, target) in [
            ("lib", "usr/./lib"),
            ("usr/lib/b", "x/a"),
            ("usr/lib/c", "../../lib//b"),
            ("usr/lib/d", "/usr/lib/x/a"),
            ("usr/lib/e", "../../../usr/lib/x/a"),
            ("usr/lib/f", "f"),
            ("usr/lib/g", "nothing"),
        ] {
            let path = RelPath::try_from(path).unwrap();
            tree.insert(path, Node::symlink(meta(), target)).unwrap();
        }
        tree.ensure_dirs(&meta());
        let leads = |path: &str| {
            let found = followed(&tree, &RelPath::try_from(path).unwrap());
            found.map(|path| path.to_string())
        };
        for path in ["usr/lib/x/a", "usr/lib/b", "usr/lib/c", "lib/c", "lib/x/a"] {
            assert_eq!(leads(path).as_deref(), Some("usr/lib/x/a"), "{path}");
        }
        for path in ["usr/lib/d", "usr/lib/e", "usr/lib/f", "usr/lib/g"] {
            assert_eq!(leads(path), None, "{path}");
        }
    }
}
