//! The reader: images of anybody's, within limits. Nothing is read that no inode points to.

mod inode;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use self::inode::{Inode, Place};
use super::{MAGIC, MAX_TARGET, SLOT, SUPERBLOCK, SUPERBLOCK_LEN, attributes, folder};
use crate::tar::EntryKind;
use crate::{Content, Error, Kind, Limit, Meta, Node, RelPath, Tree};

/// What changes the format so that it must be known (`feature_incompat`): padding of compressed bytes, large
/// clusters, chunks, devices and other heads, packed ends, fragments, long beginnings of names. Nothing of it
/// changes where names and attributes are, but the last, which is refused where it is used.
const KNOWN: u32 = 0x7f;
/// Blocks have from 512 bytes to 64 KiB.
const BLOCK_BITS: std::ops::RangeInclusive<u8> = 9..=16;
/// A long beginning of an attribute's name (`EROFS_XATTR_LONG_PREFIX`).
const LONG_BEGINNING: u8 = 0x80;
/// So many bytes are copied at a time.
const BUFFER: u64 = 256 << 10;

/// What an image may hold.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How many names.
    pub max_entries: u64,
    /// How many bytes all extended attributes have together, names included.
    pub max_attributes: Limit,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_entries: 1_000_000,
            max_attributes: Limit::mib(64),
        }
    }
}

/// A name in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: RelPath,
    /// The attributes.
    pub meta: Meta,
    /// What it is. Of several names of one file the first in byte order is the file.
    pub kind: EntryKind,
    /// How many bytes a file or a link has.
    pub size: u64,
    place: Place,
}

/// An open image.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    policy: Policy,
    /// How long the file is.
    len: u64,
    /// The size of a block.
    block: u64,
    /// Where inodes begin.
    inodes: u64,
    /// Where attributes begin that inodes share.
    shared: u64,
    /// The root's number.
    root: u64,
    /// The time of what has none of its own.
    time: i64,
}

impl Reader {
    /// Opens the image that a file is.
    pub fn open(file: Arc<File>, policy: Policy) -> Result<Self, Error> {
        let metadata = file.metadata().map_err(failed)?;
        let mut reader = Self {
            file,
            policy,
            len: metadata.len(),
            block: 1,
            inodes: 0,
            shared: 0,
            root: 0,
            time: 0,
        };
        let head = reader.at(SUPERBLOCK, SUPERBLOCK_LEN as u64);
        let head = head.or_else(|error| match error {
            Error::Erofs { .. } => Ok(Vec::new()),
            other => Err(other),
        })?;
        if number::<4>(&head, 0) != u64::from(MAGIC) {
            return Err(fault(0, "it is no EROFS image"));
        }
        let bits = head.get(12).copied().unwrap_or_default();
        let is_odd = head.get(90).is_some_and(|bits| *bits != 0);
        if number::<4>(&head, 80) & !u64::from(KNOWN) != 0 || is_odd {
            return Err(fault(0, "it has features that are not known here"));
        }
        if !BLOCK_BITS.contains(&bits) {
            return Err(fault(0, "its blocks are of no known size"));
        }
        reader.block = 1 << bits;
        reader.root = number::<2>(&head, 14);
        reader.time = number::<8>(&head, 24).cast_signed();
        reader.inodes = number::<4>(&head, 40) << bits;
        reader.shared = number::<4>(&head, 44) << bits;
        Ok(reader)
    }

    /// The attributes of the root.
    pub fn root(&self) -> Result<Meta, Error> {
        let (meta, _) = self.meta(&self.inode(self.root)?)?;
        Ok(meta)
    }

