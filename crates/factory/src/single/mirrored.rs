//! Repositories at addresses: their indexes, and those packages that are chosen, brought into folders of
//! the state, where they are repositories like any other.
//!
//! ```text
//! mirrors/FROM/          of one address and architecture: its index, and every package ever taken
//! mirrors/CHOICE/ARCH/   the packages of one choice, and an index of them with our own signature
//! ```
//!
//! The index of an address must be signed by a trusted key, and so must every package. Ours says no
//! more than what theirs said: whoever reads it holds the key to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_apk::index::FILE_NAME;
use boltworks_apk::{Index, IndexEntry, OpenOptions, PackageFile};
use boltworks_crypto::{Keyring, sha256};
use boltworks_fsx::{Bounded, Draft, Limit, RelPath, Root};
use boltworks_model::{Ambient, Event, chain};
use boltworks_net::{Address, Download, Have, Part, Retry, download};
use boltworks_solver::{Options, solve};
use boltworks_version::apk::Dependency;

use super::keyring::with_keys;
use super::last_records;
use crate::catalog::Loaded;
use crate::equipment::Reach;
use crate::planning::{GIVEN_PREFERENCE, Stage0};
use crate::repository::{Given, is_address};
use crate::{Error, Home};

/// No index is larger, compressed.
const INDEX_LIMIT: Limit = Limit::mib(300);
/// No package is larger.
const PACKAGE_LIMIT: Limit = Limit::gib(16);

/// Brings the keys that are at addresses, and what is chosen for each of `wants` from the repositories
/// that are; gives both with files and folders in their places.
pub fn mirrored(
    home: &Home,
    given: Given,
    wants: &[(String, Vec<Dependency>)],
    ambient: &Ambient<'_>,
) -> Result<Given, Error> {
    let given = with_keys(home, given, ambient)?;
    if !given.repositories.iter().any(|path| is_address(path)) {
        return Ok(given);
    }
    let keys = home.keys()?;
    let keyring = given.keyring(Some(&keys))?;
    let reach = Reach::new(home)?;
    let harbour = Harbour {
        home,
        reach: &reach,
        keyring: (!given.ignore_signatures).then_some(&keyring),
        mirrors: home.state_folder("mirrors")?,
    };
    let mut indexes = Vec::new();
    for path in &given.repositories {
        indexes.push(if is_address(path) {
            harbour.index(path, ambient)?
        } else {
            let one = Given {
                repositories: vec![path.clone()],
                ..given.clone()
            };
            let opened = one.open(home.architecture(), &keyring)?;
            opened
                .into_iter()
                .next()
                .map(|one| one.index)
                .unwrap_or_default()
        });
    }
    let chosen = chosen(home, (&given, &indexes), wants)?;
    let mut repositories = Vec::new();
    for path in &given.repositories {
        repositories.push(match chosen.get(path) {
            Some(entries) => {
                let index = Index::new("", entries.clone());
                let index = index.write(&keys.signer, home.epoch().0)?;
                harbour.bring(path, entries, &index, ambient)?
            }
            None => path.clone(),
        });
    }
    Ok(Given {
        repositories,
        ..given
    })
}

/// The packages that are chosen from each address.
fn chosen(
    home: &Home,
    (given, indexes): (&Given, &[Index]),
    wants: &[(String, Vec<Dependency>)],
) -> Result<BTreeMap<PathBuf, Vec<IndexEntry>>, Error> {
    let keys = home.known_keys()?;
    let stage0 = keys.map(|keys| home.known_stage0(&keys)).transpose()?;
    let mut world = stage0.flatten().unwrap_or_else(Stage0::default).world();
    if !home.is_makeshift {
        for record in last_records(home, &Loaded::read(home)?)? {
            home.add_packages(&record, &mut world)?;
        }
    }
    let all = given.repositories.iter().zip(indexes).rev();
    for ((path, index), preference) in all.zip(GIVEN_PREFERENCE..) {
        let name = path.to_string_lossy();
        world.universe.add_repository(&name, index, preference);
    }
    let addresses = given.repositories.iter().filter(|path| is_address(path));
    let mut chosen: BTreeMap<PathBuf, Vec<IndexEntry>> =
        addresses.map(|path| (path.clone(), Vec::new())).collect();
    let mut seen = BTreeSet::new();
    for (subject, wanted) in wants {
        let solution = solve(&world.universe, wanted, &Options::new(home.architecture()));
        let solution = solution.map_err(|unsolvable| Error::Unsolvable {
            subject: subject.clone(),
            why: unsolvable.to_string(),
        })?;
        for one in solution.packages {
            let path = PathBuf::from(one.repository);
            if let Some(entries) = chosen.get_mut(&path)
                && seen.insert((path, one.entry.identity))
            {
                entries.push(one.entry);
            }
        }
    }
    Ok(chosen)
}

/// Where what comes from addresses arrives.
struct Harbour<'a> {
    home: &'a Home,
    reach: &'a Reach,
    keyring: Option<&'a Keyring>,
    mirrors: Root,
}

