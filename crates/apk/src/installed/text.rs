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
            write_package(package, &mut text)?;
        }
        Ok(text)
    }

    /// Reads the text, whoever wrote it.
    pub fn read(text: &[u8]) -> Result<Self, Error> {
        let mut database = Self::default();
        let mut paragraph = Reading::default();
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

/// A package as it stands in the text: the same in every text that has it so.
#[derive(Debug, Clone)]
pub struct Paragraph {
    entry: IndexEntry,
    text: Vec<u8>,
}

impl Paragraph {
    /// Writes one.
    pub fn of(package: InstalledPackage) -> Result<Self, Error> {
        let mut text = Vec::new();
        write_package(&package, &mut text)?;
        text.shrink_to_fit();
        let entry = package.entry;
        Ok(Self { entry, text })
    }

    /// What [`Database::write`] gives of these packages.
    pub fn text_of<'p>(paragraphs: impl IntoIterator<Item = &'p Self>) -> Vec<u8> {
        let mut sorted: Vec<&Self> = paragraphs.into_iter().collect();
        sorted.sort_by(|left, right| left.entry.order(&right.entry));
        let mut text = Vec::with_capacity(sorted.iter().map(|one| one.text.len()).sum());
        for paragraph in sorted {
            text.extend_from_slice(&paragraph.text);
        }
        text
    }

    /// What an index has of the package.
    pub const fn entry(&self) -> &IndexEntry {
        &self.entry
    }
}

fn write_package(package: &InstalledPackage, text: &mut Vec<u8>) -> Result<(), Error> {
    text.extend_from_slice(header(package)?.as_bytes());
    for directory in &package.directories {
        write_directory(directory, text)?;
    }
    text.push(b'\n');
    Ok(())
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
struct Reading<'t> {
    fields: Fields<'t, char>,
    directories: Vec<Directory>,
}

impl Default for Reading<'_> {
    fn default() -> Self {
        Self {
            fields: Fields::new(FILE),
            directories: Vec::new(),
        }
    }
}

