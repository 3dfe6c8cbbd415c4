//! The deterministic writer: ustar where that can say everything, a PAX header in front where
//! it cannot. Field for field it writes what the archives of the Go tool chain look like, so that
//! packages of both origins can be compared.

use std::io::Write;

use super::entry::is_global;
use super::header::{
    BLOCK, Block, Draft, GID, GNAME, LINK, MAJOR, MINOR, MODE, MTIME, NAME, PREFIX, SIZE, UID,
    UNAME, fits,
};
use super::pax::{self, Records, XATTR};
use crate::{Error, Kind, Node, RelPath, Tree};

/// What stands in the fields for the names of owner and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Nothing.
    #[default]
    Empty,
    /// `root`, whatever the number.
    Root,
}

/// The names of an entry's owner and group; either may be empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owner<'a> {
    /// The owner's.
    pub user: &'a [u8],
    /// The group's.
    pub group: &'a [u8],
}

impl Owner<'static> {
    const fn of(names: Names) -> Self {
        match names {
            Names::Empty => Self {
                user: b"",
                group: b"",
            },
            Names::Root => Self {
                user: b"root",
                group: b"root",
            },
        }
    }
}

/// Writes an archive: the same entries give the same bytes.
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
    names: Names,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub const fn new(inner: W) -> Self {
        Self {
            inner,
            names: Names::Empty,
        }
    }

    /// Begins an archive with names of owner and group.
    pub const fn with_names(inner: W, names: Names) -> Self {
        Self { inner, names }
    }

    /// What it is written to; between two entries, everything before has arrived there.
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// Writes an entry: ustar when it fits, a PAX header in front otherwise, which also carries
    /// extended attributes (`SCHILY.xattr.…`) and the extra records.
    pub fn append(
        &mut self,
        path: &RelPath,
        node: &Node,
        extra_pax: &[(String, Vec<u8>)],
    ) -> Result<(), Error> {
        self.append_header(path, node, extra_pax)?;
        self.append_content(node)
    }

    /// The same with names of owner and group, and a folder's name without the `/` at its end, as in
    /// apko's layers.
    pub fn append_owned(
        &mut self,
        path: &RelPath,
        node: &Node,
        owner: Owner<'_>,
    ) -> Result<(), Error> {
        self.append_header_owned(path, Fields::of(path, node)?, node, owner)?;
        self.append_content(node)
    }

    /// The same under a name that need be no path.
    pub fn append_named(
        &mut self,
        name: &[u8],
        node: &Node,
        owner: Owner<'_>,
    ) -> Result<(), Error> {
        let path = RelPath::try_from("named")?;
        let mut fields = Fields::of(&path, node)?;
        fields.name = name.to_vec();
        self.append_header_owned(&path, fields, node, owner)?;
        self.append_content(node)
    }

    fn append_header_owned(
        &mut self,
        path: &RelPath,
        mut fields: Fields,
        node: &Node,
        owner: Owner<'_>,
    ) -> Result<(), Error> {
        while let Some(bare) = fields.name.strip_suffix(b"/") {
            fields.name.truncate(bare.len());
        }
        let mut records = fields.records(node, path)?;
        for (field, key, name) in [(UNAME, "uname", owner.user), (GNAME, "gname", owner.group)] {
            if !name.is_ascii() || name.len() > field.len() {
                records.insert(key.to_owned(), name.to_vec());
            }
        }
        self.put_entry(&fields, records, owner)
    }

    fn append_content(&mut self, node: &Node) -> Result<(), Error> {
        if let Kind::File(content) = &node.kind {
            content.copy_to(&mut self.inner).map_err(failed)?;
            self.pad(content.len())?;
        }
        Ok(())
    }

    /// The same for a file whose bytes are at hand: they are not read again.
    pub fn append_file(
        &mut self,
        path: &RelPath,
        node: &Node,
        extra_pax: &[(String, Vec<u8>)],
        bytes: &[u8],
    ) -> Result<(), Error> {
        if !matches!(&node.kind, Kind::File(content) if content.len() == bytes.len() as u64) {
            let reason = "its bytes are not those of the file";
            return Err(Error::entry("archive", path, reason));
        }
        self.append_header(path, node, extra_pax)?;
        self.inner.write_all(bytes).map_err(failed)?;
        self.pad(bytes.len() as u64)
    }

    fn append_header(
        &mut self,
        path: &RelPath,
        node: &Node,
        extra_pax: &[(String, Vec<u8>)],
    ) -> Result<(), Error> {
        let entry = Fields::of(path, node)?;
        let mut records = entry.records(node, path)?;
        for (key, value) in extra_pax {
            let is_own = !is_global(key);
            if is_own || !is_key(key) || records.insert(key.clone(), value.clone()).is_some() {
                let reason = "its extra PAX record is malformed, double or the writer's own";
                return Err(Error::entry("archive", path, reason));
            }
        }
        self.put_entry(&entry, records, Owner::of(self.names))
    }

    fn put_entry(
        &mut self,
        entry: &Fields,
        records: Records,
        owner: Owner<'_>,
    ) -> Result<(), Error> {
        let split = split(&entry.name);
        let is_pax = !records.is_empty() || entry.needs_pax(split.is_some());
        if is_pax {
            self.append_records(&entry.name, &entry.fill(records))?;
        }
        self.put(&entry.header(owner, split.filter(|_| !is_pax)))
    }

    /// Writes all nodes of a tree in byte order.
    pub fn append_tree(&mut self, tree: &Tree) -> Result<(), Error> {
        tree.iter()
            .try_for_each(|(path, node)| self.append(path, node, &[]))
    }

    /// Ends the archive with two blocks of zeros.
    pub fn finish_with_end(mut self) -> Result<W, Error> {
        self.put(&[0; BLOCK])?;
        self.put(&[0; BLOCK])?;
        self.finish_without_end()
    }

    /// Ends the archive without the two blocks of zeros, as parts that are concatenated need it.
    pub fn finish_without_end(mut self) -> Result<W, Error> {
        self.inner.flush().map_err(failed)?;
        Ok(self.inner)
    }

    fn append_records(&mut self, name: &[u8], records: &Records) -> Result<(), Error> {
        let body = pax::encode(records);
        let mut header = Draft::new(b'x');
        header.text(NAME, &pax_name(name));
        for field in [MODE, UID, GID, MTIME] {
            header.number(field, 0);
        }
        header.number(SIZE, body.len() as u64);
        self.put(&header.seal())?;
        self.inner.write_all(&body).map_err(failed)?;
        self.pad(body.len() as u64)
    }

    fn put(&mut self, block: &Block) -> Result<(), Error> {
        self.inner.write_all(block).map_err(failed)
    }

    fn pad(&mut self, length: u64) -> Result<(), Error> {
        let over = usize::try_from(length % BLOCK as u64).unwrap_or(0);
        let zeros = [0; BLOCK];
        let padding = if over == 0 {
            &[]
        } else {
            zeros.get(over..).unwrap_or_default()
        };
        self.inner.write_all(padding).map_err(failed)
    }
}

