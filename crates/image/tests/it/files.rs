//! What is in an image, and that it is always the same.

use std::fs::File;
use std::io;
use std::sync::Arc;

use boltworks_apk::installed::{self, Database, side};
use boltworks_fsx::tar::{Policy, read_tree};
use boltworks_fsx::{Kind, Limit, Meta, Node, Root, Tree};
use boltworks_image::layer::{self, StoredLayer};
use boltworks_image::pieces::Pieces;
use boltworks_image::{BuiltImage, Compression, export};
use boltworks_oci::{read_config, read_manifest};
use boltworks_recipe::resolved::{Image, PathKind, PathMutation};

use crate::kit::{Package, Site, image, packages, rel};

/// The image's own layer, read back from the store.
pub(crate) fn layer_of(site: &Site, built: &BuiltImage) -> Tree {
    let blob = site.store.open_blob(&built.parts.layers[0].digest).unwrap();
    let mut tar = tempfile::tempfile().unwrap();
    let mut plain: Box<dyn io::Read> = match site.compression {
        Compression::Gzip => Box::new(flate2::read::GzDecoder::new(blob.reader())),
        Compression::Zstd => Box::new(zstd::Decoder::new(blob.reader()).unwrap()),
    };
    assert_eq!(io::copy(&mut plain, &mut tar).unwrap(), built.unpacked);
    read_tree(&Arc::<File>::new(tar), Policy::default()).unwrap()
}

