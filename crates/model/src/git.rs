//! What is wanted of a git repository, under the names that git itself gives.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use data_encoding::HEXLOWER;

/// The longest name of a branch or tag, in bytes: a file may have no longer name.
const MAX_NAME: usize = 255;

/// Why a text is not an object's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a git object: 40 hexadecimal digits are needed, or 64")]
pub struct ParseObjectIdError(String);

/// The name of a commit, tag, tree or file in a repository: the SHA-1 of its bytes or, in newer
/// repositories, the SHA-256.
///
/// Shown and parsed as lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    bytes: [u8; 32],
    is_long: bool,
}

impl ObjectId {
    /// The name of these bytes: 20, or 32.
    pub fn new(digest: &[u8]) -> Option<Self> {
        let is_long = match digest.len() {
            20 => false,
            32 => true,
            _ => return None,
        };
        let mut bytes = [0; 32];
        bytes.get_mut(..digest.len())?.copy_from_slice(digest);
        Some(Self { bytes, is_long })
    }

    /// The digest itself.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size()).unwrap_or_default()
    }

    /// How many bytes it has: 20 or 32.
    pub const fn size(&self) -> usize {
        if self.is_long { 32 } else { 20 }
    }

    /// Whether it is a SHA-256.
    pub const fn is_long(&self) -> bool {
        self.is_long
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(self.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = ParseObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        HEXLOWER
            .decode(text.to_ascii_lowercase().as_bytes())
            .ok()
            .and_then(|bytes| Self::new(&bytes))
            .ok_or_else(|| ParseObjectIdError(crate::visible_start(text, 160)))
    }
}

/// Why a text is not a branch's or tag's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of a branch or tag")]
pub struct RefNameError(String);

/// The name of a branch or tag, by git's rules (`git check-ref-format`): `v1.2`, `release/1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

impl RefName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RefName {
    type Err = RefNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_good_part = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none()
        };
        let is_good = text.len() <= MAX_NAME
            && text.split('/').all(is_good_part)
            && !text.starts_with('-')
            && !text.ends_with('.')
            && text != "@"
            && !text.contains("..")
            && !text.contains("@{")
            && !text.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c));
        if is_good {
            Ok(Self(text.to_owned()))
        } else {
            Err(RefNameError(crate::visible_start(text, 160)))
        }
    }
}

/// How much of the history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Everything before the commit.
    All,
    /// This many commits, the one that is checked out among them.
    Last(NonZeroU32),
}

impl Depth {
    /// The commit and nothing before it.
    pub const ONE: Self = Self::Last(NonZeroU32::MIN);
}

/// A commit that is applied on top.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pick {
    /// The branch it is on, where that is said.
    pub branch: Option<RefName>,
    /// The commit.
    pub commit: ObjectId,
}

/// What is checked out of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Checkout {
    /// The commit, or the annotated tag that names it.
    pub commit: ObjectId,
    /// The branch the commit must be on.
    pub branch: Option<RefName>,
    /// Whether it must be the branch's last.
    pub is_tip: bool,
    /// The tag that must name the commit.
    pub tag: Option<RefName>,
    /// How much of the history comes with it.
    pub depth: Depth,
    /// Whether submodules come with it, one commit of each.
    pub submodules: bool,
    /// What is applied on top, in order.
    pub picks: Vec<Pick>,
}

impl Checkout {
    /// All that decides which objects come out, and what they were held against, in words: two
    /// checkouts with the same text are the same, whatever address they come from.
    pub fn identity(&self) -> String {
        let depth = match self.depth {
            Depth::ONE => None,
            Depth::Last(count) => Some(format!("depth={count}")),
            Depth::All => Some("depth=all".to_owned()),
        };
        let branch = self.branch.iter().map(|branch| format!("branch={branch}"));
        let tag = self.tag.iter().map(|tag| format!("tag={tag}"));
        let submodules = self.submodules.then(|| "submodules".to_owned());
        let picks = self.picks.iter();
        let words = std::iter::once(format!("git:{}", self.commit))
            .chain(depth)
            .chain(branch)
            .chain(tag)
            .chain(submodules)
            .chain(picks.map(|pick| format!("pick={}", pick.commit)));
        words.collect::<Vec<_>>().join(" ")
    }

    /// A short name for it that is a file's too: `git:COMMIT`, and where more than the commit is
    /// wanted a number that tells one such wish from another.
    pub fn key(&self) -> String {
        let identity = self.identity();
        let plain = format!("git:{}", self.commit);
        match identity.strip_prefix(&plain) {
            None | Some("") => plain,
            Some(more) => format!("{plain}.{:016x}", number(more.as_bytes())),
        }
    }
}

/// The FNV-1a number of bytes (64 bits). It tells names apart and proves nothing.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |number, byte| {
        (number ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMIT: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn checkout() -> Checkout {
        Checkout {
            commit: COMMIT.parse().unwrap(),
            branch: None,
            is_tip: false,
            tag: None,
            depth: Depth::ONE,
            submodules: false,
            picks: Vec::new(),
        }
    }

    #[test]
    fn names_of_objects_have_one_form() {
        for text in [COMMIT, &"0a".repeat(32)] {
            let id: ObjectId = text.to_uppercase().parse().unwrap();
            assert_eq!(
                (id.to_string(), id.size() * 2),
                (text.to_owned(), text.len())
            );
        }
        for bad in ["", "abc", "HEAD", &COMMIT[1..], &"g".repeat(40)] {
            assert!(bad.parse::<ObjectId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_branches_are_gits() {
        for good in [
            "main",
            "v1.2",
            "release/1.x",
            "@biomejs/biome@2.1",
            "it's",
            "ä",
        ] {
            assert!(good.parse::<RefName>().is_ok(), "{good}");
        }
        let bad = [
            "",
            "-x",
            "--upload-pack=x",
            "a..b",
            "a/.b",
            "a/",
            "/a",
            "a//b",
            "a.lock/b",
            "a b",
            "a\nb",
            "a^",
            "a~1",
            "a:b",
            "a*",
            "a[",
            "a\\b",
            "@",
            "a@{1}",
            "a.",
        ];
        for bad in bad {
            assert!(bad.parse::<RefName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_wish_has_its_own_key() {
        let plain = checkout();
        let deep = Checkout {
            depth: Depth::All,
            ..checkout()
        };
        let tagged = Checkout {
            tag: Some("v1".parse().unwrap()),
            ..checkout()
        };
        let on_branch = Checkout {
            branch: Some("main".parse().unwrap()),
            ..checkout()
        };
        let with_submodules = Checkout {
            submodules: true,
            ..checkout()
        };
        let picked = Checkout {
            picks: vec![Pick {
                branch: None,
                commit: COMMIT.parse().unwrap(),
            }],
            ..checkout()
        };
        let all = [plain, deep, tagged, on_branch, with_submodules, picked];
        let mut keys: Vec<_> = all.iter().map(Checkout::key).collect();
        assert_eq!(keys[0], format!("git:{COMMIT}"));
        // What was kept under a key is looked for under it by later versions too.
        assert_eq!(keys[1], format!("git:{COMMIT}.33ce5d63a137774a"));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all.len());
    }

    proptest! {
        #[test]
        fn no_name_begins_an_option_or_leaves_its_folder(text: String) {
            if let Ok(name) = text.parse::<RefName>() {
                prop_assert!(!name.as_str().starts_with('-'));
                prop_assert!(!name.as_str().split('/').any(|part| part == ".." || part.is_empty()));
            }
        }
    }
}
