//! Images upon base images: what is there stays as it is, and nothing of it is believed.

#![expect(
    clippy::disallowed_methods,
    reason = "layouts are written and damaged by hand here"
)]

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use boltworks_apk::ScriptKind;
use boltworks_apk::installed::side::{parse_triggers, read_scripts};
use boltworks_apk::installed::{DATABASE, Database, SCRIPTS, TRIGGERS};
use boltworks_crypto::sha256;
use boltworks_fsx::tar::Writer;
use boltworks_fsx::{Kind, Limit, Meta, Node, Root, Tree};
use boltworks_image::compatible::Compatible;
use boltworks_image::{Base, BuiltImage, Error, ImageRequest, build, export_layout, unpacked};
use boltworks_model::{Architecture, Cancel};
use boltworks_oci::{Process, read_config, read_manifest};
use boltworks_recipe::resolved::{Image, Layering};

use crate::kit::{EPOCH, Package, Site, ambient, image, rel};

/// The image of the kit as a layout; the folder and the list of what is in it.
fn below(site: &Site) -> (PathBuf, Vec<u8>) {
    let built = site.build(&image(), 2).unwrap();
    let folder = site.path().join("base");
    let root = Root::create(&folder).unwrap();
    export_layout(&[&built.parts], &site.store, None, &root).unwrap();
    let list = bytes(&files(site, &built), DATABASE);
    (folder, list)
}

fn open(site: &Site, folder: &Path, list: &[u8]) -> Result<Base, Error> {
    let place = (&site.store, &site.scratch());
    let folder = Root::open(folder).unwrap();
    Base::open(&folder, list, Architecture::X86_64, place)
}

#[test]
fn a_layout_is_written_as_far_as_it_is_not_there() {
    let site = Site::filled();
    let built = site.build(&image(), 2).unwrap();
    let folder = site.path().join("layout");
    let root = Root::create(&folder).unwrap();
    let layer = &built.parts.layers[0];
    let file = folder.join(format!("blobs/sha256/{}", layer.digest));
    let export = || {
        export_layout(&[&built.parts], &site.store, None, &root).unwrap();
        assert_eq!(sha256(&std::fs::read(&file).unwrap()), layer.digest);
        std::fs::metadata(&file).unwrap().ino()
    };
    let first = export();
    assert_eq!(export(), first);
    let good = std::fs::read(&file).unwrap();
    for bytes in [vec![0; good.len()], good[1..].to_vec()] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(&file, bytes).unwrap();
        let damaged = std::fs::metadata(&file).unwrap().ino();
        assert_ne!(export(), damaged);
    }
}

/// What is laid upon it: two packages, one of which has a file of an older one.
fn upon(site: &mut Site) {
    site.locked.packages.clear();
    let mut more = Package::new("more", "1-r0")
        .file("lib/more", 0o644, "more")
        .file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n");
    more.control.replaces = vec!["baselayout".parse().unwrap()];
    more.control.triggers = vec!["/opt/*".into()];
    more.scripts
        .insert(ScriptKind::PreInstall, b"#!/bin/sh\nexit 1\n".to_vec());
    site.add(more);
    site.add(Package::new("less", "2-r0").dir("var/spool", 0o700));
}

fn lay(site: &Site, base: &Base, image: &Image) -> Result<BuiltImage, Error> {
    let cancel = Cancel::default();
    let request = ImageRequest {
        base: Some(base),
        ..site.request(image)
    };
    build(&request, &site.store, &site.scratch(), &ambient(&cancel))
}

fn asked() -> Image {
    Image {
        packages: vec!["more".parse().unwrap()],
        ..Image::default()
    }
}

fn files(site: &Site, built: &BuiltImage) -> Tree {
    let manifest = read_manifest(&built.parts.manifest.bytes).unwrap();
    unpacked(&manifest.layers, &site.store, &site.scratch()).unwrap()
}

fn bytes(tree: &Tree, path: &str) -> Vec<u8> {
    tree.file(&rel(path))
        .unwrap()
        .read_vec(Limit::mib(1))
        .unwrap()
}

fn names(tree: &Tree) -> String {
    let names = tree.iter().filter(|(_, node)| !node.is_dir());
    let names: Vec<String> = names.map(|(path, _)| path.to_string()).collect();
    names.join("\n")
}

