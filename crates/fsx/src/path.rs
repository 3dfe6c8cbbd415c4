//! Paths that cannot leave the directory they are used in.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

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
/// empty, `.` or `..`, no NUL, no `/` in front or at the end. Ordered by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Vec<u8>);

impl RelPath {
    /// Checks bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        match fault(&bytes) {
            None => Ok(Self(bytes)),
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
        self.split().0.map(|parent| Self(parent.to_vec()))
    }

    /// All directories above, outermost first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        self.0
            .iter()
            .enumerate()
            .filter(|&(_, &byte)| byte == b'/')
            .filter_map(|(index, _)| self.0.get(..index))
            .map(|bytes| Self(bytes.to_vec()))
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
        Some(Self(rest.to_vec()))
    }

    /// Where the paths beneath this one begin and end in byte order. The bounds themselves are
    /// not paths, only good for comparing: `/` is followed by `0`.
    pub(crate) fn bounds_beneath(&self) -> std::ops::Range<Self> {
        let bound = |end: u8| Self([self.as_bytes(), &[end]].concat());
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
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|char| {
            if char.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                char
            }
        })
        .take(160)
        .collect()
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
