//! One parallel walk over a package's files: what each shows is looked up once.
//!
//! Dependencies ([`analysis`](crate::analysis)) and linters ([`lint`](crate::lint)) are plain
//! functions over what is found here, and read no file.

mod elf;
mod kernel;
mod script;

use std::collections::BTreeSet;

use boltworks_fsx::{Content, Kind, Limit, Node, RelPath, Tree};
use boltworks_model::Sha256;
use rayon::prelude::*;

pub use self::elf::{ElfFacts, ElfKind, Mark};
pub use self::kernel::KernelFacts;
pub use self::script::PkgConfigFacts;
pub(crate) use self::script::base_name;
use crate::Error;

/// The largest pkg-config file, and the largest list of library folders.
const TEXT_LIMIT: u64 = 1 << 20;
/// How much of a file is read to see what it is.
const HEAD: u64 = 1024;
/// Smaller files may lie about twice.
const SMALL: u64 = 1024;
/// The longest chain of links that is followed.
const LINK_STEPS: usize = 8;
/// Folders the dynamic loader searches without being told.
const LIBRARY_FOLDERS: [&str; 4] = ["lib", "usr/lib", "lib64", "usr/lib64"];

/// The packages of one build, and where their programs find libraries.
pub struct Family<'a> {
    trees: Vec<&'a Tree>,
    library_folders: Vec<Vec<u8>>,
}

impl<'a> Family<'a> {
    /// The family of these packages. The folders that their files in `etc/ld.so.conf.d` name are
    /// library folders for each of them.
    pub fn new(trees: &[&'a Tree]) -> Result<Self, Error> {
        let mut library_folders: Vec<Vec<u8>> = LIBRARY_FOLDERS
            .iter()
            .map(|&folder| folder.into())
            .collect();
        let lists = RelPath::try_from("etc/ld.so.conf.d")?;
        for tree in trees {
            for (path, node) in tree.beneath(&lists) {
                if let (Kind::File(content), true) =
                    (&node.kind, path.file_name().ends_with(b".conf"))
                {
                    let text = content.read_vec(Limit(TEXT_LIMIT))?;
                    library_folders.extend(script::library_folders(&text));
                }
            }
        }
        library_folders.sort_unstable();
        library_folders.dedup();
        Ok(Self {
            trees: trees.to_vec(),
            library_folders,
        })
    }
}

/// What a path of a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A folder.
    Dir,
    /// A regular file.
    File,
    /// Another name of a regular file.
    Hardlink,
    /// A symbolic link.
    Symlink,
    /// A device or pipe.
    Special,
}

/// What one look at a path shows.
#[derive(Debug, Clone)]
pub struct FileFacts<'a> {
    /// Where it lies.
    pub path: &'a RelPath,
    /// What it is.
    pub shape: Shape,
    /// Its permission bits, or those of the file that a hard link names.
    pub mode: u32,
    /// The number of bytes of a regular file.
    pub size: u64,
    /// Whether the loader looks for libraries in its folder.
    pub in_library_folder: bool,
    /// What its ELF headers say.
    pub elf: Option<Box<ElfFacts>>,
    /// The soname of the library that a symbolic link leads to, in another package of the build.
    pub leads_to: Option<String>,
    /// The program and first argument of its `#!` line.
    pub shebang: Option<Vec<String>>,
    /// What it says as a pkg-config file.
    pub pkg_config: Option<PkgConfigFacts>,
    /// Which kernel it is or is for.
    pub kernel: Option<KernelFacts>,
    /// The digest of its bytes, if it is as long as another file of its name, and not short. Other
    /// names of one file have none.
    pub digest: Option<Sha256>,
}

impl<'a> FileFacts<'a> {
    /// The folder it lies in; empty at the top.
    pub fn folder(&self) -> &'a [u8] {
        let bytes = self.path.as_bytes();
        let end = bytes.iter().rposition(|&byte| byte == b'/');
        end.and_then(|end| bytes.get(..end)).unwrap_or_default()
    }

    /// Its name in its folder.
    pub fn name(&self) -> &'a [u8] {
        self.path.file_name()
    }

    /// Whether it is a regular file, also under a second name.
    pub fn is_regular(&self) -> bool {
        matches!(self.shape, Shape::File | Shape::Hardlink)
    }

    /// Whether it is the folder of this name or beneath it.
    pub fn is_at_or_beneath(&self, folder: &str) -> bool {
        self.path.as_bytes() == folder.as_bytes() || self.is_beneath(folder)
    }

    /// Whether it is beneath the folder of this name.
    pub fn is_beneath(&self, folder: &str) -> bool {
        let rest = self.path.as_bytes().strip_prefix(folder.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    }
}

/// All that the walk found, in byte order of the paths.
pub struct Survey<'a> {
    /// One entry for each path.
    pub files: Vec<FileFacts<'a>>,
}

/// Looks at every path of a package.
///
/// Cost: of each file its first kilobyte is read, and of ELF files, kernels and their modules the
/// parts that are asked about; files of one name and size are read whole. The work is spread over
/// rayon's current pool. What is found does not depend on the number of threads.
pub fn survey<'a>(tree: &'a Tree, family: &Family<'_>) -> Result<Survey<'a>, Error> {
    let entries: Vec<_> = tree.iter().collect();
    let mut files = entries
        .par_iter()
        .map(|(path, node)| Look { tree, family }.at(path, node))
        .collect::<Result<Vec<_>, Error>>()?;
    let alike = alike(&files);
    files
        .par_iter_mut()
        .zip(entries)
        .filter(|(facts, _)| alike.contains(&(facts.name(), facts.size)))
        .try_for_each(|(facts, (_, node))| {
            if let Kind::File(content) = &node.kind {
                facts.digest = Some(content.sha256()?);
            }
            Ok::<(), Error>(())
        })?;
    Ok(Survey { files })
}

