//! One parallel walk over a package's files: what each shows is looked up once.
//!
//! Dependencies ([`analysis`](crate::analysis)) and linters ([`lint`](crate::lint)) are plain
//! functions over what is found here, and read no file.

mod elf;
mod kernel;
mod links;
mod script;

use std::collections::BTreeSet;

use boltworks_fsx::{Content, Kind, Limit, Node, RelPath, Tree};
use boltworks_model::Sha256;
use rayon::prelude::*;

pub use self::elf::{ElfFacts, ElfKind, Mark};
pub use self::kernel::KernelFacts;
pub use self::links::{Family, Library};
pub use self::script::PkgConfigFacts;
pub(crate) use self::script::base_name;
use crate::Error;

/// The largest pkg-config file, and the largest list of library folders.
const TEXT_LIMIT: u64 = 1 << 20;
/// How much of a file is read to see what it is.
const HEAD: u64 = 1024;
/// Smaller files may lie about twice.
const SMALL: u64 = 1024;

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
    /// The library that a symbolic link is another name of, in its own package.
    pub linked: Option<Library>,
    /// The soname of the library that a symbolic link asks for by the last part of its target,
    /// where one of the build's packages has it in a library folder.
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
        links::folder(self.path)
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
        .map(|(path, node)| at(path, node, tree, family))
        .collect::<Result<Vec<_>, Error>>()?;
    links::add_libraries(tree, &mut files);
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

fn at<'a>(
    path: &'a RelPath,
    node: &Node,
    tree: &Tree,
    family: &Family<'_>,
) -> Result<FileFacts<'a>, Error> {
    let mut facts = FileFacts {
        path,
        shape: Shape::Special,
        mode: node.meta.mode,
        size: 0,
        in_library_folder: false,
        elf: None,
        linked: None,
        leads_to: None,
        shebang: None,
        pkg_config: None,
        kernel: None,
        digest: None,
    };
    facts.in_library_folder = family.has_library_folder(facts.folder());
    match &node.kind {
        Kind::Dir => facts.shape = Shape::Dir,
        Kind::Symlink(target) => {
            facts.shape = Shape::Symlink;
            facts.leads_to = family.soname_behind(path, target)?;
        }
        Kind::Hardlink(target) => {
            facts.shape = Shape::Hardlink;
            let home = tree.link_target(target);
            match home.and_then(|home| tree.get(home)) {
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
