//! What a package says of itself: the text `.PKGINFO`.
//!
//! Lines of `key = value`; a line that begins with `#` is a comment, except `# vendored = …`,
//! which names a library that only the package itself uses. Values are taken and written
//! literally, whatever signs they hold; only control characters are refused, because a line
//! break would become a field of its own.

use std::fmt;
use std::str::FromStr;

use boltworks_model::{PackageName, Sha256};
use boltworks_version::apk::{Dependency, Op, Version};
use serde::{Serialize, Serializer};

use crate::error::{Error, LineError};
use crate::text::{Fields, check_value, cut, number, parsed, words};

const FILE: &str = ".PKGINFO";
/// How the comment begins that is none.
const VENDORED: &str = "# vendored";

/// A name that a package offers besides its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provide {
    /// `so:libz.so.1`, `cmd:make`, another package's name, …
    pub name: PackageName,
    /// In which version; without one, other packages may offer the name too.
    pub version: Option<Version>,
}

impl fmt::Display for Provide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}={version}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

impl FromStr for Provide {
    type Err = LineError;

    fn from_str(text: &str) -> Result<Self, LineError> {
        Self::try_from(text.parse::<Dependency>()?)
    }
}

impl TryFrom<Dependency> for Provide {
    type Error = LineError;

    /// Takes `name` and `name=version`, nothing else.
    fn try_from(dependency: Dependency) -> Result<Self, LineError> {
        match dependency {
            Dependency {
                name,
                conflict: false,
                constraint: None,
                tag: None,
            } => Ok(Self {
                name,
                version: None,
            }),
            Dependency {
                name,
                conflict: false,
                constraint: Some((Op::Equal, version)),
                tag: None,
            } => Ok(Self {
                name,
                version: Some(version),
            }),
            other => Err(LineError::Provide(other.to_string())),
        }
    }
}

impl TryFrom<&Dependency> for Provide {
    type Error = LineError;

    fn try_from(dependency: &Dependency) -> Result<Self, LineError> {
        Self::try_from(dependency.clone())
    }
}

impl Serialize for Provide {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a package says of itself.
///
/// Make one with [`Control::new`] and fill in what is known; what stays empty is not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// The package's name; it can stand in a file name.
    pub name: PackageName,
    /// The full version, `1.3.1-r0`.
    pub version: Version,
    /// apk's name of the architecture, or `noarch`.
    pub arch: String,
    /// The bytes that the files take; [`write_package`](crate::write_package) counts them itself.
    pub installed_size: u64,
    /// The recipe's main package.
    pub origin: String,
    /// One line.
    pub description: String,
    /// The home page.
    pub url: String,
    /// The commit of the recipe.
    pub commit: String,
    /// Who is responsible.
    pub maintainer: String,
    /// When it was built, in seconds since 1970.
    pub build_date: Option<i64>,
    /// SPDX licence expressions, all of which hold.
    pub licenses: Vec<String>,
    /// What must be, or with `!` must not be, installed beside it.
    pub depends: Vec<Dependency>,
    /// What it offers besides its own name.
    pub provides: Vec<Provide>,
    /// Packages whose files it may overwrite.
    pub replaces: Vec<Dependency>,
    /// Once all of these are installed, this package is too.
    pub install_if: Vec<Dependency>,
    /// Libraries it has for itself alone; a comment, nothing resolves it.
    pub vendored: Vec<Provide>,
    /// The rank among those who offer the same name.
    pub provider_priority: Option<u32>,
    /// The rank among those who replace each other's files.
    pub replaces_priority: Option<u32>,
    /// Patterns of directories whose changes run the trigger script.
    pub triggers: Vec<String>,
    /// The digest of the data section; [`write_package`](crate::write_package) computes it itself.
    pub datahash: Option<Sha256>,
    /// Keys nobody here knows, such as `packager`, in the order of the text.
    pub other: Vec<(String, String)>,
}