#[test]
fn one_layer_more_has_what_is_new_and_what_changed() {
    let mut site = Site::filled();
    let (folder, list) = below(&site);
    let base = open(&site, &folder, &list).unwrap();
    let before = site.build(&image(), 2).unwrap();
    upon(&mut site);
    let built = lay(&site, &base, &asked()).unwrap();
    let (own, [top]) = built.parts.layers.split_at(before.parts.layers.len()) else {
        panic!("one layer more");
    };
    assert_eq!(own, before.parts.layers);
    let manifest = read_manifest(&built.parts.manifest.bytes).unwrap();
    let top = manifest.layers.iter().find(|one| one.digest == top.digest);
    let top = unpacked(&[top.unwrap().clone()], &site.store, &site.scratch()).unwrap();
    insta::assert_snapshot!(names(&top), @r"
    etc/apk/world
    etc/apko.json
    etc/passwd
    usr/lib/apk/db/installed
    usr/lib/apk/db/scripts.tar
    usr/lib/apk/db/triggers
    usr/lib/more
    var/lib/db/sbom/less-2-r0.spdx.json
    var/lib/db/sbom/more-1-r0.spdx.json
    ");
    assert_eq!(built.packages, 5);

    let (old, new) = (files(&site, &before), files(&site, &built));
    // A folder that was there keeps what it was; the package's file is where the link leads.
    assert_eq!(new.get(&rel("var/spool")).unwrap().meta.mode, 0o1777);
    assert_eq!(bytes(&new, "usr/lib/more"), b"more");
    for (path, node) in old.iter().filter(|(path, _)| !top.contains(path)) {
        assert_eq!(new.get(path).unwrap().meta, node.meta, "{path}");
    }
    // apk knows of all, and whose each file is.
    let list = Database::read(&bytes(&new, DATABASE)).unwrap();
    let has = |name: &str, file: &str| {
        let package = list
            .packages
            .iter()
            .find(|one| one.entry.name.as_str() == name);
        let mut files = package
            .unwrap()
            .directories
            .iter()
            .flat_map(|one| &one.files);
        files.any(|one| one.name == file.as_bytes())
    };
    assert!(has("more", "passwd") && !has("baselayout", "passwd"));
    assert!(has("baselayout", "os-release") && has("zlib", "libz.so.1") && has("web", "ping"));
    assert_eq!(read_scripts(&bytes(&new, SCRIPTS)).unwrap().len(), 2);
    let triggers = String::from_utf8(bytes(&new, TRIGGERS)).unwrap();
    assert_eq!(parse_triggers(&triggers).unwrap().len(), 2);
    let world = String::from_utf8(bytes(&new, "etc/apk/world")).unwrap();
    assert_eq!(world, "baselayout\nmore\nweb\n");
    let repositories = String::from_utf8(bytes(&new, "etc/apk/repositories")).unwrap();
    assert_eq!(repositories, "https://os.example/os\n");
}

#[test]
fn a_container_starts_as_one_of_the_base_does() {
    let mut site = Site::filled();
    let (folder, list) = below(&site);
    let base = open(&site, &folder, &list).unwrap();
    upon(&mut site);
    let mut asked = asked();
    asked.environment.insert("PATH".into(), "/default".into());
    asked.environment.insert("NEW".into(), "1".into());
    let process = |built: &BuiltImage| read_config(&built.parts.config.bytes).unwrap();
    let built = process(&lay(&site, &base, &asked).unwrap());
    let Process {
        user,
        env,
        entrypoint,
        working_dir,
        labels,
        ..
    } = built.process;
    assert_eq!(user.as_deref(), Some("www"));
    assert_eq!(env, ["NEW=1", "PATH=/usr/bin"]);
    assert_eq!(entrypoint.unwrap(), ["/usr/bin/web", "-D"]);
    assert_eq!(working_dir.as_deref(), Some("/srv/www"));
    assert_eq!(labels["org.opencontainers.image.title"], "web");
    assert_eq!(built.history.len(), built.rootfs.diff_ids.len());

    // As apko does it, nothing is left of variables and labels.
    let compatible = Compatible::default();
    let cancel = Cancel::default();
    let request = ImageRequest {
        base: Some(&base),
        compatible: Some(&compatible),
        ..site.request(&asked)
    };
    let built = build(&request, &site.store, &site.scratch(), &ambient(&cancel)).unwrap();
    let config = process(&built);
    assert_eq!(config.process.env, ["NEW=1", "PATH=/default"]);
    assert_eq!(config.process.labels.len(), 1);
    let list = String::from_utf8(bytes(&files(&site, &built), DATABASE)).unwrap();
    assert!(
        list.starts_with("P:baselayout\n") && list.contains("P:more\n"),
        "{list}"
    );
}

#[test]
fn what_two_packages_have_is_decided_as_ever() {
    let mut site = Site::filled();
    let (folder, list) = below(&site);
    let base = open(&site, &folder, &list).unwrap();
    site.locked.packages.clear();
    site.add(Package::new("other", "1-r0").file("usr/bin/web", 0o755, "other"));
    let told = |error: Error| error.to_string();
    let error = told(lay(&site, &base, &asked()).unwrap_err());
    assert!(
        error.contains("usr/bin/web") && error.contains("web-2.0_rc1-r0 of the base image"),
        "{error}"
    );
    // A folder in the place of a file, and apk's database, are nobody's.
    for path in ["usr/bin/web/x", "usr/lib/apk/db/installed"] {
        site.locked.packages.clear();
        site.add(Package::new("other", "1-r0").file(path, 0o755, "other"));
        lay(&site, &base, &asked()).unwrap_err();
    }
    site.locked.packages.clear();
    let layered = Image {
        layering: Some(Layering {
            strategy: "origin".into(),
            budget: 5,
        }),
        ..asked()
    };
    let error = told(lay(&site, &base, &layered).unwrap_err());
    assert_eq!(
        error,
        "image web: upon a base image there is one layer more, and no layering"
    );
}

/// A layout of layers that are what these say: `path text`, `path > target`, `path = hard link`.
struct Layout {
    folder: PathBuf,
    /// Compressed, with the digest of the tar.
    layers: Vec<(Vec<u8>, String)>,
    /// What every layer is said to have.
    size: Option<u64>,
}

impl Layout {
    fn of(site: &Site, layers: &[&[&str]]) -> Self {
        let layers = layers.iter().map(|rows| {
            let mut tar = Writer::new(Vec::new());
            for row in *rows {
                let meta = Meta::new(0o644, EPOCH);
                let (path, node) = match (row.split_once(" > "), row.split_once(" = ")) {
                    (Some((path, target)), _) => (path, Node::symlink(meta, target)),
                    (_, Some((path, target))) => {
                        let kind = Kind::Hardlink(rel(target));
                        (path, Node { meta, kind })
                    }
                    _ => (*row, Node::file(meta, row.as_bytes())),
                };
                tar.append(&rel(path), &node, &[]).unwrap();
            }
            packed(&tar.finish_with_end().unwrap())
        });
        Self {
            layers: layers.collect(),
            size: None,
            folder: site.path().join("layout"),
        }
    }

    /// Changes the tar of the first layer.
    fn change(&mut self, with: impl Fn(&mut Vec<u8>)) {
        let mut tar = Vec::new();
        let mut gzip = flate2::read::GzDecoder::new(self.layers[0].0.as_slice());
        std::io::copy(&mut gzip, &mut tar).unwrap();
        with(&mut tar);
        self.layers[0] = packed(&tar);
    }

    fn blob(&self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let folder = self.folder.join("blobs/sha256");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(digest.to_string()), bytes).unwrap();
        format!(r#""digest":"{}","size":{}"#, digest.prefixed(), bytes.len())
    }

    /// Writes all of it; the platform stands in the configuration alone.
    fn write(&self, architecture: &str) {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
        let oci = "application/vnd.oci.image";
        let layers = self.layers.iter().map(|(bytes, _)| {
            let mut blob = self.blob(bytes);
            if let Some(size) = self.size {
                blob = blob.replace(&format!(":{}", bytes.len()), &format!(":{size}"));
            }
            format!(r#"{{"mediaType":"{oci}.layer.v1.tar+gzip",{blob}}}"#)
        });
        let layers: Vec<String> = layers.collect();
        let ids: Vec<String> = self
            .layers
            .iter()
            .map(|(_, id)| format!("{id:?}"))
            .collect();
        let config = self.blob(
            format!(
                r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
                ids.join(",")
            )
            .as_bytes(),
        );
        let manifest = self.blob(
            format!(
                r#"{{"schemaVersion":2,"config":{{"mediaType":"{oci}.config.v1+json",{config}}},"layers":[{}]}}"#,
                layers.join(",")
            )
            .as_bytes(),
        );
        let inner = self.blob(
            format!(
                r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{oci}.manifest.v1+json",{manifest}}}]}}"#
            )
            .as_bytes(),
        );
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{oci}.index.v1+json",{inner}}}]}}"#
        );
        std::fs::write(self.folder.join("index.json"), index).unwrap();
    }

    fn opened(&self, site: &Site) -> String {
        match open(site, &self.folder, b"") {
            Ok(base) => format!("{base:?}"),
            Err(error) => boltworks_model::chain(&error),
        }
    }
}

/// A tar compressed, and its digest.
fn packed(tar: &[u8]) -> (Vec<u8>, String) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(tar).unwrap();
    (gzip.finish().unwrap(), sha256(tar).prefixed())
}

