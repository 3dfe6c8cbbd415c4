//! What work needs beside the factory itself: a client for upstream, Debian's archive, the sandbox,
//! a place for environments. It is opened when there is work, and says then why it cannot be had.

use std::path::Path;

use boltworks_config::SourceMap;
use boltworks_fsx::Root;
use boltworks_image::Memory;
use boltworks_model::chain;
use boltworks_net::{Address, Client, OriginBoundCredential};
use boltworks_recipe::resolved::{KnownBy as Known, Recipe, SourceRef};
use boltworks_rootfs::Environments;
use boltworks_sandbox::Local;
use boltworks_source::debian::{KEYRING, Settings};
use boltworks_source::{
    DebianArchive, Error as SourceError, Fetcher, GitLimits, KnownBy, Machine, Mirror, Origin,
    Override, Request,
};

use crate::turns::Places;
use crate::{Error, Home, registries};

/// What reaches out of the factory.
pub struct Reach {
    client: Client,
    folder: Root,
    debian: Result<DebianArchive, boltworks_source::Error>,
    machine: Machine,
    caches: Vec<Root>,
}

impl Reach {
    /// Learns from the machine's own clients where things are. Nothing is fetched.
    pub fn new(home: &Home) -> Result<Self, Error> {
        let machine = Machine::new(Root::open(Path::new("/"))?, home.host.environment.clone());
        let mut settings = machine.client_settings();
        settings.user_agent.clone_from(&home.host.program);
        Ok(Self {
            client: Client::new(settings),
            folder: home.state_folder("sources")?,
            debian: debian(home, home.state_folder("apt")?, &machine),
            machine,
            caches: caches(home)?,
        })
    }

    /// Debian's archive alone.
    pub fn archive(home: &Home) -> Result<DebianArchive, Error> {
        let machine = Machine::new(Root::open(Path::new("/"))?, home.host.environment.clone());
        Ok(debian(home, home.state_folder("apt")?, &machine)?)
    }

    /// What talks to servers.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// What a server of packages is shown, if a login is kept for it.
    pub(crate) fn login_at(
        &self,
        address: &Address,
    ) -> Result<Option<OriginBoundCredential>, Error> {
        registries::login_at(&self.machine, address)
    }

    /// Gets sources into the factory's store.
    pub fn fetcher<'a>(&'a self, home: &'a Home) -> Fetcher<'a> {
        Fetcher {
            store: &home.store,
            folder: &self.folder,
            client: &self.client,
            mirrors: mirrors(home),
            overrides: overrides(home),
            debian: self.debian.as_ref().map_err(|why| chain(why)),
            machine: &self.machine,
            caches: &self.caches,
            git: GitLimits::default(),
            offline: home.host.offline,
        }
    }
}

/// The folders of sources that are there.
fn caches(home: &Home) -> Result<Vec<Root>, Error> {
    let mut caches = Vec::new();
    for path in &home.caches {
        match Root::open(path) {
            Ok(folder) => caches.push(folder),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(caches)
}

fn debian(
    home: &Home,
    folder: Root,
    machine: &Machine,
) -> Result<DebianArchive, boltworks_source::Error> {
    let configured = &home.config.stage0.debian;
    let mirror = match &configured.mirror {
        Some(mirror) => mirror.clone(),
        None => machine.debian_archive()?,
    };
    let keyring = configured.keyring.as_deref().unwrap_or(KEYRING);
    let settings = Settings {
        suite: configured.suite.clone(),
        mirror,
        keyring: keyring.into(),
        architecture: home.architecture().go().to_owned(),
        environment: machine.network_environment(),
    };
    DebianArchive::new(folder, settings)
}

fn mirrors(home: &Home) -> Vec<Mirror> {
    home.config
        .mirrors
        .iter()
        .map(|mirror| Mirror {
            prefix: mirror.prefix.clone(),
            to: mirror.to.clone(),
        })
        .collect()
}

pub(crate) fn overrides(home: &Home) -> Vec<Override> {
    home.config
        .sources
        .iter()
        .map(|source| Override {
            package: source.package.clone(),
            version: source.version.clone(),
            uri: source.uri.clone(),
            origin: origin(source),
            file: source.file.clone(),
            sha256: source.sha256,
            kind: source.kind,
        })
        .collect()
}

/// The file's own check leaves exactly one place.
fn origin(source: &SourceMap) -> Origin {
    if let Some(debian) = &source.debian {
        let (name, version) = match debian.split_once('=') {
            Some((name, version)) => (name, Some(version.to_owned())),
            None => (debian.as_str(), None),
        };
        return Origin::Debian {
            name: name.to_owned(),
            version,
        };
    }
    if let Some(pypi) = &source.pypi {
        let project = pypi.split("==").next().unwrap_or(pypi);
        return Origin::Pypi {
            project: project.to_owned(),
        };
    }
    Origin::Address(source.address.clone().unwrap_or_default())
}

/// What is asked of the fetcher for one source of a recipe.
pub fn request<'a>(
    recipe: &'a Recipe,
    source: &'a SourceRef,
    version: &'a str,
) -> Result<Request<'a>, Error> {
    let known_by = match &source.known_by {
        Known::Commit(checkout) => KnownBy::Checkout(checkout),
        Known::Nothing(unpinned) => return Err(unpinned.error().into()),
        Known::Digest {
            sha256: Some(sha256),
            ..
        } => (*sha256).into(),
        Known::Digest {
            sha512: Some(sha512),
            ..
        } => (*sha512).into(),
        Known::Digest { .. } => {
            let what = format!("{} names no digest for {}", recipe.package.name, source.uri);
            return Err(Error::Inconsistent { what });
        }
    };
    Ok(Request {
        uri: &source.uri,
        known_by,
        package: recipe.package.name.as_str(),
        version,
    })
}

/// Why a source could not be fetched: where its address cannot be used, the place of that too.
pub fn not_fetched(source: &SourceRef, error: SourceError) -> Error {
    match &error {
        SourceError::Unusable { reason, .. } => source
            .unfetchable(reason)
            .map_or_else(|| error.into(), Error::from),
        _ => error.into(),
    }
}

/// Everything work needs, opened at once.
pub struct Equipment {
    pub(crate) reach: Reach,
    pub(crate) sandbox: Local,
    pub(crate) environments: Environments,
    pub(crate) places: Places,
    pub(crate) memory: Memory,
}

impl Equipment {
    /// Probes the sandbox and opens the rest. Nothing is fetched.
    pub fn open(home: &Home) -> Result<Self, Error> {
        Ok(Self {
            reach: Reach::new(home)?,
            sandbox: Local::probe(&home.host.exe)?,
            environments: Environments::open(&home.state.join("trees"), home.host.jobs)?,
            places: Places::new(home.host.jobs),
            memory: Memory::by_name(),
        })
    }
}