/// Names and sizes that several files have.
fn alike<'a>(files: &[FileFacts<'a>]) -> BTreeSet<(&'a [u8], u64)> {
    let files = files
        .iter()
        .filter(|facts| facts.shape == Shape::File && facts.size >= SMALL);
    let mut seen = BTreeSet::new();
    files
        .map(|facts| (facts.name(), facts.size))
        .filter(|key| !seen.insert(*key))
        .collect()
}

/// What a look needs to know of its surroundings.
#[derive(Clone, Copy)]
struct Look<'a, 'f> {
    tree: &'a Tree,
    family: &'f Family<'f>,
}

impl<'a> Look<'a, '_> {
    fn at(self, path: &'a RelPath, node: &'a Node) -> Result<FileFacts<'a>, Error> {
        let mut facts = FileFacts {
            path,
            shape: Shape::Special,
            mode: node.meta.mode,
            size: 0,
            in_library_folder: false,
            elf: None,
            leads_to: None,
            shebang: None,
            pkg_config: None,
            kernel: None,
            digest: None,
        };
        let folders = &self.family.library_folders;
        facts.in_library_folder = folders
            .binary_search_by(|folder| folder.as_slice().cmp(facts.folder()))
            .is_ok();
        match &node.kind {
            Kind::Dir => facts.shape = Shape::Dir,
            Kind::Symlink(target) => {
                facts.shape = Shape::Symlink;
                if facts.in_library_folder {
                    facts.leads_to = self.soname_elsewhere(path, target)?;
                }
            }
            Kind::Hardlink(target) => {
                facts.shape = Shape::Hardlink;
                let home = self.tree.link_target(target);
                match home.and_then(|home| self.tree.get(home)) {
                    Some(Node {
                        meta,
                        kind: Kind::File(content),
                    }) => {
                        facts.mode = meta.mode;
                        look_inside(content, &mut facts)?;
                    }
                    // It is another name of that, and no package can hold it.
                    Some(Node {
                        kind: Kind::Symlink(_),
                        ..
                    }) => facts.shape = Shape::Symlink,
                    _ => facts.shape = Shape::Special,
                }
            }
            Kind::File(content) => {
                facts.shape = Shape::File;
                look_inside(content, &mut facts)?;
            }
            _ => {}
        }
        Ok(facts)
    }

    /// The soname of the library that a link leads to, if it leaves its own package on the way.
    fn soname_elsewhere(self, path: &RelPath, target: &[u8]) -> Result<Option<String>, Error> {
        let Some(content) = self.linked_elsewhere(path, target) else {
            return Ok(None);
        };
        let bytes = content.opened()?;
        let head = bytes.at(0, HEAD)?;
        let elf = elf::read(&bytes, &head)?;
        Ok(elf
            .filter(|elf| elf.kind == ElfKind::Shared)
            .and_then(|elf| elf.soname))
    }

    fn linked_elsewhere<'s>(&'s self, path: &RelPath, target: &'s [u8]) -> Option<&'s Content> {
        let (mut path, mut target, mut left_home) = (path.clone(), target, false);
        for _ in 0..LINK_STEPS {
            path = RelPath::new(joined(&path, target)?).ok()?;
            let at_home = self.tree.get(&path);
            let mut siblings = self.family.trees.iter();
            let node = at_home.or_else(|| siblings.find_map(|tree| tree.get(&path)))?;
            left_home |= at_home.is_none();
            match &node.kind {
                Kind::File(content) => return left_home.then_some(content),
                Kind::Symlink(next) => target = next,
                _ => return None,
            }
        }
        None
    }
}

fn look_inside(content: &Content, facts: &mut FileFacts<'_>) -> Result<(), Error> {
    facts.size = content.len();
    if facts.name().ends_with(b".pc") {
        let text = content.read_vec(Limit(TEXT_LIMIT))?;
        facts.pkg_config = Some(script::parse_pkg_config(&String::from_utf8_lossy(&text)));
        return Ok(());
    }
    if content.is_empty() {
        return Ok(());
    }
    let bytes = content.opened()?;
    let head = bytes.at(0, HEAD)?;
    facts.elf = elf::read(&bytes, &head)?.map(Box::new);
    facts.shebang = script::parse_shebang(&head);
    facts.kernel = kernel::read(facts, &bytes, &head)?;
    Ok(())
}

/// Where a link at `path` points, without `.` and `..`, or nothing where `..` leaves the tree.
fn joined(path: &RelPath, target: &[u8]) -> Option<Vec<u8>> {
    match (target.strip_prefix(b"/"), path.parent()) {
        (Some(absolute), _) => normalised(absolute),
        (None, Some(parent)) => normalised(&[parent.as_bytes(), b"/", target].concat()),
        (None, None) => normalised(target),
    }
}

/// The path without `.` and `..`, or nothing where `..` would leave the tree.
fn normalised(path: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_inside_the_tree_only() {
        assert_eq!(
            normalised(b"usr/lib/../../lib/x").as_deref(),
            Some(&b"lib/x"[..])
        );
        assert_eq!(normalised(b"usr/../../x"), None);
    }
}
