//! Writing a package.
//!
//! The data section comes first into being, because the control section names its digest, and
//! waits in memory or, when it is large, in a scratch file. Everything is compressed with one
//! thread and a header without time or system, so equal input gives equal bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};

use boltworks_crypto::{Sha1Hasher, Sha256Hasher, Signer, sha1};
use boltworks_fsx::tar::{Names, Writer};
use boltworks_fsx::{Content, Kind, Limit, Meta, Node, RelPath, Root, Tree};
use boltworks_model::{Sha1, Sha256, Timestamp};

use super::data::check_texts;
use super::{CHECKSUM, Limits, read::is_embeddable};
use crate::archive::{self, End};
use crate::control::Control;
use crate::error::{Error, Section};
use crate::gzip;
use crate::scripts::{ScriptKind, Scripts};
use crate::signature;
use crate::text::{cut, shown};

/// A file no larger than this is read once into memory; a larger one is read twice, once for
/// its checksum, which stands in front of it.
const SMALL_FILE: u64 = 4 * 1024 * 1024;
/// A compressed data section no larger than this stays in memory.
const SMALL_DATA: usize = 16 * 1024 * 1024;

/// What a package is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// What it says of itself. Its `installed_size` and `datahash` are not looked at: what is
    /// written is counted and computed.
    pub control: &'a Control,
    /// What it runs when it comes and goes.
    pub scripts: &'a Scripts,
    /// Further files of the control section: names with a dot in front (`.melange.yaml`), and
    /// their contents.
    pub embedded: &'a [(&'a str, &'a [u8])],
    /// Its files. Directories that are left out are root's, with mode `0755`.
    pub tree: &'a Tree,
}

/// How a package is written.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'a> {
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970, up to [`Timestamp::LAST`]: the time of the
    /// control files, and of every file that claims to be newer.
    pub mtime: i64,
    /// zlib's level, 0 to 9. It is part of what decides the bytes.
    pub level: u32,
    /// Where a large data section may wait; in memory, if there is none.
    pub scratch: Option<&'a Root>,
}

impl WriteOptions<'_> {
    /// With zlib's usual level, 6, and all in memory.
    pub const fn new(mtime: i64) -> Self {
        Self {
            mtime,
            level: 6,
            scratch: None,
        }
    }
}

/// A package that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The SHA-1 of the compressed control section: the package's name by content.
    pub identity: Sha1,
    /// The SHA-256 of the compressed data section.
    pub data_hash: Sha256,
    /// The SHA-256 of the whole file.
    pub sha256: Sha256,
    /// The bytes of the whole file.
    pub size: u64,
    /// What `.PKGINFO` says that the files take: the bytes of all files and of the targets of
    /// all symbolic links, hard links counted once. At least 1 if there is any entry at all,
    /// because apk does not even fetch a package of size 0. It does not depend on the file
    /// system, unlike melange's, which counts the inodes of directories.
    pub installed_size: u64,
}

/// Writes a signed package.
pub fn write_package(
    out: &mut impl Write,
    parts: &Parts<'_>,
    signer: &Signer,
    options: &WriteOptions<'_>,
) -> Result<Written, Error> {
    if !Timestamp(options.mtime).is_packable() {
        return Err(Error::Time {
            time: options.mtime,
        });
    }
    let mut data = Hashing::new(Spool::new(options.scratch));
    let installed_size = write_data(&mut data, parts.tree, options)?;
    let (data, data_hash, _) = data.finish();

    let control = Control {
        installed_size,
        datahash: Some(data_hash),
        ..parts.control.clone()
    };
    let control = control_section(&control, parts, options)?;
    let signature = signature::section(&control, signer, options.mtime)?;

    let mut out = Hashing::new(out);
    out.write_all(&signature).map_err(write_error)?;
    out.write_all(&control).map_err(write_error)?;
    data.copy_to(&mut out).map_err(write_error)?;
    out.flush().map_err(write_error)?;
    let (_, sha256, size) = out.finish();
    Ok(Written {
        identity: sha1(&control),
        data_hash,
        sha256,
        size,
        installed_size,
    })
}

fn write_error(source: io::Error) -> Error {
    Error::Io {
        action: "write the package",
        source,
    }
}

/// `.PKGINFO` first, then everything else in the order of the names.
fn control_section(
    control: &Control,
    parts: &Parts<'_>,
    options: &WriteOptions<'_>,
) -> Result<Vec<u8>, Error> {
    let pkginfo = control.to_pkginfo()?;
    let mut files: BTreeMap<String, (&[u8], u32)> = BTreeMap::new();
    for &(name, content) in parts.embedded {
        let is_script = name
            .strip_prefix('.')
            .and_then(ScriptKind::from_name)
            .is_some();
        let is_new = files.insert(name.to_owned(), (content, 0o644)).is_none();
        if !is_embeddable(name) || is_script || !is_new {
            let reason = "it cannot be a further file of the control section";
            return Err(Error::Entry {
                path: cut(name),
                reason,
            });
        }
    }
    for (kind, text) in parts.scripts.iter() {
        files.insert(format!(".{kind}"), (text, 0o755));
    }
    let first = archive::File {
        name: ".PKGINFO",
        content: pkginfo.as_bytes(),
        mode: 0o644,
    };
    let rest = files.iter().map(|(name, &(content, mode))| archive::File {
        name,
        content,
        mode,
    });
    let archive = archive::write(
        std::iter::once(first).chain(rest),
        options.mtime,
        End::Forbidden,
    )?;
    within(
        Section::Control,
        Limits::default().control,
        archive.len() as u64,
    )?;
    gzip::member(&archive, options.level)
}

