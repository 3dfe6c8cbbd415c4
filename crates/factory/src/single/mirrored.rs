//! Repositories at addresses: their indexes, and those packages that are chosen, brought into folders of
//! the state, where they are repositories like any other.
//!
//! ```text
//! mirrors/FROM/          of one address and architecture: its index with what it was sent with, and every
//!                        package ever taken
//! mirrors/CHOICE/ARCH/   the packages of one choice, and an index of them with our own signature
//! ```
//!
//! The index of an address must be signed by a trusted key, and so must every package. Ours says no
//! more than what theirs said: whoever reads it holds the key to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use boltworks_apk::index::FILE_NAME;
use boltworks_apk::{Index, IndexEntry, OpenOptions, PackageFile};
use boltworks_crypto::{Keyring, sha256};
use boltworks_fsx::{Bounded, Draft, Limit, RelPath, Root};
use boltworks_model::{Ambient, Architecture, Event, chain};
use boltworks_net::{Address, Download, Have, Part, Retry, download, download_unless};
use boltworks_solver::{Options, solve};
use boltworks_version::apk::Dependency;

use super::keyring::with_keys;
use super::last_records;
use crate::catalog::Loaded;
use crate::equipment::Reach;
use crate::listing::{Keep, Listing, reached_indexes};
use crate::planning::{GIVEN_PREFERENCE, Stage0};
use crate::repository::{Given, Repository, give, is_address, parted, with_tag};
use crate::{Error, Home, listing};

/// No index is larger, compressed.
const INDEX_LIMIT: Limit = Limit::mib(300);
/// With what the index was sent, beside it: an entity tag or a date.
const VALIDATOR: &str = "APKINDEX.validator";
/// No validator is longer.
const VALIDATOR_LIMIT: Limit = Limit(1024);
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
    let architecture = home.architecture();
    let listed = listed(home, &given, architecture, ambient)?;
    let listings: Vec<&Listing> = listed.iter().map(|one| &one.listing).collect();
    let chosen = chosen(home, (&given, &listings), wants)?;
    brought(home, &given, (architecture, &chosen), ambient)
}

/// A repository, and what it lists for an architecture.
pub(super) struct Listed {
    /// As it is named, with its tag.
    pub(super) named: PathBuf,
    pub(super) listing: Listing,
    left_out: Option<String>,
}

impl Listed {
    /// Says how many packages it lists that are left out, if any are.
    pub(super) fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }
}

/// What all repositories list for an architecture: those that are folders, and those at addresses, which
/// are asked for it.
pub(super) fn listed(
    home: &Home,
    given: &Given,
    architecture: Architecture,
    ambient: &Ambient<'_>,
) -> Result<Vec<Listed>, Error> {
    let is_far = given.repositories.iter().any(|path| is_address(path));
    let keys = if is_far {
        Some(home.keys()?)
    } else {
        home.known_keys()?
    };
    let keyring = given.keyring(keys.as_ref())?;
    let keyring = (!given.ignore_signatures).then_some(&keyring);
    let keep = Keep::new(Some(home.state_folder(listing::FOLDER)?), keyring)?;
    let reach = is_far.then(|| Reach::new(home)).transpose()?;
    let mut listed = Vec::new();
    for named in &given.repositories {
        let (listing, left_out) = match &reach {
            Some(reach) if is_address(named) => {
                let harbour = Harbour {
                    home,
                    reach,
                    keyring,
                    keep: Arc::clone(&keep),
                    mirrors: home.state_folder("mirrors")?,
                    architecture,
                };
                (harbour.index(&parted(named).1, ambient)?, None)
            }
            _ => {
                let repository = Repository::open(named, architecture, &keep)?;
                let left_out = repository.left_out();
                (repository.listing, left_out)
            }
        };
        listed.push(Listed {
            named: named.clone(),
            listing,
            left_out,
        });
    }
    Ok(listed)
}

/// Fetches what is chosen from addresses; the repositories then, with folders in their places.
pub(super) fn brought(
    home: &Home,
    given: &Given,
    (architecture, chosen): (Architecture, &BTreeMap<PathBuf, Vec<IndexEntry>>),
    ambient: &Ambient<'_>,
) -> Result<Given, Error> {
    if chosen.is_empty() {
        return Ok(given.clone());
    }
    let keys = home.keys()?;
    let keyring = given.keyring(Some(&keys))?;
    let keyring = (!given.ignore_signatures).then_some(&keyring);
    let reach = Reach::new(home)?;
    let harbour = Harbour {
        home,
        reach: &reach,
        keyring,
        keep: Keep::new(None, keyring)?,
        mirrors: home.state_folder("mirrors")?,
        architecture,
    };
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
        ..given.clone()
    })
}

