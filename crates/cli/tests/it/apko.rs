//! The command line of apko: by the name of a link, by the first word, and what it needs no packages for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use boltworks_model::Architecture;

use crate::kit::Desk;

const BASE: &str = "contents:
  repositories: ['https://user:secret@os.example/os/', ./packages]
  packages: [base]
environment: {A: below}
archs: [x86_64]
";

const IMAGE: &str = "include: base.yaml
contents:
  packages: [web]
entrypoint:
  command: /usr/bin/web
environment: {B: 'yes'}
paths:
- {path: /run/web, type: directory, uid: 7, permissions: 755}
";

#[test]
fn a_link_named_apko_is_apko() {
    let desk = Desk::new();
    desk.write("web.yaml", IMAGE);
    desk.write("base.yaml", BASE);
    let link = desk.path("apko");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_boltworks"), &link).unwrap();
    let output = Command::new(&link)
        .args(["show-config", "web.yaml"])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r#"
    contents:
        repositories:
            - https://user:xxxxx@os.example/os
            - "./packages"
        packages:
            - base
            - web
    entrypoint:
        type: ""
        command: /usr/bin/web
        shell-fragment: ""
        services: {}
    archs:
        - amd64
    environment:
        A: below
        B: "yes"
    paths:
        - path: /run/web
          type: directory
          uid: 7
          permissions: 755
          source: ""
          recursive: false
    include: base.yaml
    "#);
    let word = desk.run("apko show-config web.yaml").with_code(0);
    assert!(word.out.contains("/usr/bin/web"), "{word:?}");
    let version = desk.run("apko version").with_code(0);
    assert!(version.out.contains("as apko"), "{version:?}");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let desk = Desk::new();
    desk.write("deep/base.yaml", "contents:\n  package: []\n");
    desk.write("web.yaml", "include: base.yaml\n");
    desk.write("mode.yaml", IMAGE.replace("include: base.yaml\n", ""));
    desk.write("lock.json", "{\"version\": \"v2\", \"contents\": {}}");
    for (words, said) in [
        ("show-config web.yaml", "base.yaml"),
        ("show-config none.yaml", "none.yaml"),
        ("lock web.yaml --include-paths deep", "deep/base.yaml:2:3"),
        ("lock mode.yaml", "mode.yaml:7:58"),
        (
            "build mode.yaml web:1 o.tar --lockfile lock.json",
            "its version is 'v2'",
        ),
        (
            "build mode.yaml web:1 o.tar --format cramfs",
            "there are tar and erofs",
        ),
        ("erofs ls none", "is not there"),
        ("erofs ls mode.yaml", "it is no EROFS image"),
        ("erofs mount none there --mode fuse", "is not there"),
        ("erofs mount none there --mode all", "auto, kernel and fuse"),
        ("build mode.yaml web:1 o.tar --annotations a", "key:value"),
        ("build mode.yaml web:1 o.tar --sbom-formats csv", "'csv'"),
        ("publish mode.yaml web:1", "names no registry"),
        ("build mode.yaml web:1 o.tar --lokfile l", "'--lockfile'"),
    ] {
        let run = desk.run(&format!("apko {words}")).with_code(2);
        assert!(run.err.contains(said), "{words}: {run:?}");
    }
    assert!(!desk.path("o.tar").exists());
}

const REPO: &[&str] = &[
    "web 1.4-r0 needs so:libz.so.1 tool",
    "zlib 1.3-r0 provides so:libz.so.1=1.3",
    "zlib 1.4-r0 provides so:libz.so.1=1.4",
    "tool 2.1-r0",
];
const FLAGS: &str = "-r repo -k web.rsa.pub";

/// What a layout's index names, or a blob of it holds.
fn document(desk: &Desk, file: &str) -> serde_json::Value {
    serde_json::from_slice(&desk.read(file)).unwrap()
}

fn blob(layout: &str, digest: &serde_json::Value) -> String {
    let digits = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    format!("{layout}/blobs/sha256/{digits}")
}

