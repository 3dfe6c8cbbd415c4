//! Whether a package carries files of stage 0: seen by comparing bytes, not told by the build.
//!
//! - No program or library may be one of any package of stage 0, see [`programs`](crate::programs),
//!   on whatever way it came.
//! - Of other files, the longer ones are held against the environment they were built in: first by
//!   size, then by SHA-256. What equals a file that only stage 0 has is refused. Short texts,
//!   licences and manuals are everybody's: two packages of one upstream have the same.
//!
//! This finds copies, whole and unchanged; what the compiler puts *into* a program (start files,
//! libgcc) stays.
//!
//! The sizes of an environment's files are noted beside its tree the first time they are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_fsx::{Content, Kind, Limit, RelPath, Root, ScanOptions, Tree};
use boltworks_model::{EvidenceKind, Reasons, Sha256, Verdict};
use boltworks_plan::Pick;
use std::sync::Arc;

use crate::planning::{STAGE0, Stage0};
use crate::programs::Programs;
use crate::{Error, Home};

/// Shorter files are too alike to prove anything: lists of one line, a wheel's own description.
const SHORTEST: u64 = 4096;
/// Where stage 0 has texts that upstream's sources have too.
const TEXTS: &[&str] = &[
    "usr/share/common-licenses",
    "usr/share/doc",
    "usr/share/man",
];
/// The note of an environment's sizes.
const NOTE: &str = "sizes-2";
/// So many copies are named.
const NAMED: usize = 10;

/// The files of one build environment.
pub struct Environment<'a> {
    home: &'a Home,
    root: Arc<Root>,
    sizes: BTreeMap<u64, Vec<RelPath>>,
    packages: &'a [Pick],
    programs: Programs,
}

impl<'a> Environment<'a> {
    /// The environment with this tree, made of these packages.
    pub fn open(
        home: &'a Home,
        stage0: &Stage0,
        tree: &Path,
        packages: &'a [Pick],
    ) -> Result<Self, Error> {
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
            programs: Programs::of(home, stage0)?,
        })
    }

    /// Whether any file of the package is stage 0's.
    pub fn judge(&self, package: &PackageFile) -> Result<Verdict, Error> {
        let mut copies = Vec::new();
        let mut own: Option<BTreeSet<(RelPath, Sha256)>> = None;
        for (path, facts) in package.files()? {
            let Some(digest) = facts.sha256 else {
                continue;
            };
            if let Some(original) = self.programs.get(&digest) {
                copies.push(format!("{path} is stage 0's {original}, byte for byte"));
                continue;
            }
            for original in self.equal(facts.size, &digest)? {
                let own = match &mut own {
                    Some(own) => own,
                    None => own.insert(self.own_files()?),
                };
                if !own.contains(&(original.clone(), digest)) {
                    copies.push(format!("{path} is stage 0's {original}, byte for byte"));
                    break;
                }
            }
        }
        let more = copies.len().saturating_sub(NAMED);
        copies.truncate(NAMED);
        if more > 0 {
            copies.push(format!("and {more} more files"));
        }
        Ok(Reasons::try_from(copies).map_or(Verdict::Pass, Verdict::Fail))
    }

    /// The files of the environment with these bytes.
    fn equal(&self, size: u64, digest: &Sha256) -> Result<Vec<&RelPath>, Error> {
        let mut equal = Vec::new();
        for path in self.sizes.get(&size).into_iter().flatten() {
            let content = Content::Path {
                root: Arc::clone(&self.root),
                path: path.clone(),
                len: size,
            };
            let found = content.sha256().map_err(|source| Error::Environment {
                path: path.to_string(),
                source,
            })?;
            if found == *digest {
                equal.push(path);
            }
        }
        Ok(equal)
    }

    /// Where in the environment the files lie that the factory made itself, and that are its own;
    /// each with its bytes, for another package's may lie in its place.
    fn own_files(&self) -> Result<BTreeSet<(RelPath, Sha256)>, Error> {
        let mut own = BTreeSet::new();
        for pick in self
            .packages
            .iter()
            .filter(|pick| pick.repository != STAGE0)
        {
            // What one package carried off, the next must not pass on as its own.
            let origin = newest(self.home, &pick.sha256, EvidenceKind::Origin)?;
            if !origin.is_some_and(|verdict| verdict.is_pass()) {
                continue;
            }
            let blob = self.home.store.open_blob(&pick.sha256)?;
            let package = PackageFile::open(Arc::clone(blob.file()), &OpenOptions::default())?;
            for (path, facts) in package.files()? {
                let Some(digest) = facts.sha256 else {
                    continue;
                };
                // Where `/lib` is a link to `/usr/lib`, its files lie there.
                own.insert((RelPath::try_from("usr")?.join(&path)?, digest));
                own.insert((path, digest));
            }
        }
        Ok(own)
    }
}

/// The newest word of one kind on a package: of origin, where its files come from.
pub(crate) fn newest(
    home: &Home,
    package: &Sha256,
    kind: EvidenceKind,
) -> Result<Option<Verdict>, Error> {
    let said = home.evidence_for(package)?;
    let newest = said.iter().rev().find(|said| said.kind == kind);
    Ok(newest.map(|said| said.verdict.clone()))
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
        let is_text = TEXTS.iter().any(|folder| {
            let below = path.as_bytes().strip_prefix(folder.as_bytes());
            below.is_some_and(|below| below.starts_with(b"/"))
        });
        let is_noted = content.len() >= SHORTEST && !is_text && !path.as_bytes().contains(&b'\n');
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
