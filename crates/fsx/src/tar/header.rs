//! One header block: where its fields are, read strictly and written canonically (ustar, and the
//! GNU variant to read).

/// The size of headers, and what contents are padded to.
pub(super) const BLOCK: usize = 512;
pub(super) type Block = [u8; BLOCK];

/// A field's place in the block.
#[derive(Clone, Copy)]
pub(super) struct Field(usize, usize);

pub(super) const NAME: Field = Field(0, 100);
pub(super) const MODE: Field = Field(100, 8);
pub(super) const UID: Field = Field(108, 8);
pub(super) const GID: Field = Field(116, 8);
pub(super) const SIZE: Field = Field(124, 12);
pub(super) const MTIME: Field = Field(136, 12);
const CHECKSUM: Field = Field(148, 8);
const KIND: Field = Field(156, 1);
pub(super) const LINK: Field = Field(157, 100);
const MAGIC: Field = Field(257, 8);
pub(super) const UNAME: Field = Field(265, 32);
pub(super) const GNAME: Field = Field(297, 32);
pub(super) const MAJOR: Field = Field(329, 8);
pub(super) const MINOR: Field = Field(337, 8);
pub(super) const PREFIX: Field = Field(345, 155);

const POSIX: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \0";

impl Field {
    /// How many bytes it has.
    pub(super) const fn len(self) -> usize {
        self.1
    }

    fn of(self, block: &Block) -> &[u8] {
        block.get(self.0..self.0 + self.1).unwrap_or_default()
    }

    fn of_mut(self, block: &mut Block) -> &mut [u8] {
        block.get_mut(self.0..self.0 + self.1).unwrap_or_default()
    }
}

/// A header that was read: its numbers, and its texts up to their first NUL.
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u64,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) uname: Vec<u8>,
    pub(super) gname: Vec<u8>,
    pub(super) device: (u64, u64),
}

impl Header {
    /// Reads a block that is not all zeros.
    pub(super) fn parse(block: &Block) -> Result<Self, &'static str> {
        if octal(CHECKSUM.of(block)) != Some(checksum(block)) {
            return Err("the header's checksum is wrong");
        }
        let is_gnu = match MAGIC.of(block) {
            POSIX => false,
            GNU => true,
            _ => return Err("it is neither ustar nor GNU tar"),
        };
        let number = |field: Field, fault| unsigned(field.of(block), is_gnu).ok_or(fault);
        let mut name = text(NAME.of(block));
        let prefix = text(PREFIX.of(block));
        if !is_gnu && !prefix.is_empty() {
            name = [prefix, name].join(&b'/');
        }
        Ok(Self {
            kind: KIND.of(block).first().copied().unwrap_or(0),
            name,
            link: text(LINK.of(block)),
            mode: number(MODE, "the mode is not a number")?,
            uid: number(UID, "the owner is not a number")?,
            gid: number(GID, "the group is not a number")?,
            size: number(SIZE, "the size is not a number")?,
            mtime: signed(MTIME.of(block), is_gnu).ok_or("the time is not a number")?,
            uname: text(UNAME.of(block)),
            gname: text(GNAME.of(block)),
            device: (
                number(MAJOR, "the device's major is not a number")?,
                number(MINOR, "the device's minor is not a number")?,
            ),
        })
    }
}

/// The sum of all bytes, with the checksum's own place as spaces.
fn checksum(block: &Block) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().copied().map(u64::from).sum::<u64>();
    sum(block) - sum(CHECKSUM.of(block)) + 8 * u64::from(b' ')
}

fn text(field: &[u8]) -> Vec<u8> {
    field
        .split(|&byte| byte == 0)
        .next()
        .unwrap_or_default()
        .to_vec()
}

