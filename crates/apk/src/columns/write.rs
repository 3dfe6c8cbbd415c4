//! Laying an index out.

use std::collections::BTreeMap;

use boltworks_crypto::sha256;
use boltworks_model::Sha256;

use super::pages::{self, PAGE};
use super::record::{self, put_number, put_option, put_sized};
use super::{HEADER, MAGIC};
use crate::error::Error;
use crate::index::IndexEntry;
use crate::reach::{Found, Trigger, name_hash, watched};

/// So many names share a bucket, more or less.
const NAMES_IN_BUCKET: usize = 8;

/// The bucket of a name, of so many.
pub(super) fn bucket(name: &str, count: u32) -> u32 {
    // The product of two 32-bit numbers, shifted by 32 bits, is one.
    ((u64::from(name_hash(name)) * u64::from(count)) >> 32) as u32
}

/// An index that is being laid out.
#[derive(Default)]
pub(super) struct Writer {
    /// How many packages were not understood.
    pub(super) left_out: u32,
    packages: u32,
    records: Vec<u8>,
    names: BTreeMap<String, Found>,
    /// The packages that wait for others, and the names that each waits for.
    triggered: Vec<(u32, Vec<String>)>,
}

impl Writer {
    /// Adds the next package.
    pub(super) fn add(&mut self, entry: &IndexEntry) -> Result<(), Error> {
        let at = length(&self.records)?;
        for name in entry.names() {
            note(&mut self.names, name, at);
        }
        for condition in entry.conditions() {
            let name = condition.name.as_str().to_owned();
            let found = self.names.entry(name).or_default();
            if condition.constraint.is_some() {
                found.is_pinned = true;
            } else {
                found.plain.get_or_insert(at);
            }
        }
        if let Some(conditions) = entry.waits_for() {
            let conditions = conditions.into_iter().map(str::to_owned).collect();
            self.triggered.push((at, conditions));
        }
        let record = record::write(entry);
        self.records.extend(length(&record)?.to_le_bytes());
        self.records.extend(record);
        self.packages += 1;
        Ok(())
    }

    /// The whole file, of the signed file with this digest.
    pub(super) fn finish(mut self, of: &Sha256, description: &str) -> Result<Vec<u8>, Error> {
        for (name, at, others) in watched(&self.triggered) {
            let found = self.names.entry(name.to_owned()).or_default();
            found.triggers.push(Trigger { at, others });
        }
        let count = (self.names.len() / NAMES_IN_BUCKET).max(1);
        let mut buckets: Vec<Vec<(&str, &Found)>> = vec![Vec::new(); count];
        let buckets_count = u32::try_from(count).map_err(|_| too_large())?;
        for (name, found) in &self.names {
            if let Some(bucket) = buckets.get_mut(bucket(name, buckets_count) as usize) {
                bucket.push((name, found));
            }
        }
        let directory = length(description.as_bytes())?;
        let first = u64::from(directory) + 4 * (count as u64 + 1);
        let mut body = description.as_bytes().to_vec();
        let mut all = Vec::new();
        let mut ends = Vec::with_capacity(count);
        for bucket in &buckets {
            for (name, found) in bucket {
                put_sized(&mut all, name.as_bytes());
                put_sized(&mut all, &bytes_of(found));
            }
            ends.push(first + all.len() as u64);
        }
        for place in std::iter::once(first).chain(ends) {
            body.extend(u32::try_from(place).map_err(|_| too_large())?.to_le_bytes());
        }
        let begin = length(&body)?;
        body.append(&mut all);
        let records = length(&body)?;
        body.append(&mut self.records);
        let end = length(&body)?;
        let checks = pages::seal(&mut body);
        let numbers = [self.packages, self.left_out, directory, begin, records, end];
        let mut file = Vec::with_capacity(PAGE + body.len() + checks.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(of.as_bytes());
        file.extend(numbers.into_iter().flat_map(u32::to_le_bytes));
        file.extend_from_slice(sha256(&checks).as_bytes());
        debug_assert_eq!(file.len(), HEADER, "the header has its length");
        let seal = sha256(&file);
        file.extend_from_slice(seal.as_bytes());
        file.resize(PAGE, 0);
        file.append(&mut body);
        file.extend(checks);
        Ok(file)
    }
}

/// Notes that the package at a place has or provides a name. Places come in order.
fn note(names: &mut BTreeMap<String, Found>, name: &str, at: u32) {
    if let Some(found) = names.get_mut(name) {
        if found.offers.last() != Some(&at) {
            found.offers.push(at);
        }
    } else {
        let found = Found {
            offers: vec![at],
            ..Found::default()
        };
        names.insert(name.to_owned(), found);
    }
}

fn bytes_of(found: &Found) -> Vec<u8> {
    let mut out = Vec::new();
    let mut last = 0;
    put_number(&mut out, found.offers.len() as u64);
    for &at in &found.offers {
        put_number(&mut out, u64::from(at - last));
        last = at;
    }
    last = 0;
    put_number(&mut out, found.triggers.len() as u64);
    for Trigger { at, others } in &found.triggers {
        put_number(&mut out, u64::from(at - last));
        put_number(&mut out, others.len() as u64);
        out.extend(others.iter().flat_map(|hash| hash.to_le_bytes()));
        last = *at;
    }
    out.push(u8::from(found.is_pinned));
    put_option(&mut out, found.plain.map(u64::from));
    out
}

fn length(bytes: &[u8]) -> Result<u32, Error> {
    u32::try_from(bytes.len()).map_err(|_| too_large())
}

fn too_large() -> Error {
    Error::Value {
        field: "index",
        reason: "it is larger than 4 GiB",
    }
}
