//! Crafted packages in a store, and the programs that judge images.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use boltworks_apk::{Control, Parts, ScriptKind, Scripts, WriteOptions, write_package};
use boltworks_crypto::{Keyring, RsaPrivateKey, Signer, sha256};
use boltworks_fsx::{Kind, Meta, Node, RelPath, Root, Tree};
use boltworks_image::{BuiltImage, Compression, Error, ImageRequest, build};
use boltworks_model::{Ambient, Architecture, Cancel, Clock, Entropy, SourceKind, Timestamp};
use boltworks_recipe::resolved::{Accounts, Group, Image, PathKind, PathMutation, User};
use boltworks_rootfs::{Locked, LockedPackage};
use boltworks_sbom::{PackageFacts, SourceFact, package_path, spdx_for_package};
use boltworks_store::Store;

/// When everything here was built.
pub(crate) const EPOCH: i64 = 1_767_225_600;

pub(crate) fn rel(path: &str) -> RelPath {
    RelPath::try_from(path).unwrap()
}

/// A folder with a store, a scratch folder and packages.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) locked: Locked,
    signer: Signer,
    pub(crate) keyring: Keyring,
    /// What is asked for as the time of images.
    pub(crate) created: Option<Timestamp>,
    pub(crate) compression: Compression,
}

impl Site {
    /// An empty site.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::create(folder.path()).unwrap();
        let key = RsaPrivateKey::generate_short().unwrap();
        let mut keyring = Keyring::new();
        keyring.insert("web.rsa.pub", key.public());
        Self {
            store: Store::open(&root).unwrap(),
            signer: Signer {
                name: "web.rsa.pub".into(),
                key,
            },
            keyring,
            locked: Locked::default(),
            created: None,
            compression: Compression::Gzip,
            folder,
        }
    }

    /// The packages of [`packages`].
    pub(crate) fn filled() -> Self {
        let mut site = Self::new();
        for package in packages() {
            site.add(package);
        }
        site
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Signs a package into the store and locks it.
    pub(crate) fn add(&mut self, package: Package) {
        let Package {
            mut control,
            scripts,
            mut tree,
            has_sbom,
        } = package;
        if has_sbom {
            let version = control.version.to_string();
            let document = sbom(&control, &version);
            let path = rel(&package_path(control.name.as_str(), &version));
            tree.insert(path, Node::file(Meta::new(0o644, EPOCH), document))
                .unwrap();
        }
        control.build_date.get_or_insert(EPOCH);
        let parts = Parts {
            control: &control,
            scripts: &scripts,
            embedded: &[],
            tree: &tree,
        };
        let options = WriteOptions {
            mtime: EPOCH,
            level: 6,
        };
        let mut bytes = Vec::new();
        let written = write_package(&mut bytes, &parts, &self.signer, &options).unwrap();
        let stored = self.store.put_bytes(&bytes).unwrap();
        self.locked.packages.push(LockedPackage {
            name: control.name,
            version: control.version,
            sha256: stored.digest,
            identity: written.identity,
            repository: "os".into(),
        });
    }

    /// Builds the image in a pool of so many threads.
    pub(crate) fn build(&self, image: &Image, threads: usize) -> Result<BuiltImage, Error> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let cancel = Cancel::default();
        let ambient = ambient(&cancel);
        pool.install(|| build(&self.request(image), &self.store, &self.scratch(), &ambient))
    }

    /// What [`Site::build`] asks for.
    pub(crate) fn request<'a>(&'a self, image: &'a Image) -> ImageRequest<'a> {
        ImageRequest {
            name: "web",
            tag: Some("1.4"),
            vendor: "factory",
            image,
            architecture: Architecture::X86_64,
            locked: &self.locked,
            keyring: &self.keyring,
            created: self.created,
            upon: None,
            base: None,
            compression: self.compression,
            compatible: None,
        }
    }

    pub(crate) fn scratch(&self) -> Root {
        Root::create(&self.path().join("scratch")).unwrap()
    }
}