/// Octal digits, with spaces in front and spaces or NULs behind; nothing at all is 0.
fn octal(field: &[u8]) -> Option<u64> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field
        .iter()
        .position(|byte| *byte != b' ')
        .unwrap_or(field.len());
    let (_, rest) = field.split_at(start);
    let end = rest.iter().position(is_blank).unwrap_or(rest.len());
    let (digits, blanks) = rest.split_at(end);
    if !blanks.iter().all(is_blank) {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

fn unsigned(field: &[u8], is_gnu: bool) -> Option<u64> {
    signed(field, is_gnu).and_then(|value| u64::try_from(value).ok())
}

/// Octal, or where GNU tar wrote it, big-endian two's complement behind a first bit that is set.
fn signed(field: &[u8], is_gnu: bool) -> Option<i64> {
    let Some((first, rest)) = field.split_first() else {
        return Some(0);
    };
    if !is_gnu || first & 0x80 == 0 {
        return octal(field).and_then(|value| i64::try_from(value).ok());
    }
    // The first byte's second bit is the sign.
    let start = if first & 0x40 == 0 {
        i128::from(first & 0x3f)
    } else {
        i128::from(first | 0x80) - 256
    };
    let value = rest.iter().try_fold(start, |value, byte| {
        value.checked_mul(256)?.checked_add(i128::from(*byte))
    })?;
    i64::try_from(value).ok()
}

/// A header that is being written. What does not fit its field is left 0 or cut, and the caller
/// puts it into a PAX record.
pub(super) struct Draft(Block);

impl Draft {
    pub(super) fn new(kind: u8) -> Self {
        let mut draft = Self([0; BLOCK]);
        KIND.of_mut(&mut draft.0).fill(kind);
        MAGIC.of_mut(&mut draft.0).copy_from_slice(POSIX);
        draft
    }

    /// Writes as many bytes as fit. What is cut must not end in `/`, which some readers take for
    /// a directory.
    pub(super) fn text(&mut self, field: Field, bytes: &[u8]) {
        let place = field.of_mut(&mut self.0);
        let is_cut = bytes.len() > place.len();
        let mut fitting: &[u8] = bytes.get(..place.len()).unwrap_or(bytes);
        while is_cut && fitting.ends_with(b"/") {
            fitting = fitting.strip_suffix(b"/").unwrap_or_default();
        }
        place.fill(0);
        for (to, from) in place.iter_mut().zip(fitting) {
            *to = *from;
        }
    }

    /// Writes zero-padded octal digits and a NUL; a number that does not fit is written as 0.
    pub(super) fn number(&mut self, field: Field, value: u64) {
        let value = if fits(field, value) { value } else { 0 };
        let digits = format!("{value:0width$o}", width = field.len() - 1);
        self.text(field, digits.as_bytes());
    }

    /// The block, with its checksum.
    pub(super) fn seal(mut self) -> Block {
        let sum = checksum(&self.0);
        CHECKSUM
            .of_mut(&mut self.0)
            .copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

/// Whether a number fits into a field as octal digits and a NUL.
pub(super) const fn fits(field: Field, value: u64) -> bool {
    value >> (3 * (field.len() - 1)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_strictly() {
        assert_eq!(octal(b"0000644\0"), Some(0o644));
        assert_eq!(octal(b"   644 \0"), Some(0o644));
        assert_eq!(octal(b"\0\0\0\0"), Some(0));
        assert_eq!(octal(b"77777777"), Some(0o77_777_777));
        assert_eq!(octal(b"644\x001\0"), None);
        assert_eq!(octal(b"0x1f\0"), None);
        assert_eq!(octal(b"-1\0"), None);
    }

    #[test]
    fn the_gnu_form_of_large_numbers_is_read() {
        assert_eq!(signed(b"\x80\0\0\0\0\0\0\x02\0\0\0\0", true), Some(1 << 33));
        assert_eq!(
            signed(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", true),
            Some(-1)
        );
        assert_eq!(signed(b"\x80\0\0\0\0\0\0\x02\0\0\0\0", false), None);
        assert_eq!(
            signed(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", true),
            None
        );
        assert_eq!(unsigned(b"\xff\xff\xff\xff\xff\xff\xff\xff", true), None);
    }

    #[test]
    fn what_fits_is_known() {
        assert!(fits(MODE, 0o7_777_777) && !fits(MODE, 0o10_000_000));
        assert!(fits(SIZE, (8 << 30) - 1) && !fits(SIZE, 8 << 30));
    }
}