fn manifest(desk: &Desk, layout: &str) -> serde_json::Value {
    let index = document(desk, &format!("{layout}/index.json"));
    document(desk, &blob(layout, &index["manifests"][0]["digest"]))
}

/// A layout that somebody made of one package, and the list of what is in it.
fn base(desk: &Desk) {
    desk.repository("repo", "web", REPO);
    desk.write(
        "base.yaml",
        "contents: {packages: [zlib=1.3-r0]}\ncmd: run it\narchs: [x86_64]\n",
    );
    std::fs::create_dir(desk.path("base")).unwrap();
    desk.run(&format!("apko build base.yaml base:1 base {FLAGS}"))
        .with_code(0);
    let layer = blob("base", &manifest(desk, "base")["layers"][0]["digest"]);
    let list = Command::new("tar")
        .args(["xzOf", &layer, "usr/lib/apk/db/installed"])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    assert!(list.stdout.starts_with(b"P:zlib\n"), "{list:?}");
    desk.write("lists/x86_64/APKINDEX", list.stdout);
    desk.write("upon.yaml", UPON);
}

const UPON: &str = "contents:
  baseimage: {image: base/, apkindex: lists}
  packages: [web]
archs: [x86_64]
";

#[test]
fn an_image_is_laid_upon_a_base_image() {
    let desk = Desk::new();
    base(&desk);
    for command in [
        "apko build upon.yaml upon:1 out.tar",
        "image build upon.yaml upon:1 out.tar",
    ] {
        let run = desk.run(&format!("{command} {FLAGS}")).with_code(2);
        let said = "an image upon a base image is made from a lock file\n --> upon.yaml:2:22";
        assert!(
            run.err.contains(said) && run.err.contains("apko lock"),
            "{run:?}"
        );
    }
    let shown = desk.run(&format!(
        "apko show-packages upon.yaml {FLAGS} --format name=version"
    ));
    assert_eq!(
        shown.with_code(0).out,
        "zlib=1.3-r0\ntool=2.1-r0\nweb=1.4-r0\n"
    );
    desk.run(&format!("apko lock upon.yaml {FLAGS}"))
        .with_code(0);
    let lock = document(&desk, "upon.lock.json");
    let packages = lock["contents"]["packages"].as_array().unwrap().iter();
    let names: Vec<_> = packages.map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["tool", "web"]);

    let below = manifest(&desk, "base");
    for (layout, command) in [("apko", "apko build"), ("own", "image build")] {
        std::fs::create_dir(desk.path(layout)).unwrap();
        let words =
            format!("{command} upon.yaml upon:1 {layout} {FLAGS} --lockfile upon.lock.json");
        desk.run(&words).with_code(0);
        let upon = manifest(&desk, layout);
        let layers = upon["layers"].as_array().unwrap();
        assert_eq!((layers.len(), &layers[0]), (2, &below["layers"][0]));
        let config = document(&desk, &blob(layout, &upon["config"]["digest"]));
        assert_eq!(config["config"]["Cmd"], serde_json::json!(["run", "it"]));
    }

    // What is wrong with it is told where it is named, and nothing is left.
    let lists = desk.read("lists/x86_64/APKINDEX");
    let refused = |said: &str| {
        let words =
            "apko build upon.yaml upon:1 out.tar --lockfile upon.lock.json -r repo -k web.rsa.pub";
        let run = desk.run(words).with_code(2);
        assert!(
            run.err.contains(" --> upon.yaml:2:22") && run.err.contains(said),
            "{run:?}"
        );
        assert!(!desk.path("out.tar").exists());
    };
    desk.write(
        "lists/x86_64/APKINDEX",
        "P:zlib\nV:9-r0\nS:1\nI:1\nC:Q1cs+Hlyu5sY+1mmwKPedcRWj8E24=\n",
    );
    refused("it does not name zlib-1.3-r0, which the image has");
    desk.write("lists/x86_64/APKINDEX", "no list\n");
    refused("lists/x86_64/APKINDEX");
    std::fs::remove_file(desk.path("lists/x86_64/APKINDEX")).unwrap();
    refused("the list of its packages cannot be read");
    desk.write("lists/x86_64/APKINDEX", lists);
    desk.write(&blob("base", &below["layers"][0]["digest"]), "other");
    // The cache has the layer already; a build apart has not.
    let words = format!("image build upon.yaml upon:1 out.tar {FLAGS} --lockfile upon.lock.json");
    let run = desk.run(&words).with_code(2);
    assert!(run.err.contains("is another: sha256:"), "{run:?}");
    std::fs::remove_dir_all(desk.path("base")).unwrap();
    refused("base/ cannot be built upon");

    let layered = UPON.replace("archs", "layering: {strategy: origin, budget: 3}\narchs");
    desk.write("upon.yaml", layered);
    refused("the file asks for layering");
}

