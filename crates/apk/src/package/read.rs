//! Opening a package.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use boltworks_crypto::sha1;
use boltworks_fsx::{Content, RelPath, Root, Tree};
use boltworks_model::{Sha1, Sha256};

use super::data::{FileFacts, Found, Pass, Scratch, Unpacked, unpacked};
use super::{Limits, OpenOptions};
use crate::archive::{self, End};
use crate::control::Control;
use crate::error::{Error, LineError, Section};
use crate::gzip::Members;
use crate::scripts::{ScriptKind, Scripts};
use crate::signature::{self, Signature};
use crate::text::cut;

/// A package that was read to its end and found sound: its sections, its signature where a
/// keyring was given, the digest of its data section, the checksum of every file.
#[derive(Debug, Clone)]
pub struct PackageFile {
    content: Content,
    limits: Limits,
    head: Head,
}

/// What stands in front of the data section.
#[derive(Debug, Clone)]
struct Head {
    signatures: Vec<Signature>,
    signed_by: Vec<String>,
    control: Control,
    scripts: Scripts,
    embedded: BTreeMap<String, Vec<u8>>,
    identity: Sha1,
    data_hash: Sha256,
    signature: Option<Sha1>,
    control_offset: u64,
    data_offset: u64,
}

/// Where the sections of a package are in its file: compressed bytes, one section after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sections {
    /// The digest of the signature section, where there is one; it begins the file.
    pub signature: Option<Sha1>,
    /// The control section, whose SHA-1 is the package's identity.
    pub control: Range<u64>,
    /// The data section, up to the end of the file.
    pub data: Range<u64>,
}

impl PackageFile {
    /// Opens a package on disk and judges all of it. The file is read at positions, so others
    /// may read it too.
    pub fn open(file: Arc<File>, options: &OpenOptions<'_>) -> Result<Self, Error> {
        Self::read(whole(file)?, options)
    }

    /// Opens a package wherever it is and judges all of it.
    pub fn read(content: Content, options: &OpenOptions<'_>) -> Result<Self, Error> {
        let (package, found) = Self::judge(content, options, None)?;
        unpacked(found, None)?;
        Ok(package)
    }

    /// Opens a package, judges all of it and keeps its files: one pass where
    /// [`open`](Self::open) and [`tree`](Self::tree) take two.
    pub fn unpack(
        file: Arc<File>,
        options: &OpenOptions<'_>,
        scratch: &mut Scratch,
    ) -> Result<(Self, Unpacked), Error> {
        let start = scratch.len();
        let (package, found) = Self::judge(whole(file)?, options, Some(scratch))?;
        Ok((package, scratch.tree(found, start)?))
    }

    /// What a package says of itself, and no more than that is read: for one whose bytes were
    /// judged before.
    pub fn read_control(content: &Content) -> Result<Control, Error> {
        let mut members = Members::new(content.open().map_err(open_error)?);
        Ok(Head::read(&mut members, &OpenOptions::default())?.control)
    }

    fn judge(
        content: Content,
        options: &OpenOptions<'_>,
        scratch: Option<&mut Scratch>,
    ) -> Result<(Self, Vec<Found>), Error> {
        let reader = content.open().map_err(open_error)?;
        let mut members = Members::new(reader);
        let head = Head::read(&mut members, options)?;
        let pass = Pass {
            limits: &options.limits,
            expected: head.data_hash,
            scratch,
            facts: false,
        };
        let found = pass.run(&mut members)?;
        drop(members);
        Ok((
            Self {
                content,
                limits: options.limits,
                head,
            },
            found,
        ))
    }

    /// What the package says of itself.
    pub const fn control(&self) -> &Control {
        &self.head.control
    }

    /// What it runs when it comes and goes.
    pub const fn scripts(&self) -> &Scripts {
        &self.head.scripts
    }

    /// Other files of the control section, by name: `.melange.yaml`.
    pub const fn embedded(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.head.embedded
    }

    /// The SHA-1 of the compressed control section: the package's name by content.
    pub const fn identity(&self) -> Sha1 {
        self.head.identity
    }

    /// The SHA-256 of the compressed data section.
    pub const fn data_hash(&self) -> Sha256 {
        self.head.data_hash
    }

    /// The keys of the keyring that signed it; none if it was opened without a keyring.
    pub fn signed_by(&self) -> &[String] {
        &self.head.signed_by
    }

    /// All signatures, whether anybody trusts them or not.
    pub fn signatures(&self) -> &[Signature] {
        &self.head.signatures
    }

    /// Where its sections are.
    pub fn sections(&self) -> Sections {
        let head = &self.head;
        Sections {
            signature: head.signature,
            control: head.control_offset..head.data_offset,
            data: head.data_offset..self.size(),
        }
    }

    /// The bytes of its file.
    pub fn size(&self) -> u64 {
        self.content.len()
    }

