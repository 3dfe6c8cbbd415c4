//! Every linter: a tree that it finds fault with, and one that it does not.

use std::collections::BTreeSet;

use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};
use boltworks_package::lint::{LINTERS, Level, Refused, Report, Subject, document, lint_tree};

use crate::{built, tree};

/// Asks one linter, whatever its level is.
fn ask(linter: &str, subject: &Subject<'_>, tree: &Tree) -> Vec<String> {
    let mut subject = subject.clone();
    subject.levels = LINTERS
        .iter()
        .map(|other| (other.name.to_owned(), Level::Off))
        .collect();
    subject.levels.insert(linter.to_owned(), Level::Error);
    let report = lint_tree(&subject, tree).unwrap();
    let spots = report.findings.iter().flat_map(|finding| &finding.spots);
    spots
        .map(|spot| {
            let path = spot.path.as_ref().map(ToString::to_string);
            [path.unwrap_or_default(), spot.note.clone()]
                .join(" ")
                .trim()
                .to_owned()
        })
        .collect()
}

fn named(name: &str) -> Subject<'_> {
    Subject {
        name,
        tested_with: Some(Vec::new()),
        ..Subject::default()
    }
}

/// One file, with this mode; what is found at it.
#[track_caller]
fn check(linter: &str, package: &str, path: &str, is_bad: bool) {
    let files = tree(&[(path, 0o644, b"x")]);
    let found = ask(linter, &named(package), &files);
    assert_eq!(
        !found.is_empty(),
        is_bad,
        "{linter}: {path} in {package}: {found:?}"
    );
}

#[test]
fn there_are_thirty_and_one() {
    let level = |level| {
        let linters = LINTERS.iter().filter(move |linter| linter.level == level);
        linters
            .map(|linter| linter.name)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        level(Level::Error),
        "dev infodir libtool/la-files setuidgid tempdir usrmerge varempty worldwrite"
    );
    assert_eq!(
        level(Level::Warn),
        "binaryarch cudaruntimelib dll duplicate dylib hardening lddcheck maninfo nonlinux object \
         opt pkgconf python/docs python/multiple python/test sbom srv staticarchive strip \
         unsupportedarch usrlocal"
    );
    assert_eq!(level(Level::Off), "documentation empty");
    let names: Vec<_> = LINTERS.iter().map(|linter| linter.name).collect();
    let sorted: BTreeSet<_> = names.iter().copied().collect();
    assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
}

