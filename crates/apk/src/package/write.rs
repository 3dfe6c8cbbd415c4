//! Writing a package.
//!
//! The data section comes first into being, because the control section names its digest; what
//! stands in front of it is known last. All threads of the rayon pool it is called in compress it;
//! equal input gives equal bytes, whatever their number.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use boltworks_crypto::{Hashing, Sha1Hasher, Signer, sha1};
use boltworks_fsx::gzip::Gzip;
use boltworks_fsx::tar::{Names, Writer};
use boltworks_fsx::{Kind, Limit, Meta, Node, RelPath, Tree};
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
/// apk reads a file's size in its tar header, where there is no room for this one, and not in the
/// extended header: of versions 2.14.10 and 3.0.6 neither takes a package with such a file.
const FIELD: u64 = 8 << 30;

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
pub struct WriteOptions {
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970, up to [`Timestamp::LAST`]: the time of the
    /// control files, and of every file that claims to be newer.
    pub mtime: i64,
    /// zlib's level, 0 to 9. It is part of what decides the bytes.
    pub level: u32,
}

impl WriteOptions {
    /// With zlib's usual level, 6.
    pub const fn new(mtime: i64) -> Self {
        Self { mtime, level: 6 }
    }
}

/// A package that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The SHA-1 of the compressed control section: the package's name by content.
    pub identity: Sha1,
    /// The SHA-256 of the compressed data section.
    pub data_hash: Sha256,
    /// The bytes of the whole file.
    pub size: u64,
    /// What `.PKGINFO` says that the files take: the bytes of all files and of the targets of
    /// all symbolic links, hard links counted once. At least 1 if there is any entry at all,
    /// because apk does not even fetch a package of size 0. It does not depend on the file
    /// system, unlike melange's, which counts the inodes of directories.
    pub installed_size: u64,
}

/// Writes a signed package, whose data section waits in memory; see [`write_data`].
pub fn write_package(
    out: &mut impl Write,
    parts: &Parts<'_>,
    signer: &Signer,
    options: &WriteOptions,
) -> Result<Written, Error> {
    let mut data = Vec::new();
    let (head, written) = write_data(&mut data, parts, signer, options)?;
    let both = out.write_all(&head).and_then(|()| out.write_all(&data));
    both.and_then(|()| out.flush()).map_err(write_error)?;
    Ok(written)
}

/// Writes the data section of a signed package; gives the signature and control sections, which
/// are to stand in front of it, and what is told of the whole.
pub fn write_data(
    data: impl Write,
    parts: &Parts<'_>,
    signer: &Signer,
    options: &WriteOptions,
) -> Result<(Vec<u8>, Written), Error> {
    if !Timestamp(options.mtime).is_packable() {
        return Err(Error::Time {
            time: options.mtime,
        });
    }
    let mut out = Hashing::new(data);
    let installed_size = write_files(&mut out, parts.tree, options)?;
    out.flush().map_err(write_error)?;
    let (_, data_hash, size) = out.finish();

    let control = Control {
        installed_size,
        datahash: Some(data_hash),
        ..parts.control.clone()
    };
    let control = control_section(&control, parts, options)?;
    let mut head = signature::section(&control, signer, options.mtime)?;
    head.extend_from_slice(&control);
    let written = Written {
        identity: sha1(&control),
        data_hash,
        size: size + head.len() as u64,
        installed_size,
    };
    Ok((head, written))
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
    options: &WriteOptions,
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

/// Writes the data section's bytes; the installed size.
fn write_files(out: impl Write, tree: &Tree, options: &WriteOptions) -> Result<u64, Error> {
    let tree = if tree.has_all_dirs() {
        Cow::Borrowed(tree)
    } else {
        let mut whole = tree.clone();
        whole.ensure_dirs(&Meta::new(0o755, options.mtime));
        Cow::Owned(whole)
    };
    check_tree(&tree)?;
    let gzip = Gzip::new(out, gzip::format(options.level)).map_err(write_error)?;
    let mut data = Data {
        tree: &tree,
        mtime: options.mtime,
        // Names of owners would count more than their numbers: none are written.
        writer: Writer::with_names(Counting::new(gzip), Names::Empty),
        buffer: Vec::new(),
    };
    let mut installed_size = 0;
    for (path, node) in tree.iter() {
        installed_size += data.append(path, node)?;
    }
    let Counting { inner, count } = data.writer.finish_with_end()?;
    within(Section::Data, Limits::default().data, count)?;
    inner.finish().map_err(write_error)?;
    Ok(if tree.is_empty() {
        0
    } else {
        installed_size.max(1)
    })
}

/// Refuses more files than a package may hold, more bytes, and links that apk loses, without a look
/// into any file.
pub fn check_tree(tree: &Tree) -> Result<(), Error> {
    let limits = Limits::default();
    let count = tree.len() as u64;
    if count > limits.entries {
        return Err(Error::TooMany {
            count,
            limit: limits.entries,
        });
    }
    let is_huge = |node: &Node| content_size(node) >= FIELD;
    if let Some((path, _)) = tree.iter().find(|(_, node)| is_huge(node)) {
        return Err(Error::Entry {
            path: shown(path),
            reason: "apk reads no file of 8 GiB or more",
        });
    }
    // Version 2.14.10 never finds a link's target there, version 3.0.6 finds it until it has seen
    // another directory; the name is missing, and mostly nothing is said.
    let is_lost = |(path, node): &(&RelPath, &Node)| {
        matches!(&node.kind, Kind::Hardlink(target)
            if path.parent().is_none() || target.parent().is_none())
    };
    if let Some((path, _)) = tree.iter().find(is_lost) {
        return Err(Error::Entry {
            path: shown(path),
            reason: "apk loses hard links in the root directory",
        });
    }
    let contents = tree.iter().map(|(_, node)| content_size(node));
    let size = contents.fold(0, u64::saturating_add);
    if size > limits.data.0 {
        return Err(Error::TooMuch {
            size,
            limit: limits.data.0,
        });
    }
    Ok(())
}

fn content_size(node: &Node) -> u64 {
    match &node.kind {
        Kind::File(content) => content.len(),
        _ => 0,
    }
}

/// A data section that is being written.
struct Data<'a, W> {
    tree: &'a Tree,
    mtime: i64,
    writer: Writer<Counting<Gzip<W>>>,
    /// The bytes of one small file.
    buffer: Vec<u8>,
}

