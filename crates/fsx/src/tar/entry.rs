//! An entry as its header and extended headers together describe it.

use super::header::Header;
use super::pax::{self, Records, XATTR};
use super::{Entry, EntryKind};
use crate::{Meta, RelPath};

/// What extended headers said of the entry that follows them.
#[derive(Default)]
pub(super) struct Extended {
    /// GNU's long name.
    pub(super) name: Option<Vec<u8>>,
    /// GNU's long link.
    pub(super) link: Option<Vec<u8>>,
    /// PAX records.
    pub(super) pax: Option<Records>,
}

impl Extended {
    pub(super) const fn is_empty(&self) -> bool {
        self.name.is_none() && self.link.is_none() && self.pax.is_none()
    }
}

/// Records that only one entry can have: in a global header they would rename or cut them all.
pub(super) fn is_global(key: &str) -> bool {
    !matches!(
        key,
        "path" | "linkpath" | "size" | "uid" | "gid" | "uname" | "gname" | "mtime"
    ) && !key.starts_with(XATTR)
        && !is_sparse(key)
}

fn is_sparse(key: &str) -> bool {
    key.starts_with("GNU.sparse.") || key == "SCHILY.realsize"
}

/// The entry, or `None` for the root directory itself, which many archives begin with.
pub(super) fn assemble(
    header: Header,
    extended: Extended,
    globals: &Records,
    offset: u64,
) -> Result<Option<Entry>, String> {
    let own = extended.pax.unwrap_or_default();
    check(&own)?;
    let name = one_of(own.get("path"), extended.name)?.unwrap_or(header.name);
    let link = one_of(own.get("linkpath"), extended.link)?.unwrap_or(header.link);
    let size = number(&own, "size")?.unwrap_or(header.size);
    let is_dir = header.kind == b'5';
    let kind = kind(header.kind, link, header.device)?;
    if kind != EntryKind::File && size != 0 {
        return Err("something that is not a file has content".into());
    }
    let Some(path) = path(&name, is_dir)? else {
        return Ok(None);
    };
    let (uid, gid) = (number(&own, "uid")?, number(&own, "gid")?);
    let mtime = match own.get("mtime") {
        Some(text) => pax::seconds(text).ok_or("the record 'mtime' is not a time")?,
        None => header.mtime,
    };
    let meta = Meta {
        mode: u32::try_from(header.mode & 0o7777).unwrap_or(0),
        uid: id(uid.unwrap_or(header.uid))?,
        gid: id(gid.unwrap_or(header.gid))?,
        mtime,
        xattrs: xattrs(&own),
    };
    Ok(Some(Entry {
        path,
        meta,
        kind,
        size,
        offset,
        uname: own.get("uname").cloned().unwrap_or(header.uname),
        gname: own.get("gname").cloned().unwrap_or(header.gname),
        pax: globals.clone().into_iter().chain(own).collect(),
    }))
}

fn check(records: &Records) -> Result<(), String> {
    if records.keys().any(|key| is_sparse(key)) {
        return Err("sparse files are not supported".into());
    }
    match records.get("hdrcharset").map(Vec::as_slice) {
        None | Some(b"BINARY" | b"ISO-IR 10646 2000 UTF-8") => Ok(()),
        Some(_) => Err("the record 'hdrcharset' names an unknown character set".into()),
    }
}

/// A text that PAX or GNU gives, but not both: readers differ in which one counts.
fn one_of(pax: Option<&Vec<u8>>, gnu: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, String> {
    match (pax, gnu) {
        (Some(_), Some(_)) => Err("PAX and GNU headers give different names".into()),
        (Some(text), None) => Ok(Some(text.clone())),
        (None, gnu) => Ok(gnu),
    }
}

fn number(records: &Records, key: &str) -> Result<Option<u64>, String> {
    records
        .get(key)
        .map(|text| pax::decimal(text).ok_or(format!("the record '{key}' is not a number")))
        .transpose()
}

/// The numbers from `u32::MAX` on mean "leave it" to the system.
fn id(number: u64) -> Result<u32, &'static str> {
    match u32::try_from(number) {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => Err("owner or group is out of range"),
    }
}

fn kind(flag: u8, link: Vec<u8>, (major, minor): (u64, u64)) -> Result<EntryKind, String> {
    let numbers = || match (u32::try_from(major), u32::try_from(minor)) {
        (Ok(major), Ok(minor)) => Ok((major, minor)),
        _ => Err("a device's number is out of range"),
    };
    Ok(match flag {
        b'0' | 0 => EntryKind::File,
        b'1' => EntryKind::Hardlink(
            path(&link, false)?.ok_or("a hard link leads to the root directory")?,
        ),
        b'2' if link.is_empty() || link.contains(&0) => {
            return Err("a symbolic link's target is empty or has a NUL byte".into());
        }
        b'2' => EntryKind::Symlink(link),
        b'3' => numbers().map(|(major, minor)| EntryKind::CharDevice { major, minor })?,
        b'4' => numbers().map(|(major, minor)| EntryKind::BlockDevice { major, minor })?,
        b'5' => EntryKind::Dir,
        b'6' => EntryKind::Fifo,
        b'S' => return Err("sparse files are not supported".into()),
        other => {
            return Err(format!(
                "entries of type '{}' are not supported",
                other.escape_ascii()
            ));
        }
    })
}

/// A path without `./` in front and, for a directory, without `/` at its end.
fn path(name: &[u8], is_dir: bool) -> Result<Option<RelPath>, String> {
    let name = match name.strip_suffix(b"/") {
        Some(shorter) if is_dir => shorter,
        _ => name,
    };
    if is_dir && name == b"." {
        return Ok(None);
    }
    let name = name.strip_prefix(b"./").unwrap_or(name);
    RelPath::new(name)
        .map(Some)
        .map_err(|error| format!("'{}': {}", error.path, error.reason))
}

fn xattrs(records: &Records) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
    records
        .iter()
        .filter_map(|(key, value)| {
            Some((key.strip_prefix(XATTR)?.as_bytes().to_vec(), value.clone()))
        })
        .collect()
}