#[test]
fn places() {
    for (linter, package, path, is_bad) in [
        ("dev", "x", "dev/test.txt", true),
        ("dev", "x", "dev/", false),
        ("dev", "x", "usr/dev/test.txt", false),
        ("varempty", "x", "var/empty/test.txt", true),
        ("varempty", "x", "var/emptyish", false),
        ("opt", "x", "opt/test.txt", true),
        ("opt", "x-compat", "opt/test.txt", false),
        ("srv", "x", "srv/test.txt", true),
        ("srv", "x-compat", "srv/test.txt", false),
        ("srv", "x", "srv/", false),
        ("usrlocal", "x", "usr/local/test.txt", true),
        ("usrlocal", "x-compat", "usr/local/test.txt", false),
        ("usrlocal", "x", "usr/locale/test.txt", false),
        ("tempdir", "x", "tmp/test.txt", true),
        ("tempdir", "x", "var/tmp/test.txt", true),
        ("tempdir", "x", "run/test.txt", true),
        ("tempdir", "x", "run/lock/", true),
        ("tempdir", "x", "var/run/test.txt", true),
        ("tempdir", "x", "tmp/", false),
        ("tempdir", "x", "tmp/x/", false),
        ("tempdir", "x", "var/run/x/", true),
        ("tempdir", "x", "var/tmp/", false),
        ("tempdir", "x", "usr/lib/tmpfiles.d/x.conf", false),
        ("usrmerge", "x", "usr/sbin/test.sh", true),
        ("usrmerge", "x", "sbin/test.sh", true),
        ("usrmerge", "x", "sbin", true),
        ("usrmerge", "x", "bin", true),
        ("usrmerge", "x", "usr/sbin", true),
        ("usrmerge", "x", "lib/libfoo.so.1", true),
        ("usrmerge", "x", "lib64/libfoo64.so.1", true),
        ("usrmerge", "x", "usr/lib/libfoo64.so.1", false),
        ("usrmerge", "x", "usr/sbin/", false),
        ("usrmerge", "x", "libexec/x", false),
        ("infodir", "x", "usr/share/info/dir", true),
        ("infodir", "x", "usr/share/info/dir/x", true),
        ("infodir", "x", "usr/share/info/directory.info", false),
        ("maninfo", "x", "usr/share/man/man1/foo.1", true),
        ("maninfo", "x-doc", "usr/share/man/man1/foo.1", false),
        ("maninfo", "x", "usr/share/man/man8/bar.8.gz", true),
        ("maninfo", "x", "usr/local/share/man/man3/baz.3", true),
        ("maninfo", "x", "usr/man/man5/qux.5", true),
        ("maninfo", "x", "usr/share/info/test.info", true),
        ("maninfo", "x", "usr/share/info/test.info-1", true),
        ("maninfo", "x", "usr/local/share/info/test.info", true),
        ("maninfo", "x-doc", "usr/share/info/test.info", false),
        ("maninfo", "x", "usr/bin/normal", false),
        ("sbom", "x", "var/lib/db/sbom/x.txt", true),
        ("sbom", "x", "var/lib/db/sbom/x.spdx.json", false),
        ("cudaruntimelib", "x", "usr/lib/libnvidia-ml.so", true),
        ("cudaruntimelib", "x", "usr/lib/libcuda.so.560.35.05", true),
        ("cudaruntimelib", "x", "usr/lib/libcudart.so.12", false),
        ("cudaruntimelib", "x", "usr/lib/libcuda.so.x", false),
        (
            "cudaruntimelib",
            "x",
            "usr/local/lib64/stubs/libcuda.so",
            false,
        ),
    ] {
        check(linter, package, path, is_bad);
    }
}

#[test]
fn folders_beneath_run_may_be_there_if_they_are_made_anew() {
    let folder = ("run/x/", 0o755, &b""[..]);
    let list = ("usr/lib/tmpfiles.d/x.conf", 0o644, &b"d /run/x"[..]);
    let file = ("run/x/y", 0o644, &b""[..]);
    assert!(ask("tempdir", &named("x"), &tree(&[folder, list])).is_empty());
    assert_eq!(
        ask("tempdir", &named("x"), &tree(&[folder, list, file])),
        ["run/x/y"]
    );
}

#[test]
fn links_may_merge_usr() {
    let link = |path| tree(&[(path, 0o777, b"-> usr/bin")]);
    assert!(ask("usrmerge", &named("x"), &link("sbin")).is_empty());
    assert_eq!(ask("usrmerge", &named("x"), &link("sbin/x")), ["sbin/x"]);
}

