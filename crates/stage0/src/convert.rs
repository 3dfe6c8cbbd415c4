//! One `.deb` becomes one signed package.
//!
//! The file is hashed first and handed to dpkg-deb as an open file, so that what was hashed is
//! what is unpacked; the archive that comes out is read by our own strict reader. Files become
//! root's; setuid and setgid bits are dropped, because environments lie on a disk that other
//! users can reach, and no build needs them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use boltworks_apk::{Control, IndexEntry, Parts, Scripts, WriteOptions, write_package};
use boltworks_crypto::Signer;
use boltworks_fsx::tar::{self, EntryKind, Policy};
use boltworks_fsx::{
    Bounded, Content, Error as DiskError, Kind, Limit, Meta, Node, RelPath, Tree, Verifying,
};
use boltworks_model::PackageName;
use boltworks_source::Program;
use boltworks_store::{BlobDraft, Store};

use crate::plan::{Conversion, Synthesis, unversioned};
use crate::{Error, merged};

/// How hard packages are compressed: they are written once and read on this machine only.
const LEVEL: u32 = 1;
/// Where certificates are, and the file that a maintainer script would concatenate them into.
const CERTIFICATES: &str = "usr/share/ca-certificates";
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
/// Folders whose programs are provided as `cmd:`.
const COMMANDS: &[&str] = &["usr/bin", "usr/sbin"];

/// What an archive of Debian's may hold.
const POLICY: Policy = Policy {
    max_entries: 200_000,
    max_file: Limit::gib(1),
    max_total: Limit::gib(4),
    max_extended: Limit::mib(1),
    devices: false,
    duplicates: false,
    end_required: true,
};

/// A package whose bytes are complete, but not durable yet.
#[derive(Debug)]
pub struct Drafted<'a> {
    /// The bytes.
    pub draft: BlobDraft<'a>,
    /// How an index lists it.
    pub entry: IndexEntry,
}

/// Makes a package of one of Debian's.
pub fn convert<'a>(
    conversion: &Conversion,
    file: File,
    store: &'a Store,
    signer: &Signer,
) -> Result<Drafted<'a>, Error> {
    let tree = unpack(conversion, file)?;
    let mut control = conversion.control.clone();
    let mut provides: Vec<_> = commands(&tree).into_iter().map(unversioned).collect();
    control.provides.append(&mut provides);
    write(&control, &tree, store, signer)
}

/// Makes a package of nothing of Debian's.
pub fn synthesize<'a>(
    synthesis: &Synthesis,
    store: &'a Store,
    signer: &Signer,
) -> Result<Drafted<'a>, Error> {
    write(&synthesis.control, &synthesis.tree, store, signer)
}

fn write<'a>(
    control: &Control,
    tree: &Tree,
    store: &'a Store,
    signer: &Signer,
) -> Result<Drafted<'a>, Error> {
    // No clock decides the bytes: the package is as old as its newest file.
    let mtime = tree
        .iter()
        .map(|(_, node)| node.meta.mtime)
        .max()
        .unwrap_or(0);
    let scripts = Scripts::default();
    let parts = Parts {
        control,
        scripts: &scripts,
        embedded: &[],
        tree,
    };
    let mut draft = store.begin()?;
    let options = WriteOptions {
        level: LEVEL,
        ..WriteOptions::new(mtime)
    };
    let written = write_package(&mut draft, &parts, signer, &options)?;
    Ok(Drafted {
        draft,
        entry: IndexEntry::new(control, &written),
    })
}

/// The files of a Debian package, where they belong.
fn unpack(conversion: &Conversion, mut file: File) -> Result<Tree, Error> {
    let deb = &conversion.deb;
    match Verifying::new(&file, deb.sha256).finish() {
        Err(DiskError::Mismatch(mismatch)) => {
            return Err(Error::WrongDigest {
                file: deb.path.clone(),
                expected: mismatch.expected,
                actual: mismatch.actual,
            });
        }
        other => other.map(drop)?,
    }
    file.seek(SeekFrom::Start(0))
        .map_err(|source| DiskError::Stream {
            action: "read a Debian package again",
            source,
        })?;
    let program = Program::new("dpkg-deb", "dpkg").args(["--fsys-tarfile", "/dev/stdin"]);
    let files = program.stream_from(file, |reader| read_files(reader, &deb.name))?;
    arrange(conversion, files)
}

