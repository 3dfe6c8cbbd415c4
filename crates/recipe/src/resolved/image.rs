//! An image as understood. Also what a recipe's build or test runs in.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::Architecture;
use boltworks_version::apk::Dependency;

use super::step::{Places, Written};
use crate::{Error, Problem};

/// An image as understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// What is asked for, each once, in the order written.
    pub packages: Vec<Dependency>,
    /// Repositories used to build and written into the image.
    pub repositories: Vec<String>,
    /// Repositories used to build only.
    pub build_repositories: Vec<String>,
    /// Repositories written into the image only.
    pub runtime_repositories: Vec<String>,
    /// Keys that repositories are trusted by: paths or addresses.
    pub keyring: Vec<String>,
    /// Where the file names what only a build can judge: repositories and keys, packages with tags, users
    /// and groups.
    pub written: Places,
    /// Keys written into the image.
    pub runtime_keyring: Vec<RuntimeKey>,
    /// What a container starts, split into words. For a [service
    /// bundle](EntrypointKind::ServiceBundle) it is s6's scanner.
    pub entrypoint: Vec<String>,
    /// Whether the entry point keeps services running.
    pub entrypoint_kind: EntrypointKind,
    /// Services that s6 keeps running: name to command line.
    pub services: BTreeMap<String, String>,
    /// Arguments of the entry point, split into words.
    pub cmd: Vec<String>,
    /// The folder a container starts in.
    pub work_dir: Option<String>,
    /// The signal that stops a container.
    pub stop_signal: Option<String>,
    /// Users and groups.
    pub accounts: Accounts,
    /// Architectures, each once, in the order written; all where none is written.
    pub archs: Vec<Architecture>,
    /// Environment variables. For an image, `PATH` and `SSL_CERT_FILE` are always among them.
    pub environment: BTreeMap<String, String>,
    /// Files and folders to make or change, in the order written.
    pub paths: Vec<PathMutation>,
    /// Annotations of manifest, index and configuration.
    pub annotations: BTreeMap<String, String>,
    /// The repository and commit the file itself comes from.
    pub vcs_url: Option<String>,
    /// Folders a container keeps outside its root.
    pub volumes: Vec<String>,
    /// How files are grouped into layers, where that is said.
    pub layering: Option<Layering>,
    /// What layers are.
    pub format: Format,
    /// Certificate authorities to add.
    pub certificates: Vec<Certificate>,
    /// What packages provide whose certificates are trusted too.
    pub certificate_providers: Vec<String>,
    /// What it is laid upon: a guest upon nothing.
    pub base: Option<Base>,
}

impl Image {
    /// Gives each origin a layer where nothing is said of layers and there may be several.
    pub fn part_by_origin(&mut self) {
        if self.format == Format::Tar {
            self.layering.get_or_insert_with(Layering::of_each_origin);
        }
    }

    /// That a guest can be made of it: it is built upon no other image, and no package has a tag but
    /// these, which repositories have.
    ///
    /// # Errors
    /// At the place of the first that cannot be.
    pub fn verify_guest(&self, tags: &BTreeSet<String>) -> Result<(), Error> {
        self.verify_no_base()?;
        for package in &self.packages {
            let text = package.to_string();
            let unknown = package.tag.as_ref().filter(|tag| !tags.contains(*tag));
            if let (Some(tag), Some(place)) = (unknown, self.written.of(&text)) {
                let plain = Dependency {
                    tag: None,
                    ..package.clone()
                };
                let rule = format!("is pinned to @{tag}, and no repository has that tag");
                let help = format!(
                    "write {plain} without @{tag}, or name a repository that has it: '@{tag} FOLDER'"
                );
                return Err(boltworks_yaml::Error::new(place, format!("{text} {rule}"))
                    .helped(help)
                    .into());
            }
        }
        Ok(())
    }

    /// That it is laid upon no base image, as no guest is.
    ///
    /// # Errors
    /// [`Problem::NotSupported`] where it says so.
    pub fn verify_no_base(&self) -> Result<(), Error> {
        let Some(base) = &self.base else {
            return Ok(());
        };
        let place = base.written.0.as_deref().cloned().unwrap_or_default();
        let what = "baseimage".to_owned();
        Err(Error::at(place, Problem::NotSupported { what }))
    }
}

/// An image that another one is built upon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// An OCI layout.
    pub image: String,
    /// The index of the packages in it.
    pub apkindex: String,
    /// Where it is written.
    pub written: Written,
}

impl Base {
    /// What is wrong with it, told where it is written.
    pub fn error(&self, what: impl Into<String>, help: impl Into<String>) -> Error {
        let place = self.written.0.as_deref().cloned().unwrap_or_default();
        boltworks_yaml::Error::new(place, what).helped(help).into()
    }
}

/// Whether the entry point keeps services running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EntrypointKind {
    /// One command.
    #[default]
    Command,
    /// s6 and its services.
    ServiceBundle,
}

/// Users and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// The user a container (or a build) runs as: a name, or numbers, as written.
    pub run_as: Option<String>,
    /// Users to add.
    pub users: Vec<User>,
    /// Groups to add.
    pub groups: Vec<Group>,
}

/// A user to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub username: String,
    /// The number, never 0.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The shell.
    pub shell: String,
    /// The home folder.
    pub homedir: String,
}

/// A group to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub groupname: String,
    /// The number.
    pub gid: u32,
    /// Users in it.
    pub members: Vec<String>,
}

/// What is done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A folder is made.
    Directory,
    /// An empty file is made.
    EmptyFile,
    /// A second name is given to a file.
    Hardlink,
    /// A link is made.
    Symlink,
    /// Owner and mode are set.
    Permissions,
}

impl PathKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Directory,
        Self::EmptyFile,
        Self::Hardlink,
        Self::Symlink,
        Self::Permissions,
    ];

    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::EmptyFile => "empty-file",
            Self::Hardlink => "hardlink",
            Self::Symlink => "symlink",
            Self::Permissions => "permissions",
        }
    }
}

/// A file or folder to make or change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathMutation {
    /// The absolute path, without `.` or `..`.
    pub path: String,
    /// What is done.
    pub kind: PathKind,
    /// The owner, where it is said. Where the group is and the owner is not, it is 0.
    pub uid: Option<u32>,
    /// The group, likewise.
    pub gid: Option<u32>,
    /// The mode, where it is said.
    pub permissions: Option<u32>,
    /// What a link points to; there for both kinds of link.
    pub source: Option<String>,
    /// Whether everything beneath changes too.
    pub recursive: bool,
}

impl PathMutation {
    /// Owner and group, where either is said.
    pub fn owner(&self) -> Option<(u32, u32)> {
        let is_said = self.uid.is_some() || self.gid.is_some();
        is_said.then(|| (self.uid.unwrap_or(0), self.gid.unwrap_or(0)))
    }
}

/// How files are grouped into layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layering {
    /// `origin`.
    pub strategy: String,
    /// The most layers.
    pub budget: u32,
}

/// What layers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Tar, compressed.
    #[default]
    Tar,
    /// EROFS: one layer, which a kernel mounts.
    Erofs,
}

impl Layering {
    /// Where an image file says nothing and apko is not who reads it: a layer for each origin. That
    /// many layers a container can have beneath it everywhere, with room for those of others.
    fn of_each_origin() -> Self {
        Self {
            strategy: "origin".to_owned(),
            budget: 64,
        }
    }
}

/// A key for the image's own package manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeKey {
    /// Its file name.
    pub name: String,
    /// PEM.
    pub content: String,
}

/// A certificate authority to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its name.
    pub name: Option<String>,
    /// PEM.
    pub content: String,
}