impl<W: Write> Data<'_, W> {
    /// Writes one entry; the bytes that it takes where it is installed.
    fn append(&mut self, path: &RelPath, node: &Node) -> Result<u64, Error> {
        self.check(path, node)?;
        let mut node = Cow::Borrowed(node);
        if node.meta.mtime > self.mtime {
            node.to_mut().meta.mtime = self.mtime;
        }
        let record = |sum: Sha1| [(CHECKSUM.to_owned(), sum.to_string().into_bytes())];
        let read = |source| read_error(path, source);
        match &node.kind {
            Kind::File(content) if content.len() <= SMALL_FILE => {
                let bytes = content.read_in(&mut self.buffer).map_err(read)?;
                let record = record(sha1(bytes));
                self.writer.append_file(path, &node, &record, bytes)?;
                Ok(content.len())
            }
            Kind::File(content) => {
                let mut hasher = Sha1Hasher::new();
                content.copy_to(&mut hasher).map_err(read)?;
                self.writer.append(path, &node, &record(hasher.finish()))?;
                Ok(content.len())
            }
            Kind::Symlink(target) => {
                self.writer.append(path, &node, &record(sha1(target)))?;
                Ok(target.len() as u64)
            }
            _ => {
                self.writer.append(path, &node, &[])?;
                Ok(0)
            }
        }
    }

    /// Refuses what apk would refuse, or take for something else.
    fn check(&self, path: &RelPath, node: &Node) -> Result<(), Error> {
        let entry = |reason| {
            Err(Error::Entry {
                path: shown(path),
                reason,
            })
        };
        if path.as_bytes().starts_with(b".") {
            return entry("apk takes a name at the top that begins with '.' for its own");
        }
        let target = match &node.kind {
            Kind::Symlink(target) => target.as_slice(),
            _ => &[],
        };
        check_texts(path, target)?;
        match &node.kind {
            Kind::Hardlink(target) if self.tree.file(target).is_none() || target >= path => {
                entry("it is a hard link to something that is no file before it")
            }
            Kind::CharDevice { .. } | Kind::BlockDevice { .. } => {
                entry("a package holds no devices")
            }
            _ => Ok(()),
        }
    }
}

fn read_error(path: &RelPath, source: io::Error) -> boltworks_fsx::Error {
    boltworks_fsx::Error::Io {
        action: "read the content of",
        path: shown(path),
        source,
    }
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

/// Counts what is written.
struct Counting<W> {
    inner: W,
    count: u64,
}

impl<W> Counting<W> {
    const fn new(inner: W) -> Self {
        Self { inner, count: 0 }
    }
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