/// Every file by its place, of which the archive may name one twice: in `/bin` and in `/usr/bin`.
fn read_files(reader: &mut dyn Read, package: &str) -> Result<BTreeMap<RelPath, Node>, Error> {
    let mut archive = tar::Reader::new(reader, POLICY);
    let mut files: BTreeMap<RelPath, Node> = BTreeMap::new();
    while let Some(entry) = archive.next_entry()? {
        let path = entry.path.clone();
        let Some(place) = merged::place(&path).filter(|place| !merged::is_left_out(place)) else {
            continue;
        };
        let size = entry.size;
        let mut bytes = Vec::new();
        if entry.kind == EntryKind::File {
            bytes = Bounded::new(&mut archive, Limit(size))
                .read_all()
                .map_err(|source| DiskError::Stream {
                    action: "unpack a Debian package",
                    source,
                })?;
        }
        let mut node = entry.into_node(|| Content::Bytes(bytes.into()));
        match &mut node.kind {
            Kind::Symlink(target) => *target = merged::target(&path, &place, target),
            Kind::Hardlink(target) => {
                let Some(moved) = merged::place(target) else {
                    continue;
                };
                *target = moved;
            }
            _ => {}
        }
        node.meta = Meta::new(node.meta.mode & 0o1777, node.meta.mtime);
        let is_link = |node: &Node| matches!(node.kind, Kind::Symlink(_));
        match files.get(&place) {
            None => {}
            Some(old) if old.is_dir() && node.is_dir() => {}
            Some(old) if is_link(old) && !node.is_dir() => {}
            Some(old) if is_link(&node) && !old.is_dir() => continue,
            Some(_) => {
                let reason = format!("two of its files would be /{place}");
                return Err(Error::Convert {
                    name: package.to_owned(),
                    reason,
                });
            }
        }
        files.insert(place, node);
    }
    Ok(files)
}

/// Adds what maintainer scripts would, and orders hard links.
fn arrange(conversion: &Conversion, mut files: BTreeMap<RelPath, Node>) -> Result<Tree, Error> {
    for program in &conversion.gives_way {
        files.remove(&program_path(program)?);
    }
    first_names(&mut files);
    let newest = files
        .values()
        .map(|node| node.meta.mtime)
        .max()
        .unwrap_or(0);
    for link in &conversion.links {
        if let Some(target) = resolve(link.target, &files) {
            let node = Node::symlink(Meta::new(0o777, newest), target);
            files.insert(program_path(link.name)?, node);
        }
    }
    let bundle = certificates(&files);
    if !bundle.is_empty() {
        let path: RelPath = BUNDLE.parse().map_err(DiskError::from)?;
        files.insert(path, Node::file(Meta::new(0o644, newest), bundle));
    }
    let mut tree = Tree::new();
    for (path, node) in files {
        tree.insert(path, node)?;
    }
    Ok(tree)
}

fn program_path(name: &str) -> Result<RelPath, Error> {
    Ok(format!("usr/bin/{name}")
        .parse::<RelPath>()
        .map_err(DiskError::from)?)
}

/// The program that a link points to; of several versions the last.
fn resolve(target: &str, files: &BTreeMap<RelPath, Node>) -> Option<Vec<u8>> {
    let wanted = format!("usr/bin/{target}");
    let Some(prefix) = wanted.strip_suffix('*') else {
        let path: RelPath = wanted.parse().ok()?;
        return files
            .contains_key(&path)
            .then(|| target.as_bytes().to_vec());
    };
    let mut names = files
        .keys()
        .filter(|path| path.as_bytes().starts_with(prefix.as_bytes()));
    names.next_back().map(|path| path.file_name().to_vec())
}

