//! apko's image file, which is also the `environment` of a recipe.

use std::collections::BTreeMap;

use boltworks_yaml::{Spanned, or_default};
use serde::Deserialize;

use super::{Origin, Permissions, Text};

/// An image: which packages, and what is set around them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Image {
    /// Packages, and where they come from.
    #[serde(default, deserialize_with = "or_default")]
    pub contents: Contents,
    /// What a container starts.
    #[serde(default, deserialize_with = "or_default")]
    pub entrypoint: Entrypoint,
    /// Arguments of the entry point, split as a shell would.
    #[serde(default)]
    pub cmd: Option<Text>,
    /// The signal that stops a container.
    #[serde(default)]
    pub stop_signal: Option<Text>,
    /// The folder a container starts in.
    #[serde(default)]
    pub work_dir: Option<Text>,
    /// Users and groups.
    #[serde(default, deserialize_with = "or_default")]
    pub accounts: Accounts,
    /// Architectures, by OCI or apk name, or `all`; nothing means all.
    #[serde(default, deserialize_with = "or_default")]
    pub archs: Vec<Text>,
    /// Environment variables.
    #[serde(default, deserialize_with = "or_default")]
    pub environment: BTreeMap<String, Text>,
    /// Files and folders to make or change.
    #[serde(default, deserialize_with = "or_default")]
    pub paths: Vec<PathMutation>,
    /// The repository and commit the file itself comes from.
    #[serde(default)]
    pub vcs_url: Option<Text>,
    /// Annotations of manifest, index and configuration.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, Text>,
    /// Another image file to start from. Deprecated by apko.
    #[serde(default)]
    pub include: Option<Text>,
    /// An image of the factory to stand upon; not apko's.
    #[serde(default)]
    pub overlay: Option<Text>,
    /// Folders a container keeps outside its root.
    #[serde(default, deserialize_with = "or_default")]
    pub volumes: Vec<Text>,
    /// How files are grouped into layers.
    #[serde(default)]
    pub layering: Option<Layering>,
    /// `tar` or `erofs`.
    #[serde(default)]
    pub format: Option<Text>,
    /// Certificate authorities to add.
    #[serde(default)]
    pub certificates: Option<Certificates>,
    /// The file this was read from.
    #[serde(skip)]
    pub origin: Origin,
    /// Whether what it includes, and what it stands upon, is in it.
    #[serde(skip)]
    pub has_included: bool,
}

/// Packages, and where they come from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Repositories used to build and written into the image: `[@tag] url`.
    #[serde(default, deserialize_with = "or_default")]
    pub repositories: Vec<Text>,
    /// Repositories used to build only.
    #[serde(default, deserialize_with = "or_default")]
    pub build_repositories: Vec<Text>,
    /// Repositories written into the image only.
    #[serde(default, deserialize_with = "or_default")]
    pub runtime_repositories: Vec<Text>,
    /// Keys that repositories are trusted by.
    #[serde(default, deserialize_with = "or_default")]
    pub keyring: Vec<Text>,
    /// Keys written into the image.
    #[serde(default, deserialize_with = "or_default")]
    pub runtime_keyring: Vec<RuntimeKey>,
    /// What is asked for.
    #[serde(default, deserialize_with = "or_default")]
    pub packages: Vec<Text>,
    /// An image to build upon.
    #[serde(default)]
    pub baseimage: Option<BaseImage>,
}

/// A key for the image's own package manager.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeKey {
    /// Its file name.
    #[serde(default)]
    pub name: Text,
    /// PEM.
    #[serde(default)]
    pub content: Text,
}

/// An image to build upon.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseImage {
    /// An OCI layout.
    #[serde(default)]
    pub image: Text,
    /// The index of the packages in it.
    #[serde(default)]
    pub apkindex: Text,
}

/// What a container starts.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entrypoint {
    /// `service-bundle` or nothing.
    #[serde(default, rename = "type")]
    pub kind: Option<Text>,
    /// A command line, split as a shell would.
    #[serde(default)]
    pub command: Option<Text>,
    /// A script for `/bin/sh -c`.
    #[serde(default)]
    pub shell_fragment: Option<Text>,
    /// Services that s6 keeps running, by name.
    #[serde(default, deserialize_with = "or_default")]
    pub services: BTreeMap<String, Text>,
}

/// Users and groups.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Accounts {
    /// The user a container (or a build) runs as: a name, or numbers.
    #[serde(default)]
    pub run_as: Option<Text>,
    /// Users to add.
    #[serde(default, deserialize_with = "or_default")]
    pub users: Vec<User>,
    /// Groups to add.
    #[serde(default, deserialize_with = "or_default")]
    pub groups: Vec<Group>,
}

/// A user to add.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    #[serde(default)]
    pub username: Text,
    /// The number; 0 is refused.
    #[serde(default)]
    pub uid: Option<Spanned<u32>>,
    /// The group's number; the user's own by default.
    #[serde(default)]
    pub gid: Option<Spanned<u32>>,
    /// The shell; `/bin/sh` by default.
    #[serde(default)]
    pub shell: Option<Text>,
    /// The home folder; `/home/NAME` by default.
    #[serde(default)]
    pub homedir: Option<Text>,
}

/// A group to add.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The name.
    #[serde(default)]
    pub groupname: Text,
    /// The number; 0 by default.
    #[serde(default)]
    pub gid: Option<Spanned<u32>>,
    /// Users in it.
    #[serde(default, deserialize_with = "or_default")]
    pub members: Vec<Text>,
}

/// A file or folder to make or change.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathMutation {
    /// The absolute path.
    #[serde(default)]
    pub path: Text,
    /// `directory`, `empty-file`, `hardlink`, `symlink` or `permissions`.
    #[serde(default, rename = "type")]
    pub kind: Text,
    /// The owner; 0 where only the group is written, and the one that is there where neither is.
    #[serde(default)]
    pub uid: Option<u32>,
    /// The group, likewise.
    #[serde(default)]
    pub gid: Option<u32>,
    /// The mode.
    #[serde(default)]
    pub permissions: Option<Spanned<Permissions>>,
    /// What a link points to.
    #[serde(default)]
    pub source: Option<Text>,
    /// Whether everything beneath changes too.
    #[serde(default, deserialize_with = "or_default")]
    pub recursive: bool,
}

/// How files are grouped into layers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layering {
    /// `origin`.
    #[serde(default)]
    pub strategy: Option<Text>,
    /// The most layers.
    #[serde(default)]
    pub budget: Option<Spanned<i64>>,
}

/// Certificate authorities to add.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificates {
    /// Given here.
    #[serde(default, deserialize_with = "or_default")]
    pub additional: Vec<Certificate>,
    /// Given by somebody else.
    #[serde(default, deserialize_with = "or_default")]
    pub providers: Vec<Text>,
}

/// A certificate authority.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Its name.
    #[serde(default)]
    pub name: Option<Text>,
    /// PEM.
    #[serde(default)]
    pub content: Text,
}