#[test]
fn names() {
    for (linter, package, path, is_bad) in [
        ("dll", "x", "usr/lib/foo.dll", true),
        ("dll", "x-dev", "usr/lib/foo.dll", false),
        ("dll", "x", "usr/lib/foo.so", false),
        ("dylib", "x", "usr/lib/foo.dylib", true),
        ("dylib", "x-dev", "usr/lib/foo.dylib", false),
        ("object", "x", "usr/bin/object.o", true),
        ("object", "x", "usr/lib/foo.so", false),
        ("libtool/la-files", "x", "usr/lib/libfoo.la", true),
        ("libtool/la-files", "x-dev", "usr/lib/libfoo.la", true),
        ("libtool/la-files", "x", "usr/lib/libfoo.so", false),
        ("staticarchive", "x", "usr/lib/libfoo.a", true),
        ("staticarchive", "x-dev", "usr/lib/libfoo.a", false),
        ("staticarchive", "x-static", "usr/lib/libfoo.a", false),
        ("staticarchive", "x", "usr/lib/libfoo.so", false),
        ("documentation", "x", "usr/bin/docs/README.md", true),
        ("documentation", "x", "usr/share/x/README", true),
        ("documentation", "x", "usr/share/x/x.3p", true),
        ("documentation", "x-doc", "usr/share/x/README", false),
        ("documentation", "x", "usr/share/x/readable.py", false),
        ("nonlinux", "x", "usr/lib/darwin/foo.so", true),
        ("nonlinux", "x", "usr/lib/foo-darwin.so", true),
        ("nonlinux", "x", "usr/lib/osx/foo.so", true),
        ("nonlinux", "x", "usr/lib/foo-windows.exe", true),
        ("nonlinux", "x", "usr/lib/MacOS/foo", true),
        ("nonlinux", "x", "usr/lib/mac_os/foo", true),
        ("nonlinux", "x", "usr/lib/foo-OS-X.so", true),
        ("nonlinux", "x", "usr/lib/foo-os/x.so", false),
        ("unsupportedarch", "x", "usr/lib/x86-32/x.so", true),
        ("nonlinux", "x", "usr/lib/windows.so", true),
        ("nonlinux", "x", "usr/lib/foo.so", false),
        ("nonlinux", "x", "usr/lib/osxphotos/foo.so", false),
        ("unsupportedarch", "x", "usr/lib/i386/libfoo.so", true),
        ("unsupportedarch", "x", "usr/lib/libfoo-i686.so", true),
        ("unsupportedarch", "x", "usr/lib/ppc64le/libbar.so", true),
        ("unsupportedarch", "x", "usr/lib/riscv64/libtest.so", true),
        ("unsupportedarch", "x", "usr/lib/s390x/libfoo.so", true),
        ("unsupportedarch", "x", "usr/lib/aarch64/libfoo.so", false),
        ("unsupportedarch", "x", "usr/lib/x86_64/libfoo.so", false),
        ("unsupportedarch", "x", "usr/lib/libfoo-amd64.so", false),
        ("unsupportedarch", "x", "usr/include/mips.h", false),
        ("unsupportedarch", "x", "usr/lib/x_i386", true),
        (
            "python/docs",
            "x",
            "usr/lib/python3.14/site-packages/docs/test.txt",
            true,
        ),
        (
            "python/docs",
            "x",
            "usr/lib/python3.14/site-packages/foo/docs/x",
            false,
        ),
        (
            "python/test",
            "x",
            "usr/lib/python3.14/site-packages/tests/x.py",
            true,
        ),
        (
            "python/test",
            "x",
            "usr/lib/python3.14/site-packages/foo/test/x.py",
            false,
        ),
        ("lddcheck", "x", "usr/lib/test.so.1", true),
        ("lddcheck", "x", "usr/lib/test.so", true),
        ("lddcheck", "x", "usr/lib/test.so.txt", false),
        ("pkgconf", "x", "usr/lib/pkgconfig/test.txt", true),
        ("pkgconf", "x", "usr/share/pkgconfig/test.txt", true),
        ("pkgconf", "x", "usr/share/other/test.txt", false),
        ("empty", "x", "usr/bin/", true),
        ("empty", "x", "usr/bin/x", false),
    ] {
        check(linter, package, path, is_bad);
    }
}

#[test]
fn what_is_tested_need_not_be_told() {
    let files = tree(&[
        ("usr/lib/libx.so.1", 0o644, b""),
        ("usr/lib/pkgconfig/x.pc", 0o644, b""),
    ]);
    for (linter, pipeline) in [
        ("lddcheck", "test/ldd-check"),
        ("lddcheck", "test/tw/ldd-check"),
        ("pkgconf", "test/pkgconf"),
    ] {
        let with = |tested_with| Subject {
            tested_with,
            ..named("x")
        };
        assert_eq!(ask(linter, &with(Some(vec!["test/docs"])), &files).len(), 1);
        assert!(ask(linter, &with(Some(vec![pipeline])), &files).is_empty());
        // Of a package without a recipe it is not known.
        assert!(ask(linter, &with(None), &files).is_empty());
    }
}