/// A file with several names belongs to the first of them, and the others are links to that.
fn first_names(files: &mut BTreeMap<RelPath, Node>) {
    let mut groups: BTreeMap<RelPath, Vec<RelPath>> = BTreeMap::new();
    for (path, node) in files.iter() {
        if let Kind::Hardlink(target) = &node.kind {
            groups.entry(target.clone()).or_default().push(path.clone());
        }
    }
    for (target, links) in groups {
        let Some(first) = links.first().filter(|first| **first < target).cloned() else {
            continue;
        };
        let Some(file) = files.remove(&target) else {
            continue;
        };
        let meta = file.meta.clone();
        files.insert(first.clone(), file);
        let others = links
            .into_iter()
            .filter(|link| *link != first)
            .chain([target]);
        for other in others {
            files.insert(
                other,
                Node {
                    meta: meta.clone(),
                    kind: Kind::Hardlink(first.clone()),
                },
            );
        }
    }
}

/// All certificates in one text.
fn certificates(files: &BTreeMap<RelPath, Node>) -> Vec<u8> {
    let mut bundle = Vec::new();
    for (path, node) in files {
        let is_certificate = path.as_bytes().starts_with(CERTIFICATES.as_bytes())
            && path.as_bytes().ends_with(b".crt");
        if let Kind::File(Content::Bytes(bytes)) = &node.kind
            && is_certificate
        {
            bundle.extend_from_slice(bytes);
            if !bytes.ends_with(b"\n") {
                bundle.push(b'\n');
            }
        }
    }
    bundle
}

