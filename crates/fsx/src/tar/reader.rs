//! The strict reader. Wherever readers in the field differ about what an archive means, it is
//! refused: two readers that see different files are how a signed archive smuggles something in.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::entry::{Extended, assemble, is_global};
use super::header::{BLOCK, Block, Header};
use super::pax::{self, Records};
use super::{Entry, EntryKind};
use crate::{Content, Error, Limit, RelPath, Tree};

/// What an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How many entries.
    pub max_entries: u64,
    /// How many bytes one file has.
    pub max_file: Limit,
    /// How many bytes the whole archive has, headers included.
    pub max_total: Limit,
    /// How many bytes the extended headers of one entry have, and all global ones together.
    pub max_extended: Limit,
    /// Whether device nodes are taken; otherwise one is an error.
    pub devices: bool,
    /// Whether a path may come twice; otherwise that is an error.
    pub duplicates: bool,
    /// Whether the archive must end in two blocks of zeros, and not just end.
    pub end_required: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_entries: 1_000_000,
            max_file: Limit::gib(16),
            max_total: Limit::gib(64),
            max_extended: Limit::mib(1),
            devices: false,
            duplicates: false,
            end_required: false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    Broken,
}

/// Reads an archive entry by entry. As a [`Read`] it gives the bytes of the current entry. It
/// reads in blocks of 512 bytes: put a [`io::BufReader`] beneath it.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    policy: Policy,
    state: State,
    /// Bytes of the archive that were read.
    offset: u64,
    /// Bytes of the current entry that were not read, without and with padding.
    left: u64,
    left_padded: u64,
    entries: u64,
    seen: BTreeSet<RelPath>,
    globals: Records,
    globals_size: u64,
}

impl<R: Read> Reader<R> {
    /// Reads an archive from its beginning.
    pub fn new(inner: R, policy: Policy) -> Self {
        Self {
            inner,
            policy,
            state: State::Reading,
            offset: 0,
            left: 0,
            left_padded: 0,
            entries: 0,
            seen: BTreeSet::new(),
            globals: Records::new(),
            globals_size: 0,
        }
    }