impl Control {
    /// Only what every package has.
    pub fn new(name: PackageName, version: Version, arch: impl Into<String>) -> Self {
        Self {
            name,
            version,
            arch: arch.into(),
            installed_size: 0,
            origin: String::new(),
            description: String::new(),
            url: String::new(),
            commit: String::new(),
            maintainer: String::new(),
            build_date: None,
            licenses: Vec::new(),
            depends: Vec::new(),
            provides: Vec::new(),
            replaces: Vec::new(),
            install_if: Vec::new(),
            vendored: Vec::new(),
            provider_priority: None,
            replaces_priority: None,
            triggers: Vec::new(),
            datahash: None,
            other: Vec::new(),
        }
    }

    /// The name of the package's file in a repository.
    pub fn file_name(&self) -> String {
        file_name(&self.name, &self.version)
    }

    /// All licences as one expression: joined with `AND`, each once, alternatives in parentheses.
    pub fn license(&self) -> String {
        let mut distinct: Vec<&str> = Vec::new();
        for license in &self.licenses {
            if !license.is_empty() && !distinct.contains(&license.as_str()) {
                distinct.push(license);
            }
        }
        if let [only] = *distinct {
            return only.to_owned();
        }
        let parts = distinct.into_iter().map(|license| {
            if license.to_ascii_uppercase().contains(" OR ") {
                format!("({license})")
            } else {
                license.to_owned()
            }
        });
        parts.collect::<Vec<_>>().join(" AND ")
    }

    /// Reads the text of a `.PKGINFO`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut fields = Fields::new(FILE);
        for (index, line) in text.split('\n').enumerate() {
            let field = field_of(line);
            let field = field.map_err(|reason| Error::Line {
                file: FILE,
                line: index + 1,
                reason,
            });
            if let Some((key, value)) = field? {
                fields.add(index + 1, key, value)?;
            }
        }
        Self::from_fields(&fields)
    }

    fn from_fields(fields: &Fields<'_, &str>) -> Result<Self, Error> {
        let name: PackageName = fields.required("pkgname", "pkgname", parsed)?;
        let version = fields.required("pkgver", "pkgver", parsed)?;
        let arch = fields.required("arch", "arch", |value| Ok(value.to_owned()))?;
        let triggers = fields.one("triggers", |value| {
            Ok(words(value).map(str::to_owned).collect())
        });
        let control = Self {
            name,
            version,
            arch,
            installed_size: fields.one("size", number)?.unwrap_or(0),
            origin: fields.text("origin")?,
            description: fields.text("pkgdesc")?,
            url: fields.text("url")?,
            commit: fields.text("commit")?,
            maintainer: fields.text("maintainer")?,
            build_date: fields.one("builddate", number)?,
            licenses: fields.every("license").map(str::to_owned).collect(),
            depends: fields.list("depend")?,
            provides: fields.list("provides")?,
            replaces: fields.list("replaces")?,
            install_if: fields.list("install_if")?,
            vendored: fields.list(VENDORED)?,
            provider_priority: fields.one("provider_priority", number)?,
            replaces_priority: fields.one("replaces_priority", number)?,
            triggers: triggers?.unwrap_or_default(),
            datahash: fields.one("datahash", parsed)?,
            other: fields
                .others(&KNOWN)
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        };
        control.check()?;
        Ok(control)
    }

    /// The text of a `.PKGINFO`. `pkgdesc` and `url` are written even when they are empty.
    pub fn to_pkginfo(&self) -> Result<String, Error> {
        self.check()?;
        let mut text = Pkginfo::begin();
        text.line("pkgname", &self.name)?;
        text.line("pkgver", &self.version)?;
        text.line("arch", &self.arch)?;
        text.line("size", &self.installed_size)?;
        text.some("origin", &self.origin)?;
        text.line("pkgdesc", &self.description)?;
        text.line("url", &self.url)?;
        text.some("commit", &self.commit)?;
        text.some("maintainer", &self.maintainer)?;
        text.every("builddate", &self.build_date)?;
        text.every("license", &self.licenses)?;
        text.every("depend", &self.depends)?;
        text.every("provides", &self.provides)?;
        text.every("replaces", &self.replaces)?;
        text.every("install_if", &self.install_if)?;
        text.every(VENDORED, &self.vendored)?;
        text.every("provider_priority", &self.provider_priority)?;
        text.every("replaces_priority", &self.replaces_priority)?;
        for (key, value) in &self.other {
            text.other(key, value)?;
        }
        if !self.triggers.is_empty() {
            text.words("triggers", &self.triggers)?;
        }
        text.every("datahash", &self.datahash)?;
        Ok(text.0)
    }

    /// What apk would refuse, or take for something else.
    fn check(&self) -> Result<(), Error> {
        if !self.name.is_file_safe() {
            return Err(Error::Value {
                field: "pkgname",
                reason: "it cannot be a file's name",
            });
        }
        if !is_arch(&self.arch) {
            return Err(Error::Value {
                field: "arch",
                reason: "it is not an architecture's name",
            });
        }
        let mut relations = self
            .depends
            .iter()
            .chain(&self.replaces)
            .chain(&self.install_if);
        if relations.any(|relation| relation.tag.is_some()) {
            return Err(Error::Value {
                field: "depend",
                reason: "a package cannot ask for a tag",
            });
        }
        Ok(())
    }
}

