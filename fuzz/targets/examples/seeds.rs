//! Writes the seeds that are not text: `cargo run -p boltworks-fuzz-targets --example seeds`.
//!
//! Seeds of a format that changed stay good seeds; write them anew when a target has nothing left
//! that its parser takes.

use std::path::Path;

use boltworks_apk::installed::side;
use boltworks_apk::{
    Control, Index, IndexEntry, Parts, ScriptKind, Scripts, WriteOptions, write_package,
};
use boltworks_fsx::tar::{Names, Writer};
use boltworks_fsx::{Kind, Meta, Node, RelPath, Root, Tree};
use boltworks_fuzz_targets::apk::signer;
use boltworks_fuzz_targets::mend;

const EPOCH: i64 = 1_767_225_600;

type Seed = (&'static str, &'static str, Vec<u8>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    let seeds = Root::open(&folder)?;
    let all = [
        tars()?,
        packages()?,
        indexes()?,
        images()?,
        elves(),
        mountable()?,
    ];
    for (target, name, bytes) in all.into_iter().flatten() {
        seeds.write(&format!("{target}/{name}").parse()?, &bytes, 0o644)?;
    }
    Ok(())
}

fn node(mode: u32, kind: Kind) -> Node {
    Node {
        meta: Meta::new(mode, EPOCH),
        kind,
    }
}

fn file(mode: u32, bytes: &'static [u8]) -> Node {
    Node::file(Meta::new(mode, EPOCH), bytes)
}

fn tree(
    nodes: impl IntoIterator<Item = (&'static str, Node)>,
) -> Result<Tree, boltworks_fsx::Error> {
    let mut tree = Tree::new();
    for (path, node) in nodes {
        tree.insert(path.parse()?, node)?;
    }
    Ok(tree)
}

/// A tree with one of each kind, as most packages have it.
fn ordinary() -> Result<Tree, boltworks_fsx::Error> {
    tree([
        ("usr", node(0o755, Kind::Dir)),
        ("usr/bin/hello", file(0o4755, b"#!/bin/sh\necho hello\n")),
        (
            "usr/bin/hi",
            Node::symlink(Meta::new(0o777, EPOCH), "hello"),
        ),
        ("usr/share/hello", node(0o1777, Kind::Dir)),
        ("usr/share/hello/empty", file(0o644, b"")),
        (
            "usr/share/hello/link",
            node(0o644, Kind::Hardlink("usr/bin/hello".parse()?)),
        ),
    ])
}

fn mountable() -> Result<Vec<Seed>, boltworks_fsx::Error> {
    let root = node(0o755, Kind::Dir);
    let mut own = file(0o755, b"capable");
    own.meta.uid = 70_000;
    let note = b"user.note".to_vec();
    own.meta.xattrs.insert(note, b"noted".to_vec());
    let device = Kind::CharDevice { major: 1, minor: 3 };
    let mut all = ordinary()?;
    all.ensure_dirs(&Meta::new(0o755, EPOCH));
    all.insert("null".parse()?, node(0o666, device))?;
    all.insert("own".parse()?, own)?;
    let (bytes, _) = boltworks_fsx::erofs::write(&all, &root, EPOCH, Vec::new())?;
    Ok(vec![("erofs", "plain.erofs", bytes)])
}

fn tars() -> Result<Vec<Seed>, boltworks_fsx::Error> {
    let mut seeds = Vec::new();
    let mut add = |name: &'static str, bytes: &[u8]| {
        seeds.extend(["tar", "unpack"].map(|target| (target, name, bytes.to_vec())));
    };
    let mut plain = Writer::with_names(Vec::new(), Names::Root);
    plain.append_tree(&ordinary()?)?;
    add("plain.tar", &plain.finish_with_end()?);

    let long: RelPath = format!("{}/{}", "d".repeat(90), "n".repeat(60)).parse()?;
    let strange: RelPath = "Ä/\u{fc}".parse()?;
    let mut meta = Meta::new(0o640, -1);
    (meta.uid, meta.gid) = (3_000_000, 65_532);
    meta.xattrs
        .insert(b"user.note".to_vec(), b"a\nb\0".to_vec());
    let mut pax = Writer::new(Vec::new());
    let comment = [("comment".to_owned(), b"said by nobody".to_vec())];
    pax.append(&long, &file(0o644, b"long"), &[])?;
    pax.append(&strange, &Node::file(meta, *b"strange"), &comment)?;
    pax.append(&"fifo".parse()?, &node(0o600, Kind::Fifo), &[])?;
    let device = Kind::CharDevice { major: 1, minor: 3 };
    pax.append(&"null".parse()?, &node(0o666, device), &[])?;
    add("pax.tar", &pax.finish_with_end()?);

    add("gnu.tar", &gnu());
    let mut hostile = Writer::new(Vec::new());
    hostile.append(
        &"out".parse()?,
        &Node::symlink(Meta::new(0o777, 0), "../.."),
        &[],
    )?;
    hostile.append(&"out/file".parse()?, &file(0o644, b"through a link"), &[])?;
    hostile.append(&"out".parse()?, &node(0o755, Kind::Dir), &[])?;
    hostile.append(
        &"a".parse()?,
        &node(0o644, Kind::Hardlink("b".parse()?)),
        &[],
    )?;
    hostile.append(
        &"b".parse()?,
        &node(0o644, Kind::Hardlink("a".parse()?)),
        &[],
    )?;
    add("hostile.tar", &hostile.finish_without_end()?);
    Ok(seeds)
}

