//! One package as bytes, and back.

use std::fmt::Display;
use std::str::FromStr;

use boltworks_model::Sha1;

use super::Damaged;
use crate::index::IndexEntry;

/// Appends a number: seven bits a byte, the lowest first, the eighth bit where more follow.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

/// Appends bytes with their length before them.
pub(super) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_list<T: Display>(out: &mut Vec<u8>, list: &[T]) {
    put_number(out, list.len() as u64);
    for item in list {
        put_sized(out, item.to_string().as_bytes());
    }
}

/// A number that may be missing, as one that may not.
pub(super) fn put_option(out: &mut Vec<u8>, number: Option<u64>) {
    out.push(u8::from(number.is_some()));
    if let Some(number) = number {
        put_number(out, number);
    }
}

/// The bytes of a package.
pub(super) fn write(entry: &IndexEntry) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(entry.identity.as_bytes());
    for text in [entry.name.as_str(), entry.version.as_str(), &entry.arch] {
        put_sized(&mut out, text.as_bytes());
    }
    put_number(&mut out, entry.size);
    put_number(&mut out, entry.installed_size);
    put_option(&mut out, entry.build_date.map(i64::cast_unsigned));
    put_option(&mut out, entry.provider_priority.map(u64::from));
    put_list(&mut out, &entry.depends);
    put_list(&mut out, &entry.install_if);
    put_list(&mut out, &entry.provides);
    for text in [
        &entry.description,
        &entry.url,
        &entry.license,
        &entry.origin,
        &entry.maintainer,
        &entry.commit,
    ] {
        put_sized(&mut out, text.as_bytes());
    }
    out
}

/// The package of some bytes.
pub(super) fn read(bytes: &[u8]) -> Result<IndexEntry, Damaged> {
    let mut bytes = Bytes(bytes);
    let identity = bytes.take(Sha1::LEN)?.try_into();
    let no_number = |_| Damaged::Form("a number is too large");
    let entry = IndexEntry {
        identity: Sha1::new(identity.map_err(|_| Damaged::Form("it is cut off"))?),
        name: bytes.parsed()?,
        version: bytes.parsed()?,
        arch: bytes.text()?.to_owned(),
        size: bytes.number()?,
        installed_size: bytes.number()?,
        build_date: bytes.option()?.map(u64::cast_signed),
        provider_priority: bytes
            .option()?
            .map(u32::try_from)
            .transpose()
            .map_err(no_number)?,
        depends: bytes.list()?,
        install_if: bytes.list()?,
        provides: bytes.list()?,
        description: bytes.text()?.to_owned(),
        url: bytes.text()?.to_owned(),
        license: bytes.text()?.to_owned(),
        origin: bytes.text()?.to_owned(),
        maintainer: bytes.text()?.to_owned(),
        commit: bytes.text()?.to_owned(),
    };
    if bytes.0.is_empty() {
        Ok(entry)
    } else {
        Err(Damaged::Form("a package has more than its fields"))
    }
}

/// Bytes that are being read.
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'b [u8], Damaged> {
        let parts = self.0.split_at_checked(length);
        let (taken, rest) = parts.ok_or(Damaged::Form("it is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Four bytes as a number.
    pub(super) fn fixed(&mut self) -> Result<u32, Damaged> {
        let (number, rest) = self
            .0
            .split_first_chunk()
            .ok_or(Damaged::Form("it is cut off"))?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*number))
    }

    pub(super) fn number(&mut self) -> Result<u64, Damaged> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Damaged::Form("a number is too large"))
    }

    /// Bytes that have their length before them.
    pub(super) fn take_sized(&mut self) -> Result<&'b [u8], Damaged> {
        let length = usize::try_from(self.number()?);
        self.take(length.map_err(|_| Damaged::Form("it is cut off"))?)
    }

    fn text(&mut self) -> Result<&'b str, Damaged> {
        std::str::from_utf8(self.take_sized()?).map_err(|_| Damaged::Form("a field is no text"))
    }

    fn parsed<T: FromStr>(&mut self) -> Result<T, Damaged> {
        let parsed = self.text()?.parse();
        parsed.map_err(|_| Damaged::Form("a field is not what it should be"))
    }

    pub(super) fn option(&mut self) -> Result<Option<u64>, Damaged> {
        match self.take(1)? {
            [0] => Ok(None),
            _ => self.number().map(Some),
        }
    }

    fn list<T: FromStr>(&mut self) -> Result<Vec<T>, Damaged> {
        let mut list = Vec::new();
        for _ in 0..self.number()? {
            list.push(self.parsed()?);
        }
        Ok(list)
    }
}
