//! What of a package's control section can be run, with all that its archive says of it: for those who
//! hand it on as it is.

use boltworks_fsx::tar::{Entry, EntryKind, Policy, Reader};
use boltworks_fsx::{Bounded, Content, Limit};

use super::Limits;
use super::read::first_name;
use crate::error::{Error, Section};
use crate::gzip::Members;
use crate::signature;

/// What everybody may do with a program.
const EXECUTABLE: u32 = 0o555;

/// A script of a package.
#[derive(Debug, Clone)]
pub struct Program {
    /// What the archive says of it.
    pub entry: Entry,
    /// Its text.
    pub bytes: Vec<u8>,
}

/// The files of the control section that everybody may run, in their order. No more than that is
/// read: the package is one whose bytes were judged before.
pub fn read_programs(content: &Content) -> Result<Vec<Program>, Error> {
    let section = Section::Control;
    let failed = |source| Error::Io {
        action: "open the package",
        source,
    };
    let allowance = Limits::default().of_control();
    let mut members = Members::new(content.open().map_err(failed)?);
    let (mut plain, _) = members.read(section, allowance)?;
    if first_name(&plain).is_some_and(signature::is_signature) {
        (plain, _) = members.read(section, allowance)?;
    }
    let archive = |source| Error::Archive { section, source };
    let limit = Limit(plain.len() as u64);
    let mut reader = Reader::new(plain.as_slice(), Policy::default());
    let mut programs = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(archive)? {
        let bytes = Bounded::new(&mut reader, limit)
            .read_all()
            .map_err(failed)?;
        let is_program = entry.kind == EntryKind::File
            && entry.meta.mode & EXECUTABLE == EXECUTABLE
            && entry.path.as_bytes() != b".PKGINFO";
        if is_program {
            programs.push(Program { entry, bytes });
        }
    }
    Ok(programs)
}