/// The packages that are chosen from each address.
fn chosen(
    home: &Home,
    (given, listings): (&Given, &[&Listing]),
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
    let own = world.universe;
    let universe = |indexes: Vec<Index>| {
        let mut universe = own.clone();
        let all = given.repositories.iter().zip(indexes).rev();
        for ((path, index), preference) in all.zip(GIVEN_PREFERENCE..) {
            let (name, tag) = (path.to_string_lossy(), parted(path).0);
            give(&mut universe, (&name, &tag), index, preference);
        }
        universe
    };
    let wanted: Vec<Dependency> = wants
        .iter()
        .flat_map(|(_, wanted)| wanted.clone())
        .collect();
    let options = Options::new(home.architecture());
    let shelf = own.shelf(&options);
    let part = universe(reached_indexes(listings, &wanted, &[&shelf])?);
    let addresses = given.repositories.iter().filter(|path| is_address(path));
    let mut chosen: BTreeMap<PathBuf, Vec<IndexEntry>> =
        addresses.map(|path| (path.clone(), Vec::new())).collect();
    let mut seen = BTreeSet::new();
    for (subject, wanted) in wants {
        let mut solution = solve(&part, wanted, &options);
        if solution.is_err() {
            // All is looked at, so that whatever might help is known.
            let all = listings.iter().map(|listing| listing.index());
            solution = solve(&universe(all.collect::<Result<_, _>>()?), wanted, &options);
        }
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
    keep: Arc<Keep>,
    mirrors: Root,
    architecture: Architecture,
}

impl Harbour<'_> {
    /// The folder of what was ever taken from an address.
    fn pool(&self, named: &Path) -> Result<Root, Error> {
        let named = named.to_string_lossy();
        pool(&self.mirrors, &named, self.architecture)
    }

    fn address(&self, named: &Path, file: &str) -> Result<Address, Error> {
        let named = named.to_string_lossy();
        let arch = self.architecture.apk();
        let text = format!("{}/{arch}/{file}", named.trim_end_matches('/'));
        Ok(text.parse().map_err(boltworks_source::Error::from)?)
    }

    /// The index of an address; the one that was fetched last, where it did not change, and where it
    /// cannot be had now. One that is not signed as it must be is no such case, and takes nothing's place.
    fn index(&self, named: &Path, ambient: &Ambient<'_>) -> Result<Listing, Error> {
        let pool = self.pool(named)?;
        let name = RelPath::try_from(FILE_NAME)?;
        let address = self.address(named, FILE_NAME)?;
        let file = pool.path_for_children()?.join(FILE_NAME);
        let source = PathBuf::from(address.to_string());
        let last = || Listing::open(&file, &source, &self.keep);
        let is_there = pool.exists(&name)?;
        if is_there && self.home.host.offline {
            return last();
        }
        // What was kept and is damaged is as if it was not there.
        let known = is_there.then(|| Some((last().ok()?, validator(&pool)?)));
        let known = known.flatten();
        let validator = known.as_ref().map(|(_, validator)| validator.as_str());
        match self.fetch(&address, INDEX_LIMIT, (&pool, validator), ambient) {
            Ok(Fetched { draft, validator }) => {
                let Some(mut draft) = draft else {
                    return known.map_or_else(last, |(listing, _)| Ok(listing));
                };
                let judged = self.keep.judge(&whole(&mut draft)?);
                judged.map_err(|error| error.of_file(&source))?;
                let place = RelPath::try_from(VALIDATOR)?;
                if pool.exists(&place)? {
                    pool.remove_file(&place)?;
                }
                draft.commit()?;
                if let Some(validator) = validator {
                    pool.write(&place, validator.as_bytes(), 0o644)?;
                }
                last()
            }
            Err(Error::Cancelled(cancelled)) => Err(cancelled.into()),
            Err(error) if is_there => {
                ambient.sink.event(Event::Warning {
                    text: &format!(
                        "{address} cannot be had, the index fetched last is taken: {}",
                        chain(&error)
                    ),
                });
                last()
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches a file; it takes its place beneath `folder` when it is committed. With a validator,
    /// only if it changed since.
    fn fetch(
        &self,
        address: &Address,
        limit: Limit,
        (folder, known): (&Root, Option<&str>),
        ambient: &Ambient<'_>,
    ) -> Result<Fetched, Error> {
        if self.home.host.offline {
            return Err(Error::asked(
                format!("{address} was not fetched before"),
                "run it without --offline once",
            ));
        }
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
        let mut validator = None;
        let mut keep = |part: Part<'_>| match part {
            Part::Begin {
                offset: 0,
                validator: sent,
                ..
            } => {
                validator = sent.map(str::to_owned);
                let mut file = draft.file()?;
                file.set_len(0)?;
                io::Seek::rewind(&mut file)
            }
            Part::Begin { .. } => Ok(()),
            Part::Bytes(bytes) => draft.write_all(bytes),
        };
        let client = self.reach.client();
        let is_news = match known {
            Some(known) => download_unless(client, (&what, known), &mut keep, ambient),
            None => download(client, &what, &mut keep, ambient).map(|_| true),
        };
        let is_news = is_news.map_err(boltworks_source::Error::from)?;
        Ok(Fetched {
            draft: is_news.then_some(draft),
            validator,
        })
    }

    /// Fetches packages, as far as they were not, into a folder with an index of them, of the same tag.
    fn bring(
        &self,
        named: &Path,
        entries: &[IndexEntry],
        index: &[u8],
        ambient: &Ambient<'_>,
    ) -> Result<PathBuf, Error> {
        let (tag, named) = &parted(named);
        let pool = self.pool(named)?;
        let choice = sha256(index).to_string();
        let arch = RelPath::try_from(self.architecture.apk())?;
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
        let folder = self.home.state.join("mirrors").join(choice);
        Ok(with_tag(tag.as_deref(), folder))
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
        let is_listed = |package: &PackageFile| {
            if package.identity() == entry.identity {
                return Ok(());
            }
            Err(Error::NotListed {
                found: package.identity().to_q1(),
                listed: entry.identity.to_q1(),
            })
        };
        self.take(&address, pool, &is_listed, ambient)
    }

    /// Fetches one package, and keeps it if it is the one that is meant.
    fn take(
        &self,
        address: &Address,
        pool: &Root,
        is_meant: &Check<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<(), Error> {
        let of_address = |error: Error| error.of_file(Path::new(&address.to_string()));
        let fetched = self.fetch(address, PACKAGE_LIMIT, (pool, None), ambient)?;
        let Some(mut draft) = fetched.draft else {
            return Ok(());
        };
        let file = draft.file().and_then(File::try_clone);
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
        is_meant(&package).map_err(of_address)?;
        draft.commit()?;
        Ok(())
    }
}

/// Whether a package is the one that is meant.
type Check<'a> = dyn Fn(&PackageFile) -> Result<(), Error> + 'a;

/// The folder of what was ever taken from an address for an architecture.
fn pool(mirrors: &Root, named: &str, architecture: Architecture) -> Result<Root, Error> {
    let whole = format!("{named}\n{architecture}");
    let name = sha256(whole.as_bytes()).to_string();
    Ok(mirrors.make_dir(&RelPath::try_from(name.as_str())?)?)
}

/// A package of a lock that lies at an address: the one that was fetched before, or fetched now.
pub(super) fn of_lock(
    home: &Home,
    (url, architecture): (&str, Architecture),
    (keyring, is_meant): (Option<&Keyring>, &Check<'_>),
    ambient: &Ambient<'_>,
) -> Result<File, Error> {
    let (folder, file) = url.rsplit_once('/').unwrap_or_default();
    let named = folder.rsplit_once('/').map_or(folder, |(named, _)| named);
    let reach = Reach::new(home)?;
    let harbour = Harbour {
        home,
        reach: &reach,
        keyring,
        keep: Keep::new(None, keyring)?,
        mirrors: home.state_folder("mirrors")?,
        architecture,
    };
    let pool = pool(&harbour.mirrors, named, architecture)?;
    let name = RelPath::try_from(file)?;
    if let Ok(kept) = pool.open_file(&name)
        && let Ok(again) = kept.try_clone()
        && let Ok(package) = PackageFile::open(Arc::new(again), &OpenOptions::default())
        && is_meant(&package).is_ok()
    {
        return Ok(kept);
    }
    let address: Address = url.parse().map_err(boltworks_source::Error::from)?;
    harbour.take(&address, &pool, is_meant, ambient)?;
    Ok(pool.open_file(&name)?)
}

/// A file that was fetched, unless it did not change, and with what to ask whether it does.
struct Fetched {
    draft: Option<Draft>,
    validator: Option<String>,
}

/// With what the index in a folder was sent.
fn validator(pool: &Root) -> Option<String> {
    let place = RelPath::try_from(VALIDATOR).ok()?;
    let text = pool.read_text(&place, VALIDATOR_LIMIT).ok()?;
    let is_sound = !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    is_sound.then_some(text)
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
