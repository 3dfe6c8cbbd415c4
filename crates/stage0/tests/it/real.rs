//! One run over the real archive, and what must hold of what it makes.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::{IndexEntry, OpenOptions, PackageFile};
use boltworks_crypto::Keyring;
use boltworks_fsx::{Kind, Tree};
use boltworks_model::Architecture;
use boltworks_stage0::{Config, Error, Means, Stage0, ensure, load};

use crate::Bench;

/// What the demo builds with.
const PACKAGES: &[&str] = &[
    "autoconf",
    "automake",
    "bash",
    "binutils",
    "bison",
    "bzip2",
    "ca-certificates",
    "coreutils",
    "dash",
    "diffutils",
    "file",
    "findutils",
    "flex",
    "g++",
    "gawk",
    "gcc",
    "grep",
    "gzip",
    "hostname",
    "libtool",
    "linux-libc-dev",
    "m4",
    "make",
    "patch",
    "perl",
    "pkgconf",
    "python3-minimal",
    "sed",
    "tar",
    "util-linux",
    "xz-utils",
];

fn config(packages: &[&str]) -> Config {
    let strings = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    Config {
        packages: strings(packages),
        provides: BTreeMap::from([
            ("build-base".to_owned(), strings(&["make", "bash"])),
            ("everything".to_owned(), strings(&["build-base", "awk"])),
        ]),
        architecture: Architecture::X86_64,
    }
}

fn entry<'a>(stage0: &'a Stage0, name: &str) -> &'a IndexEntry {
    stage0
        .index
        .entries
        .iter()
        .find(|entry| entry.name.as_str() == name)
        .unwrap()
}

/// A package's tree, opened as every package is: signature and checksums checked.
fn tree(bench: &Bench, stage0: &Stage0, name: &str) -> Tree {
    let mut keyring = Keyring::new();
    keyring.insert(bench.signer.name.clone(), bench.signer.key.public());
    let digest = stage0.files[&entry(stage0, name).identity];
    let blob = bench.store.open_blob(&digest).unwrap();
    let options = OpenOptions {
        keyring: Some(&keyring),
        ..OpenOptions::default()
    };
    let package = PackageFile::open(blob.file().clone(), &options).unwrap();
    package.tree(&bench.root).unwrap()
}

/// What must be installed with a package, by the index alone. The first provider is taken.
fn closure(stage0: &Stage0, roots: &[&str], without: &str) -> Result<BTreeSet<String>, String> {
    let mut todo: Vec<String> = roots.iter().map(|&name| name.to_owned()).collect();
    let mut chosen = BTreeSet::new();
    while let Some(name) = todo.pop() {
        let entries = || {
            stage0
                .index
                .entries
                .iter()
                .filter(|entry| entry.name.as_str() != without)
        };
        let provides = |entry: &&IndexEntry| entry.provides.iter().any(|p| p.name.as_str() == name);
        let by_name = entries().find(|entry| entry.name.as_str() == name);
        let entry = by_name.or_else(|| entries().find(provides)).ok_or(name)?;
        if chosen.insert(entry.name.to_string()) {
            todo.extend(entry.depends.iter().map(|need| need.name.to_string()));
        }
    }
    Ok(chosen)
}

#[test]
fn the_real_toolchain_becomes_a_repository() {
    let bench = Bench::new();
    let config = config(PACKAGES);
    assert!(load(&config, &bench.means()).unwrap().is_none());
    let stage0 = ensure(&config, &bench.means(), &bench.ambient()).unwrap();
    bench.say(&format!(
        "{} packages of {} of Debian's, {} MB packed, {} MB unpacked",
        stage0.index.entries.len(),
        stage0.lock.debs.len(),
        stage0.size() / 1_000_000,
        stage0.installed_size() / 1_000_000,
    ));
    assert!(stage0.converted == stage0.lock.debs.len() && stage0.converted > 100);

    nothing_is_done_twice(&bench, &config, &stage0);
    the_closure_is_closed(&stage0);
    links_and_commands_are_there(&bench, &stage0);
    more_packages_cost_only_themselves(&bench, &config, &stage0);
}

fn nothing_is_done_twice(bench: &Bench, config: &Config, stage0: &Stage0) {
    let mut offline = bench.means();
    offline.offline = true;
    let again = ensure(config, &offline, &bench.ambient()).unwrap();
    bench.say("again");
    assert_eq!(again.converted, 0);
    assert_eq!(again.index, stage0.index);
    assert_eq!(again.files, stage0.files);
    assert_eq!(again.lock.digest().unwrap(), stage0.lock.digest().unwrap());
}

