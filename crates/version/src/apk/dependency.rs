//! What a package asks for: a name, perhaps bound to versions.
//!
//! As text: `[!]name[@tag][operator version]`, for example `musl`, `!uclibc`, `so:libz.so.1`,
//! `zlib>=1.3-r0`, `web@local`. A tag after the version (`zlib=1.3@local`, apko's habit) is
//! read too; written is the form that apk-tools reads.

use std::fmt;
use std::str::FromStr;

use boltworks_model::{NameError, PackageName};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Version, VersionError};

/// How a version must stand to the one a dependency names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `~`: begins with it ([`Version::starts_with`]); `=~` and `~=` are other spellings.
    Fuzzy,
    /// `<~`: less than it or beginning with it.
    LessOrFuzzy,
    /// `>~`: greater than it or beginning with it.
    GreaterOrFuzzy,
}

impl Op {
    /// The usual spelling.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Fuzzy => "~",
            Self::LessOrFuzzy => "<~",
            Self::GreaterOrFuzzy => ">~",
        }
    }

    /// Whether `have` stands to `wanted` as the operator asks.
    pub fn is_met(self, have: &Version, wanted: &Version) -> bool {
        match self {
            Self::Equal => have == wanted,
            Self::Less => have < wanted,
            Self::LessOrEqual => have <= wanted,
            Self::Greater => have > wanted,
            Self::GreaterOrEqual => have >= wanted,
            Self::Fuzzy => have.starts_with(wanted),
            Self::LessOrFuzzy => have < wanted || have.starts_with(wanted),
            Self::GreaterOrFuzzy => have > wanted || have.starts_with(wanted),
        }
    }

    /// Reads an operator whose signs may stand in any order.
    fn from_signs(signs: &str) -> Option<Self> {
        let has = |sign| signs.contains(sign);
        let distinct = ['<', '>', '=', '~']
            .into_iter()
            .filter(|&sign| has(sign))
            .count();
        if distinct != signs.len() {
            return None;
        }
        Some(match (has('<'), has('>'), has('='), has('~')) {
            (false, false, true, false) => Self::Equal,
            (true, false, false, false) => Self::Less,
            (true, false, true, false) => Self::LessOrEqual,
            (false, true, false, false) => Self::Greater,
            (false, true, true, false) => Self::GreaterOrEqual,
            (false, false, _, true) => Self::Fuzzy,
            (true, false, _, true) => Self::LessOrFuzzy,
            (false, true, _, true) => Self::GreaterOrFuzzy,
            _ => return None,
        })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// An operator and the version it compares with.
pub type Constraint = (Op, Version);

/// Why a text is not a dependency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The version is not one.
    #[error("the dependency '{text}' has a bad version")]
    Version {
        /// The dependency, cut to 160 characters.
        text: String,
        /// What is wrong with its version.
        #[source]
        source: VersionError,
    },
    /// The signs between name and version are no operator we know.
    #[error(
        "the dependency '{text}' has the operator '{operator}': use one of = < > <= >= ~ <~ >~"
    )]
    Operator {
        /// The dependency, cut to 160 characters.
        text: String,
        /// The signs.
        operator: String,
    },
    /// `><`: an installed file's checksum, which means nothing outside that installation.
    #[error("the dependency '{text}' is bound to a checksum, which only an installation can hold")]
    Checksum {
        /// The dependency, cut to 160 characters.
        text: String,
    },
    /// The tag is not one.
    #[error("the dependency '{text}' has a bad tag: it is letters, digits and . _ + -, at most 64")]
    Tag {
        /// The dependency, cut to 160 characters.
        text: String,
    },
}

/// A package, or a thing that packages provide, and which versions of it will do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dependency {
    /// What is asked for.
    pub name: PackageName,
    /// `!`: what matches must be absent instead.
    pub conflict: bool,
    /// Which versions match; any, where there is none.
    pub constraint: Option<Constraint>,
    /// `@tag`: repositories of this tag may be used too.
    pub tag: Option<String>,
}