/// `cmd:` for each program, ordered.
fn commands(tree: &Tree) -> Vec<PackageName> {
    let mut names: Vec<PackageName> = tree
        .iter()
        .filter(|(path, node)| {
            let is_program = match node.kind {
                Kind::File(_) | Kind::Hardlink(_) => node.meta.mode & 0o111 != 0,
                Kind::Symlink(_) => true,
                _ => false,
            };
            let folder = path.parent();
            let is_in = |name: &&str| {
                folder
                    .as_ref()
                    .is_some_and(|folder| folder.as_bytes() == name.as_bytes())
            };
            is_program && COMMANDS.iter().any(is_in)
        })
        .filter_map(|(path, _)| {
            format!("cmd:{}", std::str::from_utf8(path.file_name()).ok()?)
                .parse()
                .ok()
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    fn file(mtime: i64, bytes: &[u8]) -> Node {
        Node::file(Meta::new(0o755, mtime), bytes)
    }

    fn hard_link(target: &str) -> Node {
        Node {
            meta: Meta::new(0o755, 1),
            kind: Kind::Hardlink(path(target)),
        }
    }

    #[test]
    fn the_first_name_has_the_bytes() {
        let mut files = BTreeMap::from([
            (path("usr/bin/b"), hard_link("usr/bin/c")),
            (path("usr/bin/a"), hard_link("usr/bin/c")),
            (path("usr/bin/c"), file(1, b"x")),
            (path("usr/bin/d"), hard_link("usr/bin/c")),
            (path("usr/bin/y"), file(1, b"y")),
            (path("usr/bin/z"), hard_link("usr/bin/y")),
        ]);
        first_names(&mut files);
        let shown: Vec<_> = files
            .iter()
            .map(|(path, node)| match &node.kind {
                Kind::Hardlink(target) => format!("{path} -> {target}"),
                _ => path.to_string(),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "usr/bin/a",
                "usr/bin/b -> usr/bin/a",
                "usr/bin/c -> usr/bin/a",
                "usr/bin/d -> usr/bin/a",
                "usr/bin/y",
                "usr/bin/z -> usr/bin/y",
            ]
        );
    }

    #[test]
    fn the_last_of_several_versions_is_meant() {
        let files = BTreeMap::from([
            (path("usr/bin/aclocal-1.16"), file(1, b"")),
            (path("usr/bin/aclocal-1.17"), file(1, b"")),
            (path("usr/bin/gawk"), file(1, b"")),
        ]);
        let resolve = |target| resolve(target, &files).map(|name| String::from_utf8(name).unwrap());
        assert_eq!(resolve("aclocal-*").as_deref(), Some("aclocal-1.17"));
        assert_eq!(resolve("gawk").as_deref(), Some("gawk"));
        assert_eq!(resolve("mawk"), None);
    }

    #[test]
    fn certificates_are_put_together() {
        let files = BTreeMap::from([
            (
                path("usr/share/ca-certificates/mozilla/b.crt"),
                file(1, b"B\n"),
            ),
            (
                path("usr/share/ca-certificates/mozilla/a.crt"),
                file(1, b"A"),
            ),
            (
                path("usr/share/ca-certificates/mozilla/readme"),
                file(1, b"no"),
            ),
        ]);
        assert_eq!(certificates(&files), b"A\nB\n");
    }

    /// An archive as dpkg-deb would print it.
    fn archive(entries: &[(&str, Node)]) -> Vec<u8> {
        let mut writer = tar::Writer::new(Vec::new());
        for (name, node) in entries {
            writer.append(&path(name), node, &[]).unwrap();
        }
        writer.finish_with_end().unwrap()
    }

    #[test]
    fn files_are_placed_and_stripped() {
        let link = |target: &str| Node::symlink(Meta::new(0o777, 1), target.as_bytes());
        let setuid = Node {
            meta: Meta {
                uid: 7,
                gid: 8,
                ..Meta::new(0o6755, 5)
            },
            ..file(5, b"x")
        };
        let bytes = archive(&[
            ("bin", link("usr/bin")),
            ("bin/su", setuid),
            ("lib64/ld.so", link("../lib/ld.so.2")),
            ("usr/bin/su", link("/bin/su")),
            ("usr/share/doc/su/copyright", file(1, b"c")),
        ]);
        let files = read_files(&mut bytes.as_slice(), "su").unwrap();
        let names: Vec<_> = files.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["usr/bin/su", "usr/lib64/ld.so"]);
        let su = &files[&path("usr/bin/su")];
        assert!(matches!(su.kind, Kind::File(_)));
        assert_eq!(su.meta, Meta::new(0o755, 5));
        let twice = archive(&[("bin/su", file(1, b"x")), ("usr/bin/su", file(1, b"y"))]);
        let error = read_files(&mut twice.as_slice(), "su").unwrap_err();
        assert_eq!(
            error.to_string(),
            "convert the Debian package su: two of its files would be /usr/bin/su"
        );
    }

    /// What becomes of a file in place of the one that the signed index lists.
    fn unpacked(bytes: &[u8], signed: &[u8]) -> Error {
        let config = crate::Config {
            packages: Vec::new(),
            provides: BTreeMap::new(),
            architecture: boltworks_model::Architecture::X86_64,
        };
        let mut debs = [crate::names::deb("x", &[], &[])];
        debs[0].sha256 = boltworks_crypto::sha256(signed);
        let plan = crate::plan::plan(&config, &debs, &debs[0].sha256).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        unpack(&plan.conversions[0], file).unwrap_err()
    }

    #[test]
    fn another_file_than_the_signed_one_is_refused() {
        let error = unpacked(b"evil", b"signed");
        assert!(matches!(error, Error::WrongDigest { .. }), "{error}");
        assert!(
            error.to_string().starts_with("verify pool/x.deb: sha256:"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_package_is_refused_in_dpkgs_words() {
        let error = unpacked(b"no package", b"no package").to_string();
        assert!(
            error.starts_with("run dpkg-deb:") && error.contains("dpkg-deb: error:"),
            "{error}"
        );
    }

    #[test]
    fn hostile_archives_are_refused() {
        let device = Node {
            meta: Meta::new(0o600, 1),
            kind: Kind::CharDevice { major: 1, minor: 3 },
        };
        assert!(read_files(&mut archive(&[("dev/null", device)]).as_slice(), "x").is_err());
        let cut = archive(&[("a", file(1, &[0; 4096]))]);
        assert!(read_files(&mut &cut[..2048], "x").is_err());
    }

    #[test]
    fn commands_are_what_can_be_run() {
        let mut tree = Tree::new();
        let plain = Node::file(Meta::new(0o644, 1), b"".as_slice());
        let link = Node::symlink(Meta::new(0o777, 1), b"gawk".as_slice());
        for (name, node) in [
            ("usr/bin/[", file(1, b"")),
            ("usr/bin/awk", link),
            ("usr/bin/data", plain),
            ("usr/bin/sub/x", file(1, b"")),
            ("usr/lib/y", file(1, b"")),
            ("usr/sbin/z", file(1, b"")),
        ] {
            tree.insert(path(name), node).unwrap();
        }
        let names: Vec<_> = commands(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["cmd:[", "cmd:awk", "cmd:z"]);
    }
}