/// What an entry's header has to say.
struct Fields {
    kind: u8,
    name: Vec<u8>,
    link: Vec<u8>,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: i64,
    device: (u32, u32),
}

impl Fields {
    fn of(path: &RelPath, node: &Node) -> Result<Self, Error> {
        let mut name = path.as_bytes().to_vec();
        let (mut link, mut size, mut device) = (Vec::new(), 0, (0, 0));
        let kind = match &node.kind {
            Kind::Dir => {
                name.push(b'/');
                b'5'
            }
            Kind::File(content) => {
                size = content.len();
                b'0'
            }
            Kind::Hardlink(target) => {
                link = target.as_bytes().to_vec();
                b'1'
            }
            Kind::Symlink(target) if target.is_empty() || target.contains(&0) => {
                let reason = "the link's target is empty or has a NUL byte";
                return Err(Error::entry("archive", path, reason));
            }
            Kind::Symlink(target) => {
                link.clone_from(target);
                b'2'
            }
            &Kind::CharDevice { major, minor } => {
                device = (major, minor);
                b'3'
            }
            &Kind::BlockDevice { major, minor } => {
                device = (major, minor);
                b'4'
            }
            Kind::Fifo => b'6',
        };
        if !fits(MAJOR, device.0.into()) || !fits(MINOR, device.1.into()) {
            return Err(Error::entry(
                "archive",
                path,
                "the device's number is out of range",
            ));
        }
        let meta = &node.meta;
        let (uid, gid, mtime) = (meta.uid, meta.gid, meta.mtime);
        Ok(Self {
            kind,
            name,
            link,
            mode: meta.mode & 0o7777,
            uid,
            gid,
            size,
            mtime,
            device,
        })
    }

