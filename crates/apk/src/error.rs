//! Why a package, an index or a database cannot be read or written.

use std::fmt;
use std::io;

use boltworks_model::{Sha256, Timestamp};
use boltworks_version::apk::{DependencyError, VersionError};

/// A gzip member of a package or an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// The signatures in front.
    Signature,
    /// `.PKGINFO` and scripts.
    Control,
    /// The files.
    Data,
    /// The list of packages.
    Index,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "signature section",
            Self::Control => "control section",
            Self::Data => "data section",
            Self::Index => "index section",
        })
    }
}

/// Why an operation of this crate failed.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "every room names its one error so")]
pub enum Error {
    /// The system failed to give or take bytes.
    #[error("{action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file could not be made, opened or laid out.
    #[error(transparent)]
    File(#[from] boltworks_fsx::Error),
    /// The form in which an index is kept is damaged, right after it was written.
    #[error(transparent)]
    Columns(#[from] crate::columns::Damaged),
    /// The file ends before a section begins.
    #[error("read the {0}: the file ends before it")]
    Missing(Section),
    /// A section does not begin as gzip does.
    #[error("read the {0}: it is not a gzip member")]
    NotGzip(Section),
    /// The file ends within a section.
    #[error("read the {0}: it is cut off")]
    Truncated(Section),
    /// A section's compressed bytes or checksum are wrong.
    #[error("decompress the {section}: it is damaged")]
    Damaged {
        /// Which one.
        section: Section,
        /// The decompressor's reason.
        #[source]
        source: io::Error,
    },
    /// A section has more bytes than are allowed.
    #[error("read the {section}: it is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// Which one.
        section: Section,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The files of a package have more bytes than are allowed.
    #[error("hold its files: they have {size} bytes, {limit} are allowed")]
    TooMuch {
        /// How many they have.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A package has more entries than are allowed.
    #[error("write the package: it has {count} files and folders, {limit} are allowed")]
    TooMany {
        /// How many it has.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// A time has no room in a header, so that no reader would take the file.
    #[error(
        "write the time {time}: it must be from 0 to {} seconds since 1970 (the year 2242)",
        Timestamp::LAST.0
    )]
    Time {
        /// In seconds since 1970.
        time: i64,
    },
    /// A section gives far more bytes than it has.
    #[error("decompress the {section}: it grows to more than {ratio} times its size")]
    Bomb {
        /// Which one.
        section: Section,
        /// How often its compressed size is allowed.
        ratio: u64,
    },
    /// After the last section, another gzip member follows.
    #[error("read the {0}: it must be exactly one gzip member, but another one follows")]
    SeveralMembers(Section),
    /// After the last section, bytes follow that belong to nothing.
    #[error("read the {0}: bytes follow it that belong to no section")]
    TrailingBytes(Section),
    /// A section's archive breaks the format or a limit.
    #[error("read the archive of the {section}")]
    Archive {
        /// Which one.
        section: Section,
        /// What is wrong with it.
        #[source]
        source: boltworks_fsx::Error,
    },
    /// The archive of a section in front has an end mark, so that nothing after it is read.
    #[error("read the archive of the {0}: it has an end mark, which hides what follows from apk")]
    EndMark(Section),
    /// A section holds an entry that has no place there.
    #[error("read the {section}: '{path}' has no place there")]
    Misplaced {
        /// Which one.
        section: Section,
        /// The entry.
        path: String,
    },
    /// A section lacks an entry, most likely because sections are swapped or missing.
    #[error("read the {section}: it has no '{path}'; are sections swapped or missing?")]
    Lacks {
        /// Which one.
        section: Section,
        /// The entry.
        path: &'static str,
    },
    /// A signature was asked for and there is none.
    #[error("verify the signature: there is none")]
    Unsigned,
    /// None of the signatures is of a trusted key.
    #[error("verify the signature: it is by {names}, which is not trusted")]
    Untrusted {
        /// The keys that signed, as the file names them.
        names: String,
    },
    /// A trusted key's signature is not one of these bytes.
    #[error("verify the signature by '{name}'")]
    BadSignature {
        /// The key's file name.
        name: String,
        /// What the key says.
        #[source]
        source: boltworks_crypto::Error,
    },
    /// The bytes could not be signed.
    #[error("sign with '{name}'")]
    Sign {
        /// The key's file name.
        name: String,
        /// Why not.
        #[source]
        source: boltworks_crypto::Error,
    },
    /// A key's name cannot stand in a signature's name.
    #[error(
        "sign with '{0}': the name of a key ends in '.rsa.pub', has no '/' and at most 80 bytes"
    )]
    KeyName(String),
    /// The data section is not the one that the control section was made for.
    #[error("verify the data section: {expected} was expected, {actual} was found")]
    DataHash {
        /// What the control section says.
        expected: Sha256,
        /// What the section's bytes give.
        actual: Sha256,
    },
    /// The control section names no digest of the data section, so nothing protects that.
    #[error("verify the data section: the control section has no 'datahash'")]
    NoDataHash,
    /// A file has another checksum than its header says.
    #[error("verify '{path}': its checksum is another than its header says")]
    FileHash {
        /// The file.
        path: String,
    },
    /// A file's header has no checksum; apk refuses to install such a file.
    #[error("verify '{path}': its header has no checksum")]
    NoFileHash {
        /// The file.
        path: String,
    },
    /// An entry of the data section cannot be in a package.
    #[error("take '{path}' into a package: {reason}")]
    Entry {
        /// The entry.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// A line of a text is wrong.
    #[error("read line {line} of {file}: {reason}")]
    Line {
        /// `.PKGINFO`, `APKINDEX`, `installed`, …
        file: &'static str,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: LineError,
    },
    /// A required field is missing.
    #[error("read {file}: the package before line {line} has no '{field}'")]
    MissingField {
        /// `.PKGINFO`, `APKINDEX`, `installed`.
        file: &'static str,
        /// Where the package's text ends, counted from 1.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// A value would be taken for something else, or cannot be what its field is for.
    #[error("accept the field '{field}': {reason}")]
    Value {
        /// The field.
        field: &'static str,
        /// Why not.
        reason: &'static str,
    },
}

/// What is wrong with a line of a text.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The text is not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// There is no separator between key and value.
    #[error("'{0}' is not of the form key, separator, value")]
    Form(String),
    /// A value has a control character.
    #[error("the value of '{0}' holds a control character")]
    Control(String),
    /// A field that may come once came again.
    #[error("'{0}' comes a second time")]
    Repeated(String),
    /// A field that nobody here knows and that may not be ignored.
    #[error("'{0}' is not a known field")]
    Unknown(String),
    /// A line that needs another one before it.
    #[error("'{field}' must follow '{after}'")]
    Order {
        /// The field.
        field: char,
        /// What must come first.
        after: &'static str,
    },
    /// A value is not a number.
    #[error("'{0}' is not a number that fits")]
    Number(String),
    /// A value is not a digest.
    #[error(transparent)]
    Digest(#[from] boltworks_model::ParseDigestError),
    /// A value is not a name.
    #[error(transparent)]
    Name(#[from] boltworks_model::NameError),
    /// A package's own name or architecture cannot be a file's name.
    #[error("'{0}' cannot be a file's name in a repository")]
    FileName(String),
    /// A value is not a version.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// A value is not a dependency.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// A value is not what a package can provide.
    #[error("'{0}' is not a name or name=version")]
    Provide(String),
    /// A value is not a path.
    #[error(transparent)]
    Path(#[from] boltworks_fsx::PathError),
    /// A value is not of the form owner:group:mode.
    #[error("'{0}' is not of the form owner:group:mode")]
    Owner(String),
}