    /// All names, folder by folder.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut folders = BTreeSet::new();
        let mut names: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        let mut attributes = 0;
        let mut todo = vec![(None::<RelPath>, self.root)];
        let mut count = 0;
        while let Some((path, number)) = todo.pop() {
            let inode = self.inode(number)?;
            if inode.kind == EntryKind::Dir {
                if !folders.insert(number) {
                    return Err(fault(number, "a folder has several names"));
                }
                let found = self.names(&inode)?;
                count += found.len() as u64;
                if count > self.policy.max_entries {
                    return Err(fault(number, "there are more names than are allowed"));
                }
                for (name, number) in found.into_iter().rev() {
                    let path = match &path {
                        Some(folder) => folder.push(name)?,
                        None => RelPath::new(name)?,
                    };
                    todo.push((Some(path), number));
                }
            }
            let Some(path) = path else { continue };
            let (meta, used) = self.meta(&inode)?;
            attributes += used;
            if attributes > self.policy.max_attributes.0 {
                return Err(fault(number, "extended attributes are longer than allowed"));
            }
            let kind = match &inode.kind {
                EntryKind::Symlink(_) => EntryKind::Symlink(self.target(&inode)?),
                kind => kind.clone(),
            };
            if inode.links > 1 && kind == EntryKind::File {
                names.entry(number).or_default().push(entries.len());
            }
            let has_bytes = matches!(inode.kind, EntryKind::File | EntryKind::Symlink(_));
            entries.push(Entry {
                path,
                meta,
                kind,
                size: if has_bytes { inode.size } else { 0 },
                place: inode.place,
            });
        }
        for group in names.values().filter(|group| group.len() > 1) {
            link(&mut entries, group);
        }
        Ok(entries)
    }

    /// All files. Contents are read from the image; those that do not lie together in it are copied into the
    /// spare file.
    pub fn tree(&self, spare: File) -> Result<Tree, Error> {
        let spare = Arc::new(spare);
        let mut copied = 0;
        let mut tree = Tree::new();
        for Entry {
            path,
            meta,
            kind,
            size,
            place,
        } in self.entries()?
        {
            let kind = match kind {
                EntryKind::Dir => Kind::Dir,
                EntryKind::File => Kind::File(self.content((place, size), &spare, &mut copied)?),
                EntryKind::Symlink(target) => Kind::Symlink(target),
                EntryKind::Hardlink(first) => Kind::Hardlink(first),
                EntryKind::CharDevice { major, minor } => Kind::CharDevice { major, minor },
                EntryKind::BlockDevice { major, minor } => Kind::BlockDevice { major, minor },
                EntryKind::Fifo => Kind::Fifo,
            };
            tree.insert(path, Node { meta, kind })?;
        }
        Ok(tree)
    }

    fn content(
        &self,
        (place, size): (Place, u64),
        spare: &Arc<File>,
        copied: &mut u64,
    ) -> Result<Content, Error> {
        let span = |file: &Arc<File>, offset, len| Content::Span {
            file: Arc::clone(file),
            offset,
            len,
        };
        let Place::Flat { start, split, end } = place else {
            return Err(fault(
                0,
                "its contents are compressed or in chunks: they are not read",
            ));
        };
        if split == size {
            return Ok(span(&self.file, start, size));
        }
        if split == 0 {
            return Ok(span(&self.file, end, size));
        }
        let offset = *copied;
        for (from, len) in [(start, split), (end, size - split)] {
            let mut done = 0;
            while done < len {
                let part = self.at(from + done, BUFFER.min(len - done))?;
                (&**spare).write_all(&part).map_err(failed)?;
                done += part.len() as u64;
            }
        }
        *copied += size;
        Ok(span(spare, offset, size))
    }

    fn inode(&self, number: u64) -> Result<Inode, Error> {
        let place = number.checked_mul(SLOT);
        let place = place.and_then(|place| place.checked_add(self.inodes));
        let place = place.ok_or_else(|| fault(number, "an inode is beyond the end"))?;
        Inode::read(self, number, place)
    }

    /// The attributes of an inode, and how many bytes the extended ones have.
    fn meta(&self, inode: &Inode) -> Result<(Meta, u64), Error> {
        let xattrs = self.attributes(inode)?;
        let used = xattrs.iter().map(|(name, value)| name.len() + value.len());
        let used = used.sum::<usize>() as u64;
        let meta = Meta {
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            mtime: inode.mtime,
            xattrs,
        };
        Ok((meta, used))
    }

    /// What is in a folder, in the order of names.
    fn names(&self, inode: &Inode) -> Result<Vec<(Vec<u8>, u64)>, Error> {
        let mut names: Vec<(Vec<u8>, u64)> = Vec::new();
        let mut last: Vec<u8> = Vec::new();
        let mut done = 0;
        while done < inode.size {
            let len = self.block.min(inode.size - done);
            let block = self.part(inode, done, len)?;
            done += len;
            for (name, number) in parse(&block).ok_or_else(|| inode.fault("a folder is broken"))? {
                if name <= last.as_slice() {
                    return Err(inode.fault("names of a folder are not in their order"));
                }
                last = name.to_vec();
                if !matches!(name, b"." | b"..") {
                    names.push((name.to_vec(), number));
                }
            }
            if names.len() as u64 > self.policy.max_entries {
                return Err(inode.fault("there are more names than are allowed"));
            }
        }
        Ok(names)
    }

    fn target(&self, inode: &Inode) -> Result<Vec<u8>, Error> {
        if inode.size == 0 || inode.size > MAX_TARGET {
            return Err(inode.fault("a link's target is empty or too long"));
        }
        let mut target = Vec::new();
        while (target.len() as u64) < inode.size {
            let done = target.len() as u64;
            let len = (self.block - done % self.block).min(inode.size - done);
            target.extend(self.part(inode, done, len)?);
        }
        if target.contains(&0) {
            return Err(inode.fault("a link's target has a NUL byte"));
        }
        Ok(target)
    }

    /// Bytes of an inode that are in one block.
    fn part(&self, inode: &Inode, offset: u64, len: u64) -> Result<Vec<u8>, Error> {
        match inode.place {
            Place::Flat { start, split, .. } if offset < split => self.at(start + offset, len),
            Place::Flat { split, end, .. } => self.at(end + (offset - split), len),
            Place::Other => Err(inode.fault("a folder or link is compressed or in chunks")),
        }
    }

    /// The extended attributes of an inode.
    fn attributes(&self, inode: &Inode) -> Result<attributes::Attributes, Error> {
        let mut found = attributes::Attributes::new();
        if inode.beside == 0 {
            return Ok(found);
        }
        let bytes = self.at(inode.place_beside, inode.beside)?;
        let broken = || inode.fault("extended attributes are broken");
        let shared = usize::from(bytes.get(4).copied().unwrap_or_default());
        let mut rest = bytes.get(12..).ok_or_else(broken)?;
        for _ in 0..shared {
            let (place, behind) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
            rest = behind;
            let place = self.shared + u64::from(u32::from_le_bytes(*place)) * 4;
            let head = self.at(place, attributes::ENTRY)?;
            let len = entry_len(&head).ok_or_else(broken)?;
            let entry = self.at(place, len as u64)?;
            insert(&mut found, &entry).map_err(|reason| inode.fault(reason))?;
        }
        while !rest.is_empty() {
            let len = entry_len(rest).ok_or_else(broken)?;
            let entry = rest.get(..len).ok_or_else(broken)?;
            insert(&mut found, entry).map_err(|reason| inode.fault(reason))?;
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(found)
    }

    /// Bytes of the image.
    fn at(&self, place: u64, len: u64) -> Result<Vec<u8>, Error> {
        let is_there = place.checked_add(len).is_some_and(|end| end <= self.len);
        let count = usize::try_from(len).ok().filter(|_| is_there);
        let count = count.ok_or_else(|| fault(0, "it is cut off, or points beyond its end"))?;
        let mut bytes = vec![0; count];
        self.file.read_exact_at(&mut bytes, place).map_err(failed)?;
        Ok(bytes)
    }
}