fn the_closure_is_closed(stage0: &Stage0) {
    let all = closure(
        stage0,
        &["everything", "g++", "libtool", "perl", "python3-minimal"],
        "",
    )
    .unwrap();
    assert!(all.contains("libc6-dev") && all.contains("stage0-base"));
    // gcc and libtool do without Debian's C headers, if somebody else brings some.
    let gcc = closure(stage0, &["gcc", "make", "binutils"], "").unwrap();
    assert!(
        !gcc.contains("libc6-dev") && gcc.contains("libc6") && gcc.contains("libgcc-14-dev"),
        "{gcc:?}"
    );
    assert_eq!(
        closure(stage0, &["libtool"], "libc6-dev").unwrap_err(),
        "libc-dev"
    );
    for entry in &stage0.index.entries {
        assert!(entry.origin == "stage0" && entry.arch == "x86_64");
        assert!(
            !entry
                .provides
                .iter()
                .any(|provide| provide.name.as_str().starts_with("so:"))
        );
    }
    let bash = entry(stage0, "bash");
    assert!(
        bash.description.starts_with("Debian bash 5.2.37-2"),
        "{}",
        bash.description
    );
    assert!(bash.version.as_str().starts_with("5.2.37.2"));
    assert!(
        bash.url
            .starts_with("debian:pool/main/b/bash/bash_5.2.37-2")
    );
    let deb = stage0
        .lock
        .debs
        .iter()
        .find(|deb| deb.name == "bash")
        .unwrap();
    assert_eq!(bash.commit, deb.sha256.to_string());
}

fn links_and_commands_are_there(bench: &Bench, stage0: &Stage0) {
    let link = |package: &str, path: &str| {
        let tree = tree(bench, stage0, package);
        match tree
            .get(&path.parse().unwrap())
            .map(|node| node.kind.clone())
        {
            Some(Kind::Symlink(target)) => String::from_utf8(target).unwrap(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(link("stage0-base", "bin"), "usr/bin");
    assert_eq!(link("stage0-base", "lib64"), "usr/lib64");
    assert_eq!(link("bash", "usr/bin/sh"), "bash");
    assert_eq!(link("dash", "usr/bin/sh"), "None");
    assert_eq!(link("gawk", "usr/bin/awk"), "gawk");
    assert_eq!(link("gcc", "usr/bin/cc"), "gcc");
    assert_eq!(link("g++", "usr/bin/c++"), "g++");
    assert_eq!(link("bison", "usr/bin/yacc"), "bison.yacc");
    assert!(link("automake", "usr/bin/aclocal").starts_with("aclocal-1."));
    let bundle = tree(bench, stage0, "ca-certificates");
    let bundle = bundle
        .file(&"etc/ssl/certs/ca-certificates.crt".parse().unwrap())
        .unwrap();
    assert!(bundle.len() > 100_000);
    for (name, command) in [
        ("make", "cmd:make"),
        ("bash", "cmd:sh"),
        ("gawk", "cmd:awk"),
        ("coreutils", "cmd:["),
    ] {
        let entry = entry(stage0, name);
        assert!(
            entry
                .provides
                .iter()
                .any(|provide| provide.name.as_str() == command),
            "{command}"
        );
    }
    for name in ["util-linux", "perl", "libc6", "gcc-14-x86-64-linux-gnu"] {
        for (path, node) in tree(bench, stage0, name).iter() {
            let first = path.components().next().unwrap();
            assert!(
                !matches!(first, b"bin" | b"sbin" | b"lib" | b"lib64"),
                "{name}: {path}"
            );
            assert!(
                node.meta.mode & 0o6000 == 0 && node.meta.uid == 0 && node.meta.gid == 0,
                "{path}"
            );
        }
    }
}

fn more_packages_cost_only_themselves(bench: &Bench, config: &Config, stage0: &Stage0) {
    let mut more = config.clone();
    more.packages.push("hello".into());
    let wider = ensure(&more, &bench.means(), &bench.ambient()).unwrap();
    bench.say("one more");
    assert_eq!(wider.converted, 1);
    assert_eq!(wider.index.entries.len(), stage0.index.entries.len() + 1);
    let others: Vec<_> = wider
        .index
        .entries
        .iter()
        .filter(|entry| entry.name.as_str() != "hello")
        .cloned()
        .collect();
    assert_eq!(others, stage0.index.entries);
}

/// Presses the button once so many packages were noted.
struct Presser<'a>(&'a boltworks_model::Cancel);

impl boltworks_model::Sink for Presser<'_> {
    fn event(&self, event: boltworks_model::Event<'_>) {
        if matches!(event, boltworks_model::Event::Progress { job, .. } if job.starts_with("convert"))
        {
            self.0.press();
        }
    }
}

#[test]
fn an_interrupted_run_goes_on() {
    let bench = Bench::new();
    let config = config(&["autoconf", "make", "pkgconf"]);
    let cancel = boltworks_model::Cancel::default();
    let presser = Presser(&cancel);
    let interrupted = boltworks_model::Ambient {
        sink: &presser,
        cancel: &cancel,
        ..bench.ambient()
    };
    let offline = Means {
        offline: true,
        ..bench.means()
    };
    let error = ensure(&config, &offline, &bench.ambient()).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error}");
    let error = ensure(&config, &bench.means(), &interrupted).unwrap_err();
    assert!(matches!(error, Error::Cancelled(_)), "{error}");
    assert!(load(&config, &bench.means()).unwrap().is_none());
    let stage0 = ensure(&config, &bench.means(), &bench.ambient()).unwrap();
    let all = stage0.lock.debs.len();
    assert!(
        stage0.converted > 0 && stage0.converted + 32 == all,
        "{} of {all}",
        stage0.converted
    );
    assert_eq!(bench.store.verify(&mut |_, _| Ok(())).unwrap().bad, []);

    // Another key signs other bytes.
    let other = Bench {
        signer: crate::signer(),
        ..bench
    };
    assert!(load(&config, &other.means()).unwrap().is_none());
}