impl<'t> Reading<'t> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use boltworks_fsx::{Meta, Node, Tree};
    use proptest::prelude::*;

    use super::*;
    use crate::control::tests::{controls, full};

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    fn package() -> InstalledPackage {
        let mut tree = Tree::new();
        let mut put = |name: &str, node: Node| tree.insert(path(name), node).unwrap();
        let owned = |mode, uid, gid| Meta {
            uid,
            gid,
            ..Meta::new(mode, 0)
        };
        put("bin", Node::symlink(Meta::new(0o777, 0), "usr/bin"));
        put("tmp", Node::dir(owned(0o1777, 0, 0)));
        put("usr", Node::dir(owned(0o755, 0, 0)));
        put("usr/bin", Node::dir(owned(0o755, 0, 0)));
        put("usr/bin/b", Node::file(owned(0o755, 0, 0), *b"b"));
        put("usr/bin/a", Node::file(owned(0o644, 0, 0), *b"a"));
        put("usr/bin-x", Node::dir(owned(0o2775, 0, 7)));
        let mut capable = owned(0o4755, 123, 45);
        capable
            .xattrs
            .insert(b"security.capability".to_vec(), vec![1, 2]);
        put("usr/bin-x/c", Node::file(capable, *b"c"));
        put("var/lib/d", Node::file(owned(0o640, 0, 0), *b"d"));
        let checksum = |path: &RelPath| (path.file_name() != b"d").then(|| Sha1::new([1; 20]));
        InstalledPackage::new(&full(), Sha1::new([2; 20]), 99).with_paths(tree.iter(), checksum)
    }

    #[test]
    fn a_package_is_written_in_order_and_read_back() {
        let database = Database {
            packages: vec![package()],
        };
        let text = database.write().unwrap();
        insta::assert_snapshot!(String::from_utf8_lossy(&text), @"
        P:zlib
        V:1.3.1-r0
        A:x86_64
        L:Zlib AND (MIT OR Apache-2.0)
        T:A C# library; fast # really = yes
        o:zlib-origin
        m:Jürgen <j@example.org>
        U:https://example.org/#top;x
        D:so:libc.so.6 !old<2 m~1.2
        p:so:libz.so.1=1.3.1 cmd:[=1.3.1-r0 z
        r:zlib-old<1.3
        q:3
        c:0123abcd
        i:zlib=1.3.1-r0 docs
        t:1767225600
        S:99
        I:4242
        k:10
        C:Q1AgICAgICAgICAgICAgICAgICAgI=
        F:
        R:bin
        a:0:0:0777
        Z:Q1AQEBAQEBAQEBAQEBAQEBAQEBAQE=
        F:tmp
        M:0:0:1777
        F:usr
        F:usr/bin
        R:a
        Z:Q1AQEBAQEBAQEBAQEBAQEBAQEBAQE=
        R:b
        a:0:0:0755
        Z:Q1AQEBAQEBAQEBAQEBAQEBAQEBAQE=
        F:usr/bin-x
        M:0:7:2775
        R:c
        a:123:45:4755:Q13Lgy8Oq0tg1vruI51Cn5if32TPw=
        Z:Q1AQEBAQEBAQEBAQEBAQEBAQEBAQE=
        F:var/lib
        R:d
        a:0:0:0640
        ");
        assert_eq!(Database::read(&text).unwrap(), database);
    }

    #[test]
    fn packages_are_sorted_by_name() {
        let named = |name: &str| {
            let mut package = package();
            package.entry.name = name.parse().unwrap();
            package
        };
        let database = Database {
            packages: vec![named("b"), named("a")],
        };
        let read = Database::read(&database.write().unwrap()).unwrap();
        assert_eq!(read.packages, [named("a"), named("b")]);
    }

    #[test]
    fn the_forms_of_others_are_read() {
        let text = b"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:a\nV:1\nD:\np:\ni:[]\nk:0\nS:1\nI:1\nt:0\nf:fsx\ng:x y\n\
            F:\nR:x\na:0:0:644\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nF:usr\nM:1:2:755:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
        let database = Database::read(text).unwrap();
        let directories = &database.packages[0].directories;
        assert_eq!(directories[0].path, None);
        assert_eq!(directories[0].files[0].owner, Owner::FILE);
        let owner = Owner {
            uid: 1,
            gid: 2,
            mode: 0o755,
            xattrs: Some(Sha1::new([0; 20])),
        };
        assert_eq!(directories[1].owner, owner);
    }

    #[test]
    fn a_refusal_names_the_line() {
        let refusal = |lines: &[u8]| {
            let head = b"C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:a\nV:1\n".to_vec();
            Database::read(&[head, lines.to_vec()].concat())
                .unwrap_err()
                .to_string()
        };
        insta::assert_snapshot!(refusal(b"R:x"), @"read line 4 of installed: 'R' must follow 'F'");
        insta::assert_snapshot!(refusal(b"M:0:0:755"), @"read line 4 of installed: 'M' must follow 'F'");
        insta::assert_snapshot!(refusal(b"F:usr\na:0:0:755"), @"read line 5 of installed: 'a' must follow 'R'");
        insta::assert_snapshot!(refusal(b"F:usr\nZ:Q1"), @"read line 5 of installed: 'Z' must follow 'R'");
        insta::assert_snapshot!(refusal(b"F:usr\nR:x\nZ:Q1"), @"read line 6 of installed: 'Q1' is not a Q1 (sha1) digest: 40 hexadecimal digits are needed");
        insta::assert_snapshot!(refusal(b"F:../etc"), @"read line 4 of installed: use '../etc' as a relative path: a component is '..'");
        insta::assert_snapshot!(refusal(b"F:/etc"), @"read line 4 of installed: use '/etc' as a relative path: it is absolute");
        insta::assert_snapshot!(refusal(b"F:usr\nR:../x"), @"read line 5 of installed: use '../x' as a relative path: a component is '..'");
        insta::assert_snapshot!(refusal(b"F:usr\nR:x/y"), @"read line 5 of installed: 'x/y' is not of the form key, separator, value");
        insta::assert_snapshot!(refusal(b"F:usr\nM:0:0:99"), @"read line 5 of installed: '0:0:99' is not of the form owner:group:mode");
        insta::assert_snapshot!(refusal(b"F:usr\nM:0:0:17777"), @"read line 5 of installed: '0:0:17777' is not of the form owner:group:mode");
        insta::assert_snapshot!(refusal(b"F:usr\nM:0:0"), @"read line 5 of installed: '0:0' is not of the form owner:group:mode");
        insta::assert_snapshot!(refusal(b"F:usr\nM:-1:0:755"), @"read line 5 of installed: '-1' is not a number that fits");
        insta::assert_snapshot!(refusal(b"x:new"), @"read line 4 of installed: 'x' is not a known field");
        insta::assert_snapshot!(refusal(b"T:\xff"), @"read line 4 of installed: it is not UTF-8");
        insta::assert_snapshot!(Database::read(b"F:usr").unwrap_err(), @"read installed: the package before line 1 has no 'C:'");
    }

    #[test]
    fn a_name_that_would_be_two_lines_is_not_written() {
        let mut package = package();
        package.directories[0].files[0].name = b"a\nF:etc".to_vec();
        let refusal = Database {
            packages: vec![package],
        }
        .write()
        .unwrap_err();
        insta::assert_snapshot!(refusal, @"accept the field 'path': it holds a control character");
    }

    fn node() -> impl Strategy<Value = Node> {
        (0_u8..3, 0_u32..0o10000, 0_u32..3, 0_u32..3).prop_map(|(kind, mode, uid, gid)| {
            let meta = Meta {
                uid,
                gid,
                ..Meta::new(mode, 0)
            };
            match kind {
                0 => Node::dir(meta),
                1 => Node::file(meta, *b""),
                _ => Node::symlink(meta, "x"),
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            controls in prop::collection::vec(controls(), 0..3),
            nodes in prop::collection::btree_map("[a-c]{1,2}(/[a-c\\xff]{1,2}){0,2}", node(), 0..8),
        ) {
            let nodes: BTreeMap<RelPath, Node> =
                nodes.into_iter().map(|(name, node)| (path(&name), node)).collect();
            let package = |(number, control)| {
                InstalledPackage::new(control, Sha1::new([number; 20]), 1)
                    .with_paths(&nodes, |path| path.parent().map(|_| Sha1::new([3; 20])))
            };
            let mut packages: Vec<_> = (0..).zip(&controls).map(package).collect();
            packages.sort_by(|left, right| left.entry.order(&right.entry));
            let database = Database { packages };
            let text = database.write().unwrap();
            prop_assert_eq!(Database::read(&text).unwrap(), database);
        }

        #[test]
        fn no_bytes_panic(text in prop::collection::vec("[CPVFMRaZrfx]:?[a-z0-9:/Q=]{0,9}", 0..12), raw: Vec<u8>) {
            for bytes in [text.join("\n").into_bytes(), raw] {
                if let Ok(database) = Database::read(&bytes) {
                    prop_assert!(database.packages.len() <= bytes.len());
                }
            }
        }
    }
}
