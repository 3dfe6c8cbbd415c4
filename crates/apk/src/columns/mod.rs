//! An index in a form that is read where it is needed: a few pages of it, not its text.
//!
//! The text of a large index takes longer to understand than the choice of packages from it. So it
//! is understood once, after its signature was judged, and kept like this; later, names are looked
//! up in it, and only the packages behind those names become [`IndexEntry`]s.
//!
//! | part | what |
//! |---|---|
//! | header | one page: `MAGIC`, the digest of the signed file, sizes, the digest of the checksums, its own digest |
//! | description | the line about the repository |
//! | directory | where each bucket begins |
//! | buckets | by the hash of a name: who has or provides it, and whose `install_if` waits for it |
//! | records | the packages in the order of the text, each with its length before it |
//! | checksums | the CRC-32 of each page of the four parts before |
//!
//! Numbers are little-endian; those in buckets and records take as many bytes as they need.
//!
//! Every page is held to its checksum and every place to its bounds, so that what is damaged is
//! [`Damaged`] and never read as something else. Checksums prove nothing about who wrote them: whoever
//! keeps this form keeps it where nobody else writes, under a name that tells the signed file and the keys
//! that it was judged with. What is chosen from it is judged again as a package, by its own signature.

mod pages;
mod record;
mod write;

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;

use boltworks_crypto::{Keyring, sha256};
use boltworks_model::Sha256;

use crate::error::Error;
use crate::index::{self, IndexEntry, Unusable};
use crate::reach::{Found, Shelf, Trigger};
use pages::{Pages, Place};
use record::Bytes;

/// Names the form: it goes up whenever bytes are laid out or understood in another way.
pub const FORMAT: u32 = 2;
/// How the form begins.
const MAGIC: &[u8; 8] = b"bwindex\x02";
/// The numbers in the header.
const NUMBERS: usize = 6;
/// The header's length, without the digest at its end.
const HEADER: usize = MAGIC.len() + 32 + 4 * NUMBERS + 32;

/// Why a kept form cannot be used. It is made again from the index.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// It does not say what it must.
    #[error("the kept form of an index is damaged: {0}")]
    Form(&'static str),
    /// The system does not give it.
    #[error("read the kept form of an index")]
    Io(#[source] io::Error),
}

/// An index in this form.
#[derive(Debug)]
pub struct Columns {
    pages: Pages,
    packages: u32,
    left_out: u32,
    description: Range<u32>,
    directory: Range<u32>,
    records: Range<u32>,
}

impl Columns {
    /// Judges an index as [`Index::read_foreign`](crate::Index::read_foreign) does, and gives this
    /// form of it. What is not understood is told to `unusable`, and counted.
    pub fn make(
        bytes: &[u8],
        keyring: Option<&Keyring>,
        mut unusable: impl FnMut(Unusable),
    ) -> Result<Vec<u8>, Error> {
        let opened = index::open(bytes, keyring)?;
        let mut writer = write::Writer::default();
        let mut failed = Ok(());
        index::entry::parse_each(&opened.text, |entry| match entry {
            Ok(entry) if failed.is_ok() => failed = writer.add(&entry),
            Ok(_) => {}
            Err(refused) => {
                writer.left_out += 1;
                unusable(refused);
            }
        })?;
        failed?;
        drop(opened.text);
        writer.finish(&sha256(bytes), &opened.description)
    }

    /// Opens a kept form of the signed file with this digest.
    pub fn open(file: File, of: &Sha256) -> Result<Self, Damaged> {
        Self::of(Place::File(file), of)
    }

    /// The same, of bytes at hand.
    pub fn from_bytes(bytes: Vec<u8>, of: &Sha256) -> Result<Self, Damaged> {
        Self::of(Place::Memory(bytes), of)
    }

    fn of(place: Place, of: &Sha256) -> Result<Self, Damaged> {
        let whole = place.read(0, HEADER + 32)?;
        let mut header = Bytes(&whole);
        let (body, seal) = whole
            .split_at_checked(HEADER)
            .ok_or(Damaged::Form("it has no header"))?;
        if sha256(body).as_bytes() != seal || header.take(MAGIC.len())? != MAGIC {
            return Err(Damaged::Form("its header is not what was written"));
        }
        if header.take(32)? != of.as_bytes() {
            return Err(Damaged::Form("it is that of another index"));
        }
        let mut numbers = [0; NUMBERS];
        for number in &mut numbers {
            *number = header.fixed()?;
        }
        let [packages, left_out, directory, buckets, records, end] = numbers;
        if !(directory <= buckets && buckets <= records && records <= end) {
            return Err(Damaged::Form("its parts overlap"));
        }
        if buckets - directory < 8 || (buckets - directory) % 4 != 0 {
            return Err(Damaged::Form("its directory has no size"));
        }
        Ok(Self {
            pages: Pages::open(place, end, header.take(32)?)?,
            packages,
            left_out,
            description: 0..directory,
            directory: directory..buckets,
            records: records..end,
        })
    }

    /// How many packages it lists.
    pub const fn packages(&self) -> u32 {
        self.packages
    }

    /// How many more the index lists that are not understood.
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }

    /// One line about the repository.
    pub fn description(&self) -> Result<String, Damaged> {
        let bytes = self.pages.read(self.description.clone())?;
        String::from_utf8(bytes).map_err(|_| Damaged::Form("its description is no text"))
    }

    /// All packages, in the order of the text.
    pub fn entries(&self) -> impl Iterator<Item = Result<IndexEntry, Damaged>> + '_ {
        let end = self.records.end - self.records.start;
        let mut at = 0;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let record = self.record(at);
            let length = record.as_ref().ok().map(Vec::len);
            let next = length
                .and_then(|length| at.checked_add(4)?.checked_add(u32::try_from(length).ok()?));
            // Where one is damaged, nobody knows where the next begins.
            at = next.unwrap_or(end);
            Some(record.and_then(|record| record::read(&record)))
        })
    }

    /// The bytes of the package at a place, counted from the first one's.
    fn record(&self, at: u32) -> Result<Vec<u8>, Damaged> {
        let within = |place: Option<u32>| {
            let place = place.filter(|place| *place <= self.records.end);
            place.ok_or(Damaged::Form("a package lies outside of it"))
        };
        let at = within(self.records.start.checked_add(at))?;
        let begin = within(at.checked_add(4))?;
        let length = Bytes(&self.pages.read(at..begin)?).fixed()?;
        self.pages.read(begin..within(begin.checked_add(length))?)
    }

    /// Where the bucket of a name lies.
    fn bucket(&self, name: &str) -> Result<Range<u32>, Damaged> {
        let count = (self.directory.end - self.directory.start) / 4 - 1;
        let at = self.directory.start + 4 * write::bucket(name, count);
        let both = self.pages.read(at..at + 8)?;
        let mut both = Bytes(&both);
        let bucket = both.fixed()?..both.fixed()?;
        if self.directory.end <= bucket.start
            && bucket.start <= bucket.end
            && bucket.end <= self.records.start
        {
            Ok(bucket)
        } else {
            Err(Damaged::Form("a bucket lies outside of it"))
        }
    }
}

