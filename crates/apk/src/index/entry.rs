//! One package of a repository: a paragraph of single-letter fields.
//!
//! | field | meaning | field | meaning | field | meaning |
//! |---|---|---|---|---|---|
//! | `C` | identity | `T` | description | `t` | build date |
//! | `P` | name | `U` | home page | `c` | commit |
//! | `V` | version | `L` | licence | `D` | depends |
//! | `A` | architecture | `o` | origin | `i` | install if |
//! | `S` | size of the file | `m` | maintainer | `p` | provides |
//! | `I` | installed size | | | `k` | provider priority |
//!
//! Unknown fields with a small letter may be ignored, those with a capital may not: that is
//! apk's promise to older readers. A list in brackets (`i:[a b]`, melange's habit) is read too.

use std::cmp::Ordering;
use std::fmt::Display;
use std::str::FromStr;

use boltworks_model::{PackageName, Sha1};
use boltworks_version::apk::{Dependency, Version};
use serde::Serialize;

use crate::control::{self, Control, Provide};
use crate::error::{Error, LineError};
use crate::package::{PackageFile, Written};
use crate::text::{Fields, check_value, cut, joined, number, parsed};

const FILE: &str = "APKINDEX";

/// The fields that are read here. In an installed database more of them have a meaning.
pub(crate) const KNOWN: &str = "CPVASITULomtcDipk";

/// What a repository says of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexEntry {
    /// The package's name.
    pub name: PackageName,
    /// The full version, `1.3.1-r0`.
    pub version: Version,
    /// apk's name of the architecture, or `noarch`; may be empty in an index of Alpine's.
    pub arch: String,
    /// The digest of the compressed control section: the package's name by content, no proof.
    pub identity: Sha1,
    /// The bytes of the package's file.
    pub size: u64,
    /// The bytes that its files take.
    pub installed_size: u64,
    /// One line.
    pub description: String,
    /// The home page.
    pub url: String,
    /// The licences as one expression.
    pub license: String,
    /// The recipe's main package.
    pub origin: String,
    /// Who is responsible.
    pub maintainer: String,
    /// When it was built, in seconds since 1970.
    pub build_date: Option<i64>,
    /// The commit of the recipe.
    pub commit: String,
    /// What must be, or with `!` must not be, installed beside it.
    pub depends: Vec<Dependency>,
    /// Once all of these are installed, this package is too.
    pub install_if: Vec<Dependency>,
    /// What it offers besides its own name.
    pub provides: Vec<Provide>,
    /// The rank among those who offer the same name.
    pub provider_priority: Option<u32>,
}

impl IndexEntry {
    /// The entry of a package that was just written.
    pub fn new(control: &Control, written: &Written) -> Self {
        let mut entry = Self::from_control(control, written.identity, written.size);
        entry.installed_size = written.installed_size;
        entry
    }

    /// The entry of a package that was read.
    pub fn from_package(package: &PackageFile) -> Self {
        Self::from_control(package.control(), package.identity(), package.size())
    }

    /// The entry of a package of which this is known. `size` is that of its file.
    pub fn from_control(control: &Control, identity: Sha1, size: u64) -> Self {
        Self {
            name: control.name.clone(),
            version: control.version.clone(),
            arch: control.arch.clone(),
            identity,
            size,
            installed_size: control.installed_size,
            description: control.description.clone(),
            url: control.url.clone(),
            license: control.license(),
            origin: control.origin.clone(),
            maintainer: control.maintainer.clone(),
            build_date: control.build_date,
            commit: control.commit.clone(),
            depends: control.depends.clone(),
            install_if: control.install_if.clone(),
            provides: control.provides.clone(),
            provider_priority: control.provider_priority,
        }
    }

    /// The name of the package's file in the repository.
    pub fn file_name(&self) -> String {
        control::file_name(&self.name, &self.version)
    }