/// Serves the files of a folder until it is told to answer nobody; its address.
fn serve(folder: PathBuf, is_closed: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            if is_closed.load(Ordering::SeqCst) {
                continue;
            }
            let mut lines = BufReader::new(&stream).lines();
            let first = lines.next().unwrap().unwrap();
            let path = first
                .split(' ')
                .nth(1)
                .unwrap()
                .trim_start_matches('/')
                .to_owned();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let (status, bytes) = match std::fs::read(folder.join(path)) {
                Ok(bytes) => ("200 OK", bytes),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            );
            let mut stream = &stream;
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&bytes).unwrap();
        }
    });
    address
}

#[test]
fn packages_of_addresses_are_had_for_all_architectures_and_kept() {
    let desk = Desk::new();
    desk.repository("far", "web", REPO);
    let other = REPO.iter().map(|line| format!("{line} arch aarch64"));
    let other: Vec<String> = other.collect();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    desk.repository_for("aarch64", "far", "web", &other);
    let is_closed = Arc::new(AtomicBool::new(false));
    let at = serve(desk.path("far"), Arc::clone(&is_closed));
    let file = format!(
        "contents: {{packages: [web], repositories: ['{at}'], keyring: [web.rsa.pub]}}\narchs: [amd64, arm64]\n"
    );
    desk.write("web.yaml", file);
    let build = |words: &str| {
        let run = desk.run(&format!("apko build web.yaml web:1 out.tar {words}"));
        let bytes = std::fs::read(desk.path("out.tar")).unwrap_or_default();
        (run, bytes)
    };
    let made = |words: &str| {
        let (run, bytes) = build(words);
        run.with_code(0);
        bytes
    };
    made("");
    desk.run("apko lock web.yaml").with_code(0);
    let lock = String::from_utf8(desk.read("web.lock.json")).unwrap();
    for arch in ["x86_64", "aarch64"] {
        assert!(
            lock.contains(&format!("\"url\": \"{at}/{arch}/zlib-1.4-r0.apk\"")),
            "{lock}"
        );
    }
    let before = made("--lockfile web.lock.json");
    // Nobody answers, and the lock says all.
    is_closed.store(true, Ordering::SeqCst);
    for name in desk.names() {
        if name.contains("/indexes/") || name.ends_with("/APKINDEX.tar.gz") {
            std::fs::remove_file(desk.path(&name)).unwrap();
        }
    }
    assert!(made("--lockfile web.lock.json") == before);
    assert!(made("--lockfile web.lock.json --offline") == before);
    // What is damaged in the cache is not taken.
    for name in desk
        .names()
        .iter()
        .filter(|name| name.ends_with("zlib-1.4-r0.apk") && name.starts_with("cache/"))
    {
        desk.write(name, "damaged");
    }
    for name in desk
        .names()
        .iter()
        .filter(|name| name.contains("/blobs/sha256/") && desk.path(name).is_file())
    {
        std::fs::remove_file(desk.path(name)).unwrap();
    }
    let (run, _) = build("--lockfile web.lock.json --offline");
    assert!(run.with_code(2).err.contains("was not fetched before"));
    is_closed.store(false, Ordering::SeqCst);
    assert!(made("--lockfile web.lock.json") == before);
}