#[test]
fn several_python_modules_are_several_packages() {
    let at = |name: &str| format!("usr/lib/python3.14/site-packages/{name}");
    let one = [
        "foo/__init__.py",
        "foo.so",
        "fooegg.egg-info",
        "foo-1.dist-info/METADATA",
    ]
    .into_iter()
    .chain([
        "foopth.pth",
        "__pycache__/x.pyc",
        "_foo.so",
        "tests/x.py",
        "docs/x",
    ]);
    let mut paths: Vec<String> = one.map(at).collect();
    let found = |paths: &[String]| {
        let files: Vec<_> = paths
            .iter()
            .map(|path| (path.as_str(), 0o644, &b""[..]))
            .collect();
        ask("python/multiple", &named("x"), &tree(&files))
    };
    assert!(found(&paths).is_empty());
    paths.push(at("bar.cpython-314-x86_64-linux-gnu.so"));
    assert_eq!(found(&paths), [paths.last().unwrap().clone(), at("foo")]);
}

#[test]
fn modes() {
    let with = |linter: &str, path, mode| ask(linter, &named("x"), &tree(&[(path, mode, b"")]));
    assert_eq!(with("setuidgid", "usr/bin/x", 0o4755), ["usr/bin/x setuid"]);
    assert_eq!(with("setuidgid", "usr/bin/x", 0o2755), ["usr/bin/x setgid"]);
    assert_eq!(with("setuidgid", "x", 0o6770), ["x setuid, setgid"]);
    assert_eq!(with("setuidgid", "x", 0o1755), ["x sticky"]);
    assert!(with("setuidgid", "x", 0o755).is_empty());
    assert!(with("setuidgid", "var/x/", 0o2775).is_empty());
    assert_eq!(with("worldwrite", "x", 0o776), ["x"]);
    assert_eq!(with("worldwrite", "x", 0o666), ["x"]);
    assert!(with("worldwrite", "x", 0o770).is_empty());
    assert!(with("worldwrite", "tmp/", 0o1777).is_empty());
    let link = tree(&[("x", 0o777, b"-> y")]);
    assert!(ask("worldwrite", &named("x"), &link).is_empty());
    // The bits of a file count under each of its names.
    let mut files = tree(&[("usr/bin/a", 0o4755, b"")]);
    let path = |path: &str| RelPath::try_from(path).unwrap();
    let link = Node {
        meta: Meta::new(0o644, 0),
        kind: Kind::Hardlink(path("usr/bin/a")),
    };
    files.insert(path("usr/bin/b"), link).unwrap();
    assert_eq!(ask("setuidgid", &named("x"), &files).len(), 2);
}

#[test]
fn duplicates() {
    let (long, short) = ([b'x'; 1024], [b'x'; 1023]);
    let mut other = long;
    other[1023] = b'y';
    let files = tree(&[
        ("usr/lib/a", 0o644, &long),
        ("usr/share/a", 0o644, &long),
        ("opt/a", 0o644, &long),
        ("opt/x/a", 0o644, &other),
        ("usr/lib/b", 0o644, &short),
        ("usr/share/b", 0o644, &short),
        ("usr/lib/LICENSE.txt", 0o644, &long),
        ("usr/share/LICENSE.txt", 0o644, &long),
        ("usr/share/another-name", 0o644, &long),
    ]);
    assert_eq!(
        ask("duplicate", &named("x"), &files),
        [
            "usr/lib/a the same as opt/a",
            "usr/share/a the same as opt/a"
        ]
    );
    let (_folder, links) = built(
        "mkdir -p $D/a $D/b; head -c 2000 /dev/zero > $D/a/x; ln $D/a/x $D/b/x; ln -s ../a/x $D/b/y",
    );
    assert!(ask("duplicate", &named("x"), &links).is_empty());
}

const COMPILED: &str = "cd $(mktemp -d); mkdir -p $D/usr/bin
    echo 'int main(void) { return 0; }' > m.c\n";

#[test]
fn debugging_information() {
    let (_folder, bare) = built(&format!(
        "{COMPILED} cc -o $D/usr/bin/m m.c && strip -g $D/usr/bin/m"
    ));
    assert!(ask("strip", &named("x"), &bare).is_empty());
    let (_folder, full) = built(&format!(
        "{COMPILED} cc -g -o $D/usr/bin/m m.c; mkdir -p $D/usr/lib/debug; cp $D/usr/bin/m $D/usr/lib/debug/"
    ));
    assert_eq!(ask("strip", &named("x"), &full), ["usr/bin/m"]);
    assert!(ask("strip", &named("x-dbg"), &full).is_empty());
}