/// Writes the data section; the installed size.
fn write_data(out: &mut impl Write, tree: &Tree, options: &WriteOptions<'_>) -> Result<u64, Error> {
    let mut whole = tree.clone();
    whole.ensure_dirs(&Meta::new(0o755, options.mtime));
    let limits = Limits::default();
    let count = whole.iter().count() as u64;
    if count > limits.entries {
        return Err(Error::TooMany {
            count,
            limit: limits.entries,
        });
    }
    // Names of owners would count more than their numbers: none are written.
    let mut writer = Writer::with_names(gzip::Encoder::new(out, options.level), Names::Empty);
    let mut installed_size = 0;
    for (path, node) in whole.iter() {
        let entry = |reason| Error::Entry {
            path: shown(path),
            reason,
        };
        if path.as_bytes().starts_with(b".") {
            return Err(entry(
                "apk takes a name at the top that begins with '.' for its own",
            ));
        }
        let target = match &node.kind {
            Kind::Symlink(target) => target.as_slice(),
            _ => &[],
        };
        check_texts(path, target)?;
        let meta = Meta {
            mtime: node.meta.mtime.min(options.mtime),
            ..node.meta.clone()
        };
        let (kind, checksum) = match &node.kind {
            Kind::File(content) => {
                installed_size += content.len();
                let (content, checksum) = summed(path, content)?;
                (Kind::File(content), Some(checksum))
            }
            Kind::Symlink(target) => {
                installed_size += target.len() as u64;
                (node.kind.clone(), Some(sha1(target)))
            }
            Kind::Hardlink(target) if whole.file(target).is_none() || target >= path => {
                return Err(entry(
                    "it is a hard link to something that is no file before it",
                ));
            }
            Kind::CharDevice { .. } | Kind::BlockDevice { .. } => {
                return Err(entry("a package holds no devices"));
            }
            Kind::Dir | Kind::Hardlink(_) | Kind::Fifo => (node.kind.clone(), None),
        };
        let records = checksum.map(|sum| (CHECKSUM.to_owned(), sum.to_string().into_bytes()));
        writer.append(path, &Node { meta, kind }, records.as_slice())?;
    }
    let encoder = writer.finish_with_end()?;
    within(Section::Data, limits.data, encoder.taken())?;
    encoder.finish().map_err(write_error)?;
    Ok(if whole.is_empty() {
        0
    } else {
        installed_size.max(1)
    })
}

/// Refuses to write what no reader takes.
const fn within(section: Section, limit: Limit, size: u64) -> Result<(), Error> {
    if size > limit.0 {
        return Err(Error::TooLarge {
            section,
            limit: limit.0,
        });
    }
    Ok(())
}

/// A file's content, in memory if it is small, and its checksum.
fn summed(path: &RelPath, content: &Content) -> Result<(Content, Sha1), Error> {
    let error = |source| {
        let action = "read the content of";
        boltworks_fsx::Error::Io {
            action,
            path: shown(path),
            source,
        }
    };
    if content.len() <= SMALL_FILE {
        let bytes = content.read_vec(Limit(SMALL_FILE)).map_err(error)?;
        let sum = sha1(&bytes);
        return Ok((Content::Bytes(bytes.into()), sum));
    }
    let mut hasher = Sha1Hasher::new();
    content.copy_to(&mut hasher).map_err(error)?;
    Ok((content.clone(), hasher.finish()))
}

/// Hashes and counts what is written.
struct Hashing<W> {
    inner: W,
    hasher: Sha256Hasher,
    count: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256Hasher::new(),
            count: 0,
        }
    }

    fn finish(self) -> (W, Sha256, u64) {
        (self.inner, self.hasher.finish(), self.count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes that wait: in memory while they are few, then on disk if there is a place.
struct Spool<'a> {
    scratch: Option<&'a Root>,
    memory: Vec<u8>,
    file: Option<File>,
}

impl<'a> Spool<'a> {
    const fn new(scratch: Option<&'a Root>) -> Self {
        Self {
            scratch,
            memory: Vec::new(),
            file: None,
        }
    }

    fn copy_to(self, out: &mut impl Write) -> io::Result<()> {
        if let Some(mut file) = self.file {
            file.seek(SeekFrom::Start(0))?;
            let mut buffer = vec![0; 256 * 1024];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    count => out.write_all(buffer.get(..count).unwrap_or_default())?,
                }
            }
        }
        out.write_all(&self.memory)
    }
}

impl Write for Spool<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > SMALL_DATA
            && let Some(scratch) = self.scratch
        {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(scratch.scratch().map_err(io::Error::other)?),
            };
            file.write_all(&self.memory)?;
            self.memory.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