#[test]
fn architectures_are_chosen_together() {
    let desk = Desk::new();
    desk.repository(
        "repo",
        "web",
        &[
            "web 2-r0 needs zlib",
            "web 1-r0 needs zlib",
            "zlib 1-r0",
            "only 1-r0",
        ],
    );
    let other = ["web 1-r0 needs zlib", "zlib 1-r0", "zlib 2-r0"];
    let other = other.map(|line| format!("{line} arch aarch64"));
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    desk.repository_for("aarch64", "repo", "web", &other);
    let file = "contents: {packages: [web], repositories: [repo], keyring: [web.rsa.pub]}\narchs: [amd64, arm64]\n";
    desk.write("web.yaml", file);
    let shown = |more: &str| {
        desk.run(&format!(
            "apko show-packages web.yaml --format name=version {more}"
        ))
    };
    let both = "zlib=1-r0\nweb=1-r0\nzlib=1-r0\nweb=1-r0\n";
    assert_eq!(shown("").with_code(0).out, both);
    assert_eq!(
        shown("--arch amd64").with_code(0).out,
        "zlib=1-r0\nweb=2-r0\n"
    );
    assert_eq!(
        shown("--arch arm64").with_code(0).out,
        "zlib=2-r0\nweb=1-r0\n"
    );
    // Lock and image are of the same packages.
    desk.run("apko lock web.yaml").with_code(0);
    let lock = document(&desk, "web.lock.json");
    let packages = lock["contents"]["packages"].as_array().unwrap().iter();
    let versions: Vec<_> = packages.map(|one| one["version"].clone()).collect();
    assert_eq!(versions, ["1-r0"; 4]);
    for layout in ["chosen", "locked --lockfile web.lock.json"] {
        std::fs::create_dir(desk.path(layout.split(' ').next().unwrap())).unwrap();
        desk.run(&format!("apko build web.yaml web:1 {layout}"))
            .with_code(0);
        let sbom = document(&desk, "sbom-x86_64.spdx.json");
        let mut packages = sbom["packages"].as_array().unwrap().iter();
        let web = packages.find(|one| one["name"] == "web" && one["versionInfo"] == "1-r0");
        assert!(web.is_some(), "{sbom}");
    }
    // What cannot be had for all is told.
    desk.write("web.yaml", file.replace("[web]", "[web, only]"));
    let run = shown("").with_code(2);
    assert!(
        run.err.contains("only-1-r0 is not there for aarch64") && run.err.contains("--arch"),
        "{run:?}"
    );
    shown("--arch amd64").with_code(0);
}

