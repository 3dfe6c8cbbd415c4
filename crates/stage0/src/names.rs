//! Debian's versions, needs and names as apk's.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::PackageName;
use boltworks_source::Deb;
use boltworks_version::apk::Version;

use crate::Error;

/// A need for the first is no more than a need for the second: whoever builds on another C
/// library than Debian's brings its headers under the second name.
const WEAKER: &[(&str, &str)] = &[("libc6-dev", "libc-dev")];
/// Digits of one number of a version that are kept.
const MAX_DIGITS: usize = 18;
/// Numbers of a version that are kept.
const MAX_NUMBERS: usize = 12;

/// An apk version that reads like Debian's: all numbers in it but the epoch, with dots. It says nothing
/// of the order, which a closed set needs not: `1:5.2.37-2+b5` becomes `5.2.37.2.5-r0`. Further
/// suffixes such as `_p2_p5` would be apk's too, but melange and apko cannot read a second one.
pub fn version(debian: &str) -> Result<Version, Error> {
    let after_epoch = debian.split_once(':').map_or(debian, |(_, rest)| rest);
    let numbers: Vec<String> = after_epoch
        .split(|char: char| !char.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(number)
        .take(MAX_NUMBERS)
        .collect();
    let numbers = if numbers.is_empty() {
        "0".to_owned()
    } else {
        numbers.join(".")
    };
    let text = format!("{numbers}-r0");
    text.parse().map_err(|error| Error::Convert {
        name: debian.to_owned(),
        reason: format!("its version cannot be told in apk's terms: {error}"),
    })
}

/// Without zeros in front, which apk reads as a fraction, and not too long.
fn number(digits: &str) -> String {
    let digits = digits.trim_start_matches('0');
    let kept = digits.get(..MAX_DIGITS).unwrap_or(digits);
    if kept.is_empty() {
        "0".to_owned()
    } else {
        kept.to_owned()
    }
}

/// A name as apk's.
pub fn package_name(name: &str) -> Result<PackageName, Error> {
    let broken = |reason: String| Error::Convert {
        name: name.to_owned(),
        reason,
    };
    let name: PackageName = name.parse().map_err(|error| broken(format!("{error}")))?;
    if name.is_file_safe() {
        Ok(name)
    } else {
        Err(broken("its name cannot stand in a file name".to_owned()))
    }
}

/// Who offers what in a closure.
#[derive(Debug)]
pub struct Closure<'a> {
    packages: BTreeSet<&'a str>,
    providers: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Closure<'a> {
    /// Looks through resolved packages.
    pub fn new(debs: &'a [Deb]) -> Self {
        let packages = debs.iter().map(|deb| deb.name.as_str()).collect();
        let mut providers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for deb in debs {
            for name in &deb.provides {
                providers
                    .entry(name.as_str())
                    .or_default()
                    .insert(deb.name.as_str());
            }
        }
        Self {
            packages,
            providers,
        }
    }

    /// Whether a package is in it under its own name.
    pub fn has(&self, name: &str) -> bool {
        self.packages.contains(name)
    }

    /// Every name of its packages.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.packages.iter().copied()
    }

    /// What a package needs, as apk's dependencies: for each need the first alternative that is
    /// in the closure, or the name that only this alternative provides, if Debian offers it as a
    /// further alternative. Versions are not asked for, because the closure is locked.
    ///
    /// # Errors
    /// [`Error::Convert`] if no alternative is in the closure.
    pub fn needs(&self, deb: &Deb) -> Result<BTreeSet<PackageName>, Error> {
        let mut needs = BTreeSet::new();
        for alternatives in &deb.depends {
            let chosen = self.choose(alternatives).ok_or_else(|| Error::Convert {
                name: deb.name.clone(),
                reason: format!("nothing in the closure is {}", alternatives.join(" or ")),
            })?;
            if chosen != deb.name {
                needs.insert(package_name(chosen)?);
            }
        }
        Ok(needs)
    }

    fn choose<'b>(&self, alternatives: &'b [String]) -> Option<&'b str> {
        let is_there = |name: &str| self.has(name) || self.providers.contains_key(name);
        let first = alternatives
            .iter()
            .map(String::as_str)
            .find(|name| is_there(name))?;
        let is_only_firsts = |name: &str| {
            !self.has(name)
                && self
                    .providers
                    .get(name)
                    .is_some_and(|by| by.iter().copied().eq([first]))
        };
        let weaker = WEAKER
            .iter()
            .find(|(strong, _)| *strong == first)
            .map(|(_, weak)| *weak);
        alternatives
            .iter()
            .map(String::as_str)
            .chain(weaker)
            .find(|name| is_only_firsts(name))
            .or(Some(first))
    }

    /// The names that a package provides besides its own. Those of real packages are left out.
    pub fn provides(&self, deb: &Deb) -> BTreeSet<PackageName> {
        deb.provides
            .iter()
            .filter(|name| !self.has(name))
            .filter_map(|name| package_name(name).ok())
            .collect()
    }
}