/// GNU's long name and base-256 numbers, which the writer does not write.
fn gnu() -> Vec<u8> {
    let header = |name: &str, kind: u8, size: &[u8]| {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(124, size);
        put(136, b"\x80\0\0\0\0\0\0\x02\0\0\0\0");
        put(156, &[kind]);
        put(257, b"ustar  \0root");
        block
    };
    let name = format!("{}/name\0", "long".repeat(40));
    let mut bytes = header("././@LongLink", b'L', b"00000000246\0").to_vec();
    bytes.extend(name.as_bytes());
    bytes.resize(1024, 0);
    bytes.extend(header("cut", b'0', b"\x80\0\0\0\0\0\0\0\0\0\0\x03"));
    bytes.extend(b"gnu");
    bytes.resize(512 * 6, 0);
    mend::tar(&bytes)
}

fn control() -> Result<Control, Box<dyn std::error::Error>> {
    Ok(Control {
        origin: "hello".into(),
        description: "says hello; #1".into(),
        licenses: vec!["MIT".into(), "Apache-2.0 OR Zlib".into()],
        depends: vec!["so:libc.musl-x86_64.so.1".parse()?, "!goodbye".parse()?],
        provides: vec!["cmd:hello=1.0-r0".parse()?],
        triggers: vec!["/usr/share/hello".into()],
        build_date: Some(EPOCH),
        ..Control::new("hello".parse()?, "1.0-r0".parse()?, "x86_64")
    })
}

fn scripts() -> Scripts {
    let mut scripts = Scripts::new();
    scripts.insert(ScriptKind::PreInstall, b"#!/bin/sh\ntrue\n".to_vec());
    scripts.insert(ScriptKind::Trigger, b"#!/bin/sh\necho \"$@\"\n".to_vec());
    scripts
}

fn packages() -> Result<Vec<Seed>, Box<dyn std::error::Error>> {
    let (control, scripts) = (control()?, scripts());
    let embedded: [(&str, &[u8]); 1] = [(".melange.yaml", b"package: {name: hello}\n")];
    let (tree, empty, none) = (ordinary()?, Tree::new(), Scripts::new());
    let full = Parts {
        control: &control,
        scripts: &scripts,
        embedded: &embedded,
        tree: &tree,
    };
    let bare = Parts {
        scripts: &none,
        embedded: &[],
        tree: &empty,
        ..full
    };
    let mut seeds = Vec::new();
    for (name, sections, parts) in [
        ("full.apk", "full.sections", full),
        ("empty.apk", "empty.sections", bare),
    ] {
        let mut package = Vec::new();
        write_package(&mut package, &parts, signer(), &WriteOptions::new(EPOCH))?;
        seeds.push(("apk_sections", sections, sections_of(&package)));
        seeds.push(("apk_package", name, package));
    }
    let two = [("one", control.clone()), ("two", control)].map(|(name, control)| {
        let identity = boltworks_crypto::sha1(name.as_bytes());
        IndexEntry::from_control(&control, identity, 1000)
    });
    let scripts = side::write_scripts(two.iter().map(|entry| (entry, &scripts)), EPOCH)?;
    seeds.push(("installed_side", "scripts.tar", scripts));
    Ok(seeds)
}

/// Control and data section of a signed package, behind the length of the first.
fn sections_of(package: &[u8]) -> Vec<u8> {
    let member = |bytes: &[u8]| {
        let mut decoder = flate2::bufread::GzDecoder::new(bytes);
        let mut plain = Vec::new();
        std::io::copy(&mut decoder, &mut plain).expect("it was just written");
        let left = decoder.into_inner().len();
        (plain, bytes.len() - left)
    };
    let (_, signature) = member(package);
    let (control, length) = member(&package[signature..]);
    let (data, _) = member(&package[signature + length..]);
    let size = u32::try_from(control.len()).expect("a small section");
    [&size.to_le_bytes(), &*control, &*data].concat()
}