    /// The records that no ustar field could hold, whatever the entry's name.
    fn records(&self, node: &Node, path: &RelPath) -> Result<Records, Error> {
        let mut records = Records::new();
        for (name, value) in &node.meta.xattrs {
            let key = std::str::from_utf8(name).map(|name| format!("{XATTR}{name}"));
            match key {
                Ok(key) if is_key(&key) => records.insert(key, value.clone()),
                _ => {
                    let reason = "the name of an extended attribute is not plain text";
                    return Err(Error::entry("archive", path, reason));
                }
            };
        }
        let numbers = [
            (UID, "uid", u64::from(self.uid)),
            (GID, "gid", u64::from(self.gid)),
            (SIZE, "size", self.size),
        ];
        for (field, key, value) in numbers {
            if !fits(field, value) {
                records.insert(key.to_owned(), value.to_string().into_bytes());
            }
        }
        if u64::try_from(self.mtime).is_ok_and(|mtime| fits(MTIME, mtime)) {
            return Ok(records);
        }
        records.insert("mtime".to_owned(), self.mtime.to_string().into_bytes());
        Ok(records)
    }

    fn needs_pax(&self, is_splittable: bool) -> bool {
        !self.link_fits() || !(self.name_fits() || is_splittable)
    }

    fn name_fits(&self) -> bool {
        self.name.is_ascii() && self.name.len() <= NAME.len()
    }

    fn link_fits(&self) -> bool {
        self.link.is_ascii() && self.link.len() <= LINK.len()
    }

    /// Records for what the header of an entry with a PAX header cannot hold.
    fn fill(&self, mut records: Records) -> Records {
        if !self.name_fits() {
            records.insert("path".to_owned(), self.name.clone());
        }
        if !self.link_fits() {
            records.insert("linkpath".to_owned(), self.link.clone());
        }
        records
    }

    fn header(&self, owner: Owner<'_>, split: Option<(&[u8], &[u8])>) -> Block {
        let mut header = Draft::new(self.kind);
        let (prefix, name) = split.unwrap_or((b"", &self.name));
        header.text(PREFIX, prefix);
        header.text(NAME, &ascii(name));
        header.text(LINK, &ascii(&self.link));
        header.number(MODE, self.mode.into());
        header.number(UID, self.uid.into());
        header.number(GID, self.gid.into());
        header.number(SIZE, self.size);
        header.number(MTIME, u64::try_from(self.mtime).unwrap_or(0));
        header.number(MAJOR, self.device.0.into());
        header.number(MINOR, self.device.1.into());
        header.text(UNAME, &ascii(owner.user));
        header.text(GNAME, &ascii(owner.group));
        header.seal()
    }
}

/// A name that is too long for its field, as prefix and rest, where a `/` is in the right place.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME.len() || !name.is_ascii() {
        return None;
    }
    let last = (name.len() - 1).min(PREFIX.len() + 1);
    let slash = name.get(..last)?.iter().rposition(|&byte| byte == b'/')?;
    let (prefix, rest) = (name.get(..slash)?, name.get(slash + 1..)?);
    let is_good = !prefix.is_empty() && !rest.is_empty() && rest.len() <= NAME.len();
    is_good.then_some((prefix, rest))
}

/// What an entry's PAX header is called: `PaxHeaders.0` between directory and name.
fn pax_name(name: &[u8]) -> Vec<u8> {
    let slash = name
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |index| index + 1);
    let (dir, file) = name.split_at(slash);
    let joined = [dir, b"PaxHeaders.0/", file].concat();
    let name = ascii(&joined);
    let mut name = name.get(..NAME.len()).unwrap_or(&name);
    while let Some(shorter) = name.strip_suffix(b"/") {
        name = shorter;
    }
    name.to_vec()
}

fn ascii(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(u8::is_ascii).collect()
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.contains(['=', '\0', '\n'])
}

fn failed(source: std::io::Error) -> Error {
    Error::Stream {
        action: "write the tar archive",
        source,
    }
}
