//! Whether a package carries files of stage 0: seen by comparing bytes, not told by the build.
//!
//! Every file of a package is held against the files of the environment it was built in: first by
//! size, then by SHA-256. What equals a file that only stage 0 has is refused. This finds copies,
//! whole and unchanged; what the compiler puts *into* a program (start files, libgcc) stays.
//!
//! The sizes of an environment's files are noted beside its tree the first time they are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_fsx::{Content, Kind, Limit, RelPath, Root, ScanOptions, Tree};
use boltworks_model::{Reasons, Sha256, Verdict};
use boltworks_plan::Pick;
use std::sync::Arc;

use crate::planning::STAGE0;
use crate::{Error, Home};

/// Shorter files are too alike to prove anything: empty ones, one-line lists.
const SHORTEST: u64 = 64;
/// The note of an environment's sizes.
const NOTE: &str = "sizes";
/// So many copies are named.
const NAMED: usize = 10;

/// The files of one build environment.
pub struct Environment<'a> {
    home: &'a Home,
    root: Arc<Root>,
    sizes: BTreeMap<u64, Vec<RelPath>>,
    packages: &'a [Pick],
}

impl<'a> Environment<'a> {
    /// The environment with this tree, made of these packages.
    pub fn open(home: &'a Home, tree: &Path, packages: &'a [Pick]) -> Result<Self, Error> {
        let root = Arc::new(Root::open(tree)?);
        let folder = Root::open(tree.parent().unwrap_or(tree))?;
        let sizes = match read_note(&folder)? {
            Some(sizes) => sizes,
            None => scan(&root, &folder)?,
        };
        Ok(Self {
            home,
            root,
            sizes,
            packages,
        })
    }

    /// Whether any file of the package is stage 0's.
    pub fn judge(&self, package: &PackageFile) -> Result<Verdict, Error> {
        let mut copies = Vec::new();
        let mut own: Option<BTreeSet<Sha256>> = None;
        for (path, facts) in package.files()? {
            let Some(digest) = facts.sha256.filter(|_| facts.size >= SHORTEST) else {
                continue;
            };
            let Some(original) = self.equal(facts.size, &digest)? else {
                continue;
            };
            let own = match &mut own {
                Some(own) => own,
                None => own.insert(self.own_files()?),
            };
            if !own.contains(&digest) {
                copies.push(format!("{path} is stage 0's {original}, byte for byte"));
            }
        }
        let more = copies.len().saturating_sub(NAMED);
        copies.truncate(NAMED);
        if more > 0 {
            copies.push(format!("and {more} more files"));
        }
        Ok(Reasons::try_from(copies).map_or(Verdict::Pass, Verdict::Fail))
    }

    /// A file of the environment with these bytes.
    fn equal(&self, size: u64, digest: &Sha256) -> Result<Option<&RelPath>, Error> {
        for path in self.sizes.get(&size).into_iter().flatten() {
            let content = Content::Path {
                root: Arc::clone(&self.root),
                path: path.clone(),
                len: size,
            };
            let mut hasher = boltworks_crypto::Sha256Hasher::new();
            content
                .copy_to(&mut hasher)
                .map_err(|source| Error::Environment {
                    path: path.to_string(),
                    source,
                })?;
            if hasher.finish() == *digest {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// The files of the environment's packages that the factory made itself.
    fn own_files(&self) -> Result<BTreeSet<Sha256>, Error> {
        let mut own = BTreeSet::new();
        for pick in self
            .packages
            .iter()
            .filter(|pick| pick.repository != STAGE0)
        {
            let blob = self.home.store.open_blob(&pick.sha256)?;
            let package = PackageFile::open(Arc::clone(blob.file()), &OpenOptions::default())?;
            own.extend(
                package
                    .files()?
                    .into_values()
                    .filter_map(|facts| facts.sha256),
            );
        }
        Ok(own)
    }
}

/// Lines of a size and a path.
fn read_note(folder: &Root) -> Result<Option<BTreeMap<u64, Vec<RelPath>>>, Error> {
    let name = RelPath::try_from(NOTE)?;
    if !folder.exists(&name)? {
        return Ok(None);
    }
    let bytes = folder.read_vec(&name, Limit::gib(1))?;
    let mut sizes: BTreeMap<u64, Vec<RelPath>> = BTreeMap::new();
    for line in bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let mut parts = line.splitn(2, |&byte| byte == b' ');
        let size = parts
            .next()
            .and_then(|size| std::str::from_utf8(size).ok()?.parse().ok());
        let (Some(size), Some(path)) = (size, parts.next()) else {
            return Ok(None);
        };
        sizes.entry(size).or_default().push(RelPath::new(path)?);
    }
    Ok(Some(sizes))
}

fn scan(root: &Arc<Root>, folder: &Root) -> Result<BTreeMap<u64, Vec<RelPath>>, Error> {
    let options = ScanOptions {
        skip_xattrs: true,
        ..ScanOptions::default()
    };
    let tree = Tree::read_from(root, options)?;
    let mut sizes: BTreeMap<u64, Vec<RelPath>> = BTreeMap::new();
    let mut note = Vec::new();
    for (path, node) in tree.iter() {
        let Kind::File(content) = &node.kind else {
            continue;
        };
        let is_noted = content.len() >= SHORTEST && !path.as_bytes().contains(&b'\n');
        if is_noted {
            sizes.entry(content.len()).or_default().push(path.clone());
            note.extend_from_slice(format!("{} ", content.len()).as_bytes());
            note.extend_from_slice(path.as_bytes());
            note.push(b'\n');
        }
    }
    folder.write(&RelPath::try_from(NOTE)?, &note, 0o644)?;
    Ok(sizes)
}
