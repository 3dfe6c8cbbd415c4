//! What a package says of itself: the text `.PKGINFO`.
//!
//! Lines of `key = value`; a line that begins with `#` is a comment, except `# vendored = …`,
//! which names a library that only the package itself uses. Values are taken and written
//! literally, whatever signs they hold; only control characters are refused, because a line
//! break would become a field of its own.

use std::collections::BTreeSet;
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
        let mut seen = BTreeSet::new();
        let licenses = self.licenses.iter().map(String::as_str);
        let distinct: Vec<&str> = licenses
            .filter(|license| !license.is_empty() && seen.insert(*license))
            .collect();
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
        let names = self.depends.iter().chain(&self.replaces);
        let names = names.chain(&self.install_if).map(|one| &one.name);
        let provided = self.provides.iter().map(|one| &one.name);
        for name in names.chain(provided) {
            check_relation(name).map_err(|reason| Error::Entry {
                path: cut(name.as_str()),
                reason,
            })?;
        }
        Ok(())
    }
}

/// Refuses a name that leads upwards where somebody takes it for a path (`cmd:../../bin/sh`).
/// `/bin/sh` is a name as apk knows it.
fn check_relation(name: &PackageName) -> Result<(), &'static str> {
    let mut parts = name.as_str().split(['/', ':']);
    if parts.any(|part| part == "..") {
        return Err("a name that it provides or asks for leads upwards with '..'");
    }
    Ok(())
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
        // As melange writes it: a space behind each.
        self.line(key, &format_args!("{} ", words.join(" ")))
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
        self.0.extend([key, " = ", value, "\n"]);
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

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn full() -> Control {
        let dependency = |text: &str| text.parse::<Dependency>().unwrap();
        let provide = |text: &str| text.parse::<Provide>().unwrap();
        Control {
            installed_size: 4242,
            origin: "zlib-origin".into(),
            description: "A C# library; fast # really = yes".into(),
            url: "https://example.org/#top;x".into(),
            commit: "0123abcd".into(),
            maintainer: "Jürgen <j@example.org>".into(),
            build_date: Some(1_767_225_600),
            licenses: vec!["Zlib".into(), "MIT OR Apache-2.0".into()],
            depends: vec![
                dependency("so:libc.so.6"),
                dependency("!old<2"),
                dependency("m~1.2"),
            ],
            provides: vec![
                provide("so:libz.so.1=1.3.1"),
                provide("cmd:[=1.3.1-r0"),
                provide("z"),
            ],
            replaces: vec![dependency("zlib-old<1.3")],
            install_if: vec![dependency("zlib=1.3.1-r0"), dependency("docs")],
            vendored: vec![provide("so:libown.so.0=0.1")],
            provider_priority: Some(10),
            replaces_priority: Some(3),
            triggers: vec!["/usr/share/fonts/*".into(), "+/etc/x".into()],
            datahash: Some(Sha256::new([7; 32])),
            other: vec![("packager".into(), "Somebody = else".into())],
            ..Control::new(
                "zlib".parse().unwrap(),
                "1.3.1-r0".parse().unwrap(),
                "x86_64",
            )
        }
    }

    #[test]
    fn every_field_is_written_literally_and_read_back() {
        let text = full().to_pkginfo().unwrap();
        insta::assert_snapshot!(text, @"
        # Generated by boltworks
        pkgname = zlib
        pkgver = 1.3.1-r0
        arch = x86_64
        size = 4242
        origin = zlib-origin
        pkgdesc = A C# library; fast # really = yes
        url = https://example.org/#top;x
        commit = 0123abcd
        maintainer = Jürgen <j@example.org>
        builddate = 1767225600
        license = Zlib
        license = MIT OR Apache-2.0
        depend = so:libc.so.6
        depend = !old<2
        depend = m~1.2
        provides = so:libz.so.1=1.3.1
        provides = cmd:[=1.3.1-r0
        provides = z
        replaces = zlib-old<1.3
        install_if = zlib=1.3.1-r0
        install_if = docs
        # vendored = so:libown.so.0=0.1
        provider_priority = 10
        replaces_priority = 3
        packager = Somebody = else
        triggers = /usr/share/fonts/* +/etc/x 
        datahash = 0707070707070707070707070707070707070707070707070707070707070707
        ");
        assert_eq!(Control::parse(&text).unwrap(), full());
    }

    #[test]
    fn what_is_empty_is_not_written() {
        let control = Control::new("a".parse().unwrap(), "1".parse().unwrap(), "noarch");
        let text = control.to_pkginfo().unwrap();
        insta::assert_snapshot!(text, @"
        # Generated by boltworks
        pkgname = a
        pkgver = 1
        arch = noarch
        size = 0
        pkgdesc = 
        url =
        ");
        assert_eq!(Control::parse(&text).unwrap(), control);
        assert_eq!(control.file_name(), "a-1.apk");
    }

    #[test]
    fn comments_empty_lines_and_lists_in_one_line_are_read() {
        let text = "# a comment = x\n\npkgname = a\npkgver = 1-r0\narch = x86_64\nurl =\n\
                    depend = b c>=1\ndepend = d\n#vendored = x\ninstall_if = a=1 b";
        let control = Control::parse(text).unwrap();
        assert_eq!(crate::text::joined(&control.depends), "b c>=1 d");
        assert_eq!(control.install_if.len(), 2);
        assert!(control.vendored.is_empty() && control.url.is_empty());
    }

    #[test]
    fn several_licences_become_one_expression() {
        let license = |licenses: &[&str]| {
            let licenses = licenses.iter().map(|&license| license.to_owned()).collect();
            Control { licenses, ..full() }.license()
        };
        assert_eq!(license(&[]), "");
        assert_eq!(license(&["MIT OR Zlib"]), "MIT OR Zlib");
        assert_eq!(license(&["MIT", "Apache-2.0", "MIT"]), "MIT AND Apache-2.0");
        assert_eq!(
            license(&["MIT OR Zlib", "", "BSD-3-Clause"]),
            "(MIT OR Zlib) AND BSD-3-Clause"
        );
    }

    #[test]
    fn many_licences_are_told_apart_quickly() {
        let licenses: Vec<String> = (0..200_000).map(|at| format!("LicenseRef-{at}")).collect();
        let expected = licenses.join(" AND ");
        let twice = [licenses.clone(), licenses].concat();
        let control = Control {
            licenses: twice,
            ..full()
        };
        assert!(control.license() == expected);
    }

    #[test]
    fn what_would_be_read_as_something_else_is_not_written() {
        let refusal = |change: fn(&mut Control)| {
            let mut control = full();
            change(&mut control);
            control.to_pkginfo().unwrap_err().to_string()
        };
        insta::assert_snapshot!(refusal(|c| c.description = "x\ndepend = evil".into()), @"accept the field 'pkgdesc': it holds a line break or a control character");
        insta::assert_snapshot!(refusal(|c| c.url = "x\r".into()), @"accept the field 'url': it holds a line break or a control character");
        insta::assert_snapshot!(refusal(|c| c.licenses = vec!["a\0".into()]), @"accept the field 'license': it holds a line break or a control character");
        insta::assert_snapshot!(refusal(|c| c.arch = "../x".into()), @"accept the field 'arch': it is not an architecture's name");
        insta::assert_snapshot!(refusal(|c| c.name = "so:a".parse().unwrap()), @"accept the field 'pkgname': it cannot be a file's name");
        insta::assert_snapshot!(refusal(|c| c.triggers = vec!["a b".into()]), @"accept the field 'triggers': a pattern is empty or holds a space");
        insta::assert_snapshot!(refusal(|c| c.depends = vec!["a@tag".parse().unwrap()]), @"accept the field 'depend': a package cannot ask for a tag");
        insta::assert_snapshot!(refusal(|c| c.other = vec![("depend".into(), "evil".into())]), @"accept the field 'other': its key is none, or has a field");
        insta::assert_snapshot!(refusal(|c| c.other = vec![("a\nb".into(), "x".into())]), @"accept the field 'other': its key is none, or has a field");
    }

    #[test]
    fn a_refusal_names_the_line() {
        let refusal = |text: &str| {
            let error = Control::parse(text).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            [Some(error.to_string()), source]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(": ")
        };
        let with = |line: &str| format!("pkgname = a\npkgver = 1\narch = x86_64\n{line}\n");
        insta::assert_snapshot!(refusal(""), @"read .PKGINFO: the package before line 1 has no 'pkgname'");
        insta::assert_snapshot!(refusal("pkgname = a\npkgver = 1"), @"read .PKGINFO: the package before line 3 has no 'arch'");
        insta::assert_snapshot!(refusal(&with("nonsense")), @"read line 4 of .PKGINFO: 'nonsense' is not of the form key, separator, value");
        insta::assert_snapshot!(refusal(&with("size = 1k")), @"read line 4 of .PKGINFO: '1k' is not a number that fits");
        insta::assert_snapshot!(refusal(&with("size = +1")), @"read line 4 of .PKGINFO: '+1' is not a number that fits");
        insta::assert_snapshot!(refusal(&with("size = 99999999999999999999")), @"read line 4 of .PKGINFO: '99999999999999999999' is not a number that fits");
        insta::assert_snapshot!(refusal(&with("pkgver = 2")), @"read line 4 of .PKGINFO: 'pkgver' comes a second time");
        insta::assert_snapshot!(refusal(&with("depend = a>=x")), @"read line 4 of .PKGINFO: the dependency 'a>=x' has a bad version");
        insta::assert_snapshot!(refusal(&with("depend = a@tag")), @"accept the field 'depend': a package cannot ask for a tag");
        insta::assert_snapshot!(refusal(&with("provides = a>1")), @"read line 4 of .PKGINFO: 'a>1' is not a name or name=version");
        insta::assert_snapshot!(refusal(&with("datahash = 12")), @"read line 4 of .PKGINFO: '12' is not a sha256 digest: 64 hexadecimal digits are needed");
        insta::assert_snapshot!(refusal(&with("pkgdesc = a\rb")), @"read line 4 of .PKGINFO: the value of 'pkgdesc' holds a control character");
        insta::assert_snapshot!(refusal("pkgname = a/b\npkgver = 1\narch = x"), @"accept the field 'pkgname': it cannot be a file's name");
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "[ -~]{0,24}", "[^\\p{Cc}]{0,12}"]
    }

    prop_compose! {
        pub(crate) fn controls()(
            (name, version) in ("[a-z0-9][a-zA-Z0-9+._-]{0,12}", "[0-9]{1,3}(\\.[0-9]{1,2}){0,2}(-r[0-9])?"),
            (description, url, commit) in (text(), text(), "[a-z0-9 #;=]{0,8}"),
            licenses in prop::collection::vec(text(), 0..3),
            depends in prop::collection::vec("!?(so:)?[a-z]{1,6}((=|<|>=|~)[0-9]{1,3})?", 0..4),
            provides in prop::collection::vec("(cmd:)?[a-z]{1,6}(=[0-9]{1,3})?", 0..4),
            (build_date, priority) in (prop::option::of(any::<i64>()), prop::option::of(any::<u32>())),
            triggers in prop::collection::vec("[!-~]{1,8}", 0..3),
            other in prop::collection::vec(("x-[a-z]{1,6}", text()), 0..3),
        ) -> Control {
            Control {
                description, url, commit, licenses, build_date, triggers, other,
                provider_priority: priority,
                depends: depends.iter().map(|text| text.parse().unwrap()).collect(),
                provides: provides.iter().map(|text| text.parse().unwrap()).collect(),
                ..Control::new(name.parse().unwrap(), version.parse().unwrap(), "x86_64")
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(control in controls()) {
            let text = control.to_pkginfo().unwrap();
            prop_assert_eq!(Control::parse(&text).unwrap(), control);
        }

        #[test]
        fn no_text_panics(text in "((pkgname|pkgver|arch|depend|size|# vendored) ?=? ?[a-z0-9<=@!-]{0,6}\n){0,6}|.{0,40}") {
            if let Ok(control) = Control::parse(&text) {
                let again = control.to_pkginfo().unwrap();
                prop_assert_eq!(Control::parse(&again).unwrap(), control);
            }
        }
    }
}