/// A package for tests.
#[cfg(test)]
pub(crate) fn deb(name: &str, depends: &[&[&str]], provides: &[&str]) -> Deb {
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    Deb {
        name: name.into(),
        version: "1".into(),
        architecture: "amd64".into(),
        source: name.into(),
        source_version: "1".into(),
        sha256: boltworks_crypto::sha256(b""),
        size: 0,
        path: format!("pool/{name}.deb"),
        depends: depends.iter().map(|names| owned(names)).collect(),
        provides: owned(provides),
        summary: "a summary".into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(debian: &str, expected: &str) {
        assert_eq!(version(debian).unwrap().to_string(), expected, "{debian}");
    }

    #[test]
    fn versions_read_like_debians() {
        check("5.2.37-2+b5", "5.2.37.2.5-r0");
        check("4:14.2.0-1", "14.2.0.1-r0");
        check("10.46-1~deb13u3", "10.46.1.13.3-r0");
        check("1:1.3.dfsg+really1.3.1-1", "1.3.1.3.1.1-r0");
        check("2025b-4", "2025.4-r0");
        check("20250419", "20250419-r0");
        check("9.0.0813-1", "9.0.813.1-r0");
        check("0~r11908-1", "0.11908.1-r0");
    }

    #[test]
    fn the_first_alternative_counts_unless_a_name_is_its_own() {
        let debs = [
            deb(
                "libtool",
                &[
                    &["gcc", "c-compiler"],
                    &["libc6-dev", "libc-dev"],
                    &["absent", "cpp"],
                ],
                &[],
            ),
            deb("g++", &[&["libc6-dev"], &["g++"]], &[]),
            deb("gcc", &[], &["c-compiler"]),
            deb("gcc-14", &[], &["c-compiler", "gcc"]),
            deb("libc6-dev", &[], &["libc-dev"]),
            deb("cpp", &[], &[]),
        ];
        let closure = Closure::new(&debs);
        let needs = |deb: &Deb| {
            closure
                .needs(deb)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(needs(&debs[0]), ["cpp", "gcc", "libc-dev"]);
        assert_eq!(needs(&debs[1]), ["libc-dev"]);
        let provides: Vec<_> = closure
            .provides(&debs[3])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(provides, ["c-compiler"]);
        let alone = [deb("x", &[&["a", "b"]], &[])];
        let error = Closure::new(&alone).needs(&alone[0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "convert the Debian package x: nothing in the closure is a or b"
        );
    }

    proptest! {
        #[test]
        fn every_debian_version_has_one_of_apks(text in "([0-9]{1,2}:)?[0-9][0-9A-Za-z.+~]{0,40}(-[0-9A-Za-z.+~]{1,20})?") {
            let version = version(&text).unwrap();
            prop_assert!(version.as_str().len() < 256);
        }
    }
}