/// What the machine gives to an image.
pub(crate) fn ambient(cancel: &Cancel) -> Ambient<'_> {
    Ambient {
        clock: &Still,
        entropy: &Still,
        sink: &(),
        cancel,
    }
}

/// A clock that stands and entropy that has none: an image needs neither.
pub(crate) struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        panic!("an image does not ask for the time")
    }

    fn elapsed(&self) -> Duration {
        panic!("an image does not ask for the time")
    }

    fn sleep(&self, _: Duration) {}
}

impl Entropy for Still {
    fn fill(&self, _: &mut [u8]) {
        panic!("an image is not random")
    }
}

pub(crate) struct Package {
    pub(crate) control: Control,
    pub(crate) scripts: Scripts,
    pub(crate) tree: Tree,
    pub(crate) has_sbom: bool,
}

impl Package {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        let mut control = Control::new(name.parse().unwrap(), version.parse().unwrap(), "x86_64");
        name.clone_into(&mut control.origin);
        control.description = format!("the {name} package");
        control.url = format!("https://{name}.example/");
        control.licenses = vec!["MIT".into()];
        Self {
            control,
            scripts: Scripts::default(),
            tree: Tree::new(),
            has_sbom: true,
        }
    }

    pub(crate) fn node(mut self, path: &str, node: Node) -> Self {
        self.tree.insert(rel(path), node).unwrap();
        self
    }

    pub(crate) fn file(self, path: &str, mode: u32, text: impl AsRef<[u8]>) -> Self {
        self.node(path, Node::file(Meta::new(mode, EPOCH), text.as_ref()))
    }

    pub(crate) fn dir(self, path: &str, mode: u32) -> Self {
        self.node(path, Node::dir(Meta::new(mode, EPOCH)))
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.node(path, Node::symlink(Meta::new(0o777, EPOCH), target))
    }
}

/// A small system with every attribute in it: owners, setuid, sticky, capabilities, hard
/// links, long and odd names, a linked folder.
pub(crate) fn packages() -> Vec<Package> {
    let base = Package::new("baselayout", "1-r0")
        .file("etc/passwd", 0o644, "root:x:0:0:root:/root:/sbin/nologin\n")
        .file("etc/group", 0o644, "root:x:0:\n")
        .file(
            "usr/lib/os-release",
            0o644,
            "ID=boltworks\nPRETTY_NAME=\"Boltworks OS\"\nVERSION_ID=1\n",
        )
        .dir("root", 0o700)
        .symlink("bin", "usr/bin")
        .symlink("lib", "usr/lib")
        .dir("usr/bin", 0o755);
    let mut zlib = Package::new("zlib", "1.3.1-r2")
        .file("lib/libz.so.1.3.1", 0o755, vec![0x7f; 70_000])
        .symlink("usr/lib/libz.so.1", "libz.so.1.3.1");
    zlib.control.provides = vec!["so:libz.so.1=1.3.1".parse().unwrap()];
    zlib.control.licenses = vec!["Zlib".into(), "do what you like".into()];
    let owned = Meta {
        uid: 33,
        gid: 44,
        ..Meta::new(0o2775, EPOCH)
    };
    let capable = Meta {
        xattrs: BTreeMap::from([(
            b"security.capability".to_vec(),
            b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        )]),
        ..Meta::new(0o755, EPOCH)
    };
    let long = format!("usr/share/{}/{}", "d".repeat(120), "f".repeat(130));
    let mut web = Package::new("web", "2.0_rc1-r0")
        .file("usr/bin/web", 0o4755, "#!")
        .node("usr/bin/web-admin", hard_link("usr/bin/web"))
        .node(
            "usr/bin/ping",
            Node {
                meta: capable,
                kind: Kind::File(bytes("ping")),
            },
        )
        .node("srv/www", Node::dir(owned.clone()))
        .node(
            "srv/www/index.html",
            Node {
                meta: Meta {
                    mode: 0o640,
                    ..owned
                },
                kind: Kind::File(bytes("<p>")),
            },
        )
        .dir("var/spool", 0o1777)
        .file(&long, 0o644, "long")
        .file(
            "usr/share/\u{fc}n\u{ef}c\u{f6}d\u{e9} and spaces",
            0o600,
            "",
        );
    web.control.depends = ["so:libz.so.1", "baselayout>=1", "!apache"]
        .map(|one| one.parse().unwrap())
        .to_vec();
    web.control.triggers = vec!["/srv/*".into()];
    web.scripts
        .insert(ScriptKind::PostInstall, b"#!/bin/sh\nexit 0\n".to_vec());
    vec![base, zlib, web]
}