#[test]
fn a_file_that_names_no_architecture_is_for_all() {
    let desk = Desk::new();
    let all = [
        "386", "amd64", "arm", "arm", "arm64", "loong64", "ppc64le", "riscv64", "s390x",
    ];
    for arch in Architecture::ALL {
        let own = format!("{}-only 1-r0 arch {arch}", arch.apk());
        let web = format!("web 1-r0 arch {arch}");
        desk.repository_for(arch.apk(), "repo", "web", &[&own, &web]);
    }
    let file = "contents: {packages: [web], repositories: [repo], keyring: [web.rsa.pub]}\n";
    desk.write("web.yaml", file);
    std::fs::create_dir(desk.path("out")).unwrap();
    let platforms = |words: &str| -> Vec<String> {
        desk.run(&format!("apko build web.yaml web:1 out{words}"))
            .with_code(0);
        let index = document(&desk, "out/index.json");
        let images = index["manifests"].as_array().unwrap().iter();
        let images = images.map(|one| one["platform"]["architecture"].as_str().unwrap());
        images.map(str::to_owned).collect()
    };
    assert_eq!(platforms(""), all);
    std::fs::remove_dir_all(desk.path("out")).unwrap();
    std::fs::create_dir(desk.path("out")).unwrap();
    assert_eq!(platforms(" --arch riscv64"), ["riscv64"]);
    desk.run("apko lock web.yaml").with_code(0);
    let lock = document(&desk, "web.lock.json");
    let locked = lock["contents"]["packages"].as_array().unwrap().iter();
    let locked = locked.map(|one| one["architecture"].as_str().unwrap());
    let locked: Vec<&str> = locked.collect();
    let nine = [
        "x86",
        "x86_64",
        "aarch64",
        "armhf",
        "armv7",
        "loongarch64",
        "ppc64le",
        "riscv64",
        "s390x",
    ];
    assert_eq!(locked, nine);
    desk.run("apko lock web.yaml --arch all").with_code(0);
    assert!(document(&desk, "web.lock.json") == lock);
    // The first of them is drawn.
    desk.write("web.yaml", file.replace("[web]", "[x86-only]"));
    desk.run("apko dot web.yaml").with_code(0);
    // And what one of them lacks is told.
    let failed = desk.run("apko build web.yaml web:1 out").with_code(2);
    assert!(failed.err.contains("--arch"), "{failed:?}");
}

#[test]
fn a_lock_needs_no_index() {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    let file = "contents: {packages: [web], repositories: [repo], keyring: [web.rsa.pub]}\narchs: [x86_64]\n";
    desk.write("web.yaml", file);
    desk.run("apko lock web.yaml").with_code(0);
    let build = |command: &str| {
        let words = format!("{command} build web.yaml web:1 out.tar --lockfile web.lock.json");
        let run = desk.run(&words);
        (run, std::fs::read(desk.path("out.tar")).unwrap_or_default())
    };
    let made = |command: &str| {
        let (run, bytes) = build(command);
        run.with_code(0);
        std::fs::remove_file(desk.path("out.tar")).unwrap();
        bytes
    };
    let all = ["apko", "image"];
    let before = all.map(made);
    std::fs::remove_file(desk.path("repo/x86_64/APKINDEX.tar.gz")).unwrap();
    assert!(all.map(made) == before);
    // The packages of the lock count, whatever else is there.
    desk.package(
        "repo/x86_64/tool-2.1-r0.apk",
        "web",
        "tool 2.1-r0 provides more=1",
    );
    assert!(made("apko") == before[0], "it is in the cache");
    let (run, _) = build("image");
    let run = run.with_code(2);
    assert!(
        run.err.contains("tool-2.1-r0 is Q1") && run.err.contains("and the lock says Q1"),
        "{run:?}"
    );
    std::fs::remove_dir_all(desk.path("repo")).unwrap();
    std::fs::create_dir(desk.path("repo")).unwrap();
    assert!(made("apko") == before[0]);
    let (run, _) = build("image");
    let run = run.with_code(2);
    assert!(
        run.err.contains("is not there, and was not taken before"),
        "{run:?}"
    );
    // Packages of the command line must be in it, whoever offers them.
    for (package, code) in [
        ("so:libz.so.1", 0),
        ("tool>=2", 0),
        ("tool>2.1-r0", 2),
        ("other", 2),
    ] {
        let words =
            format!("apko build web.yaml web:1 out.tar --lockfile web.lock.json -p {package}");
        let run = desk.run(&words).with_code(code);
        assert_eq!(
            run.err.contains("is needed and not in the lock"),
            code == 2,
            "{run:?}"
        );
    }
}

/// A folder with an image of EROFS in `out`, and the command that made it.
fn erofs() -> (Desk, String) {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    desk.write("web.yaml", "contents: {packages: [web]}\narchs: [x86_64]\n");
    std::fs::create_dir(desk.path("out")).unwrap();
    let build = format!("apko build web.yaml web:1 out {FLAGS} --format erofs");
    desk.run(&build).with_code(0);
    (desk, build)
}