/// The name of a package's file in a repository.
pub(crate) fn file_name(name: &PackageName, version: &Version) -> String {
    format!("{name}-{version}.apk")
}

/// What can be an architecture or a directory of a repository.
pub(crate) fn is_arch(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// The key and the value of a line that has them.
fn field_of(line: &str) -> Result<Option<(&str, &str)>, LineError> {
    if let Some(value) = line.strip_prefix("# vendored = ") {
        return Ok(Some((VENDORED, value)));
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    line.split_once(" = ")
        .or_else(|| line.strip_suffix(" =").map(|key| (key, "")))
        .map(Some)
        .ok_or_else(|| LineError::Form(cut(line)))
}

/// A `.PKGINFO` in the making.
struct Pkginfo(String);

impl Pkginfo {
    fn begin() -> Self {
        Self("# Generated by boltworks\n".to_owned())
    }

    fn line(&mut self, key: &'static str, value: &dyn fmt::Display) -> Result<(), Error> {
        let line = format!("{key} = {value}");
        check_value(key, &line)?;
        self.0.push_str(&line);
        self.0.push('\n');
        Ok(())
    }

    fn some(&mut self, key: &'static str, value: &str) -> Result<(), Error> {
        if value.is_empty() {
            Ok(())
        } else {
            self.line(key, &value)
        }
    }

    fn every<'v, T: fmt::Display + 'v>(
        &mut self,
        key: &'static str,
        values: impl IntoIterator<Item = &'v T>,
    ) -> Result<(), Error> {
        values
            .into_iter()
            .try_for_each(|value| self.line(key, value))
    }

    fn words(&mut self, key: &'static str, words: &[String]) -> Result<(), Error> {
        if words
            .iter()
            .any(|word| word.is_empty() || word.contains(char::is_whitespace))
        {
            return Err(Error::Value {
                field: key,
                reason: "a pattern is empty or holds a space",
            });
        }
        self.line(key, &words.join(" "))
    }

    fn other(&mut self, key: &str, value: &str) -> Result<(), Error> {
        const FIELD: &str = "other";
        let is_key = !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if !is_key || KNOWN.contains(&key) {
            return Err(Error::Value {
                field: FIELD,
                reason: "its key is none, or has a field",
            });
        }
        check_value(FIELD, value)?;
        self.0.push_str(&format!("{key} = {value}\n"));
        Ok(())
    }
}

/// The keys that have a field of their own.
const KNOWN: [&str; 20] = [
    "pkgname",
    "pkgver",
    "arch",
    "size",
    "origin",
    "pkgdesc",
    "url",
    "commit",
    "maintainer",
    "builddate",
    "license",
    "depend",
    "provides",
    "replaces",
    "install_if",
    VENDORED,
    "provider_priority",
    "replaces_priority",
    "triggers",
    "datahash",
];