/// Makes of several names of one file one file and links to it.
fn link(entries: &mut [Entry], group: &[usize]) {
    let paths = group.iter().filter_map(|at| Some(&entries.get(*at)?.path));
    let Some(first) = paths.min().cloned() else {
        return;
    };
    for at in group {
        if let Some(entry) = entries.get_mut(*at).filter(|entry| entry.path != first) {
            entry.kind = EntryKind::Hardlink(first.clone());
        }
    }
}

/// A number with its smallest part first; 0 beyond the end.
fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let chunk = bytes.get(at..).and_then(<[u8]>::first_chunk::<N>);
    let digits = chunk.into_iter().flatten().rev();
    digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The names in a block of a folder.
fn parse(block: &[u8]) -> Option<Vec<(&[u8], u64)>> {
    let offset = |at: usize| usize::try_from(number::<2>(block, at * folder::ENTRY + 8)).ok();
    let first = offset(0)?;
    if first == 0 || first % folder::ENTRY != 0 || first > block.len() {
        return None;
    }
    let count = first / folder::ENTRY;
    let mut names = Vec::with_capacity(count);
    for at in 0..count {
        let start = offset(at)?;
        let name = if at + 1 < count {
            block.get(start..offset(at + 1)?)?
        } else {
            // Behind the last one there may be zeros.
            block.get(start..)?.split(|byte| *byte == 0).next()?
        };
        if name.is_empty() || start < first {
            return None;
        }
        names.push((name, number::<8>(block, at * folder::ENTRY)));
    }
    Some(names)
}

/// How long an attribute is, by what is in front of it.
fn entry_len(head: &[u8]) -> Option<usize> {
    let &[name, _, low, high, ..] = head else {
        return None;
    };
    Some(4 + usize::from(name) + usize::from(u16::from_le_bytes([low, high])))
}

/// Takes an attribute in. One that the kernel does not know it does not show, and neither is it here.
fn insert(found: &mut attributes::Attributes, entry: &[u8]) -> Result<(), &'static str> {
    let &[len, beginning, ..] = entry else {
        return Err("extended attributes are broken");
    };
    if beginning & LONG_BEGINNING != 0 {
        return Err("an extended attribute's name has a beginning that is not read here");
    }
    let rest = entry.get(4..).unwrap_or_default();
    let (name, value) = rest.split_at_checked(len.into()).unwrap_or_default();
    if let Some(beginning) = attributes::beginning(beginning) {
        found.insert([beginning, name].concat(), value.to_vec());
    }
    Ok(())
}

fn fault(inode: u64, reason: &'static str) -> Error {
    Error::Erofs { inode, reason }
}

fn failed(source: io::Error) -> Error {
    Error::Stream {
        action: "read the EROFS image",
        source,
    }
}
