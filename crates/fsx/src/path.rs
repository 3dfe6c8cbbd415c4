//! Paths that cannot leave the directory they are used in.

use std::borrow::Borrow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// No system call takes a longer path (`PATH_MAX`, with its NUL).
const MAX_LEN: usize = 4095;
/// No file system takes a longer name (`NAME_MAX`).
const MAX_NAME: usize = 255;

/// Why bytes are not a [`RelPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use '{path}' as a relative path: {reason}")]
pub struct PathError {
    /// The offending path, cut to 160 characters, with replacement characters where it is not UTF-8.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A relative path in bytes, with `/` between its components: not empty, no component that is
/// empty, `.` or `..`, no NUL, no `/` in front or at the end. Ordered by its bytes, which clones share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Arc<[u8]>);

impl RelPath {
    /// Checks bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        match fault(&bytes) {
            None => Ok(Self(bytes.into())),
            Some(reason) => Err(PathError {
                path: shown(&bytes),
                reason,
            }),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the standard library has it.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The path as text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The directory it is in, unless that is the root.
    pub fn parent(&self) -> Option<Self> {
        self.split().0.map(|parent| Self(parent.into()))
    }

    /// All directories above, outermost first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        self.above().map(|bytes| Self(bytes.into()))
    }

    /// The bytes of all directories above, outermost first: to look them up.
    pub fn above(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        let bytes = self.0.iter().enumerate();
        let slashes = bytes.filter(|&(_, &byte)| byte == b'/');
        slashes.filter_map(|(index, _)| self.0.get(..index))
    }

    /// The last component.
    pub fn file_name(&self) -> &[u8] {
        self.split().1
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/')
    }

    /// This path with another beneath it.
    pub fn join(&self, below: &Self) -> Result<Self, PathError> {
        Self::new([self.as_bytes(), below.as_bytes()].join(&b'/'))
    }

    /// This path with one or several components beneath it.
    pub fn push(&self, name: impl AsRef<[u8]>) -> Result<Self, PathError> {
        Self::new([self.as_bytes(), name.as_ref()].join(&b'/'))
    }

    /// Whether the other path is this one or, component by component, above it.
    pub fn starts_with(&self, above: &Self) -> bool {
        self == above || self.strip_prefix(above).is_some()
    }

    /// What is left of this path beneath the other.
    pub fn strip_prefix(&self, above: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(above.as_bytes())?.strip_prefix(b"/")?;
        Some(Self(rest.into()))
    }

    /// Where the paths beneath this one begin and end in byte order. The bounds themselves are
    /// not paths, only good for comparing: `/` is followed by `0`.
    pub(crate) fn bounds_beneath(&self) -> std::ops::Range<Self> {
        let bound = |end: u8| Self([self.as_bytes(), &[end]].concat().into());
        bound(b'/')..bound(b'/' + 1)
    }

    /// Parent and last component.
    pub(crate) fn split(&self) -> (Option<&[u8]>, &[u8]) {
        let mut halves = self.0.rsplitn(2, |&byte| byte == b'/');
        let name = halves.next().unwrap_or_default();
        (halves.next(), name)
    }
}

fn fault(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("it is empty");
    }
    if bytes.len() > MAX_LEN {
        return Some("it is longer than 4095 bytes");
    }
    if bytes.first() == Some(&b'/') {
        return Some("it is absolute");
    }
    if bytes.contains(&0) {
        return Some("it contains a NUL byte");
    }
    bytes
        .split(|&byte| byte == b'/')
        .find_map(|component| match component {
            b"" => Some("a component is empty"),
            b"." => Some("a component is '.'"),
            b".." => Some("a component is '..'"),
            long if long.len() > MAX_NAME => Some("a component is longer than 255 bytes"),
            _ => None,
        })
}

/// Bytes for a message: cut, and never with control characters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    boltworks_model::visible_start(&String::from_utf8_lossy(bytes), 160)
}

impl Borrow<[u8]> for RelPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for RelPath {
    type Error = PathError;

    fn try_from(bytes: &[u8]) -> Result<Self, PathError> {
        Self::new(bytes)
    }
}

impl TryFrom<&str> for RelPath {
    type Error = PathError;

    fn try_from(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl TryFrom<String> for RelPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl FromStr for RelPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl fmt::Display for RelPath {
    /// Lossy: for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let reason = |text: &str| text.parse::<RelPath>().unwrap_err().reason;
        assert_eq!(reason(""), "it is empty");
        assert_eq!(reason("/"), "it is absolute");
        assert_eq!(reason("/a"), "it is absolute");
        assert_eq!(reason("a/"), "a component is empty");
        assert_eq!(reason("a//b"), "a component is empty");
        assert_eq!(reason("."), "a component is '.'");
        assert_eq!(reason("a/./b"), "a component is '.'");
        assert_eq!(reason(".."), "a component is '..'");
        assert_eq!(reason("a/.."), "a component is '..'");
        assert_eq!(reason("a\0b"), "it contains a NUL byte");
        assert_eq!(
            reason(&"x".repeat(256)),
            "a component is longer than 255 bytes"
        );
        assert_eq!(reason(&"x/".repeat(2048)), "it is longer than 4095 bytes");
        let error = "a\n/../\u{1b}[31m".parse::<RelPath>().unwrap_err();
        assert!(!error.to_string().contains(['\n', '\u{1b}']));
        assert_eq!(path("a/...").to_string(), "a/...");
    }

    #[test]
    fn parts_are_found() {
        let deep = path("usr/lib/libz.so");
        assert_eq!(deep.file_name(), b"libz.so");
        assert_eq!(deep.parent(), Some(path("usr/lib")));
        assert_eq!(path("usr").parent(), None);
        assert_eq!(
            deep.ancestors().collect::<Vec<_>>(),
            [path("usr"), path("usr/lib")]
        );
        assert!(deep.starts_with(&path("usr/lib")) && deep.starts_with(&deep));
        assert!(!deep.starts_with(&path("usr/li")));
        assert_eq!(deep.strip_prefix(&path("usr")), Some(path("lib/libz.so")));
        assert_eq!(deep.strip_prefix(&deep), None);
        assert_eq!(path("usr").push("lib/libz.so").unwrap(), deep);
        assert!(path("usr").push("../etc").is_err());
    }

    proptest! {
        #[test]
        fn a_path_has_only_normal_components(bytes in "[./a]{0,8}") {
            let is_normal = !bytes.is_empty()
                && !bytes.starts_with('/')
                && bytes.split('/').all(|part| !matches!(part, "" | "." | ".."));
            let path = RelPath::new(bytes.as_str());
            prop_assert_eq!(path.is_ok(), is_normal);
            if let Ok(path) = path {
                let mut components = path.as_path().components();
                prop_assert!(components.all(|part| matches!(part, Component::Normal(_))));
            }
        }

        #[test]
        fn joined_paths_come_apart(above in "[a-c]{1,3}(/[a-c]{1,3}){0,3}", below in "[a-c]{1,3}(/[a-c]{1,3}){0,3}") {
            let (above, below) = (path(&above), path(&below));
            let joined = above.join(&below).unwrap();
            prop_assert!(above < joined && joined.starts_with(&above));
            prop_assert!(above.bounds_beneath().contains(&joined));
            prop_assert_eq!(joined.strip_prefix(&above), Some(below));
        }
    }
}