impl Harbour<'_> {
    /// The folder of what was ever taken from an address.
    fn pool(&self, named: &Path) -> Result<Root, Error> {
        let whole = format!("{}\n{}", named.display(), self.home.architecture());
        let name = sha256(whole.as_bytes()).to_string();
        Ok(self.mirrors.make_dir(&RelPath::try_from(name.as_str())?)?)
    }

    fn address(&self, named: &Path, file: &str) -> Result<Address, Error> {
        let named = named.to_string_lossy();
        let arch = self.home.architecture().apk();
        let text = format!("{}/{arch}/{file}", named.trim_end_matches('/'));
        Ok(text.parse().map_err(boltworks_source::Error::from)?)
    }

    /// The index of an address; the one that was fetched last, where it cannot be had now. One that
    /// is not signed as it must be is no such case, and takes nothing's place.
    fn index(&self, named: &Path, ambient: &Ambient<'_>) -> Result<Index, Error> {
        let pool = self.pool(named)?;
        let name = RelPath::try_from(FILE_NAME)?;
        let address = self.address(named, FILE_NAME)?;
        match self.fetch(&address, INDEX_LIMIT, &pool, ambient) {
            Ok(mut draft) => {
                let bytes = whole(&mut draft)?;
                let index = self.judged(&address, &bytes)?;
                draft.commit()?;
                Ok(index)
            }
            Err(Error::Cancelled(cancelled)) => Err(cancelled.into()),
            Err(error) if pool.exists(&name)? => {
                ambient.sink.event(Event::Warning {
                    text: &format!(
                        "{address} cannot be had, the index fetched last is taken: {}",
                        chain(&error)
                    ),
                });
                self.judged(&address, &pool.read_vec(&name, INDEX_LIMIT)?)
            }
            Err(error) => Err(error),
        }
    }

    fn judged(&self, address: &Address, bytes: &[u8]) -> Result<Index, Error> {
        let unusable = |unusable: boltworks_apk::Unusable| {
            tracing::debug!(?unusable, "a package of an index is not understood");
        };
        Index::read_foreign(bytes, self.keyring, unusable)
            .map_err(|error| Error::from(error).of_file(Path::new(&address.to_string())))
    }

    /// Fetches a file; it takes its place beneath `folder` when it is committed.
    fn fetch(
        &self,
        address: &Address,
        limit: Limit,
        folder: &Root,
        ambient: &Ambient<'_>,
    ) -> Result<Draft, Error> {
        let text = address.to_string();
        let name = text.rsplit('/').next().unwrap_or_default();
        let mut draft = folder.draft(&RelPath::try_from(name)?, 0o644)?;
        let login = self.reach.login_at(address)?;
        let what = Download {
            address,
            have: Have::default(),
            max: limit.0,
            credential: login.as_ref(),
            retry: Retry::IMPATIENT,
        };
        let mut keep = |part: Part<'_>| match part {
            Part::Begin { offset: 0, .. } => {
                let mut file = draft.file()?;
                file.set_len(0)?;
                io::Seek::rewind(&mut file)
            }
            Part::Begin { .. } => Ok(()),
            Part::Bytes(bytes) => draft.write_all(bytes),
        };
        download(self.reach.client(), &what, &mut keep, ambient)
            .map_err(boltworks_source::Error::from)?;
        Ok(draft)
    }

    /// Fetches packages, as far as they were not, and puts them into a folder with an index of them.
    fn bring(
        &self,
        named: &Path,
        entries: &[IndexEntry],
        index: &[u8],
        ambient: &Ambient<'_>,
    ) -> Result<PathBuf, Error> {
        let pool = self.pool(named)?;
        let choice = sha256(index).to_string();
        let arch = RelPath::try_from(self.home.architecture().apk())?;
        let folder = self
            .mirrors
            .make_dir(&RelPath::try_from(choice.as_str())?)?;
        let folder = folder.make_dir(&arch)?;
        for entry in entries {
            ambient.cancel.check()?;
            let name = RelPath::try_from(entry.file_name().as_str())?;
            let known = pool
                .stat(&name)?
                .is_some_and(|stat| stat.size == entry.size);
            if !known {
                self.package(named, entry, &pool, ambient)?;
            }
            if !folder.exists(&name)? {
                pool.hard_link(&name, &folder, &name)?;
            }
        }
        folder.write(&RelPath::try_from(FILE_NAME)?, index, 0o644)?;
        Ok(self.home.state.join("mirrors").join(choice))
    }

    /// Fetches one package, and keeps it if it is the one that the index lists.
    fn package(
        &self,
        named: &Path,
        entry: &IndexEntry,
        pool: &Root,
        ambient: &Ambient<'_>,
    ) -> Result<(), Error> {
        let address = self.address(named, &entry.file_name())?;
        let mut draft = self.fetch(&address, PACKAGE_LIMIT, pool, ambient)?;
        let of_address = |error: Error| error.of_file(Path::new(&address.to_string()));
        let file = draft.file().and_then(std::fs::File::try_clone);
        let file = file.map_err(|source| boltworks_fsx::Error::Stream {
            action: "read the package",
            source,
        })?;
        let options = OpenOptions {
            keyring: self.keyring,
            ..OpenOptions::default()
        };
        let package = PackageFile::open(Arc::new(file), &options);
        let package = package.map_err(|error| of_address(error.into()))?;
        if package.identity() != entry.identity {
            return Err(of_address(Error::NotListed {
                found: package.identity().to_q1(),
                listed: entry.identity.to_q1(),
            }));
        }
        draft.commit()?;
        Ok(())
    }
}

/// All that was written so far.
fn whole(draft: &mut Draft) -> Result<Vec<u8>, Error> {
    let read = draft.file().and_then(|mut file| {
        io::Seek::rewind(&mut file)?;
        Bounded::new(file, INDEX_LIMIT).read_all()
    });
    Ok(read.map_err(|source| boltworks_fsx::Error::Stream {
        action: "read the index",
        source,
    })?)
}
