//! Real clients take what is exported, and see what was built.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use boltworks_fsx::{Kind, Limit, RelPath, Root, ScanOptions, Tree};
use boltworks_image::{BuiltImage, Compression, Form, export_archive, export_layout};
use boltworks_oci::Reference;
use serde_json::Value;

use crate::files::{layer_of, listing};
use crate::kit::{Site, image, run};

struct Exported {
    site: Site,
    built: BuiltImage,
    name: Reference,
}

impl Exported {
    fn new() -> Self {
        Self::of(Site::filled())
    }

    fn of(site: Site) -> Self {
        let built = site.build(&image(), 2).unwrap();
        Self {
            site,
            built,
            name: "factory.example/web:1.4".parse().unwrap(),
        }
    }

    fn path(&self, name: &str) -> String {
        self.site.path().join(name).to_str().unwrap().to_owned()
    }

    /// As an OCI layout, in a folder of this name.
    fn layout(&self, name: &str) -> String {
        let folder = Root::create(&self.site.path().join(name)).unwrap();
        export_layout(
            &[&self.built.parts],
            &self.site.store,
            Some(&self.name),
            &folder,
        )
        .unwrap();
        self.path(name)
    }

    /// As an archive, in a file of this name.
    fn archive(&self, name: &str, form: Form) -> String {
        let folder = Root::open(self.site.path()).unwrap();
        let draft = folder.draft(&name.try_into().unwrap(), 0o644).unwrap();
        let parts = [&self.built.parts];
        let draft = export_archive(&parts, &self.site.store, &self.name, form, draft).unwrap();
        draft.commit().unwrap();
        self.path(name)
    }
}

/// Has skopeo look at an image.
fn inspected(address: &str) {
    let text = run("skopeo", "skopeo", &["inspect", address]);
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(seen["Architecture"], "amd64", "{address}");
    assert_eq!(
        seen["Labels"]["org.opencontainers.image.title"], "web",
        "{address}"
    );
    assert_eq!(seen["Env"][0], "PATH=/usr/bin", "{address}");
}

#[test]
fn skopeo_takes_the_layout_and_keeps_the_digest() {
    let exported = Exported::new();
    let layout = exported.layout("layout");
    let address = format!("oci:{layout}:1.4");
    inspected(&address);
    let text = run("skopeo", "skopeo", &["inspect", &address]);
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(seen["Digest"], exported.built.artifact.digest.prefixed());
    let copy = format!("dir:{}", exported.path("copy"));
    run(
        "skopeo",
        "skopeo",
        &["copy", "--preserve-digests", &address, &copy],
    );
    inspected(&copy);
}

