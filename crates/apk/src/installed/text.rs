//! The text of the installed database.
//!
//! Each package is a paragraph: the fields of an index in the order `P V A L T o m U D p`, `r`
//! (replaces) and `q` (its priority), `c i t S I k`, `s` (tag), `C`; then for each directory a
//! line `F:path`, `M:owner:group:mode` where that is not `0:0:0755`, and for each of its files
//! `R:name`, `a:owner:group:mode` where that is not `0:0:0644`, and `Z:checksum`. A further
//! `:Q1…` after a mode is the digest of extended attributes. Empty fields are not written.

use boltworks_fsx::RelPath;
use boltworks_model::Sha1;

use super::{Database, Directory, InstalledFile, InstalledPackage, Owner};
use crate::error::{Error, LineError};
use crate::index::entry::{IndexEntry, KNOWN, Lines, split_field};
use crate::text::{Fields, cut, joined, number};

const FILE: &str = "installed";

impl Database {
    /// The text, packages sorted by name.
    pub fn write(&self) -> Result<Vec<u8>, Error> {
        let mut sorted: Vec<&InstalledPackage> = self.packages.iter().collect();
        sorted.sort_by(|left, right| left.entry.order(&right.entry));
        let mut text = Vec::new();
        for package in sorted {
            text.extend_from_slice(header(package)?.as_bytes());
            for directory in &package.directories {
                write_directory(directory, &mut text)?;
            }
            text.push(b'\n');
        }
        Ok(text)
    }

    /// Reads the text, whoever wrote it.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        let mut database = Self::default();
        let mut paragraph = Paragraph::default();
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() {
                database.packages.extend(paragraph.finish()?);
            } else {
                paragraph.take(index + 1, line)?;
            }
        }
        database.packages.extend(paragraph.finish()?);
        Ok(database)
    }
}

fn header(package: &InstalledPackage) -> Result<String, Error> {
    let entry = &package.entry;
    let mut text = String::new();
    let mut lines = Lines(&mut text);
    lines.put('P', "name", &entry.name)?;
    lines.put('V', "version", &entry.version)?;
    lines.some('A', "arch", &entry.arch)?;
    lines.some('L', "license", &entry.license)?;
    lines.some('T', "description", &entry.description)?;
    lines.some('o', "origin", &entry.origin)?;
    lines.some('m', "maintainer", &entry.maintainer)?;
    lines.some('U', "url", &entry.url)?;
    lines.some('D', "depends", &joined(&entry.depends))?;
    lines.some('p', "provides", &joined(&entry.provides))?;
    lines.some('r', "replaces", &joined(&package.replaces))?;
    lines.option('q', "replaces priority", package.replaces_priority)?;
    lines.some('c', "commit", &entry.commit)?;
    lines.some('i', "install_if", &joined(&entry.install_if))?;
    lines.option('t', "build date", entry.build_date)?;
    lines.put('S', "size", &entry.size)?;
    lines.put('I', "installed size", &entry.installed_size)?;
    lines.option('k', "provider priority", entry.provider_priority)?;
    lines.option('s', "tag", package.tag.as_deref())?;
    lines.put('C', "identity", &entry.identity.to_q1())?;
    Ok(text)
}

fn write_directory(directory: &Directory, text: &mut Vec<u8>) -> Result<(), Error> {
    let path = directory
        .path
        .as_ref()
        .map(RelPath::as_bytes)
        .unwrap_or_default();
    put(b'F', path, text)?;
    if directory.owner != Owner::DIRECTORY {
        put(b'M', owner_text(&directory.owner).as_bytes(), text)?;
    }
    for file in &directory.files {
        if file.name.contains(&b'/') {
            return Err(Error::Value {
                field: "file",
                reason: "it holds a '/'",
            });
        }
        put(b'R', &file.name, text)?;
        if file.owner != Owner::FILE {
            put(b'a', owner_text(&file.owner).as_bytes(), text)?;
        }
        if let Some(checksum) = file.checksum {
            put(b'Z', checksum.to_q1().as_bytes(), text)?;
        }
    }
    Ok(())
}

fn put(letter: u8, value: &[u8], text: &mut Vec<u8>) -> Result<(), Error> {
    if value.iter().any(u8::is_ascii_control) {
        return Err(Error::Value {
            field: "path",
            reason: "it holds a control character",
        });
    }
    text.extend_from_slice(&[letter, b':']);
    text.extend_from_slice(value);
    text.push(b'\n');
    Ok(())
}