    /// Goes to the next entry, past what was not read of the current one. `None` at the end,
    /// which is checked: nothing but zeros follows. After an error there is nothing but errors.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        match self.state {
            State::Ended => return Ok(None),
            State::Broken => return Err(self.fault("an earlier entry could not be read")),
            State::Reading => {}
        }
        // Until it worked, it did not.
        self.state = State::Broken;
        self.skip()?;
        let entry = self.advance()?;
        self.state = if entry.is_some() {
            State::Reading
        } else {
            State::Ended
        };
        Ok(entry)
    }

    /// The underlying reader.
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn advance(&mut self) -> Result<Option<Entry>, Error> {
        let mut extended = Extended::default();
        let start = self.offset;
        loop {
            let at = self.offset;
            let Some(block) = self.block()? else {
                return self.end(&extended, 0);
            };
            if block.iter().all(|&byte| byte == 0) {
                return self.zeros(&extended);
            }
            let header = Header::parse(&block).map_err(|reason| fault(at, reason))?;
            if matches!(header.kind, b'x' | b'g' | b'L' | b'K') {
                if self.offset - start + header.size > self.policy.max_extended.0 {
                    return Err(fault(at, "the extended headers are too long"));
                }
                self.extend(&header, &mut extended, at)?;
                continue;
            }
            let assembled = assemble(header, extended, &self.globals, self.offset)
                .map_err(|reason| fault(at, reason))?;
            let Some(entry) = assembled else {
                extended = Extended::default();
                continue;
            };
            self.admit(&entry, at)?;
            return Ok(Some(entry));
        }
    }

    /// Checks an entry against the policy and makes its content the current one.
    fn admit(&mut self, entry: &Entry, at: u64) -> Result<(), Error> {
        self.entries += 1;
        if self.entries > self.policy.max_entries {
            return Err(fault(
                at,
                format!("it has more than {} entries", self.policy.max_entries),
            ));
        }
        if entry.size > self.policy.max_file.0 {
            let reason = format!("'{}' is too long: {} bytes", entry.path, entry.size);
            return Err(fault(at, reason));
        }
        let is_device = matches!(
            entry.kind,
            EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. }
        );
        if is_device && !self.policy.devices {
            return Err(fault(
                at,
                format!("the device '{}' is not allowed here", entry.path),
            ));
        }
        if !self.policy.duplicates && !self.seen.insert(entry.path.clone()) {
            return Err(fault(at, format!("'{}' comes twice", entry.path)));
        }
        self.expect(entry.size, at)
    }

    /// Makes so many bytes and their padding the current content.
    fn expect(&mut self, size: u64, at: u64) -> Result<(), Error> {
        let padded = size.checked_next_multiple_of(BLOCK as u64);
        match padded.and_then(|padded| self.offset.checked_add(padded).map(|end| (padded, end))) {
            Some((padded, end)) if end <= self.policy.max_total.0 => {
                self.left = size;
                self.left_padded = padded;
                Ok(())
            }
            _ => Err(fault(at, "it is longer than allowed")),
        }
    }

    /// Takes an extended header's content in.
    fn extend(&mut self, header: &Header, extended: &mut Extended, at: u64) -> Result<(), Error> {
        let malformed = |reason: &'static str| fault(at, reason);
        self.expect(header.size, at)?;
        // The size was held against the limit for extended headers before.
        let mut bytes = vec![0; usize::try_from(header.size).unwrap_or(0)];
        self.read_exact(&mut bytes)
            .map_err(|source| unreadable(at, source))?;
        self.skip()?;
        match header.kind {
            b'x' => {
                let records = pax::parse(&bytes).map_err(malformed)?;
                if extended.pax.replace(records).is_some() {
                    return Err(fault(at, "an entry has two PAX headers"));
                }
            }
            b'g' => {
                let records = pax::parse(&bytes).map_err(malformed)?;
                self.globals_size += header.size;
                if self.globals_size > self.policy.max_extended.0 {
                    return Err(fault(at, "the global headers are too long"));
                }
                if let Some(key) = records.keys().find(|key| !is_global(key)) {
                    return Err(fault(at, format!("a global header sets '{key}'")));
                }
                self.globals.extend(records);
            }
            kind => {
                let text = bytes.strip_suffix(b"\0").unwrap_or(&bytes).to_vec();
                let slot = if kind == b'L' {
                    &mut extended.name
                } else {
                    &mut extended.link
                };
                if slot.replace(text).is_some() {
                    return Err(fault(at, "an entry has two long names"));
                }
            }
        }
        Ok(())
    }

    /// One zero block was read: another follows, or nothing; and then nothing but zeros.
    fn zeros(&mut self, extended: &Extended) -> Result<Option<Entry>, Error> {
        let mut blocks = 1_u64;
        while let Some(block) = self.block()? {
            blocks += 1;
            if block.iter().any(|&byte| byte != 0) {
                return Err(self.fault("something follows the end"));
            }
        }
        self.end(extended, blocks)
    }

    /// The archive is over, after so many blocks of zeros.
    fn end(&self, extended: &Extended, blocks: u64) -> Result<Option<Entry>, Error> {
        if !extended.is_empty() {
            return Err(self.fault("the entry of an extended header is missing"));
        }
        if self.policy.end_required && blocks < 2 {
            return Err(self.fault("it is cut off: the end mark is missing"));
        }
        Ok(None)
    }

    /// One block, or `None` at the end of everything.
    fn block(&mut self) -> Result<Option<Block>, Error> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(self.fault("it is cut off within a header")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(unreadable(self.offset, source)),
            }
        }
        self.offset += BLOCK as u64;
        if self.offset > self.policy.max_total.0 {
            return Err(self.fault("it is longer than allowed"));
        }
        Ok(Some(block))
    }

    /// Passes over what is left of the current content and its padding.
    fn skip(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 16 * 1024];
        self.left = 0;
        while self.left_padded > 0 {
            let most = usize::try_from(self.left_padded)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let (part, _) = buffer.split_at_mut(most);
            match self.inner.read(part) {
                Ok(0) => return Err(self.fault("it is cut off within a file")),
                Ok(count) => self.pass(count as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(unreadable(self.offset, source)),
            }
        }
        Ok(())
    }

    const fn pass(&mut self, count: u64) {
        self.offset += count;
        self.left = self.left.saturating_sub(count);
        self.left_padded = self.left_padded.saturating_sub(count);
    }

    fn fault(&self, reason: &str) -> Error {
        fault(self.offset, reason)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let (part, _) = buffer.split_at_mut(most);
        if part.is_empty() {
            return Ok(0);
        }
        let count = self.inner.read(part)?;
        if count == 0 {
            self.state = State::Broken;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pass(count as u64);
        Ok(count)
    }
}

fn fault(offset: u64, reason: impl Into<String>) -> Error {
    Error::Tar {
        offset,
        reason: reason.into(),
    }
}

fn unreadable(offset: u64, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::UnexpectedEof {
        return fault(offset, "it is cut off within an extended header");
    }
    Error::Stream {
        action: "read the tar archive",
        source,
    }
}

/// Reads a whole uncompressed archive on disk into a tree whose contents stay in the file. Hard
/// links must lead to something in the archive that is not a directory.
pub fn read_tree(file: &Arc<File>, policy: Policy) -> Result<Tree, Error> {
    let length = file
        .metadata()
        .map_err(|source| Error::Stream {
            action: "look at the tar archive",
            source,
        })?
        .len();
    let mut reader = Reader::new(Positioned { file, position: 0 }, policy);
    let mut tree = Tree::new();
    let mut links = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let (offset, len) = (entry.offset, entry.size);
        if offset
            .checked_add(reader.left_padded)
            .is_none_or(|end| end > length)
        {
            return Err(fault(offset, "it is cut off within a file"));
        }
        reader.inner.position += reader.left_padded;
        reader.pass(reader.left_padded);
        if matches!(entry.kind, EntryKind::Hardlink(_)) {
            links.push(entry.path.clone());
        }
        let path = entry.path.clone();
        let content = || Content::Span {
            file: Arc::clone(file),
            offset,
            len,
        };
        tree.insert(path, entry.into_node(content))?;
    }
    match links.iter().find(|path| tree.link_target(path).is_none()) {
        Some(path) => Err(Error::entry(
            "read",
            path,
            "it is a hard link to nothing in the archive",
        )),
        None => Ok(tree),
    }
}

/// A file read at positions, so that contents are passed over without reading them.
struct Positioned<'a> {
    file: &'a File,
    position: u64,
}

impl Read for Positioned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}