fn indexes() -> Result<Vec<Seed>, Box<dyn std::error::Error>> {
    let entry = |name: &str| -> Result<IndexEntry, Box<dyn std::error::Error>> {
        let control = Control {
            name: name.parse()?,
            ..control()?
        };
        Ok(IndexEntry::from_control(
            &control,
            boltworks_crypto::sha1(name.as_bytes()),
            1000,
        ))
    };
    let index = Index::new("web 1", vec![entry("hello")?, entry("hello-doc")?]);
    let bytes = index.write(signer(), EPOCH)?;
    let unsigned = Index::new("", Vec::new()).write_unsigned(EPOCH)?;
    let plain = mend::gunzip(&index.write_unsigned(EPOCH)?).unwrap_or_default();
    Ok(vec![
        ("apk_index", "signed.tar.gz", bytes),
        ("apk_index", "empty.tar.gz", unsigned),
        ("apk_index", "plain.tar", plain),
    ])
}

fn parted(first: &[u8], second: &[u8]) -> Vec<u8> {
    [&length(first).to_le_bytes(), first, second].concat()
}

/// Image files with packages' files, and manifests with configurations.
fn images() -> Result<Vec<Seed>, Box<dyn std::error::Error>> {
    let ordinary = tree([
        ("bin", Node::symlink(Meta::new(0o777, EPOCH), "usr/bin")),
        ("etc/group", file(0o644, b"root:x:0:\n")),
        (
            "etc/os-release",
            Node::symlink(Meta::new(0o777, EPOCH), "../usr/lib/os-release"),
        ),
        (
            "etc/passwd",
            file(0o644, b"root:x:0:0:root:/root:/bin/sh\n"),
        ),
        ("usr/bin/x", file(0o755, b"#!/bin/sh\n")),
        (
            "usr/lib/os-release",
            file(
                0o644,
                b"ID=web\nPRETTY_NAME=\"The \\\"Web\\\"\"\nVERSION_ID='1'\n",
            ),
        ),
        (
            "usr/share/y",
            node(0o755, Kind::Hardlink("usr/bin/x".parse()?)),
        ),
    ])?;
    let hostile = tree([
        (
            "etc",
            Node::symlink(Meta::new(0o777, EPOCH), "usr/../../etc"),
        ),
        ("home", Node::symlink(Meta::new(0o777, EPOCH), "home")),
        ("srv", node(0o644, Kind::Hardlink("gone".parse()?))),
        ("usr", Node::symlink(Meta::new(0o777, EPOCH), "/")),
    ])?;
    let archive = |tree: &Tree| -> Result<Vec<u8>, boltworks_fsx::Error> {
        let mut writer = Writer::new(Vec::new());
        writer.append_tree(tree)?;
        writer.finish_with_end()
    };
    let manifest = br#"{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","size":12}],"annotations":{"a":"b"}}"#;
    let config = br#"{"architecture":"arm","variant":"v7","os":"linux","config":{"Env":["A=b"]},"rootfs":{"type":"layers","diff_ids":["sha256:3123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"]},"history":[{"comment":"c"}]}"#;
    Ok(vec![
        (
            "image_tree",
            "ordinary.parts",
            parted(IMAGE, &archive(&ordinary)?),
        ),
        (
            "image_tree",
            "hostile.parts",
            parted(IMAGE, &archive(&hostile)?),
        ),
        ("oci_parts", "one-layer.parts", parted(manifest, config)),
    ])
}

const IMAGE: &[u8] = b"contents:
  packages: [baselayout]
  repositories: [os]
accounts:
  run-as: nonroot
  users: [{username: nonroot, uid: 65532, gid: 65532}]
  groups: [{groupname: nonroot, gid: 65532, members: [nonroot]}]
paths:
  - {path: /srv/www, type: directory, uid: 65532, gid: 65532, permissions: 0o2755, recursive: true}
  - {path: /etc/note, type: symlink, source: /etc/os-release}
  - {path: /run/empty, type: empty-file, permissions: 0o600}
  - {path: /usr, type: permissions, uid: 1, gid: 2, permissions: 0o700, recursive: true}
  - {path: /bin/z, type: hardlink, source: /usr/bin/x, uid: 1, gid: 2, permissions: 0o700}
environment: {A: b}
annotations: {a: b}
work-dir: /srv
";

