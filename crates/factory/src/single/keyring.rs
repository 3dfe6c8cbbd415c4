//! Keys at addresses, brought into files of the state.
//!
//! ```text
//! mirrors/keys/SHA256/NAME   a key, beneath the digest of its file
//! mirrors/keys/ADDRESS.json  which digest an address had first; its name is the address's own digest
//! ```
//!
//! Whom to trust is learnt once: a key that is new is told of with its digest, and an address that has
//! another key later is refused. A file that is given under the same name stands for the address.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use boltworks_crypto::{RsaPublicKey, sha256};
use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::{Ambient, Event, Material, Sha256, chain};
use boltworks_net::{Address, Download, Have, Part, Retry, download};

use crate::equipment::Reach;
use crate::keys::address_of;
use crate::repository::{Given, is_address};
use crate::{Error, Home};

/// No key is larger.
const KEY_LIMIT: Limit = Limit(64 << 10);

/// Brings the keys that are at addresses; gives those that are trusted with files in their places.
pub(super) fn with_keys(
    home: &Home,
    mut given: Given,
    ambient: &Ambient<'_>,
) -> Result<Given, Error> {
    if given.ignore_signatures {
        given.keys.retain(|key| !is_address(key));
    }
    if !given.keys.iter().any(|key| is_address(key)) {
        return Ok(given);
    }
    let is_file = |key: &&PathBuf| !is_address(key);
    let here: BTreeSet<_> = given.keys.iter().filter(is_file).cloned().collect();
    let here: BTreeSet<_> = here.iter().filter_map(|key| key.file_name()).collect();
    let shelf = Shelf {
        home,
        reach: Reach::new(home)?,
        folder: home.state_folder("mirrors/keys")?,
    };
    let mut keys = Vec::new();
    for key in given.keys {
        if !is_address(&key) {
            keys.push(key);
        } else if !key.file_name().is_some_and(|name| here.contains(name)) {
            let address = address_of(&key)?;
            let digest = shelf.key(&address, ambient)?;
            let kept = file(digest, &address)?;
            keys.push(home.state.join("mirrors/keys").join(kept.as_path()));
            given.fetched_keys.insert(Material::Key {
                name: address.file_name().to_owned(),
                uri: address.to_string(),
                sha256: digest,
            });
        }
    }
    given.keys = keys;
    Ok(given)
}

/// Where keys that were fetched are kept.
struct Shelf<'a> {
    home: &'a Home,
    reach: Reach,
    folder: Root,
}

impl Shelf<'_> {
    /// The digest of the key of an address, which is in its file.
    fn key(&self, address: &Address, ambient: &Ambient<'_>) -> Result<Sha256, Error> {
        let memory = format!("{}.json", sha256(address.to_string().as_bytes()));
        let memory = RelPath::try_from(memory.as_str())?;
        let known = self.known(&memory, address)?;
        if self.home.host.offline {
            return known.ok_or_else(|| {
                Error::asked(
                    format!("the key {address} was never fetched"),
                    "run it without --offline once, or give the key's file with -k",
                )
            });
        }
        let pem = match (self.fetch(address, ambient), known) {
            (Ok(pem), _) => pem,
            (Err(Error::Cancelled(cancelled)), _) => return Err(cancelled.into()),
            (Err(error), Some(known)) => {
                let why = chain(&error);
                ambient.sink.event(Event::Warning {
                    text: &format!(
                        "{address} cannot be had, the key fetched first is taken: {why}"
                    ),
                });
                return Ok(known);
            }
            (Err(error), None) => return Err(error),
        };
        let digest = sha256(&pem);
        match known {
            Some(known) if known == digest => Ok(known),
            Some(known) => Err(Error::asked(
                format!("{address} is another key now: its sha256 is {digest}, and was {known}"),
                format!(
                    "if whoever owns it says so, remove {} and run it again",
                    self.home
                        .state
                        .join("mirrors/keys")
                        .join(memory.as_path())
                        .display()
                ),
            )),
            None => {
                let of_address =
                    |error| Error::from(error).of_file(Path::new(&address.to_string()));
                RsaPublicKey::from_pem(&pem).map_err(of_address)?;
                let kept = file(digest, address)?;
                self.folder
                    .make_dir(&RelPath::try_from(digest.to_string().as_str())?)?;
                self.folder.write(&kept, &pem, 0o644)?;
                self.folder
                    .write(&memory, &serde_json::to_vec(&digest)?, 0o644)?;
                // The records name it as a material, and the store keeps those.
                self.home.store.put_bytes(&pem)?;
                let name = address.file_name();
                ambient.sink.event(Event::Warning {
                    text: &format!("trusts key {name} from {address}, sha256 {digest}"),
                });
                Ok(digest)
            }
        }
    }

    /// What the address had first, if its file is still there and the same.
    fn known(&self, memory: &RelPath, address: &Address) -> Result<Option<Sha256>, Error> {
        if !self.folder.exists(memory)? {
            return Ok(None);
        }
        let digest: Sha256 = serde_json::from_slice(&self.folder.read_vec(memory, KEY_LIMIT)?)?;
        let pem = self.folder.read_vec(&file(digest, address)?, KEY_LIMIT);
        Ok(pem
            .is_ok_and(|pem| sha256(&pem) == digest)
            .then_some(digest))
    }

    fn fetch(&self, address: &Address, ambient: &Ambient<'_>) -> Result<Vec<u8>, Error> {
        let what = Download {
            address,
            have: Have::default(),
            max: KEY_LIMIT.0,
            credential: None,
            retry: Retry::IMPATIENT,
        };
        let mut pem = Vec::new();
        let mut keep = |part: Part<'_>| -> io::Result<()> {
            match part {
                Part::Begin { offset: 0, .. } => pem.clear(),
                Part::Begin { .. } => {}
                Part::Bytes(bytes) => pem.extend_from_slice(bytes),
            }
            Ok(())
        };
        download(self.reach.client(), &what, &mut keep, ambient)
            .map_err(boltworks_source::Error::from)?;
        Ok(pem)
    }
}

/// Where a key is kept.
fn file(digest: Sha256, address: &Address) -> Result<RelPath, Error> {
    let path = format!("{digest}/{}", address.file_name());
    Ok(RelPath::try_from(path.as_str())?)
}
