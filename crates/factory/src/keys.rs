//! Keys: the pair that signs, and files of keys that are made, or read for signing and for trusting.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use boltworks_crypto::{Keyring, RsaPrivateKey, RsaPublicKey, Signer};
use boltworks_model::Sha256;
use boltworks_net::Address;

use crate::Error;
use crate::files::{Place, TEXT_LIMIT};
use crate::repository::is_address;

/// How the names of private keys end; apk looks for public keys whose names end in `.rsa.pub`.
const ENDING: &[u8] = b".rsa";

/// A key pair that signs packages and indexes.
pub struct Keys {
    /// Signs.
    pub signer: Signer,
    /// Verifies.
    pub keyring: Keyring,
    /// The digest of the public key and its name: part of every action, since signatures are part
    /// of the bytes.
    pub fingerprint: Sha256,
    /// The public key, as PEM.
    pub public_pem: String,
}

impl Keys {
    /// The private key in a file. Signatures name it by the file's name and `.pub`.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let place = Place::of(path)?;
        if place.stat()?.is_none() {
            return Err(Error::asked(
                format!("{} is not there", path.display()),
                format!(
                    "name another key, or make it with `keygen {}`",
                    path.display()
                ),
            ));
        }
        let pem = place.read_vec(TEXT_LIMIT)?;
        let key =
            RsaPrivateKey::from_pem(&pem).map_err(|error| Error::from(error).of_file(path))?;
        // The name that the person uses counts, wherever a link leads.
        Self::new(key, &name_of(path)?)
    }

    /// A private key that is called so.
    pub(crate) fn new(key: RsaPrivateKey, name: &str) -> Result<Self, Error> {
        let public = key.public();
        let public_pem = public.to_pem()?;
        let name = format!("{name}.pub");
        let mut keyring = Keyring::new();
        keyring.insert(name.clone(), public);
        let fingerprint = boltworks_crypto::sha256(format!("{name}\n{public_pem}").as_bytes());
        Ok(Self {
            signer: Signer { name, key },
            keyring,
            fingerprint,
            public_pem,
        })
    }
}

/// The public keys in files, each under its file's name.
pub fn trusted(paths: &[PathBuf]) -> Result<Keyring, Error> {
    let mut keyring = Keyring::new();
    for path in paths {
        if is_address(path) {
            let (what, help) = not_fetched(path);
            return Err(Error::asked(what, help));
        }
        let name = name_of(path)?;
        let pem = Place::of(path)?.read_vec(TEXT_LIMIT)?;
        let of_file = |error| Error::from(error).of_file(path);
        let key = RsaPublicKey::from_pem(&pem).map_err(of_file)?;
        let text = key.to_pem().map_err(of_file)?;
        let before = keyring.insert(name.clone(), key);
        let before = before
            .map(|key| key.to_pem())
            .transpose()
            .map_err(of_file)?;
        if before.is_some_and(|before| before != text) {
            return Err(Error::asked(
                format!("two different keys are called '{name}'"),
                "a signature names its key by the file's name: give one of them another name",
            ));
        }
    }
    Ok(keyring)
}

/// What is said of a key at an address where none is fetched, and what to do.
fn not_fetched(address: &Path) -> (String, String) {
    let name = address.file_name().unwrap_or_default().to_string_lossy();
    (
        format!(
            "{} is an address: this takes keys in files",
            address.display()
        ),
        format!("download it, see that it is the right one, and give the file: -k {name}"),
    )
}

/// The address of a key. Where nobody vouches for who answers, none is taken from: that is anything but
/// `https`, beside this machine itself.
pub fn address_of(named: &Path) -> Result<Address, Error> {
    let text = named.to_string_lossy();
    let address: Address = text.parse().map_err(boltworks_source::Error::from)?;
    let is_own = |host: &str| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = |ip: IpAddr| ip.is_loopback();
        host == "localhost" || host.parse().is_ok_and(is_loopback)
    };
    let origin = address.origin();
    if !origin.is_https() && !is_own(origin.host()) {
        let name = address.file_name();
        return Err(Error::asked(
            format!("the key {address} would come over http, where anybody can answer"),
            format!("name it with https://, or download it and give the file: -k {name}"),
        ));
    }
    let is_name = !address.file_name().is_empty();
    is_name.then_some(address).ok_or_else(|| {
        Error::asked(
            format!("{text} names no key"),
            "name a file: https://os.example/os.rsa.pub",
        )
    })
}

/// A key pair that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The private key's file, mode 0600.
    pub private: PathBuf,
    /// The public key's file.
    pub public: PathBuf,
}

/// How long a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// 4096 bits.
    Long,
    /// 2048 bits.
    Short,
}

/// Makes a key pair: a private key for its owner's eyes only, and beside it the
/// public key with `.pub` after the name. Nothing is replaced.
pub fn make(path: &Path, bits: Bits) -> Result<KeyPair, Error> {
    let private = Place::of(path)?;
    let mut public = OsString::from(path);
    public.push(".pub");
    let public_place = Place::of(Path::new(&public))?;
    if !private.name().as_bytes().ends_with(ENDING) {
        return Err(Error::asked(
            format!("'{}' cannot be the name of a signing key", path.display()),
            format!(
                "end it in .rsa, as in {}.rsa: apk asks for that",
                path.display()
            ),
        ));
    }
    for place in [&private, &public_place] {
        if place.stat()?.is_some() {
            return Err(place.is_taken());
        }
    }
    let key = match bits {
        Bits::Long => RsaPrivateKey::generate()?,
        Bits::Short => RsaPrivateKey::generate_short()?,
    };
    let pem = key.to_pem()?;
    private.write_new(pem.expose().as_bytes(), 0o600)?;
    let written = key
        .public()
        .to_pem()
        .map_err(Error::from)
        .and_then(|pem| public_place.write_new(pem.as_bytes(), 0o644));
    if let Err(error) = written {
        // Half a pair helps nobody.
        private.folder().remove_file(private.name())?;
        return Err(error);
    }
    Ok(KeyPair {
        private: path.to_owned(),
        public: public.into(),
    })
}

/// The name of a key's file, as signatures have it.
fn name_of(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Error::asked(
            format!("'{}' is not the name of a key", path.display()),
            "name a file, in plain letters",
        )
    })
}