#[test]
fn skopeo_takes_both_archives() {
    let exported = Exported::new();
    let docker = exported.archive("docker.tar", Form::Docker);
    inspected(&format!("docker-archive:{docker}"));
    let copy = format!("oci:{}:x", exported.path("from-docker"));
    run(
        "skopeo",
        "skopeo",
        &["copy", &format!("docker-archive:{docker}"), &copy],
    );
    let oci = exported.archive("oci.tar", Form::Oci);
    inspected(&format!("oci-archive:{oci}:1.4"));
    let tags = run("tar", "tar", &["-xOf", &docker, "manifest.json"]);
    assert!(
        tags.contains(r#""RepoTags":["factory.example/web:1.4"]"#),
        "{tags}"
    );
}

#[test]
fn skopeo_and_podman_take_zstd_layers() {
    let mut site = Site::filled();
    site.compression = Compression::Zstd;
    let exported = Exported::of(site);
    let address = format!("oci:{}:1.4", exported.layout("layout"));
    inspected(&address);
    // Both of them unpack layers here, and compare what comes out with what the image says.
    let copy = format!("dir:{}", exported.path("copy"));
    run(
        "skopeo",
        "skopeo",
        &["copy", "--dest-decompress", &address, &copy],
    );
    inspected(&copy);
    let (root, running) = (exported.path("storage"), exported.path("running"));
    let podman = |words: &[&str]| {
        let storage = [
            "--root",
            &root,
            "--runroot",
            &running,
            "--storage-driver",
            "vfs",
        ];
        run("podman", "podman", &[&storage, words].concat())
    };
    for form in [Form::Oci, Form::Docker] {
        let archive = exported.archive("image.tar", form);
        let loaded = podman(&["load", "--quiet", "--input", &archive]);
        let (_, name) = loaded.trim().split_once(": ").unwrap();
        let seen = podman(&["inspect", name]);
        let seen: Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(seen[0]["Config"]["Env"][0], "PATH=/usr/bin", "{seen}");
        podman(&["rmi", name]);
    }
}

#[test]
fn umoci_unpacks_what_was_built() {
    let exported = Exported::new();
    let source = format!("{}:1.4", exported.layout("layout"));
    let bundle = exported.path("bundle");
    let is_root = run("id", "coreutils", &["-u"]).trim() == "0";
    let mut arguments = vec!["unpack", "--image", &source, &bundle];
    if !is_root {
        arguments.insert(1, "--rootless");
    }
    run("umoci", "umoci", &arguments);
    let root = Arc::new(Root::open(&Path::new(&bundle).join("rootfs")).unwrap());
    let options = ScanOptions {
        skip_xattrs: !is_root,
        ..ScanOptions::default()
    };
    let seen = Tree::read_from(&root, options).unwrap();
    let ours = layer_of(&exported.site, &exported.built);
    if is_root {
        assert_eq!(listing(&seen), listing(&ours));
    } else {
        assert_eq!(
            listing(&without_owners(seen.clone())),
            listing(&without_owners(ours.clone()))
        );
    }
    for (path, node) in ours.iter() {
        if let Kind::File(content) = &node.kind {
            let theirs = seen.get(path).unwrap();
            assert_eq!(theirs.meta.mtime, node.meta.mtime, "{path}");
            assert_eq!(
                bytes(&seen, path),
                content.read_vec(Limit(1 << 20)).unwrap(),
                "{path}"
            );
        }
    }
}

fn without_owners(tree: Tree) -> Tree {
    let mut out = Tree::new();
    for (path, mut node) in tree {
        (node.meta.uid, node.meta.gid) = (0, 0);
        node.meta.xattrs.clear();
        out.insert(path, node).unwrap();
    }
    out
}

fn bytes(tree: &Tree, path: &RelPath) -> Vec<u8> {
    tree.file(path).unwrap().read_vec(Limit(1 << 20)).unwrap()
}

#[test]
fn all_sboms_pass_their_validators() {
    let exported = Exported::new();
    for (kind, digest) in [
        ("spdx", exported.built.spdx),
        ("spdx3", exported.built.spdx3),
        ("cyclonedx", exported.built.cyclonedx),
    ] {
        let file = exported
            .site
            .path()
            .join("blobs/sha256")
            .join(digest.to_string());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/kit/validate_sbom.py");
        #[expect(
            clippy::disallowed_methods,
            reason = "the validators are Python programs"
        )]
        let done = Command::new("python3")
            .arg(script)
            .arg(kind)
            .arg(file)
            .output();
        let done = done.expect("python3 is needed: run 'apt-get install -y python3 python3-pip'");
        assert!(
            done.status.success(),
            "{kind}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

#[test]
fn exported_bytes_are_always_the_same() {
    let exported = Exported::new();
    let read = |path: String| {
        let folder = Root::open(exported.site.path()).unwrap();
        let name = Path::new(&path)
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .try_into()
            .unwrap();
        folder.read_vec(&name, Limit(1 << 22)).unwrap()
    };
    for form in [Form::Docker, Form::Oci] {
        let first = read(exported.archive("first.tar", form));
        assert!(
            first == read(exported.archive("second.tar", form)),
            "{form:?}"
        );
    }
}
