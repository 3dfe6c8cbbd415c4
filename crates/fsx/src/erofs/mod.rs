//! EROFS: the kernel's read-only file system as one file, uncompressed (Linux, `fs/erofs/erofs_fs.h`;
//! `Documentation/filesystems/erofs.rst`, "On-disk details").
//!
//! What the writer lays, in blocks of 4096 bytes:
//!
//! | where | what |
//! |---|---|
//! | byte 1024 of the first block | the superblock, 128 bytes |
//! | from the second block | bytes of files, folders and links that do not fit beside their inode, each from the beginning of a block |
//! | from the next block | inodes, the root's first, each from a multiple of 32 bytes: 32 bytes where that says everything, else 64; then its extended attributes; then its bytes, where the rest of the block has room for all of them |
//!
//! Inodes come folder by folder, what is in one in byte order. There is no identifier, no checksum and
//! no clock in it: the same files give the same bytes.
//!
//! The reader takes what other writers lay as well, but for compressed contents, chunks on other devices and
//! what came into the format with 48-bit addresses.

mod attributes;
mod folder;
mod plan;
mod reader;
mod writer;

pub use reader::{Entry, Policy, Reader};
pub use writer::write;

/// How a superblock begins (`EROFS_SUPER_MAGIC_V1`).
const MAGIC: u32 = 0xe0f5_e1e2;
/// Where the superblock is (`EROFS_SUPER_OFFSET`).
const SUPERBLOCK: u64 = 1024;
/// How long it is, without what may follow.
const SUPERBLOCK_LEN: usize = 128;
/// The size of a block that is written, and its logarithm.
const BLOCK: u64 = 4096;
const BLOCK_BITS: u8 = 12;
/// Inodes begin at multiples of this; their number counts them.
const SLOT: u64 = 32;
/// The length of a short inode (`erofs_inode_compact`) and of a long one (`erofs_inode_extended`).
const COMPACT: u64 = 32;
const EXTENDED: u64 = 64;
/// No link's target is longer.
const MAX_TARGET: u64 = 4095;

/// The types of files, as modes have them.
const TYPE: u16 = 0o170_000;
const PIPE: u16 = 0o010_000;
const CHARACTER: u16 = 0o020_000;
const FOLDER: u16 = 0o040_000;
const BLOCKS: u16 = 0o060_000;
const FILE: u16 = 0o100_000;
const LINK: u16 = 0o120_000;

/// Where the bytes of an inode are (`EROFS_INODE_FLAT_PLAIN` and so on).
const PLAIN: u16 = 0;
const INLINE: u16 = 2;

/// A device's numbers as an inode has them (the kernel's `new_encode_dev`); none that have no room.
fn device(major: u32, minor: u32) -> Option<u32> {
    let fits = major < 1 << 12 && minor < 1 << 20;
    fits.then_some((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}

/// The numbers of a device.
const fn device_numbers(device: u32) -> (u32, u32) {
    (
        (device & 0x000f_ff00) >> 8,
        (device & 0xff) | ((device >> 12) & 0x000f_ff00),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_devices_are_read_as_they_are_written() {
        for numbers in [(0, 0), (1, 3), (4095, 1_048_575), (8, 256)] {
            assert_eq!(
                device_numbers(device(numbers.0, numbers.1).unwrap()),
                numbers
            );
        }
        assert_eq!(device(1, 3), Some(0x103));
        assert_eq!((device(4096, 0), device(0, 1 << 20)), (None, None));
    }
}