impl Shelf for Columns {
    fn look(&self, name: &str) -> Result<Found, Damaged> {
        let bytes = self.pages.read(self.bucket(name)?)?;
        let mut bytes = Bytes(&bytes);
        while !bytes.0.is_empty() {
            let found = bytes.take_sized()?;
            let rest = bytes.take_sized()?;
            if found == name.as_bytes() {
                return found_in(Bytes(rest));
            }
        }
        Ok(Found::default())
    }

    fn entry(&self, at: u32) -> Result<Cow<'_, IndexEntry>, Damaged> {
        record::read(&self.record(at)?).map(Cow::Owned)
    }
}

/// What a bucket says of one name.
fn found_in(mut bytes: Bytes<'_>) -> Result<Found, Damaged> {
    let mut found = Found::default();
    let mut last = 0;
    for _ in 0..bytes.number()? {
        last = further(last, bytes.number()?)?;
        found.offers.push(last);
    }
    last = 0;
    for _ in 0..bytes.number()? {
        last = further(last, bytes.number()?)?;
        let mut others = Vec::new();
        for _ in 0..bytes.number()? {
            others.push(bytes.fixed()?);
        }
        found.triggers.push(Trigger { at: last, others });
    }
    found.is_pinned = bytes.take(1)? != [0];
    let plain = bytes.option()?.map(|at| further(0, at));
    found.plain = plain.transpose()?;
    Ok(found)
}

