//! What is in a folder (`erofs_dirent`): in each of its blocks first so many times 12 bytes, then the names.
//! Names are in byte order, `.` and `..` among them; none is cut by the end of a block.

use super::BLOCK;

/// The length of an entry without its name.
pub(super) const ENTRY: usize = 12;

/// One name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'n> {
    pub(super) text: &'n [u8],
    /// The inode's number.
    pub(super) inode: u64,
    /// What it is (`EROFS_FT_REG_FILE` and so on).
    pub(super) kind: u8,
}

/// How many bytes a folder has with these names.
pub(super) fn len(names: &[Name<'_>]) -> u64 {
    let mut len: u64 = 0;
    for part in Parts(names) {
        len = len.next_multiple_of(BLOCK) + used(part);
    }
    len
}

/// The bytes of a folder with these names.
pub(super) fn bytes(names: &[Name<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in Parts(names) {
        let block = usize::try_from(BLOCK).unwrap_or(usize::MAX);
        out.resize(out.len().next_multiple_of(block), 0);
        let mut place = part.len() * ENTRY;
        for name in part {
            out.extend_from_slice(&name.inode.to_le_bytes());
            // Below the size of a block, as all of the part is.
            let offset = u16::try_from(place).unwrap_or(u16::MAX);
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&[name.kind, 0]);
            place += name.text.len();
        }
        for name in part {
            out.extend_from_slice(name.text);
        }
    }
    out
}

fn used(part: &[Name<'_>]) -> u64 {
    let used: usize = part.iter().map(|name| ENTRY + name.text.len()).sum();
    used as u64
}

/// As many names at a time as a block has room for.
struct Parts<'p, 'n>(&'p [Name<'n>]);

impl<'p, 'n> Iterator for Parts<'p, 'n> {
    type Item = &'p [Name<'n>];

    fn next(&mut self) -> Option<Self::Item> {
        let mut room = BLOCK;
        let fits = |name: &&Name<'_>| {
            let left = room.checked_sub((ENTRY + name.text.len()) as u64);
            room = left.unwrap_or_default();
            left.is_some()
        };
        // A name is at most 255 bytes long: there is always room for one.
        let count = self.0.iter().take_while(fits).count().max(1);
        if self.0.is_empty() {
            return None;
        }
        let (part, rest) = self.0.split_at(count);
        self.0 = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parted_into_blocks() {
        let names: Vec<Vec<u8>> = (0..100)
            .map(|at| format!("{at:0>100}").into_bytes())
            .collect();
        let names: Vec<Name<'_>> = names
            .iter()
            .map(|text| Name {
                text,
                inode: 7,
                kind: 1,
            })
            .collect();
        // 36 of 112 bytes are in a block of 4096.
        let parts: Vec<usize> = Parts(&names).map(<[_]>::len).collect();
        assert_eq!(parts, [36, 36, 28]);
        let bytes = bytes(&names);
        assert_eq!(bytes.len() as u64, len(&names));
        assert_eq!(len(&names), 2 * 4096 + 28 * 112);
        assert_eq!(bytes[8..10], (36_u16 * 12).to_le_bytes());
        assert!(bytes[36 * 112..4096].iter().all(|byte| *byte == 0));
        assert_eq!(bytes[4096 + 8..4096 + 10], (36_u16 * 12).to_le_bytes());
        assert_eq!((len(&[]), Parts(&[]).count()), (0, 0));
    }
}