impl Dependency {
    /// Any version of `name`.
    pub const fn any(name: PackageName) -> Self {
        Self {
            name,
            conflict: false,
            constraint: None,
            tag: None,
        }
    }

    /// Exactly this version of `name`.
    pub const fn exactly(name: PackageName, version: Version) -> Self {
        Self {
            name,
            conflict: false,
            constraint: Some((Op::Equal, version)),
            tag: None,
        }
    }

    /// Whether something provided under this name is meant, whatever [`conflict`](Self::conflict) says.
    ///
    /// What is provided without a version matches every constraint, as in apk-tools.
    pub fn matches(&self, provided: Option<&Version>) -> bool {
        match (&self.constraint, provided) {
            (Some((op, wanted)), Some(version)) => op.is_met(version, wanted),
            _ => true,
        }
    }

    /// Whether the dependency may stand beside something provided under its name: it
    /// [matches](Self::matches), or, for a conflict, it does not.
    pub fn is_satisfied_by(&self, provided: Option<&Version>) -> bool {
        self.matches(provided) != self.conflict
    }
}

impl FromStr for Dependency {
    type Err = DependencyError;

    fn from_str(text: &str) -> Result<Self, DependencyError> {
        let cut = || boltworks_model::visible_start(text, 160);
        let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '~');
        let (conflict, body) = match text.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, text),
        };
        let (target, bound) = match body.find(is_sign).and_then(|at| body.split_at_checked(at)) {
            Some((target, bound)) => (target, Some(bound)),
            None => (body, None),
        };
        let (name, mut tag) = split_tag(target);
        let mut constraint = None;
        if let Some(bound) = bound {
            let version = bound.trim_start_matches(is_sign);
            let signs = bound.strip_suffix(version).unwrap_or(bound);
            if matches!(signs, "><" | "<>") {
                return Err(DependencyError::Checksum { text: cut() });
            }
            let op = Op::from_signs(signs).ok_or_else(|| DependencyError::Operator {
                text: cut(),
                operator: signs.chars().take(16).collect(),
            })?;
            let (version, late_tag) = split_tag(version);
            if tag.is_some() && late_tag.is_some() {
                return Err(DependencyError::Tag { text: cut() });
            }
            tag = tag.or(late_tag);
            let version = version.parse().map_err(|source| DependencyError::Version {
                text: cut(),
                source,
            })?;
            constraint = Some((op, version));
        }
        if !tag.is_none_or(is_tag) {
            return Err(DependencyError::Tag { text: cut() });
        }
        Ok(Self {
            name: name.parse()?,
            conflict,
            constraint,
            tag: tag.map(str::to_owned),
        })
    }
}

fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.split_once('@') {
        Some((before, tag)) => (before, Some(tag)),
        None => (text, None),
    }
}

fn is_tag(tag: &str) -> bool {
    (1..=64).contains(&tag.len())
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte))
}

impl TryFrom<&str> for Dependency {
    type Error = DependencyError;