    /// By name, then version, oldest first, then identity.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| (entry.identity, entry.size);
        (&self.name, &self.version)
            .cmp(&(&other.name, &other.version))
            .then_with(|| key(self).cmp(&key(other)))
    }

    /// Appends the entry's lines, without the empty one after it.
    pub(crate) fn write_to(&self, text: &mut String) -> Result<(), Error> {
        let mut lines = Lines(text);
        lines.put('C', "identity", &self.identity.to_q1())?;
        lines.put('P', "name", &self.name)?;
        lines.put('V', "version", &self.version)?;
        lines.some('A', "arch", &self.arch)?;
        lines.put('S', "size", &self.size)?;
        lines.put('I', "installed size", &self.installed_size)?;
        lines.some('T', "description", &self.description)?;
        lines.some('U', "url", &self.url)?;
        lines.some('L', "license", &self.license)?;
        lines.some('o', "origin", &self.origin)?;
        lines.some('m', "maintainer", &self.maintainer)?;
        lines.option('t', "build date", self.build_date)?;
        lines.some('c', "commit", &self.commit)?;
        lines.some('D', "depends", &joined(&self.depends))?;
        lines.some('i', "install_if", &joined(&self.install_if))?;
        lines.some('p', "provides", &joined(&self.provides))?;
        lines.option('k', "provider priority", self.provider_priority)
    }

    /// Reads the fields of one package.
    pub(crate) fn from_fields(fields: &Fields<'_, char>) -> Result<Self, Error> {
        Ok(Self {
            identity: fields.required('C', "C:", |value| Ok(Sha1::parse_q1(value)?))?,
            name: fields.required('P', "P:", file_safe)?,
            version: fields.required('V', "V:", parsed)?,
            arch: fields.one('A', arch)?.unwrap_or_default(),
            size: fields.one('S', number)?.unwrap_or(0),
            installed_size: fields.one('I', number)?.unwrap_or(0),
            description: fields.text('T')?,
            url: fields.text('U')?,
            license: fields.text('L')?,
            origin: fields.text('o')?,
            maintainer: fields.text('m')?,
            build_date: fields.one('t', number)?,
            commit: fields.text('c')?,
            depends: fields.list('D')?,
            install_if: fields.list('i')?,
            provides: fields.list('p')?,
            provider_priority: fields.one('k', number)?,
        })
    }
}

/// A package's own name: one that can be a file's.
fn file_safe(text: &str) -> Result<PackageName, LineError> {
    let name: PackageName = text.parse()?;
    if name.is_file_safe() {
        Ok(name)
    } else {
        Err(LineError::FileName(cut(text)))
    }
}

/// What can be a directory of a repository.
fn arch(text: &str) -> Result<String, LineError> {
    let is_arch = text.is_empty() || control::is_arch(text);
    if is_arch {
        Ok(text.to_owned())
    } else {
        Err(LineError::FileName(cut(text)))
    }
}

/// Lines of single-letter fields in the making.
pub(crate) struct Lines<'t>(pub(crate) &'t mut String);

impl Lines<'_> {
    pub(crate) fn put(
        &mut self,
        letter: char,
        field: &'static str,
        value: &dyn Display,
    ) -> Result<(), Error> {
        let value = value.to_string();
        check_value(field, &value)?;
        self.0.push(letter);
        self.0.push(':');
        self.0.push_str(&value);
        self.0.push('\n');
        Ok(())
    }

    pub(crate) fn some(
        &mut self,
        letter: char,
        field: &'static str,
        value: &str,
    ) -> Result<(), Error> {
        if value.is_empty() {
            Ok(())
        } else {
            self.put(letter, field, &value)
        }
    }

    pub(crate) fn option<T: Display>(
        &mut self,
        letter: char,
        field: &'static str,
        value: Option<T>,
    ) -> Result<(), Error> {
        value.map_or(Ok(()), |value| self.put(letter, field, &value))
    }
}

/// The letter and the value of a line.
pub(crate) fn split_field(line: &str) -> Result<(char, &str), LineError> {
    let form = || LineError::Form(cut(line));
    let (letter, value) = line.split_once(':').ok_or_else(form)?;
    let letter = letter.parse::<char>().map_err(|_| form())?;
    if !letter.is_ascii_alphabetic() {
        return Err(form());
    }
    Ok((letter, unbracketed(letter, value)))
}

/// A list without the brackets that melange and apko put around it.
fn unbracketed(letter: char, value: &str) -> &str {
    let inner = value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if letter == 'i' {
        inner.unwrap_or(value)
    } else {
        value
    }
}

