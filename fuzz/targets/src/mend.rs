//! Makes checksums right. A mutation that breaks one is refused at once, and nothing behind it
//! is ever reached; so targets look at an input as it is, and at what it is when mended.

use std::io::Write as _;

use boltworks_crypto::{sha1, sha256};
use boltworks_fsx::{Bounded, Limit};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

/// The size of a tar block.
const BLOCK: usize = 512;
/// Where a header's checksum is.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// Before the digits of a file's digest in a package.
const FILE_SUM: &[u8] = b"APK-TOOLS.checksum.SHA1=";
/// Before the digits of the data section's digest in a package.
const DATA_SUM: &[u8] = b"datahash = ";

/// An archive with the checksums of its headers set right, and a package's digests of files too.
pub fn tar(bytes: &[u8]) -> Vec<u8> {
    let mut mended = bytes.to_vec();
    let mut at = 0;
    // Where the digits of a digest of the next file stand.
    let mut digits = None;
    while let Some(header) = mended.get_mut(at..at + BLOCK) {
        seal(header);
        let kind = header.get(156).copied().unwrap_or(0);
        let size = octal(header.get(124..136).unwrap_or_default());
        let start = at + BLOCK;
        let end = start.saturating_add(size).min(mended.len());
        let content = mended.get(start..end).unwrap_or_default();
        if kind == b'x' {
            digits = find(content, FILE_SUM).map(|found| start + found + FILE_SUM.len());
        } else if let Some(place) = digits.take() {
            let sum = sha1(content).to_string();
            overwrite(&mut mended, place, sum.as_bytes());
        }
        at = start.saturating_add(size.next_multiple_of(BLOCK));
    }
    mended
}

/// Sets the checksum of a header that claims to be one; blocks of zeros stay.
fn seal(header: &mut [u8]) {
    if !header
        .get(257..)
        .is_some_and(|rest| rest.starts_with(b"ustar"))
    {
        return;
    }
    overwrite(header, CHECKSUM.start, &[b' '; 8]);
    let sum: u64 = header.iter().copied().map(u64::from).sum();
    overwrite(header, CHECKSUM.start, format!("{sum:06o}\0 ").as_bytes());
}

/// A field's number as far as it is one; no more than any seed has.
fn octal(field: &[u8]) -> usize {
    let digits = field.iter().filter(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_usize, |number, digit| {
        number
            .saturating_mul(8)
            .saturating_add(usize::from(digit - b'0'))
    });
    number.min(1 << 24)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + with.len()) {
        place.copy_from_slice(with);
    }
}

/// An unsigned package of two archives, each mended, with the digest of the second in the first.
pub fn package(control: &[u8], data: &[u8]) -> Vec<u8> {
    let data = gzip(&tar(data));
    let mut control = control.to_vec();
    if let Some(place) = find(&control, DATA_SUM) {
        let sum = sha256(&data).to_string();
        overwrite(&mut control, place + DATA_SUM.len(), sum.as_bytes());
    }
    let mut package = gzip(&tar(&control));
    package.extend_from_slice(&data);
    package
}

/// One gzip member, hardly compressed, because that takes the time.
pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::none());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.expect("writing to memory does not fail")
}

/// The content of the first gzip member, if it is one of at most a mebibyte.
pub fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    Bounded::new(GzDecoder::new(bytes), Limit::mib(1))
        .read_all()
        .ok()
}

/// Parts an input in two: a length of four bytes, the lowest first, then so many bytes and the
/// rest.
pub fn parted(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = data.split_first_chunk::<4>() else {
        return (data, &[]);
    };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(0);
    rest.split_at(length.min(rest.len()))
}