#[test]
fn an_image_of_erofs_is_listed() {
    let (desk, build) = erofs();
    let refused = desk.run(&build.replace(" out ", " out.tar ")).with_code(2);
    assert!(refused.err.contains("for empty ones"), "{refused:?}");
    assert!(!desk.path("out.tar").exists());
    let layers = &manifest(&desk, "out")["layers"];
    assert_eq!(layers.as_array().unwrap().len(), 1);
    assert_eq!(layers[0]["mediaType"], "application/vnd.erofs");
    let layer = blob("out", &layers[0]["digest"]);
    let listed = desk.run("apko erofs ls --arch x86_64 out").with_code(0).out;
    for line in [
        "crw-rw-rw-  0/0  1,3   1970-01-01 00:00  dev/null",
        "lrwxrwxrwx  0/0  14    1970-01-01 00:00  lib/apk -> ../usr/lib/apk",
        "drwxrwxrwt  0/0  0     1970-01-01 00:00  tmp",
    ] {
        assert!(listed.lines().any(|one| one == line), "{line}\n{listed}");
    }
    for named in [
        &layer,
        "out:1",
        "oci:out",
        "oci-dir:out",
        &format!("erofs:{layer}"),
    ] {
        let again = desk.run(&format!("apko erofs ls --arch x86_64 {named}"));
        assert_eq!(again.with_code(0).out, listed, "{named}");
    }
    let refused = desk.run("apko erofs ls --arch x86_64 out:2").with_code(2);
    assert!(refused.err.contains("there is no image 2"), "{refused:?}");
    let refused = desk.run("apko erofs ls --arch aarch64 out").with_code(2);
    assert!(refused.err.contains("for aarch64"), "{refused:?}");
    let layered = "contents: {packages: [web]}\nlayering: {strategy: origin, budget: 3}\n";
    desk.write("layered.yaml", layered);
    let refused = desk
        .run(&build.replace("web.yaml", "layered.yaml"))
        .with_code(2);
    assert!(refused.err.contains("has one layer"), "{refused:?}");
}

#[test]
fn an_image_of_erofs_is_mounted() {
    let (desk, _) = erofs();
    let layer = blob("out", &manifest(&desk, "out")["layers"][0]["digest"]);
    // As root, in a mount namespace that goes when the script ends.
    let script = format!(
        "set -ex
        apko() {{ \"$0\" apko erofs \"$@\"; }}
        fails() {{ if \"$@\"; then exit 9; fi; }}
        apko mount --arch x86_64 out at
        test -e at/merged/usr/lib/apk/db/installed
        fails touch at/merged/x
        fails apko mount --arch x86_64 out at
        (cd at/merged; fails apko umount ../../at)
        test -e at/merged/usr/lib/apk/db/installed
        apko umount at
        test -z \"$(ls -A at)\"
        apko mount --arch x86_64 --rw out at
        echo new > at/merged/usr/new
        apko umount at
        test \"$(cat at/upper/usr/new)\" = new
        fails apko mount --arch x86_64 --rw out at
        rm -r at/upper
        apko mount {layer} layer
        test -e layer/etc/apko.json
        apko umount layer
        fails apko umount layer"
    );
    let apart = |script: &str| {
        let program = env!("CARGO_BIN_EXE_boltworks");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", script, program]);
        unshare.current_dir(desk.path(".")).output().unwrap()
    };
    let done = apart(&script);
    assert!(done.status.success(), "{done:?}");

    // The same through FUSE. Debian 12 has no erofsfuse: where it is missing, its package is named, and
    // nothing is left.
    let fuse = script.replace("apko mount", "apko mount --mode fuse");
    let done = apart(&format!("rm -rf at layer\n{fuse}"));
    if apart("command -v erofsfuse").status.success() {
        assert!(done.status.success(), "{done:?}");
    } else {
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(said.contains("install the package erofsfuse"), "{said}");
        let left = std::fs::read_dir(desk.path("at")).unwrap().count();
        assert_eq!(left, 0, "{done:?}");
    }
}