/// A package that an index names but whose fields cannot be understood.
#[derive(Debug)]
pub struct Unusable {
    /// Its name and version, as far as the index tells.
    pub package: String,
    /// What cannot be understood.
    pub error: Error,
}

/// Reads the whole text of an index. Only what is no field at all breaks the whole.
pub(crate) fn parse(text: &str) -> Result<Vec<Result<IndexEntry, Unusable>>, Error> {
    let mut entries = Vec::new();
    parse_each(text, |entry| entries.push(entry))?;
    Ok(entries)
}

/// The same, of one package after the other.
pub(crate) fn parse_each(
    text: &str,
    mut with: impl FnMut(Result<IndexEntry, Unusable>),
) -> Result<(), Error> {
    let mut paragraph = Paragraph {
        fields: Fields::new(FILE),
        newer: None,
    };
    for (index, line) in text.split('\n').enumerate() {
        if line.is_empty() {
            paragraph.finish().into_iter().for_each(&mut with);
            continue;
        }
        let error = |reason| Error::Line {
            file: FILE,
            line: index + 1,
            reason,
        };
        let (letter, value) = split_field(line).map_err(error)?;
        if KNOWN.contains(letter) {
            paragraph.fields.add(index + 1, letter, value)?;
        } else if letter.is_ascii_uppercase() {
            paragraph.newer = Some(error(LineError::Unknown(letter.to_string())));
        }
    }
    paragraph.finish().into_iter().for_each(with);
    Ok(())
}

/// A package that is being read.
struct Paragraph<'t> {
    fields: Fields<'t, char>,
    /// A field that must not be ignored and that is not known.
    newer: Option<Error>,
}

impl Paragraph<'_> {
    /// The package that was read, if there was one; ready for the next.
    fn finish(&mut self) -> Option<Result<IndexEntry, Unusable>> {
        let newer = self.newer.take();
        if self.fields.is_empty() && newer.is_none() {
            return None;
        }
        let entry = newer.map_or_else(|| IndexEntry::from_fields(&self.fields), Err);
        let entry = entry.map_err(|error| {
            let known = ['P', 'V']
                .into_iter()
                .flat_map(|letter| self.fields.every(letter));
            Unusable {
                package: known.map(cut).collect::<Vec<_>>().join("-"),
                error,
            }
        });
        self.fields.clear();
        Some(entry)
    }
}

impl FromStr for IndexEntry {
    type Err = Error;

