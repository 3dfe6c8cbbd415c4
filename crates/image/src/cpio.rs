//! The files of a layer as a cpio archive, such as a kernel unpacks at its start: the form `newc` with
//! owners, times and hard links (cpio(5), the kernel's `buffer-format.rst`).

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};

use boltworks_fsx::RelPath;
use boltworks_fsx::tar::{Entry, EntryKind, Policy, Reader};
use flate2::bufread::MultiGzDecoder;

use crate::Error;

/// What begins every entry.
const MAGIC: &str = "070701";
/// The name of the entry that ends the archive.
const TRAILER: &[u8] = b"TRAILER!!!";
/// Entries and their bytes begin at multiples of this.
const ALIGNMENT: u64 = 4;
/// An archive's own files are on no device.
const NO_DEVICE: (u32, u32) = (0, 0);

/// Writes the files of a layer that is compressed with gzip. The layer is read twice: `open` gives it from
/// its beginning.
pub fn write_cpio<R: Read, W: Write>(open: &mut dyn FnMut() -> R, out: W) -> Result<W, Error> {
    let mut links: BTreeMap<RelPath, u32> = BTreeMap::new();
    let mut layer = read(open());
    while let Some(entry) = layer.next_entry()? {
        if let EntryKind::Hardlink(target) = entry.kind {
            *links.entry(target).or_insert(0) += 1;
        }
    }
    let mut archive = Archive {
        out,
        written: 0,
        numbers: BTreeMap::new(),
        last: 0,
    };
    let mut layer = read(open());
    while let Some(entry) = layer.next_entry()? {
        let names = 1 + links.get(&entry.path).copied().unwrap_or(0);
        archive.entry(&entry, names, &mut layer)?;
    }
    archive.finish()
}

fn read<R: Read>(layer: R) -> Reader<BufReader<MultiGzDecoder<BufReader<R>>>> {
    let plain = MultiGzDecoder::new(BufReader::new(layer));
    let policy = Policy {
        devices: true,
        ..Policy::default()
    };
    Reader::new(BufReader::new(plain), policy)
}

/// What stands at the head of an entry, but for its name.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    number: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    names: u32,
    mtime: u32,
    size: u32,
    device: (u32, u32),
}

struct Archive<W> {
    out: W,
    written: u64,
    /// The number and the head of each file that others may be names of.
    numbers: BTreeMap<RelPath, Head>,
    last: u32,
}

impl<W: Write> Archive<W> {
    fn entry(&mut self, entry: &Entry, names: u32, bytes: &mut impl Read) -> Result<(), Error> {
        let (kind, device) = match &entry.kind {
            EntryKind::Dir => (0o040_000, NO_DEVICE),
            EntryKind::File => (0o100_000, NO_DEVICE),
            EntryKind::Symlink(_) => (0o120_000, NO_DEVICE),
            EntryKind::CharDevice { major, minor } => (0o020_000, (*major, *minor)),
            EntryKind::BlockDevice { major, minor } => (0o060_000, (*major, *minor)),
            EntryKind::Fifo => (0o010_000, NO_DEVICE),
            EntryKind::Hardlink(target) => {
                let first = self.numbers.get(target).copied().unwrap_or_default();
                return self.write(&entry.path, Head { size: 0, ..first }, &mut io::empty());
            }
        };
        let size = match &entry.kind {
            EntryKind::Symlink(target) => target.len() as u64,
            _ => entry.size,
        };
        self.last += 1;
        let head = Head {
            number: self.last,
            mode: kind | entry.meta.mode,
            uid: entry.meta.uid,
            gid: entry.meta.gid,
            names,
            mtime: u32::try_from(entry.meta.mtime.max(0)).unwrap_or(u32::MAX),
            size: u32::try_from(size).map_err(|_| {
                let reason = "cpio has no files of 4 GiB and more: leave it out".to_owned();
                Error::refused(format!("/{}", entry.path), reason)
            })?,
            device,
        };
        if names > 1 {
            self.numbers.insert(entry.path.clone(), head);
        }
        match &entry.kind {
            EntryKind::Symlink(target) => self.write(&entry.path, head, &mut target.as_slice()),
            _ => self.write(&entry.path, head, bytes),
        }
    }

    fn write(&mut self, path: &RelPath, head: Head, bytes: &mut dyn Read) -> Result<(), Error> {
        self.head(path.as_bytes(), head).map_err(failed)?;
        let count = io::copy(bytes, &mut self.out).map_err(failed)?;
        if count != u64::from(head.size) {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.written += count;
        self.pad().map_err(failed)
    }

    fn head(&mut self, name: &[u8], head: Head) -> io::Result<()> {
        let fields = [
            head.number,
            head.mode,
            head.uid,
            head.gid,
            head.names,
            head.mtime,
            head.size,
            0,
            0,
            head.device.0,
            head.device.1,
            u32::try_from(name.len() + 1).unwrap_or(u32::MAX),
            0,
        ];
        let mut text = MAGIC.to_owned();
        for field in fields {
            let digits = format!("{field:08x}");
            text.push_str(&digits);
        }
        self.put(text.as_bytes())?;
        self.put(name)?;
        self.put(&[0])?;
        self.pad()
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn pad(&mut self) -> io::Result<()> {
        while !self.written.is_multiple_of(ALIGNMENT) {
            self.put(&[0])?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<W, Error> {
        let head = Head {
            names: 1,
            ..Head::default()
        };
        self.head(TRAILER, head).map_err(failed)?;
        Ok(self.out)
    }
}

fn failed(source: io::Error) -> Error {
    Error::Write {
        action: "write the cpio archive",
        source,
    }
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::tar::Writer;
    use boltworks_fsx::{Kind, Meta, Node, Tree};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn cpio_lists_what_is_in_the_layer() {
        let mut tree = Tree::new();
        let meta = |mode| Meta {
            uid: 7,
            gid: 8,
            ..Meta::new(mode, 1_000)
        };
        let path = |path: &str| RelPath::try_from(path).unwrap();
        let mut add = |name: &str, mode, kind| {
            let meta = meta(mode);
            tree.insert(path(name), Node { meta, kind }).unwrap();
        };
        add("bin", 0o755, Kind::Dir);
        add("bin/a", 0o4755, Node::file(meta(0o644), *b"hello").kind);
        add("bin/b", 0o4755, Kind::Hardlink(path("bin/a")));
        add("bin/c", 0o777, Kind::Symlink(b"a".to_vec()));
        let gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut writer = Writer::new(gzip);
        writer.append_tree(&tree).unwrap();
        let layer = writer.finish_with_end().unwrap().finish().unwrap();
        let archive = write_cpio(&mut || layer.as_slice(), Vec::new()).unwrap();
        assert!(archive.len().is_multiple_of(4));
        let text = String::from_utf8(archive).unwrap();
        let heads: Vec<&str> = text.matches(MAGIC).collect();
        assert_eq!(heads.len(), 5);
        let second = text.match_indices(MAGIC).nth(1).unwrap().0;
        insta::assert_snapshot!(text[second..second + 124].replace('\0', "."), @"07070100000002000089ed000000070000000800000002000003e800000005000000000000000000000000000000000000000600000000bin/a.hello...");
    }
}