    /// The package's files, in a scratch file of their own. They are read, hashed and checked
    /// anew.
    pub fn tree(&self, scratch: &Root) -> Result<Tree, Error> {
        Ok(self.unpack_into(&mut Scratch::new(scratch)?)?.tree)
    }

    /// The package's files and checksums, in a scratch file that many packages may share. They
    /// are read, hashed and checked anew.
    pub fn unpack_into(&self, scratch: &mut Scratch) -> Result<Unpacked, Error> {
        let start = scratch.len();
        let found = self.pass(Some(scratch), false)?;
        scratch.tree(found, start)
    }

    /// What is said of every path, with the SHA-256 of every file; nothing is kept.
    pub fn files(&self) -> Result<BTreeMap<RelPath, FileFacts>, Error> {
        let found = self.pass(None, true)?;
        let facts = found.into_iter().map(|Found { entry, sha256, .. }| {
            let facts = FileFacts {
                meta: entry.meta,
                kind: entry.kind,
                size: entry.size,
                sha256,
            };
            (entry.path, facts)
        });
        Ok(facts.collect())
    }

    fn pass(&self, scratch: Option<&mut Scratch>, facts: bool) -> Result<Vec<Found>, Error> {
        let mut reader = self.content.open().map_err(open_error)?;
        skip(&mut reader, self.head.data_offset)?;
        let limits = &self.limits;
        let pass = Pass {
            limits,
            expected: self.head.data_hash,
            scratch,
            facts,
        };
        pass.run(&mut Members::new(reader))
    }
}

fn whole(file: Arc<File>) -> Result<Content, Error> {
    let len = file.metadata().map_err(open_error)?.len();
    Ok(Content::Span {
        file,
        offset: 0,
        len,
    })
}

fn open_error(source: io::Error) -> Error {
    Error::Io {
        action: "open the package",
        source,
    }
}

/// Goes past the small sections in front.
fn skip(reader: &mut impl Read, mut count: u64) -> Result<(), Error> {
    let mut buffer = [0; 8192];
    while count > 0 {
        let most = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let (part, _) = buffer.split_at_mut(most);
        reader.read_exact(part).map_err(open_error)?;
        count -= most as u64;
    }
    Ok(())
}

impl Head {
    fn read<R: Read>(members: &mut Members<R>, options: &OpenOptions<'_>) -> Result<Self, Error> {
        let allowance = options.limits.of_control();
        let (mut plain, mut raw) = members.read(Section::Control, allowance)?;
        let mut signatures = Vec::new();
        let (mut signature, mut control_offset) = (None, 0);
        if first_name(&plain).is_some_and(signature::is_signature) {
            signatures = signature::parse(&plain)?;
            signature = Some(sha1(&raw));
            control_offset = members.used();
            (plain, raw) = members.read(Section::Control, allowance)?;
        }
        // Whether anybody vouches for the bytes is asked before they are understood.
        let signed_by = match options.keyring {
            Some(keyring) => signature::verify(&signatures, &raw, keyring)?,
            None => Vec::new(),
        };
        let section = Section::Control;
        let mut pkginfo = None;
        let mut scripts = Scripts::new();
        let mut embedded = BTreeMap::new();
        for (name, content) in archive::read(section, &plain, End::Forbidden)? {
            let script = name.strip_prefix('.').and_then(ScriptKind::from_name);
            let repeated = match script {
                Some(kind) => scripts.insert(kind, content).is_some(),
                None if name == ".PKGINFO" => pkginfo.replace(content).is_some(),
                None if is_embeddable(&name) => embedded.insert(name.clone(), content).is_some(),
                None => true,
            };
            if repeated {
                return Err(Error::Misplaced {
                    section,
                    path: cut(&name),
                });
            }
        }
        let pkginfo = pkginfo.ok_or(Error::Lacks {
            section,
            path: ".PKGINFO",
        })?;
        let text = String::from_utf8(pkginfo);
        let encoding = Error::Line {
            file: ".PKGINFO",
            line: 1,
            reason: LineError::Encoding,
        };
        let control = Control::parse(&text.map_err(|_| encoding)?)?;
        let data_hash = control.datahash.ok_or(Error::NoDataHash)?;
        Ok(Self {
            signatures,
            signed_by,
            control,
            scripts,
            embedded,
            identity: sha1(&raw),
            data_hash,
            signature,
            control_offset,
            data_offset: members.used(),
        })
    }
}

/// Whether apk passes over a file of that name in the control section.
pub(super) fn is_embeddable(name: &str) -> bool {
    let forbidden = [".PKGINFO", ".INSTALL"];
    name.len() > 1
        && name.starts_with('.')
        && !name.contains('/')
        && !name.starts_with("..")
        && !signature::is_signature(name)
        && !forbidden.contains(&name)
}

/// The name of an archive's first entry, as its header has it.
pub(super) fn first_name(plain: &[u8]) -> Option<&str> {
    let field = plain.get(..100)?;
    let name = field.split(|&byte| byte == 0).next()?;
    std::str::from_utf8(name).ok()
}