#[test]
fn nothing_of_a_base_is_believed() {
    let site = Site::new();
    let refused = |layout: &Layout, why: &str| {
        let told = layout.opened(&site);
        assert!(told.contains(why), "{told}");
    };
    let mut layout = Layout::of(&site, &[&["etc/a", "b > etc/a"], &["etc/.wh.a"]]);
    layout.write("amd64");
    let seen = layout.opened(&site);
    assert!(
        seen.contains("\"b\": Node") && !seen.contains("\"etc/a\""),
        "{seen}"
    );
    layout.write("arm64");
    refused(&layout, "there is no image for x86_64 in it");

    // A layer that is another than the configuration says.
    layout.layers[1].1 = sha256(b"other").prefixed();
    layout.write("amd64");
    refused(&layout, "unpacked it is sha256:");

    // Blobs that are others, are missing, or lead elsewhere.
    let layout = Layout::of(&site, &[&["etc/new"]]);
    let digest = sha256(&layout.layers[0].0).to_string();
    let blob = layout.folder.join("blobs/sha256").join(digest);
    layout.write("amd64");
    std::fs::write(&blob, b"other").unwrap();
    refused(&layout, "is another: sha256:");
    let mut longer = layout.layers[0].0.clone();
    longer.push(0);
    std::fs::write(&blob, longer).unwrap();
    refused(&layout, "more than");
    std::fs::remove_file(&blob).unwrap();
    refused(&layout, "is not there");
    std::fs::write(site.path().join("outside"), &layout.layers[0].0).unwrap();
    std::os::unix::fs::symlink("../../../outside", &blob).unwrap();
    let told = layout.opened(&site);
    assert!(!told.starts_with("Base"), "{told}");
    std::fs::write(layout.folder.join("index.json"), "{}").unwrap();
    let told = layout.opened(&site);
    assert!(!told.starts_with("Base"), "{told}");
    std::fs::remove_file(layout.folder.join("index.json")).unwrap();
    refused(&layout, "it is no OCI layout");

    // Files where no client could lay them.
    let linked = Layout::of(&site, &[&["lib > usr/lib"], &["lib/x"]]);
    linked.write("amd64");
    refused(&linked, "beneath something that is no directory");
    let mut outside = Layout::of(&site, &[&["aa/x"]]);
    outside.change(|tar| {
        tar[..4].copy_from_slice(b"../x");
        let sum: u32 = tar[..148]
            .iter()
            .chain(&tar[156..512])
            .map(|byte| u32::from(*byte))
            .sum();
        tar[148..156].copy_from_slice(format!("{:06o}\0 ", sum + 8 * 32).as_bytes());
    });
    outside.write("amd64");
    let told = outside.opened(&site);
    assert!(told.contains("..") && !told.starts_with("Base"), "{told}");
    let mut cut = Layout::of(&site, &[&["a"]]);
    cut.change(|tar| tar.truncate(700));
    cut.write("amd64");
    refused(&cut, "cut off");

    // One that is said to be larger than any is not read.
    let mut large = Layout::of(&site, &[&["huge"]]);
    large.size = Some(1 << 40);
    large.write("amd64");
    refused(&large, "has 1099511627776 bytes");
}

#[test]
fn a_list_must_be_of_the_image() {
    let site = Site::filled();
    let (folder, list) = below(&site);
    let text = String::from_utf8(list.clone()).unwrap();
    let told = |list: &str| match open(&site, &folder, list.as_bytes()) {
        Ok(_) => panic!("it is taken"),
        Err(error) => boltworks_model::chain(&error),
    };
    let other = text.replace("P:zlib\n", "P:zlob\n");
    assert_eq!(
        told(&other),
        "the list of packages: it does not name zlib-1.3.1-r2, which the image has"
    );
    let more = format!("{text}\nP:more\nV:1-r0\nS:1\nI:1\nC:Q1cs+Hlyu5sY+1mmwKPedcRWj8E24=\n");
    assert_eq!(
        told(&more),
        "the list of packages: it names more-1-r0, which the image has not"
    );
    let wrong = told(&text.replace("V:1.3.1-r2\n", "V:one\n"));
    assert!(wrong.contains("read which packages are in it"), "{wrong}");
    // Where it ends without an empty line the last package is there all the same.
    open(&site, &folder, text.trim_end().as_bytes()).unwrap();
}