fn further(last: u32, step: u64) -> Result<u32, Damaged> {
    let step = u32::try_from(step).ok();
    step.and_then(|step| last.checked_add(step))
        .ok_or(Damaged::Form("a package lies outside of it"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::entry;
    use crate::{Index, reach::Whole};

    const OF: Sha256 = Sha256::new([7; 32]);

    fn written(entries: &[IndexEntry]) -> Vec<u8> {
        let mut writer = write::Writer::default();
        for entry in entries {
            writer.add(entry).unwrap();
        }
        writer.finish(&OF, "about it").unwrap()
    }

    fn opened(entries: &[IndexEntry]) -> Columns {
        Columns::from_bytes(written(entries), &OF).unwrap()
    }

    fn read(columns: &Columns) -> Vec<IndexEntry> {
        columns.entries().map(Result::unwrap).collect()
    }

    fn many(count: usize) -> Vec<IndexEntry> {
        let text = |number: usize| {
            format!(
                "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:p{number}\nV:1.{number}-r0\nA:x86_64\nD:p{} so:l>=1\n\
                 p:cmd:p{number}=1 so:l\ni:p{number} docs\n",
                number / 2
            )
        };
        (0..count)
            .map(|number| text(number).parse().unwrap())
            .collect()
    }

    #[test]
    fn an_index_becomes_columns_and_what_is_odd_is_counted() {
        let odd = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:odd\nV:0.99f7-r0\n\n";
        let mut index = Index::new("made", many(3));
        let signed = index.write_unsigned(0).unwrap();
        let columns = Columns::make(&signed, None, |_| panic!("nothing is odd")).unwrap();
        let columns = Columns::from_bytes(columns, &sha256(&signed)).unwrap();
        index.sort();
        assert_eq!(read(&columns), index.entries);
        assert_eq!(columns.description().unwrap(), "made");
        assert_eq!((columns.packages(), columns.left_out()), (3, 0));
        let text = format!("{odd}{}", index.to_text().unwrap());
        let files = [("DESCRIPTION", "made"), ("APKINDEX", text.as_str())];
        let files = files.map(|(name, content)| crate::archive::File {
            name,
            content: content.as_bytes(),
            mode: 0o644,
        });
        let archive = crate::archive::write(files, 0, crate::archive::End::Allowed).unwrap();
        let foreign = crate::gzip::member(&archive, 1).unwrap();
        let mut refused = Vec::new();
        let columns = Columns::make(&foreign, None, |one| refused.push(one.package)).unwrap();
        let columns = Columns::from_bytes(columns, &sha256(&foreign)).unwrap();
        assert_eq!(refused, ["odd-0.99f7-r0"]);
        assert_eq!((columns.packages(), columns.left_out()), (3, 1));
    }

    #[test]
    fn names_lead_to_packages_over_many_pages() {
        let entries = many(3000);
        let (columns, whole) = (opened(&entries), Index::new("", Vec::new()));
        assert_eq!(read(&columns), entries);
        let found = columns.look("p1234").unwrap();
        let [at] = found.offers[..] else {
            panic!("{found:?}");
        };
        assert_eq!(*columns.entry(at).unwrap(), entries[1234]);
        assert_eq!(found.triggers.len(), 1);
        assert_eq!(columns.look("so:l").unwrap().offers.len(), 3000);
        assert_eq!(columns.look("docs").unwrap().triggers.len(), 0);
        assert_eq!(
            columns.look("gone").unwrap(),
            Whole::new(&whole).look("gone").unwrap()
        );
    }

    #[test]
    fn nothing_is_columns_too() {
        assert_eq!(read(&opened(&[])), []);
        assert_eq!(opened(&[]).look("a").unwrap(), Found::default());
        assert!(Columns::from_bytes(Vec::new(), &OF).is_err());
        let other = Columns::from_bytes(written(&[]), &Sha256::new([8; 32])).unwrap_err();
        insta::assert_snapshot!(other, @"the kept form of an index is damaged: it is that of another index");
    }

    /// Reads everything; what is damaged must be told, or not matter.
    fn survives(bytes: Vec<u8>, entries: &[IndexEntry]) -> Result<(), TestCaseError> {
        let Ok(columns) = Columns::from_bytes(bytes, &OF) else {
            return Ok(());
        };
        for (entry, expected) in columns.entries().zip(entries) {
            if let Ok(entry) = entry {
                prop_assert_eq!(&entry, expected);
            }
        }
        if let Ok(found) = columns.look("so:l") {
            prop_assert_eq!(found.offers.len(), entries.len());
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::vec(entry::tests::entries(), 0..6)) {
            let columns = opened(&entries);
            let again = read(&columns);
            prop_assert_eq!(&again, &entries);
            // Versions that are equal may be other texts.
            prop_assert_eq!(format!("{again:?}"), format!("{entries:?}"));
            let index = Index { description: String::new(), entries };
            let whole = Whole::new(&index);
            for name in index.entries.iter().flat_map(IndexEntry::names) {
                let (ours, theirs) = (columns.look(name).unwrap(), whole.look(name).unwrap());
                let packages = |shelf: &dyn Shelf, found: &Found| {
                    let offers = found.offers.iter();
                    offers.map(|&at| shelf.entry(at).unwrap().into_owned()).collect::<Vec<_>>()
                };
                prop_assert_eq!(packages(&columns, &ours), packages(&whole, &theirs));
                prop_assert_eq!(ours.triggers.len(), theirs.triggers.len());
                prop_assert_eq!(ours.is_pinned, theirs.is_pinned);
                let first = |shelf: &dyn Shelf, found: &Found| {
                    found.plain.map(|at| shelf.entry(at).unwrap().into_owned())
                };
                prop_assert_eq!(first(&columns, &ours), first(&whole, &theirs));
            }
        }

        #[test]
        fn no_damage_is_read_as_something_else(at: prop::sample::Index, bit in 0..8_u32, cut: prop::sample::Index) {
            let entries = many(40);
            let whole = written(&entries);
            let mut flipped = whole.clone();
            flipped[at.index(whole.len())] ^= 1 << bit;
            survives(flipped, &entries)?;
            survives(whole[..cut.index(whole.len())].to_vec(), &entries)?;
        }
    }
}