    /// Reads one paragraph.
    fn from_str(text: &str) -> Result<Self, Error> {
        let missing = Error::MissingField {
            file: FILE,
            line: 1,
            field: "P:",
        };
        let first = parse(text)?.into_iter().next().ok_or(missing)?;
        first.map_err(|refused| refused.error)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Index;

    const ALPINE: &str = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:busy\nV:1.36.1-r2\nA:x86_64\nS:1\nI:2\n\
        T:A #1 tool; small\nU:https://example.org\nL:GPL-2.0-only\no:busy\nm:M <m@example.org>\n\
        t:1684507498\nc:abc\nk:100\nD:so:libc.musl-x86_64.so.1 !old\np:/bin/sh cmd:[=1 cmd:sh=1\n\
        i:a=1 b\n\n";
    const MELANGE: &str = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:hello\nV:2.12-r0\nA:x86_64\nS:1\nI:2\n\
        T:desc\nL:MIT\nU:\no:hello\nt:-62135596800\nD:glibc\ni:[hello=2 docs]\n\n";

    fn one(text: &str) -> IndexEntry {
        text.parse().unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[test]
    fn every_field_is_written_in_order_and_read_back() {
        let control = control::tests::full();
        let entry = IndexEntry::from_control(&control, Sha1::new([9; 20]), 77);
        let mut text = String::new();
        entry.write_to(&mut text).unwrap();
        insta::assert_snapshot!(text, @"
        C:Q1CQkJCQkJCQkJCQkJCQkJCQkJCQk=
        P:zlib
        V:1.3.1-r0
        A:x86_64
        S:77
        I:4242
        T:A C# library; fast # really = yes
        U:https://example.org/#top;x
        L:Zlib AND (MIT OR Apache-2.0)
        o:zlib-origin
        m:Jürgen <j@example.org>
        t:1767225600
        c:0123abcd
        D:so:libc.so.6 !old<2 m~1.2
        i:zlib=1.3.1-r0 docs
        p:so:libz.so.1=1.3.1 cmd:[=1.3.1-r0 z
        k:10
        ");
        assert_eq!(one(&text), entry);
        assert_eq!(entry.file_name(), "zlib-1.3.1-r0.apk");
    }

    #[test]
    fn the_forms_of_others_are_read() {
        let alpine = one(ALPINE);
        assert_eq!(alpine.description, "A #1 tool; small");
        assert_eq!(joined(&alpine.provides), "/bin/sh cmd:[=1 cmd:sh=1");
        assert_eq!(joined(&alpine.install_if), "a=1 b");
        let melange = one(MELANGE);
        assert_eq!(joined(&melange.install_if), "hello=2 docs");
        assert_eq!(melange.build_date, Some(-62_135_596_800));
        assert_eq!(
            Index::parse(&format!("{ALPINE}\n\n{MELANGE}")).unwrap(),
            [alpine, melange]
        );
    }

    #[test]
    fn an_unknown_small_letter_is_ignored_and_a_capital_is_not() {
        assert_eq!(one(&ALPINE.replacen('\n', "\nz:new\n", 1)), one(ALPINE));
        let refusal = |text: String| {
            let error = Index::parse(&text).unwrap_err();
            error.to_string()
        };
        insta::assert_snapshot!(refusal(ALPINE.replacen('\n', "\nZ:new\n", 1)), @"read line 2 of APKINDEX: 'Z' is not a known field");
        insta::assert_snapshot!(refusal(ALPINE.replacen('\n', "\nnew\n", 1)), @"read line 2 of APKINDEX: 'new' is not of the form key, separator, value");
        insta::assert_snapshot!(refusal(ALPINE.replacen('\n', "\nxy:new\n", 1)), @"read line 2 of APKINDEX: 'xy:new' is not of the form key, separator, value");
        insta::assert_snapshot!(refusal(ALPINE.replacen('\n', "\nP:again\n", 1)), @"read line 3 of APKINDEX: 'P' comes a second time");
        insta::assert_snapshot!(refusal(ALPINE.replace("C:Q1", "C:Q2")), @"read line 1 of APKINDEX: 'Q2AAAAAAAAAAAAAAAAAAAAAAAAAAA=' is not a Q1 (sha1) digest: 40 hexadecimal digits are needed");
        insta::assert_snapshot!(refusal(ALPINE.replace("P:busy", "P:../busy")), @"read line 2 of APKINDEX: '../busy' cannot be a file's name in a repository");
        insta::assert_snapshot!(refusal(ALPINE.replace("P:busy", "P:/busy")), @"read line 2 of APKINDEX: '/busy' cannot be a file's name in a repository");
        insta::assert_snapshot!(refusal(ALPINE.replace("A:x86_64", "A:../x")), @"read line 4 of APKINDEX: '../x' cannot be a file's name in a repository");
        insta::assert_snapshot!(refusal(ALPINE.replace("P:busy\n", "")), @"read APKINDEX: the package before line 17 has no 'P:'");
        insta::assert_snapshot!(refusal(ALPINE.replace("S:1", "S:-1")), @"read line 5 of APKINDEX: '-1' is not a number that fits");
    }

    prop_compose! {
        pub(crate) fn entries()(
            control in control::tests::controls(),
            identity: [u8; 20],
            size: u64,
            installed_size: u64,
        ) -> IndexEntry {
            let entry = IndexEntry::from_control(&control, Sha1::new(identity), size);
            IndexEntry { installed_size, ..entry }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::vec(entries(), 0..4)) {
            let mut text = String::new();
            for entry in &entries {
                entry.write_to(&mut text).unwrap();
                text.push('\n');
            }
            prop_assert_eq!(Index::parse(&text).unwrap(), entries);
        }

        #[test]
        fn no_text_panics(text in "([CPVASITULomtcDipkzZ]:?[a-z0-9=!\\[\\] -]{0,8}\n){0,12}|.{0,40}") {
            if let Ok(entries) = Index::parse(&text) {
                prop_assert!(entries.len() <= text.len());
            }
        }
    }
}