#[test]
fn machines() {
    let (folder, tree) = built(&format!("{COMPILED} cc -o $D/usr/bin/m m.c"));
    assert!(ask("binaryarch", &named("x"), &tree).is_empty());
    let path = folder.path().join("usr/bin/m");
    let mut bytes = std::fs::read(&path).unwrap();
    for (machine, expect) in [(243, "riscv"), (3, "i386"), (4000, "ELF machine 4000")] {
        bytes[18..20].copy_from_slice(&u16::to_le_bytes(machine));
        std::fs::write(&path, &bytes).unwrap();
        let tree = crate::scanned(folder.path());
        let found = ask("binaryarch", &named("x"), &tree);
        assert_eq!(found, [format!("usr/bin/m {expect}")]);
    }
    bytes[18..20].copy_from_slice(&247_u16.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    assert!(ask("binaryarch", &named("x"), &crate::scanned(folder.path())).is_empty());
}

/// A library without any part of the C library's.
fn alone(protection: &str) -> Tree {
    let (folder, _) = built(&format!(
        "cd $(mktemp -d); mkdir -p $D/usr/lib; echo 'int one(void) {{ return 1; }}' > one.c
         case $(uname -m) in x86_64) flag=-fcf-protection={protection};; esac
         cc $flag -shared -fPIC -nostdlib -Wl,-z,relro -o $D/usr/lib/libone.so.1 one.c"
    ));
    let bytes = std::fs::read(folder.path().join("usr/lib/libone.so.1")).unwrap();
    tree(&[("usr/lib/libone.so.1", 0o755, &bytes)])
}

#[test]
fn hardening_is_read_back() {
    let script = "cd $(mktemp -d); mkdir -p $D/usr/bin $D/usr/lib
        cat > m.c <<'END'
        #include <stdio.h>
        #include <string.h>
        int main(int argc, char **argv) {
          char name[64];
          strcpy(name, argv[argc - 1]);
          return printf(\"%s\\n\", name) < 0;
        }
END
        good='-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Wl,-z,relro,-z,now'
        case $(uname -m) in x86_64) good=\"$good -fcf-protection=full\";; esac
        cc $good -fPIE -pie -o $D/usr/bin/good m.c
        cc $good -Dmain=entry -fPIC -shared -o $D/usr/lib/libgood.so.1 m.c
        cc $good -fno-pie -no-pie -o $D/usr/bin/fixed m.c
        cc $good -fPIE -pie -Wl,-z,norelro,-z,lazy -o $D/usr/bin/lazy m.c
        cc -O2 -U_FORTIFY_SOURCE -fno-builtin -fno-stack-protector -fcf-protection=none \
          -fPIE -pie -Wl,-z,relro,-z,now -o $D/usr/bin/plain m.c
        cc $good -c -o $D/usr/lib/object.o m.c
        bare='-O2 -U_FORTIFY_SOURCE -fno-builtin -fno-stack-protector -fPIC -Wl,-z,relro,-z,now'
        printf '#include <string.h>\nvoid *copied(void *to, void *from, size_t n) { return memcpy(to, from, n); }\n' > c.c
        cc $bare -shared -o $D/usr/lib/libcopies.so.1 c.c
        printf 'int Py_BytesMain(int argc, char **argv) { return argc; }\n' > p.c
        cc $bare -shared -o libpython.so p.c
        printf 'int Py_BytesMain(int, char **);\nint main(int argc, char **argv) { return Py_BytesMain(argc, argv); }\n' > s.c
        cc $bare -fPIE -pie -o $D/usr/bin/starts s.c ./libpython.so
        printf '#include <stdio.h>\nint first(FILE *f) { char line[99]; return fgets(line, 99, f) ? line[0] : -1; }\n' > f.c
        cc $bare -shared -o $D/usr/lib/libreads.so.1 f.c
        printf '#!/bin/sh\\n' > $D/usr/bin/script";
    let (_folder, tree) = built(script);
    let mut found = ask("hardening", &named("x"), &tree);
    // Many a C library's own parts lack CET, and then every program does.
    for spot in &mut found {
        *spot = spot.replace(", CET", "");
    }
    found.retain(|spot| !spot.ends_with("no CET"));
    assert_eq!(
        found,
        [
            "usr/bin/fixed no PIE",
            "usr/bin/lazy no RELRO, BIND_NOW",
            "usr/bin/plain no FORTIFY, stack protector",
            "usr/lib/libreads.so.1 no stack protector",
        ]
    );
    let without = usize::from(cfg!(target_arch = "x86_64"));
    assert_eq!(ask("hardening", &named("x"), &alone("none")).len(), without);
    assert!(ask("hardening", &named("x"), &alone("full")).is_empty());
}