/// Programs and libraries made of nothing but headers, in both sizes and both byte orders.
fn elves() -> Vec<Seed> {
    let dynamic = [
        (1, "libz.so.1"),
        (1, "libc.musl-x86_64.so.1"),
        (14, "libsubject.so.1.2.3"),
    ];
    vec![
        (
            "elf",
            "library64.so",
            Elf {
                wide: true,
                big: false,
                kind: 3,
                interpreter: "",
            }
            .bytes(&dynamic),
        ),
        (
            "elf",
            "program64",
            Elf {
                wide: true,
                big: false,
                kind: 3,
                interpreter: "/lib/ld-musl-x86_64.so.1",
            }
            .bytes(&dynamic[..2]),
        ),
        (
            "elf",
            "program32-big",
            Elf {
                wide: false,
                big: true,
                kind: 2,
                interpreter: "/lib/ld.so.1",
            }
            .bytes(&dynamic[..1]),
        ),
        (
            "elf",
            "static64",
            Elf {
                wide: true,
                big: false,
                kind: 2,
                interpreter: "",
            }
            .bytes(&[]),
        ),
    ]
}

/// What an ELF file says of itself.
struct Elf {
    wide: bool,
    big: bool,
    kind: u16,
    interpreter: &'static str,
}

impl Elf {
    fn half(&self, value: u16) -> Vec<u8> {
        if self.big {
            value.to_be_bytes().to_vec()
        } else {
            value.to_le_bytes().to_vec()
        }
    }

    fn word(&self, value: u32) -> Vec<u8> {
        if self.big {
            value.to_be_bytes().to_vec()
        } else {
            value.to_le_bytes().to_vec()
        }
    }

    /// A number of the file's own width.
    fn own(&self, value: u32) -> Vec<u8> {
        match (self.wide, self.big) {
            (false, _) => self.word(value),
            (true, true) => u64::from(value).to_be_bytes().to_vec(),
            (true, false) => u64::from(value).to_le_bytes().to_vec(),
        }
    }

    /// Sizes of the header and of a program header.
    const fn sizes(&self) -> (u32, u32) {
        if self.wide { (64, 56) } else { (52, 32) }
    }

    fn short(&self, value: u32) -> Vec<u8> {
        self.half(u16::try_from(value).unwrap_or(0))
    }

    /// Header, three program headers, strings, dynamic entries; no section headers at all.
    fn bytes(&self, dynamic: &[(u32, &str)]) -> Vec<u8> {
        const PROGRAMS: u32 = 3;
        let (head, program) = self.sizes();
        let strings_at = head + PROGRAMS * program;
        let mut strings = format!("\0{}\0", self.interpreter).into_bytes();
        let mut entries = Vec::new();
        for (tag, text) in dynamic {
            entries.extend([self.own(*tag), self.own(length(&strings))].concat());
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
        }
        entries.extend([self.own(5), self.own(MEMORY + strings_at)].concat());
        entries.extend([self.own(0), self.own(0)].concat());
        strings.resize(strings.len().next_multiple_of(8), 0);
        let entries_at = strings_at + length(&strings);
        let whole = entries_at + length(&entries);
        let interpreter = u32::try_from(self.interpreter.len()).unwrap_or(0) + 1;
        let only_if = |is_there: bool, kind: u32| if is_there { kind } else { 0 };

        let mut file = self.header(PROGRAMS);
        file.extend(self.program(1, 0, whole));
        file.extend(self.program(only_if(interpreter > 1, 3), strings_at + 1, interpreter));
        let kind = only_if(!dynamic.is_empty(), 2);
        file.extend(self.program(kind, entries_at, length(&entries)));
        file.extend([strings, entries].concat());
        file
    }

    fn header(&self, programs: u32) -> Vec<u8> {
        let class = [1 + u8::from(self.wide), 1 + u8::from(self.big), 1];
        let mut header = [b"\x7fELF", class.as_slice()].concat();
        header.resize(16, 0);
        let (head, program) = self.sizes();
        header.extend([self.half(self.kind), self.half(62), self.word(1)].concat());
        let places = [0, head, 0].map(|place| self.own(place));
        header.extend([places.concat(), self.word(0)].concat());
        for value in [head, program, programs, 0, 0, 0] {
            header.extend(self.short(value));
        }
        header
    }

    /// What of the file is for what, and where it lies in memory.
    fn program(&self, kind: u32, at: u32, size: u32) -> Vec<u8> {
        let (kind, flags) = (self.word(kind), self.word(4));
        let place = [at, MEMORY + at, MEMORY + at].map(|place| self.own(place));
        let sizes = [self.own(size), self.own(size)].concat();
        if self.wide {
            [kind, flags, place.concat(), sizes, self.own(1)].concat()
        } else {
            [kind, place.concat(), sizes, flags, self.own(1)].concat()
        }
    }
}

/// Where a file lies in memory.
const MEMORY: u32 = 0x0001_0000;

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(0)
}