fn text(tree: &Tree, path: &str) -> String {
    let bytes = tree
        .file(&rel(path))
        .unwrap()
        .read_vec(Limit(1 << 20))
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

/// One line for each path: mode, owner, path, and what it leads to.
pub(crate) fn listing(tree: &Tree) -> Vec<String> {
    let line = |(path, node): (&boltworks_fsx::RelPath, &Node)| {
        let kind = match &node.kind {
            Kind::Dir => "/".to_owned(),
            Kind::File(content) => format!(" {}", content.len()),
            Kind::Symlink(target) => format!(" -> {}", String::from_utf8_lossy(target)),
            Kind::Hardlink(target) => format!(" = {target}"),
            _ => " device".to_owned(),
        };
        let xattrs = if node.meta.xattrs.is_empty() {
            ""
        } else {
            " +xattr"
        };
        let meta = &node.meta;
        format!(
            "{:04o} {}:{} {path}{kind}{xattrs}",
            meta.mode, meta.uid, meta.gid
        )
    };
    tree.iter().map(line).collect()
}

#[test]
fn place_threads_and_time_change_nothing() {
    // Another key would be in the image: it is the same site, packed away and built again.
    let site = Site::filled();
    let first = site.build(&image(), 1).unwrap();
    let mut elsewhere = Site::new();
    elsewhere.keyring = site.keyring.clone();
    elsewhere.locked = site.locked.clone();
    for package in &site.locked.packages {
        let blob = site.store.open_blob(&package.sha256).unwrap();
        elsewhere.store.put(blob.reader(), Limit(1 << 20)).unwrap();
    }
    let second = elsewhere.build(&image(), 3).unwrap();
    assert_eq!(first.artifact, second.artifact);
    assert_eq!(first.parts, second.parts);
    assert_eq!(
        (first.spdx, first.cyclonedx),
        (second.spdx, second.cyclonedx)
    );
}

/// The note on the site's only image: its folder, its name and its bytes.
fn note(site: &Site) -> (Root, boltworks_fsx::RelPath, Vec<u8>) {
    let folder = site.store.folder(&rel("layers")).unwrap();
    let entries = folder.list().unwrap();
    assert_eq!(entries.len(), 1);
    let name = rel(std::str::from_utf8(&entries[0].name).unwrap());
    let bytes = folder.read_vec(&name, Limit(1 << 20)).unwrap();
    (folder, name, bytes)
}

/// Builds the image although its layer is known.
fn anew(site: &Site, image: &Image) -> BuiltImage {
    let root = Root::open(site.path()).unwrap();
    root.remove_tree(&rel("written")).unwrap();
    site.build(image, 2).unwrap()
}

#[test]
fn what_is_remembered_of_a_layer_changes_nothing() {
    let mut other = image();
    other.paths.pop();
    let fresh = Site::filled();
    let layers = |built: &BuiltImage| built.parts.layers.clone();
    let second = layers(&fresh.build(&other, 2).unwrap());

    let site = Site::filled();
    let first = layers(&site.build(&image(), 2).unwrap());
    let (folder, name, good) = note(&site);
    assert_eq!(layers(&anew(&site, &image())), first);
    // The same key is in both sites' images: only the paths differ.
    let known = layers(&site.build(&other, 2).unwrap());
    assert_eq!(layers(&anew(&site, &other)), known);
    assert_ne!(known, first);
    assert_eq!(known[0].media_type, second[0].media_type);
    assert_ne!(note(&site).2, good);

    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bad in [&flipped[..], &good[..100], b""] {
        folder.write(&name, bad, 0o644).unwrap();
        assert_eq!(layers(&anew(&site, &image())), first);
        assert_eq!(note(&site).2, good);
    }
}

#[test]
fn a_note_of_another_writer_is_not_believed() {
    let site = Site::filled();
    let first = site.build(&image(), 2).unwrap();
    let (folder, name, good) = note(&site);
    let sealed = |prefix: &[u8], rest: &[u8]| {
        let digest = boltworks_crypto::sha256(&[prefix, rest].concat());
        [digest.as_bytes().as_slice(), rest].concat()
    };
    let own = format!("{}\n", boltworks_image::WRITER_VERSION);
    assert_eq!(sealed(own.as_bytes(), &good[32..]), good);
    // Whoever believes this one takes the plain bytes for compressed ones.
    let mut rest = good[32..].to_vec();
    rest[32 + 39] -= 1;
    for other in ["", "image-0\n"] {
        let other = sealed(other.as_bytes(), &rest);
        folder.write(&name, &other, 0o644).unwrap();
        assert_eq!(anew(&site, &image()).parts, first.parts);
        assert_eq!(note(&site).2, good);
    }
}

#[test]
fn what_cannot_be_remembered_stops_no_image() {
    let site = Site::filled();
    let first = site.build(&image(), 2).unwrap();
    let (folder, name, _) = note(&site);
    folder.remove_file(&name).unwrap();
    folder.make_dir(&name).unwrap();
    let second = anew(&site, &image());
    let root = Root::open(site.path()).unwrap();
    root.remove_tree(&rel("layers")).unwrap();
    root.write(&rel("layers"), b"", 0o644).unwrap();
    let third = anew(&site, &image());
    root.remove_tree(&rel("layers")).unwrap();
    root.remove_tree(&rel("written")).unwrap();
    root.write(&rel("written"), b"", 0o644).unwrap();
    let fourth = site.build(&image(), 2).unwrap();
    for built in [second, third, fourth] {
        assert_eq!(built.parts, first.parts);
        assert_eq!(built.notes.len(), first.notes.len() + 1);
        let said = "the layer is not remembered, and the next one will take longer: ";
        let is_said = built.notes.iter().any(|note| note.starts_with(said));
        assert!(is_said, "{:?}", built.notes);
    }
}

#[test]
fn a_damaged_layer_is_not_copied_from() {
    let site = Site::filled();
    let built = site.build(&image(), 2).unwrap();
    let digest = built.parts.layers[0].digest;
    let blobs = Root::open(&site.path().join("blobs/sha256")).unwrap();
    let name = rel(&digest.to_string());
    let mut bytes = blobs.read_vec(&name, Limit(1 << 20)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    blobs.write(&name, &bytes, 0o444).unwrap();
    let again = site.build(&image(), 2).unwrap();
    assert_eq!(again.parts, built.parts);
    assert_eq!(
        layer_of(&site, &again).iter().count(),
        layer_of(&site, &built).iter().count()
    );
    assert!(site.store.read_bytes(&digest, Limit(1 << 20)).is_ok());
}

#[test]
fn a_known_piece_is_copied_and_not_deflated() {
    // The blob says that the piece is two empty blocks: whoever deflates would say otherwise.
    let site = Site::new();
    let tree = packages().remove(2).tree;
    let mut batch = site.store.batch();
    let plain = layer::write(&tree, Arc::<Pieces>::default(), &site.store, &mut batch).unwrap();
    batch.commit().unwrap();
    let (note, _) =
        boltworks_image::pieces::Note::read("x", Compression::Gzip, &site.store).unwrap();
    let forged = [&[0; 10][..], &[0, 0, 0, 0xff, 0xff], &[0, 0, 0, 0xff, 0xff]].concat();
    let forged = site.store.put_bytes(&forged).unwrap().digest;
    let mut batch = site.store.batch();
    note.write(forged, &[(plain.pieces[0].0, 10)], &mut batch)
        .unwrap();
    batch.commit().unwrap();
    let (_, known) =
        boltworks_image::pieces::Note::read("x", Compression::Gzip, &site.store).unwrap();
    let mut batch = site.store.batch();
    let copied = layer::write(&tree, Arc::new(known), &site.store, &mut batch).unwrap();
    assert_eq!(copied.pieces, [(plain.pieces[0].0, 10)]);
    assert_eq!(copied.layer.diff_id, plain.layer.diff_id);
    assert_ne!(copied.layer.digest, plain.layer.digest);
    let (_, none) =
        boltworks_image::pieces::Note::read("y", Compression::Gzip, &site.store).unwrap();
    assert!(none.get(&plain.pieces[0].0).is_none());
}

#[test]
fn the_bytes_are_those_of_this_writer_version() {
    // Other digests here mean another WRITER_VERSION.
    let site = Site::new();
    let tree = packages().remove(2).tree;
    let mut batch = site.store.batch();
    let StoredLayer {
        layer,
        unpacked,
        pieces,
    } = layer::write(&tree, Arc::<Pieces>::default(), &site.store, &mut batch).unwrap();
    assert_eq!(pieces.len(), 1);
    let seen = format!(
        "{}\n{}\n{} of {unpacked}",
        layer.digest, layer.diff_id, layer.size
    );
    insta::assert_snapshot!(seen, @r"
d1ea91b7cad88cc8ec42baea0b1c3e3649b16ad3b8939efc71fa1f78597fa673
6f6c34964b81b3f005856b9d7c2c85264370ca6b4c90ed321e1f78c1f24bb76b
537 of 10240
");
}

#[test]
fn zstd_gives_the_same_layer_and_the_bytes_of_this_writer_version() {
    let tree = packages().remove(2).tree;
    let site = Site::new();
    let mut batch = site.store.batch();
    let none = Arc::new(Pieces::none(Compression::Zstd));
    let stored = layer::write(&tree, none, &site.store, &mut batch).unwrap();
    insta::assert_snapshot!(format!("{} {}", stored.layer.digest, stored.layer.size), @"d5e8af09fe673a882dd07b2b4a57a366815ee3eddb6b7d9541cb3fabc1bc75f3 507");
    let gzip = Arc::<Pieces>::default();
    let gzip = layer::write(&tree, gzip, &site.store, &mut batch).unwrap();
    assert_eq!(gzip.layer.diff_id, stored.layer.diff_id);

    let mut site = Site::filled();
    site.compression = Compression::Zstd;
    let built = site.build(&image(), 1).unwrap();
    let media_type = read_manifest(&built.parts.manifest.bytes).unwrap().layers[0]
        .media_type
        .clone();
    assert_eq!(media_type, "application/vnd.oci.image.layer.v1.tar+zstd");
    let again = site.build(&image(), 3).unwrap();
    assert_eq!(again.artifact.digest, built.artifact.digest);
    let tree = layer_of(&site, &built);
    site.compression = Compression::Gzip;
    let gzip = site.build(&image(), 2).unwrap();
    assert_eq!(listing(&layer_of(&site, &gzip)), listing(&tree));
    assert_ne!(gzip.parts.layers[0].digest, built.parts.layers[0].digest);
}

#[test]
fn every_attribute_arrives() {
    let site = Site::filled();
    let built = site.build(&image(), 2).unwrap();
    let tree = layer_of(&site, &built);
    let lines = listing(&tree);
    let mut sorted: Vec<_> = tree.iter().map(|(path, _)| path.clone()).collect();
    sorted.sort();
    assert!(tree.iter().map(|(path, _)| path).eq(&sorted));
    let shown: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| !line.contains("dddd") && !line.contains("apko.json"))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
0777 0:0 bin -> usr/bin
0755 0:0 dev/
0755 0:0 etc/
0755 0:0 etc/apk/
0644 0:0 etc/apk/arch 7
0755 0:0 etc/apk/keys/
0644 0:0 etc/apk/keys/web.rsa.pub 451
0644 0:0 etc/apk/repositories 22
0644 0:0 etc/apk/world 15
0644 0:0 etc/group 20
0644 0:0 etc/passwd 101
0640 0:0 etc/shadow 20
0755 0:0 home/
0700 33:44 home/www/
0777 0:0 lib -> usr/lib
0755 0:0 opt/
4755 0:0 opt/web 2
0555 0:0 proc/
0700 0:0 root/
0755 0:0 run/
0755 0:0 srv/
2775 33:44 srv/www/
0640 33:44 srv/www/index.html 3
0555 0:0 sys/
1777 0:0 tmp/
0755 0:0 usr/
0755 0:0 usr/bin/
0755 0:0 usr/bin/ping 4 +xattr
4755 0:0 usr/bin/web = opt/web
4755 0:0 usr/bin/web-admin = opt/web
0755 0:0 usr/lib/
0755 0:0 usr/lib/apk/
0755 0:0 usr/lib/apk/db/
0644 0:0 usr/lib/apk/db/installed 1878
0600 0:0 usr/lib/apk/db/lock 0
0644 0:0 usr/lib/apk/db/scripts.tar 2048
0644 0:0 usr/lib/apk/db/triggers 38
0777 0:0 usr/lib/libz.so.1 -> libz.so.1.3.1
0755 0:0 usr/lib/libz.so.1.3.1 70000
0644 0:0 usr/lib/os-release 53
0600 33:44 usr/lib/web.state 0
0755 0:0 usr/share/
0600 0:0 usr/share/ünïcödé and spaces 0
0777 33:44 usr/srv -> ../srv
0755 0:0 var/
0755 0:0 var/cache/
0755 0:0 var/cache/apk/
0755 0:0 var/lib/
0755 0:0 var/lib/db/
0755 0:0 var/lib/db/sbom/
0644 0:0 var/lib/db/sbom/baselayout-1-r0.spdx.json 1893
0644 0:0 var/lib/db/sbom/web-2.0_rc1-r0.spdx.json 1864
0644 0:0 var/lib/db/sbom/zlib-1.3.1-r2.spdx.json 2150
1770 33:44 var/lib/web/
1777 0:0 var/spool/
1777 0:0 var/tmp/
");
    let long = lines.iter().find(|line| line.contains("ffff")).unwrap();
    assert!(long.starts_with("0644 0:0 usr/share/ddd"), "{long}");
}

#[test]
fn what_a_person_should_look_at_is_told_with_its_package() {
    let mut site = Site::filled();
    let other = Package::new("other", "1-r0")
        .node(
            "run/pipe",
            Node {
                meta: Meta::new(0o600, 0),
                kind: Kind::Fifo,
            },
        )
        .dir("srv/open", 0o777)
        .dir("srv/sticky", 0o1777)
        .file("srv/mine", 0o600, "")
        .file("srv/all", 0o666, "")
        .file("srv/group", 0o2755, "")
        .file("srv/owner-all", 0o4777, "")
        .file("srv/group-all", 0o2757, "")
        .file("srv/both", 0o6755, "")
        .file("srv/both-all", 0o6777, "");
    site.add(other);
    let mut image = image();
    image.paths.push(PathMutation {
        path: "/srv/mine".into(),
        kind: PathKind::Permissions,
        uid: None,
        gid: None,
        permissions: Some(0o602),
        source: None,
        recursive: false,
    });
    let built = site.build(&image, 2).unwrap();
    insta::assert_snapshot!(built.warnings.join("\n"), @r"
'/opt/web' from the image file runs as its owner: it is setuid
'/run/pipe' from other-1-r0 is a named pipe
'/srv/all' from other-1-r0 can be written by everybody
'/srv/both' from other-1-r0 runs as its owner and group: it is setuid and setgid
'/srv/both-all' from other-1-r0 runs as its owner and group, and can be written by everybody: it is setuid and setgid
'/srv/group' from other-1-r0 runs as its group: it is setgid
'/srv/group-all' from other-1-r0 runs as its group, and can be written by everybody: it is setgid
'/srv/mine' from the image file can be written by everybody
'/srv/open' from other-1-r0 is a directory in which everybody may replace files: it has no sticky bit
'/srv/owner-all' from other-1-r0 runs as its owner, and can be written by everybody: it is setuid
'/usr/bin/web' from web-2.0_rc1-r0 runs as its owner: it is setuid
'/usr/bin/web-admin' from web-2.0_rc1-r0 runs as its owner: it is setuid
");
}

#[test]
fn apk_finds_a_whole_database() {
    let site = Site::filled();
    let tree = layer_of(&site, &site.build(&image(), 2).unwrap());
    assert_eq!(text(&tree, installed::WORLD), "baselayout\nweb\n");
    assert_eq!(text(&tree, installed::ARCH), "x86_64\n");
    assert_eq!(
        text(&tree, "etc/apk/repositories"),
        "https://os.example/os\n"
    );
    let database = text(&tree, installed::DATABASE);
    let read = Database::read(database.as_bytes()).unwrap();
    let names: Vec<&str> = read
        .packages
        .iter()
        .map(|one| one.entry.name.as_str())
        .collect();
    assert_eq!(names, ["baselayout", "web", "zlib"]);
    // The library that the package has as lib/… lies where the link leads. The size is left
    // out, because a signature by another key is some bytes longer or shorter.
    let zlib = database.split("\n\n").nth(2).unwrap().lines();
    let zlib: Vec<&str> = zlib.filter(|line| !line.starts_with("S:")).collect();
    insta::assert_snapshot!(zlib.join("\n"), @r"
P:zlib
V:1.3.1-r2
A:x86_64
L:Zlib AND do what you like
T:the zlib package
o:zlib
U:https://zlib.example/
p:so:libz.so.1=1.3.1
t:1767225600
I:72163
C:Q1mRo+7P2i1VS2EixV2FNmXw143vY=
F:usr
F:usr/lib
R:libz.so.1
a:0:0:0777
Z:Q1IdZs3QiCHWQV7Ve3k69boHQ4Skw=
R:libz.so.1.3.1
a:0:0:0755
Z:Q1HUoCvk224U1LBTkqytuiEVAhk7Y=
F:var
F:var/lib
F:var/lib/db
F:var/lib/db/sbom
R:zlib-1.3.1-r2.spdx.json
Z:Q1cDgEFyuCqfjlvugYlzwLKfiDuBg=
");
    let identity = site.locked.packages[2].identity;
    let scripts = tree
        .file(&rel(installed::SCRIPTS))
        .unwrap()
        .read_vec(Limit(1 << 20))
        .unwrap();
    assert_eq!(
        side::read_scripts(&scripts)
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        [&identity]
    );
    assert_eq!(
        text(&tree, installed::TRIGGERS),
        format!("{} /srv/*\n", identity.to_q1())
    );
}

#[test]
fn the_configuration_starts_what_was_asked_for() {
    let site = Site::filled();
    let built = site.build(&image(), 2).unwrap();
    let config = read_config(&built.parts.config.bytes).unwrap();
    assert_eq!(config.process.entrypoint.unwrap(), ["/usr/bin/web", "-D"]);
    assert_eq!(config.process.user.as_deref(), Some("www"));
    assert_eq!(config.created.as_deref(), Some("2026-01-01T00:00:00Z"));
    let manifest = read_manifest(&built.parts.manifest.bytes).unwrap();
    assert_eq!(manifest.annotations, config.process.labels);
    assert_eq!(
        manifest.annotations["org.opencontainers.image.created"],
        "2026-01-01T00:00:00Z"
    );
    assert_eq!(
        export::load(&site.store, &built.artifact.digest).unwrap(),
        built.parts
    );
}

#[test]
fn a_package_without_a_document_makes_the_sbom_unknown() {
    let mut site = Site::filled();
    let built = site.build(&image(), 2).unwrap();
    assert!(built.sbom_verdict().is_pass());
    let bare = Package {
        has_sbom: false,
        ..Package::new("bare", "1-r0")
    };
    site.add(bare.file("usr/bin/bare", 0o755, ""));
    let built = site.build(&image(), 2).unwrap();
    insta::assert_snapshot!(built.sbom_verdict(), @"unknown: bare-1-r0: it carries no SBOM");
    assert_eq!(built.packages, 4);
}
