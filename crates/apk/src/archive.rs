//! The small archives in front of a package's files: signatures, control files, the index.

use boltworks_fsx::tar::{EntryKind, Names, Policy, Reader, Writer};
use boltworks_fsx::{Bounded, Limit, Meta, Node, RelPath};
use boltworks_model::Timestamp;

use crate::error::{Error, Section};
use crate::text::shown;

/// A tar block.
const BLOCK: u64 = 512;
/// More entries than any such archive has.
const MAX_ENTRIES: u64 = 256;

/// Whether an archive may have an end mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It must not, because apk reads on as if all sections were one archive.
    Forbidden,
    /// It may, because nothing follows.
    Allowed,
}

/// Reads an archive of a few plain files at its top: names and contents, in order.
pub(crate) fn read(
    section: Section,
    bytes: &[u8],
    end: End,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let archive = |source| Error::Archive { section, source };
    let limit = Limit(bytes.len() as u64);
    let policy = Policy {
        max_entries: MAX_ENTRIES,
        max_file: limit,
        max_total: limit,
        ..Policy::default()
    };
    let mut reader = Reader::new(bytes, policy);
    let mut files = Vec::new();
    let mut used = 0;
    while let Some(entry) = reader.next_entry().map_err(archive)? {
        let name = match (&entry.kind, entry.path.as_str()) {
            (EntryKind::File, Some(name)) if !name.contains('/') => name.to_owned(),
            _ => {
                return Err(Error::Misplaced {
                    section,
                    path: shown(&entry.path),
                });
            }
        };
        let content = Bounded::new(&mut reader, limit).read_all();
        let content = content.map_err(|source| Error::Io {
            action: "read a section",
            source,
        })?;
        used = entry.offset + entry.size.next_multiple_of(BLOCK);
        files.push((name, content));
    }
    if end == End::Forbidden && used < limit.0 {
        return Err(Error::EndMark(section));
    }
    Ok(files)
}

/// One file of such an archive.
pub(crate) struct File<'a> {
    pub(crate) name: &'a str,
    pub(crate) content: &'a [u8],
    pub(crate) mode: u32,
}

/// Writes an archive of a few plain files of root's. A time that only an extended header has
/// room for is refused: in front of a package no reader takes one.
pub(crate) fn write<'a>(
    files: impl IntoIterator<Item = File<'a>>,
    mtime: i64,
    end: End,
) -> Result<Vec<u8>, Error> {
    if !Timestamp(mtime).is_packable() {
        return Err(Error::Time { time: mtime });
    }
    let mut writer = Writer::with_names(Vec::new(), Names::Root);
    for file in files {
        let path = RelPath::try_from(file.name).map_err(boltworks_fsx::Error::from)?;
        let node = Node::file(Meta::new(file.mode, mtime), file.content);
        writer.append(&path, &node, &[])?;
    }
    Ok(match end {
        End::Forbidden => writer.finish_without_end()?,
        End::Allowed => writer.finish_with_end()?,
    })
}
