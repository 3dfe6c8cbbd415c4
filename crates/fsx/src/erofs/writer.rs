//! The writer: the same files give the same bytes. Contents are read when they are written, and never
//! held as a whole.

use std::io::{self, Write};

use super::plan::{Inode, Plan};
use super::{
    BLOCK, BLOCK_BITS, INLINE, MAGIC, PLAIN, SLOT, SUPERBLOCK, SUPERBLOCK_LEN, attributes, device,
    folder,
};
use crate::{Error, Kind, Node, Tree};

/// The bit of a long inode.
const LONG: u16 = 1;

/// Writes the files beneath a root as an image, which says it is of this time, in seconds since 1970: files
/// of that very time need less room. Gives back what it was written to, and how many bytes were.
///
/// Every folder above a path must be there. What EROFS has no place for is an error: a device with a number
/// that is too large, an extended attribute of an unknown sort, or one that is too long.
pub fn write<W: Write>(tree: &Tree, root: &Node, time: i64, out: W) -> Result<(W, u64), Error> {
    let plan = Plan::of(tree, root, time)?;
    let mut image = Image { out, written: 0 };
    image.superblock(&plan, time)?;
    for at in &plan.order {
        if plan.get(*at).block.is_some() {
            image.body(&plan, *at)?;
            image.pad(BLOCK)?;
        }
    }
    let first = image.written;
    for at in &plan.order {
        let inode = plan.get(*at);
        image.pad_to(first + inode.number * SLOT)?;
        image.inode(inode)?;
        let meta = &inode.node.meta;
        let beside = attributes::bytes(&meta.xattrs).map_err(|reason| inode.refused(reason))?;
        image.put(&beside)?;
        if inode.block.is_none() {
            image.body(&plan, *at)?;
        }
    }
    image.pad(BLOCK)?;
    image.out.flush().map_err(failed)?;
    Ok((image.out, image.written))
}

/// An image that is being written.
struct Image<W> {
    out: W,
    written: u64,
}

impl<W: Write> Image<W> {
    /// The first block (`erofs_super_block`).
    fn superblock(&mut self, plan: &Plan<'_>, time: i64) -> Result<(), Error> {
        let mut fields = Fields::default();
        fields.u32(MAGIC);
        fields.skip(8);
        fields.bytes(&[BLOCK_BITS, 0]);
        // The root's number, which is the first.
        fields.u16(0);
        fields.u64(plan.order.len() as u64);
        fields.u64(time.cast_unsigned());
        fields.u32(0);
        fields.u32(plan.blocks);
        fields.u32(plan.first_inode);
        fields.0.resize(SUPERBLOCK_LEN, 0);
        self.pad_to(SUPERBLOCK)?;
        self.put(&fields.0)?;
        self.pad(BLOCK)
    }

    fn inode(&mut self, inode: &Inode<'_>) -> Result<(), Error> {
        let meta = &inode.node.meta;
        let mut fields = Fields::default();
        let layout = if inode.block.is_none() && inode.len > 0 {
            INLINE
        } else {
            PLAIN
        };
        let beside = attributes::len(&meta.xattrs).and_then(attributes::count);
        let beside = beside.map_err(|reason| inode.refused(reason))?;
        let place = match &inode.node.kind {
            &(Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor }) => {
                device(major, minor).unwrap_or_default()
            }
            _ => inode.block.unwrap_or_default(),
        };
        if inode.is_compact {
            // As the plan has it, all of them fit.
            let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
            fields.u16(layout << 1);
            fields.u16(beside);
            fields.u16(inode.mode());
            fields.u16(narrow(inode.links));
            fields.u32(u32::try_from(inode.len).unwrap_or(u32::MAX));
            fields.u32(0);
            fields.u32(place);
            fields.u32(0);
            fields.u16(narrow(meta.uid));
            fields.u16(narrow(meta.gid));
            fields.u32(0);
        } else {
            fields.u16((layout << 1) | LONG);
            fields.u16(beside);
            fields.u16(inode.mode());
            fields.u16(0);
            fields.u64(inode.len);
            fields.u32(place);
            fields.u32(0);
            fields.u32(meta.uid);
            fields.u32(meta.gid);
            fields.u64(meta.mtime.cast_unsigned());
            fields.u32(0);
            fields.u32(inode.links);
            fields.skip(16);
        }
        self.put(&fields.0)
    }

    /// The bytes of a file, a folder or a link.
    fn body(&mut self, plan: &Plan<'_>, at: usize) -> Result<(), Error> {
        let inode = plan.get(at);
        match &inode.node.kind {
            Kind::Dir => self.put(&folder::bytes(&plan.names(at))),
            Kind::Symlink(target) => self.put(target),
            Kind::File(content) => {
                let before = self.written;
                content.copy_to(&mut *self).map_err(failed)?;
                if self.written - before == inode.len {
                    return Ok(());
                }
                Err(inode.refused("it is not as long as it was"))
            }
            _ => Ok(()),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes).map_err(failed)
    }

    /// Zeros up to a multiple of so many bytes.
    fn pad(&mut self, unit: u64) -> Result<(), Error> {
        self.pad_to(self.written.next_multiple_of(unit))
    }

    fn pad_to(&mut self, place: u64) -> Result<(), Error> {
        const ZEROS: [u8; 256] = [0; 256];
        while self.written < place {
            let count = usize::try_from(place - self.written).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..count).unwrap_or(&ZEROS);
            self.put(zeros)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Image<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Numbers with their smallest part first.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn skip(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    fn u16(&mut self, number: u16) {
        self.bytes(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }
}

fn failed(source: io::Error) -> Error {
    Error::Stream {
        action: "write the EROFS image",
        source,
    }
}