fn owner_text(owner: &Owner) -> String {
    let Owner {
        uid,
        gid,
        mode,
        xattrs,
    } = owner;
    let xattrs = xattrs
        .map(|digest| format!(":{}", digest.to_q1()))
        .unwrap_or_default();
    format!("{uid}:{gid}:{mode:04o}{xattrs}")
}

/// A package that is being read.
struct Paragraph<'t> {
    fields: Fields<'t, char>,
    directories: Vec<Directory>,
}

impl Default for Paragraph<'_> {
    fn default() -> Self {
        Self {
            fields: Fields::new(FILE),
            directories: Vec::new(),
        }
    }
}

impl<'t> Paragraph<'t> {
    fn take(&mut self, number: usize, line: &'t [u8]) -> Result<(), Error> {
        let error = |reason| Error::Line {
            file: FILE,
            line: number,
            reason,
        };
        if let Some((letter @ (b'F' | b'M' | b'R' | b'a' | b'Z'), value)) = raw_field(line) {
            return self.take_path(letter, value).map_err(error);
        }
        let text = std::str::from_utf8(line).map_err(|_| error(LineError::Encoding))?;
        let (letter, value) = split_field(text).map_err(error)?;
        match letter {
            'r' | 'q' | 's' => self.fields.add(number, letter, value),
            _ if KNOWN.contains(letter) => self.fields.add(number, letter, value),
            // What went wrong when it was installed, and tags of apk 3 that nothing reads.
            'f' | 'g' => Ok(()),
            _ => Err(error(LineError::Unknown(letter.to_string()))),
        }
    }

    fn take_path(&mut self, letter: u8, value: &[u8]) -> Result<(), LineError> {
        if letter == b'F' {
            let path = if value.is_empty() {
                None
            } else {
                Some(RelPath::try_from(value)?)
            };
            self.directories.push(Directory::new(path));
            return Ok(());
        }
        let order = |field, after| LineError::Order { field, after };
        let directory = self.directories.last_mut();
        let directory = directory.ok_or(order(char::from(letter), "F"))?;
        if letter == b'M' {
            directory.owner = parse_owner(value)?;
            return Ok(());
        }
        if letter == b'R' {
            let name = file_name(value)?;
            directory.files.push(InstalledFile {
                name,
                owner: Owner::FILE,
                checksum: None,
            });
            return Ok(());
        }
        let file = directory
            .files
            .last_mut()
            .ok_or(order(char::from(letter), "R"))?;
        if letter == b'a' {
            file.owner = parse_owner(value)?;
        } else {
            file.checksum = Some(Sha1::parse_q1(ascii(value)?)?);
        }
        Ok(())
    }

    /// The package that was read, if there was one; ready for the next.
    fn finish(&mut self) -> Result<Option<InstalledPackage>, Error> {
        if self.fields.is_empty() && self.directories.is_empty() {
            return Ok(None);
        }
        let package = InstalledPackage {
            entry: IndexEntry::from_fields(&self.fields)?,
            replaces: self.fields.list('r')?,
            replaces_priority: self.fields.one('q', number)?,
            tag: self.fields.one('s', |value| Ok(value.to_owned()))?,
            directories: std::mem::take(&mut self.directories),
        };
        self.fields.clear();
        Ok(Some(package))
    }
}

fn raw_field(line: &[u8]) -> Option<(u8, &[u8])> {
    match line {
        [letter, b':', value @ ..] => Some((*letter, value)),
        _ => None,
    }
}

fn ascii(value: &[u8]) -> Result<&str, LineError> {
    std::str::from_utf8(value).map_err(|_| LineError::Encoding)
}

/// One component of a path.
fn file_name(value: &[u8]) -> Result<Vec<u8>, LineError> {
    let path = RelPath::try_from(value)?;
    if path.components().count() > 1 {
        return Err(LineError::Form(cut(&path.to_string())));
    }
    Ok(path.as_bytes().to_vec())
}

/// Reads `owner:group:mode` and perhaps `:digest`.
fn parse_owner(value: &[u8]) -> Result<Owner, LineError> {
    let text = ascii(value)?;
    let form = || LineError::Owner(cut(text));
    let mut parts = text.splitn(4, ':');
    let mut part = || parts.next().ok_or_else(form);
    let (uid, gid, mode) = (number(part()?)?, number(part()?)?, part()?);
    let is_mode = (1..=5).contains(&mode.len()) && mode.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = if is_mode {
        u32::from_str_radix(mode, 8).map_err(|_| form())?
    } else {
        0o10_000
    };
    if mode > 0o7777 {
        return Err(form());
    }
    let xattrs = parts.next().map(Sha1::parse_q1).transpose()?;
    Ok(Owner {
        uid,
        gid,
        mode,
        xattrs,
    })
}