    fn try_from(text: &str) -> Result<Self, DependencyError> {
        text.parse()
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.conflict {
            f.write_str("!")?;
        }
        write!(f, "{}", self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, "@{tag}")?;
        }
        match &self.constraint {
            Some((op, version)) => write!(f, "{op}{version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl Serialize for Dependency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dependency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Dependency {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn check(dependency: &str, provided: Option<&str>, satisfied: bool) {
        let version = provided.map(|text| text.parse().unwrap());
        let answer = parse(dependency).is_satisfied_by(version.as_ref());
        assert_eq!(answer, satisfied, "{dependency} by {provided:?}");
    }

    #[test]
    fn every_form_is_read_and_written() {
        for text in [
            "musl",
            "!uclibc",
            "so:libc.musl-x86_64.so.1",
            "zlib=1.3.1-r0",
            "zlib<2",
            "zlib<=2",
            "zlib>1.2",
            "zlib>=1.2_rc1",
            "zlib~1.3",
            "zlib<~1.3",
            "zlib>~1.3",
            "!zlib<1.2",
            "web@local",
            "web@local>=1.4",
            "git=1~deadbeef-r1",
            "cmd:[=1",
            "pc:gtk+-3.0>=3.24",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("zlib=~1.3").to_string(), "zlib~1.3");
        assert_eq!(parse("zlib~=1.3").to_string(), "zlib~1.3");
        assert_eq!(parse("zlib=>1.3").to_string(), "zlib>=1.3");
        assert_eq!(parse("web>=1.4@local").to_string(), "web@local>=1.4");
    }

    #[test]
    fn what_is_no_dependency_is_refused() {
        let refusal = |text: &str| text.parse::<Dependency>().unwrap_err().to_string();
        insta::assert_snapshot!(refusal(""), @"'' is not a valid package name: it is empty");
        insta::assert_snapshot!(refusal("a b"), @"'a b' is not a valid package name: only letters, digits and + - . _ : / [ ] , * % are allowed");
        insta::assert_snapshot!(refusal("zlib=="), @"the dependency 'zlib==' has the operator '==': use one of = < > <= >= ~ <~ >~");
        insta::assert_snapshot!(refusal("zlib<=>1"), @"the dependency 'zlib<=>1' has the operator '<=>': use one of = < > <= >= ~ <~ >~");
        insta::assert_snapshot!(refusal("zlib>="), @"the dependency 'zlib>=' has a bad version");
        insta::assert_snapshot!(refusal("zlib=1.x"), @"the dependency 'zlib=1.x' has a bad version");
        insta::assert_snapshot!(refusal("zlib><Q1abc="), @"the dependency 'zlib><Q1abc=' is bound to a checksum, which only an installation can hold");
        insta::assert_snapshot!(refusal("zlib@"), @"the dependency 'zlib@' has a bad tag: it is letters, digits and . _ + -, at most 64");
        insta::assert_snapshot!(refusal("zlib@a=1@b"), @"the dependency 'zlib@a=1@b' has a bad tag: it is letters, digits and . _ + -, at most 64");
        for text in [
            "!", "!!a", "=1", "zlib=1\n", "zlib =1", "zlib= 1", "zlib@a b", "zlib=1=2",
        ] {
            assert!(text.parse::<Dependency>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn constraints_follow_the_order() {
        check("a=1.2", Some("1.2"), true);
        check("a=1.2", Some("1.2-r0"), false);
        check("a>1.2", Some("1.2-r0"), true);
        check("a<1.2", Some("1.2_rc1"), true);
        check("a<=1.2", Some("1.2"), true);
        check("a>=1.2", Some("1.1.9"), false);
        check("a~1.2", Some("1.2.5_p1-r3"), true);
        check("a~1.2", Some("1.2_pre1"), true);
        check("a~1.2", Some("1.20"), false);
        check("a~1.2.0", Some("1.2"), false);
        check("a<~1.2", Some("1.2.9"), true);
        check("a<~1.2", Some("1.3"), false);
        check("a>~1.2", Some("1.2_rc1"), true);
        check("a>~1.2", Some("1.1"), false);
        check("a", Some("0"), true);
    }

    #[test]
    fn what_has_no_version_matches_every_constraint() {
        for op in ["=", "<", ">", "<=", ">=", "~"] {
            check(&format!("a{op}1"), None, true);
            check(&format!("!a{op}1"), None, false);
        }
        check("a", None, true);
        check("!a", Some("1"), false);
        check("!a<2", Some("1"), false);
        check("!a<2", Some("2"), true);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written_alike(text in "[!@<>=~a-c0-9.:_ \n-]{0,12}|.{0,20}") {
            if let Ok(dependency) = text.parse::<Dependency>() {
                let written = dependency.to_string();
                prop_assert!(!written.contains(char::is_whitespace));
                let again: Dependency = written.parse().unwrap();
                prop_assert_eq!(again.to_string(), written);
                prop_assert_eq!(again, dependency);
            }
        }
    }
}