fn hard_link(target: &str) -> Node {
    Node {
        meta: Meta::new(0o4755, EPOCH),
        kind: Kind::Hardlink(rel(target)),
    }
}

fn bytes(text: &str) -> boltworks_fsx::Content {
    boltworks_fsx::Content::Bytes(Arc::from(text.as_bytes()))
}

fn sbom(control: &Control, version: &str) -> Vec<u8> {
    let uri = format!("https://{}.example/source.tar.gz", control.name);
    let sources = [SourceFact {
        uri: &uri,
        kind: SourceKind::Tarball,
        sha256: sha256(uri.as_bytes()),
        name: control.name.as_str(),
        version,
    }];
    let facts = PackageFacts {
        name: control.name.as_str(),
        version,
        architecture: &control.arch,
        vendor: "factory",
        description: &control.description,
        url: &control.url,
        licences: &control.licenses,
        copyright: &[],
        sources: &sources,
        recipe: None,
        created: Timestamp(EPOCH),
    };
    spdx_for_package(&facts, sha256)
        .unwrap()
        .0
        .to_json()
        .unwrap()
}

/// An image file that uses most of what there is.
pub(crate) fn image() -> Image {
    let user = User {
        username: "www".into(),
        uid: 33,
        gid: 44,
        shell: "/sbin/nologin".into(),
        homedir: "/home/www".into(),
    };
    let path = |kind, path: &str| PathMutation {
        path: path.into(),
        kind,
        uid: Some(33),
        gid: Some(44),
        permissions: None,
        source: None,
        recursive: false,
    };
    Image {
        packages: vec!["web".parse().unwrap(), "baselayout".parse().unwrap()],
        repositories: vec!["/some/where/on/this/machine".into()],
        runtime_repositories: vec!["https://os.example/os".into()],
        entrypoint: vec!["/usr/bin/web".into(), "-D".into()],
        cmd: vec!["--port=8080".into()],
        work_dir: Some("/srv/www".into()),
        accounts: Accounts {
            run_as: Some("www".into()),
            users: vec![user],
            groups: vec![Group {
                groupname: "www".into(),
                gid: 44,
                members: vec![],
            }],
        },
        environment: [("PATH".to_owned(), "/usr/bin".to_owned())].into(),
        paths: vec![
            PathMutation {
                permissions: Some(0o1770),
                ..path(PathKind::Directory, "/var/lib/web")
            },
            PathMutation {
                permissions: Some(0o600),
                ..path(PathKind::EmptyFile, "/lib/web.state")
            },
            PathMutation {
                source: Some("/usr/bin/web".into()),
                uid: None,
                gid: None,
                ..path(PathKind::Hardlink, "/opt/web")
            },
            PathMutation {
                source: Some("../srv".into()),
                ..path(PathKind::Symlink, "/usr/srv")
            },
        ],
        annotations: [(
            "org.opencontainers.image.title".to_owned(),
            "web".to_owned(),
        )]
        .into(),
        volumes: vec!["/var/lib/web".into()],
        ..Image::default()
    }
}

/// Runs a program that must be there; gives its standard output, or panics with what it said.
pub(crate) fn run(program: &str, package: &str, arguments: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "real clients judge what is made")]
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|error| {
        panic!("{program} is needed ({error}): run 'apt-get install -y {package}'")
    });
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(done.stdout).unwrap()
}