fn report(name: &str, disabled: &[&str], files: &Tree) -> Report {
    let disabled: Vec<String> = disabled.iter().map(|&name| name.to_owned()).collect();
    let subject = Subject {
        disabled: &disabled,
        ..named(name)
    };
    lint_tree(&subject, files).unwrap()
}

#[test]
fn what_is_disabled_warns_and_only_there() {
    let files = tree(&[
        ("sbin/x", 0o666, b""),
        ("opt/x", 0o644, b""),
        ("README", 0o644, b""),
    ]);
    let first = report(
        "first",
        &["usrmerge", "opt", "documentation", "debug"],
        &files,
    );
    let second = report("second", &[], &files);
    let levels = |report: &Report| {
        let findings = report.findings.iter();
        let levels = findings.map(|finding| format!("{} {}", finding.linter, finding.level.word()));
        levels.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        levels(&first),
        "opt warning, usrmerge warning, worldwrite error"
    );
    assert_eq!(
        levels(&second),
        "opt warning, usrmerge error, worldwrite error"
    );
    assert_eq!(
        second.summary().unwrap(),
        "package second: linters warn: opt (of what: `boltworks explain second` in a factory, or \
         `boltworks melange lint FILE.apk`)"
    );
    let refused = Refused::from_reports(&[first.clone(), second]).unwrap();
    insta::assert_snapshot!(refused, @"
    package first, linter worldwrite: sbin/x; take the right to write away from others
    package second, linter usrmerge: sbin/x; move programs to /usr/bin and libraries to /usr/lib: /bin, /sbin, /usr/sbin, /lib and /lib64 are links to them
    package second, linter worldwrite: sbin/x; take the right to write away from others (what must be so can be listed in the package's `checks.disabled`)
    ");
    insta::assert_snapshot!(first.warnings().join("\n"), @"
    package first, linter opt: opt/x; install beneath /usr, or name the package -compat
    package first, linter usrmerge: sbin/x; move programs to /usr/bin and libraries to /usr/lib: /bin, /sbin, /usr/sbin, /lib and /lib64 are links to them
    package first: `checks.disabled` lists 'debug', which is no linter
    ");
    let fine = report("fine", &["usrmerge", "worldwrite"], &files);
    assert!(!fine.has_errors() && Refused::from_reports(&[fine]).is_none());
}

#[test]
fn the_document_names_everything_once() {
    let mut files = Tree::new();
    for index in 0..1100 {
        let name = [format!("opt/{index:04}").as_bytes(), &b"\xff\n\"'"[..]].concat();
        files
            .insert(
                RelPath::new(name).unwrap(),
                Node::file(Meta::new(0o644, 0), *b""),
            )
            .unwrap();
    }
    let reports = [
        report("a", &["opt"], &files),
        report("b", &[], &Tree::new()),
    ];
    let text = document(&reports);
    assert_eq!(text, document(&reports));
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let finding = &json["packages"][0]["findings"][0];
    assert_eq!(finding["count"], 1100);
    assert_eq!(finding["disabled"], true);
    assert_eq!(finding["spots"].as_array().unwrap().len(), 1000);
    assert_eq!(finding["spots"][7]["path"], "opt/0007\\xff\\n\\\"\\'");
    assert_eq!(json["packages"][1]["findings"].as_array().unwrap().len(), 0);
    let told = reports[0].warnings();
    assert!(told[0].contains(", 1095 more; install beneath /usr"));
    assert!(!told[0].contains('\n') && !told[0].contains('\u{fffd}'));
}
