//! What files need and offer.

use boltworks_fsx::{Meta, Node, RelPath, Tree};
use boltworks_package::analysis::{Analysis, RULES, Subject, analyse};
use boltworks_package::survey::{Family, survey};
use boltworks_recipe::resolved::PackageOptions;

use crate::{built, tree};

pub(crate) fn analysis(name: &str, tree: &Tree, siblings: &[&Tree]) -> Analysis {
    let (name, version) = (name.parse().unwrap(), "1.2-r3".parse().unwrap());
    analysed(&Subject::new(&name, &version), tree, siblings)
}

fn analysed(subject: &Subject<'_>, tree: &Tree, siblings: &[&Tree]) -> Analysis {
    let family = Family::new(&[&[tree], siblings].concat()).unwrap();
    analyse(subject, &survey(tree, &family).unwrap())
}

pub(crate) fn depends(analysis: &Analysis) -> Vec<String> {
    analysis.depends.iter().map(ToString::to_string).collect()
}

pub(crate) fn provides(analysis: &Analysis) -> Vec<String> {
    analysis
        .provides
        .values()
        .map(ToString::to_string)
        .collect()
}

pub(crate) const LIBRARY: &str = r"
mkdir -p $D/usr/lib $D/usr/lib/pkgconfig
echo 'int one(void) { return 1; }' > one.c && cc -shared -fPIC -o $D/usr/lib/libone.so.1.2 -Wl,-soname,libone.so.1 -nostdlib one.c
ln -s libone.so.1.2 $D/usr/lib/libone.so.1
";

#[test]
fn a_library_offers_its_soname() {
    let (_folder, tree) = built(&format!("cd $(mktemp -d)\n{LIBRARY}"));
    let analysis = analysis("one", &tree, &[]);
    assert_eq!(
        provides(&analysis),
        ["so-ver:libone.so.1=1.2-r3", "so:libone.so.1=1"]
    );
    assert_eq!(depends(&analysis), Vec::<String>::new());
}

#[test]
fn a_program_needs_its_libraries_and_its_loader() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/usr/bin
         echo 'int one(void); int main(void) {{ return one(); }}' > main.c
         cc -o $D/usr/bin/main main.c -L$D/usr/lib -l:libone.so.1.2 -Wl,--dynamic-linker=/lib/ld-test.so.7
         rm -r $D/usr/lib"
    );
    let (_folder, tree) = built(&script);
    let analysis = analysis("main", &tree, &[]);
    assert_eq!(provides(&analysis), ["cmd:main=1.2-r3"]);
    let needs = depends(&analysis);
    assert!(needs.contains(&"so:libone.so.1".to_owned()), "{needs:?}");
    assert!(needs.contains(&"so:ld-test.so.7".to_owned()), "{needs:?}");
}

#[test]
fn what_a_package_has_itself_it_does_not_need() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/usr/bin
         echo 'int one(void); int main(void) {{ return one(); }}' > main.c
         cc -nostdlib -nostartfiles -o $D/usr/bin/main main.c -L$D/usr/lib -l:libone.so.1.2"
    );
    let (_folder, tree) = built(&script);
    let needs = depends(&analysis("main", &tree, &[]));
    assert!(!needs.contains(&"so:libone.so.1".to_owned()), "{needs:?}");
}

#[test]
fn a_development_link_needs_the_library_beside_it() {
    let (_library, library) = built(&format!("cd $(mktemp -d)\n{LIBRARY}"));
    let (_links, links) = built("mkdir -p $D/usr/lib && ln -s libone.so.1 $D/usr/lib/libone.so");
    assert_eq!(
        depends(&analysis("one-dev", &links, &[&library])),
        ["so:libone.so.1"]
    );
    assert_eq!(
        depends(&analysis("one-dev", &links, &[])),
        Vec::<String>::new()
    );
}

/// The library in a folder of its own, and links to it from inside and outside the loader's folders.
#[test]
fn a_link_to_a_library_is_one() {
    let inner = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/usr/lib/x/lib $D/usr/bin
         mv $D/usr/lib/libone.so.1.2 $D/usr/lib/x/lib/libone.so.1 && rm $D/usr/lib/libone.so.1"
    );
    let check = |link: &str, expect: [&[&str]; 2]| {
        let (_folder, tree) = built(&format!("{inner}\nln -s {link}"));
        let found = analysis("one", &tree, &[]);
        let vendored = found.vendored.values().map(ToString::to_string);
        let vendored: Vec<String> = vendored.collect();
        assert_eq!(provides(&found), expect[0], "{link}");
        assert_eq!(vendored, expect[1], "{link}");
        assert_eq!(depends(&found), Vec::<String>::new(), "{link}");
    };
    let one: &[&str] = &["so-ver:libone.so.1=1.2-r3", "so:libone.so.1=1"];
    check("x/lib/libone.so.1 $D/usr/lib/libone.so.1", [one, one]);
    check("../lib/x/lib/libone.so.1 $D/usr/bin/tool", [&[], one]);
    // An absolute link leads to where the package is installed, perhaps with another's files.
    check(
        "/usr/lib/x/lib/libone.so.1 $D/usr/lib/libone.so.1",
        [&[], one],
    );
    check(
        "../../../usr/lib/x/lib/libone.so.1 $D/usr/lib/a.so",
        [&[], one],
    );
}

#[test]
fn a_link_needs_the_library_that_its_target_is_called() {
    let (_library, library) = built(&format!("cd $(mktemp -d)\n{LIBRARY}"));
    let check = |link: &str, expect: &[&str]| {
        let (_links, links) = built(&format!("mkdir -p $D/usr/lib/x $D/usr/bin\nln -s {link}"));
        let found = depends(&analysis("one-dev", &links, &[&library]));
        assert_eq!(found, expect, "{link}");
    };
    let one: &[&str] = &["so:libone.so.1"];
    check("../libone.so.1.2 $D/usr/lib/x/libone.so", one);
    check("/usr/lib/libone.so.1 $D/usr/lib/libone.so", one);
    check("/opt/libone.so.1 $D/usr/bin/one.so", one);
    check("../lib/libone.so.1 $D/usr/bin/one", &[]);
    check("libone.so.2 $D/usr/lib/libone.so", &[]);
}

#[test]
fn what_a_package_may_not_offer_it_needs_itself() {
    let (_library, library) = built(&format!("cd $(mktemp -d)\n{LIBRARY}"));
    let (name, version) = ("one".parse().unwrap(), "1.2-r3".parse().unwrap());
    let mut subject = Subject::new(&name, &version);
    subject.options.no_provides = true;
    // libone.so.1 is a link to libone.so.1.2, which is here and whose soname that is.
    let found = analysed(&subject, &library, &[]);
    assert_eq!(depends(&found), ["so:libone.so.1"]);
    assert_eq!(provides(&found), Vec::<String>::new());
}

#[test]
fn a_library_elsewhere_is_vendored() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/opt/app && mv $D/usr/lib/libone.so.1.2 $D/opt/app/ && rm -r $D/usr"
    );
    let (_folder, tree) = built(&script);
    let analysis = analysis("app", &tree, &[]);
    assert_eq!(provides(&analysis), Vec::<String>::new());
    let vendored: Vec<String> = analysis
        .vendored
        .values()
        .map(ToString::to_string)
        .collect();
    assert_eq!(vendored, ["so-ver:libone.so.1=1.2-r3", "so:libone.so.1=1"]);
}

#[test]
fn scripts_pkg_config_files_and_hard_links() {
    let script = "mkdir -p $D/usr/bin $D/usr/lib/pkgconfig $D/usr/share/doc
        printf '#!/usr/bin/env perl\\n' > $D/usr/bin/tool && chmod 755 $D/usr/bin/tool
        ln $D/usr/bin/tool $D/usr/bin/tool2
        printf '#!/bin/sh\\n' > $D/usr/bin/plain && chmod 755 $D/usr/bin/plain
        printf '#!/usr/bin/perl\\n' > $D/usr/share/doc/example && chmod 755 $D/usr/share/doc/example
        printf 'Version: 3\\nRequires: zlib >= 1.2, pcre2\\n' > $D/usr/lib/pkgconfig/tool.pc
        printf 'not executable' > $D/usr/bin/data";
    let (_folder, tree) = built(script);
    let analysis = analysis("tool", &tree, &[]);
    assert_eq!(depends(&analysis), ["cmd:perl", "pc:pcre2", "pc:zlib"]);
    assert_eq!(
        provides(&analysis),
        [
            "cmd:plain=1.2-r3",
            "cmd:tool=1.2-r3",
            "cmd:tool2=1.2-r3",
            "pc:tool=1.2-r3"
        ]
    );
}

#[test]
fn a_file_that_only_looks_like_elf_is_a_file() {
    let mut tree = Tree::new();
    for (name, bytes) in [
        ("usr/bin/a", &b"\x7fELF"[..]),
        ("usr/lib/b.so.1", &b"\x7fELF\x02\x01\x01garbage"[..]),
        ("usr/lib/pkgconfig/c.pc", &b"\xff\xfe\0"[..]),
    ] {
        tree.insert(
            RelPath::try_from(name).unwrap(),
            Node::file(Meta::new(0o755, 0), bytes.to_vec()),
        )
        .unwrap();
    }
    tree.ensure_dirs(&Meta::new(0o755, 0));
    assert_eq!(
        provides(&analysis("odd", &tree, &[])),
        ["cmd:a=1.2-r3", "pc:c=1.2-r3"]
    );
}

/// A table of trees and what they need, offer and keep for themselves.
#[track_caller]
fn check(name: &str, files: &[(&str, u32, &[u8])], expect: [&str; 3]) {
    let analysis = analysis(name, &tree(files), &[]);
    let vendored = analysis.vendored.values().map(ToString::to_string);
    let found = [
        depends(&analysis).join(" "),
        provides(&analysis).join(" "),
        vendored.collect::<Vec<_>>().join(" "),
    ];
    assert_eq!(found, expect);
}

#[test]
fn every_rule_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
}

#[test]
fn python_modules_need_their_python() {
    let module = "usr/lib/python3.14/site-packages/foo/__init__.py";
    check(
        "py3-foo",
        &[(module, 0o644, b"")],
        ["python-3.14-base", "", ""],
    );
    let folder = "usr/lib/python3.9/site-packages/";
    check(
        "py3-foo",
        &[(folder, 0o755, b"")],
        ["python-3.9-base", "", ""],
    );
    for none in [
        "usr/lib/python3/site-packages/foo.py",
        "usr/lib/pythonX.Y/site-packages/foo.py",
        "usr/lib/python3.14.1/site-packages/foo.py",
        "usr/lib/site-packages/foo.py",
        "usr/lib/python3.14/dist-packages/foo.py",
    ] {
        check("py3-foo", &[(none, 0o644, b"")], ["", "", ""]);
    }
    // Python itself does not need itself.
    check("python-3.14-base", &[(module, 0o644, b"")], ["", "", ""]);
}

#[test]
fn gems_need_their_ruby() {
    let gem = "usr/lib/ruby/gems/3.2.0/gems/base64-0.2.0/lib/base64.rb";
    check("ruby3.2-base64", &[(gem, 0o644, b"")], ["ruby-3.2", "", ""]);
    let lib = "lib/ruby/gems/3.4.0/gems/";
    check("ruby3.4-x", &[(lib, 0o755, b"")], ["ruby-3.4", "", ""]);
    for none in [
        "usr/lib/ruby/gems/3.2/gems/x/x.rb",
        "usr/lib/ruby/gems/3.2.0/specifications/x.gemspec",
        "opt/usr/lib/ruby/gems/3.2.0/gems/x/x.rb",
    ] {
        check("ruby-x", &[(none, 0o644, b"")], ["", "", ""]);
    }
}

#[test]
fn perl_modules_need_their_perl() {
    let module = "usr/lib/perl5/vendor_perl/JSON.pm";
    check("perl-json", &[(module, 0o444, b"")], ["perl~5", "", ""]);
    // Here the version stands one part further to the left.
    let module = "lib/perl5/site_perl/JSON.pm";
    check("perl-json", &[(module, 0o444, b"")], ["perl~5", "", ""]);
    check(
        "perl",
        &[("usr/lib/perl5/core_perl/x.pm", 0o444, b"")],
        ["", "", ""],
    );
    for none in [
        "usr/lib/perlish/vendor_perl/x.pm",
        "usr/lib/perl5/auto/x.pm",
    ] {
        check("perl-x", &[(none, 0o644, b"")], ["", "", ""]);
    }
}

#[test]
fn what_the_recipe_names_is_not_named_again() {
    let (name, version) = ("odd".parse().unwrap(), "1-r0".parse().unwrap());
    let files = tree(&[
        ("usr/lib/python3.14/site-packages/foo.py", 0o644, b""),
        ("usr/lib/ruby/gems/3.2.0/gems/x.rb", 0o644, b""),
        ("usr/lib/perl5/vendor_perl/x.pm", 0o644, b""),
    ]);
    let declared = ["python-3.14", "ruby-3.2=3.2.1-r0", "perl"];
    let declared = declared.map(|said| said.parse().unwrap());
    let mut subject = Subject::new(&name, &version);
    let all = ["perl~5", "python-3.14-base", "ruby-3.2"];
    assert_eq!(depends(&analysed(&subject, &files, &[])), all);
    subject.declared = &declared;
    assert!(depends(&analysed(&subject, &files, &[])).is_empty());
    // A conflict asks for nothing.
    let declared = ["!python-2.7".parse().unwrap()];
    subject.declared = &declared;
    assert_eq!(depends(&analysed(&subject, &files, &[])), all);
}

#[test]
fn documentation_needs_its_reader() {
    let man = ("usr/share/man/man1/bash.1.gz", 0o644, &b""[..]);
    let info = ("usr/share/info/bash.info", 0o644, &b""[..]);
    check("bash-doc", &[man, info], ["man-db texinfo", "", ""]);
    check("bash-doc", &[info], ["texinfo", "", ""]);
    check("bash-doc", &[("usr/share/man/", 0o755, b"")], ["", "", ""]);
    check("bash", &[man, info], ["", "", ""]);
}

#[test]
fn shebangs_become_commands() {
    for (line, expect) in [
        ("#!/usr/bin/env bash", "cmd:bash"),
        ("#!/bin/dash", "cmd:dash"),
        ("#!/usr/bin/env -S envDashSCmd foo", "cmd:envDashSCmd"),
        ("#!/usr/bin/python3.12", "cmd:python3.12"),
        ("#!/usr/bin/env python3", ""),
        ("#!/usr/bin/python", ""),
        ("#!/bin/sh", ""),
        ("#!/usr/bin/awk -f", ""),
        ("#!/usr/bin/luajit", ""),
        ("# no line of this kind", ""),
    ] {
        for (path, is_seen) in [
            ("usr/bin/x", true),
            ("usr/bin/deeper/x", true),
            ("usr/local/bin/x", true),
            ("usr/local/share/x", false),
            ("usr/binary/x", false),
            ("etc/x", false),
        ] {
            let files = tree(&[(path, 0o755, line.as_bytes())]);
            let found = depends(&analysis("x", &files, &[])).join(" ");
            assert_eq!(found, if is_seen { expect } else { "" }, "{line} in {path}");
        }
        // Who may run it is not asked.
        let files = tree(&[("usr/bin/x", 0o644, line.as_bytes())]);
        assert_eq!(depends(&analysis("x", &files, &[])).join(" "), expect);
    }
}

#[test]
fn commands_are_regular_files_that_all_may_run() {
    check(
        "x",
        &[
            ("usr/bin/a", 0o755, b""),
            ("usr/sbin/b", 0o555, b""),
            ("bin/c", 0o4755, b""),
            ("usr/bin/d", 0o750, b""),
            ("usr/bin/e", 0o644, b""),
            ("usr/bin/f", 0o777, b"-> a"),
            ("usr/local/bin/g", 0o755, b""),
            ("usr/bin/deeper/h", 0o755, b""),
        ],
        ["", "cmd:a=1.2-r3 cmd:b=1.2-r3 cmd:c=1.2-r3", ""],
    );
}

#[test]
fn pkg_config_files_elsewhere_are_the_packages_own() {
    check(
        "x",
        &[
            (
                "usr/share/pkgconfig/a.pc",
                0o644,
                b"Requires: b, other >= 2\nRequires.private: c",
            ),
            ("usr/libexec/x/pkgconfig/b.pc", 0o644, b"Requires: more"),
            ("usr/lib/pkgconfig/d.pc", 0o777, b"-> a.pc"),
        ],
        ["pc:c pc:other", "pc:a=1.2-r3", "pc:b=1.2-r3"],
    );
}

#[test]
fn switches_leave_things_out() {
    let (name, version) = ("x".parse().unwrap(), "1-r0".parse().unwrap());
    let files = tree(&[
        ("usr/bin/x", 0o755, b"#!/bin/bash"),
        ("usr/lib/pkgconfig/x.pc", 0o644, b"Requires: y"),
    ]);
    let with = |options| {
        let subject = Subject {
            options,
            ..Subject::new(&name, &version)
        };
        let analysis = analysed(&subject, &files, &[]);
        (depends(&analysis).join(" "), provides(&analysis).join(" "))
    };
    let options = PackageOptions::default();
    let check = |options, depends: &str, provides: &str| {
        assert_eq!(with(options), (depends.to_owned(), provides.to_owned()));
    };
    let (needs, offers) = ("cmd:bash pc:y", "cmd:x=1-r0 pc:x=1-r0");
    check(options, needs, offers);
    check(
        PackageOptions {
            no_provides: true,
            ..options
        },
        needs,
        "",
    );
    check(
        PackageOptions {
            no_depends: true,
            ..options
        },
        "",
        offers,
    );
    check(
        PackageOptions {
            no_commands: true,
            ..options
        },
        "pc:y",
        "pc:x=1-r0",
    );
}

/// A kernel for x86 as far as its boot header goes.
fn boot_image(version: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 0x400];
    image[..2].copy_from_slice(b"MZ");
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e..0x210].copy_from_slice(&0x150_u16.to_le_bytes());
    image.splice(0x350..0x350, version.iter().copied());
    image
}

/// A PE file with one section, that holds the kernel.
fn unified_image(kernel: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 0x400];
    image[..2].copy_from_slice(b"MZ");
    image[0x3c] = 0x80;
    image[0x80..0x84].copy_from_slice(b"PE\0\0");
    image[0x86] = 1;
    image[0x98..0x9e].copy_from_slice(b".linux");
    image[0xa8..0xac].copy_from_slice(&u32::try_from(kernel.len()).unwrap().to_le_bytes());
    image[0xac..0xb0].copy_from_slice(&0x400_u32.to_le_bytes());
    image.extend(kernel);
    image
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn kernels_offer_their_version() {
    let banner = b"\0Linux version %s\0Linux version 6.17.7-test (me@here) # SMP\0".to_vec();
    // Behind the first part that is searched, and over its edge.
    let deep = [vec![1; (1 << 20) - 5], banner.clone(), vec![1; 3 << 20]].concat();
    let boot = boot_image(b"6.17.7-test (me@here) #1\0");
    let inside = [vec![7; 5000], gzip(&deep), vec![9; 99]].concat();
    let kernels = [
        boot.clone(),
        unified_image(&boot),
        unified_image(&deep),
        banner,
        deep.clone(),
        gzip(&deep),
        zstd::encode_all(deep.as_slice(), 1).unwrap(),
        inside,
    ];
    for kernel in &kernels {
        for path in ["boot/vmlinuz", "usr/lib/modules/6.17.7-test/vmlinuz"] {
            check(
                "linux",
                &[(path, 0o644, kernel)],
                ["", "linux:6.17.7-test", ""],
            );
        }
        for path in [
            "boot/initramfs",
            "usr/lib/vmlinuz",
            "lib/modules/x/modules.dep",
        ] {
            check("linux", &[(path, 0o644, kernel)], ["", "", ""]);
        }
    }
    // Broken: nothing is known, and nothing fails.
    for kernel in &kernels {
        for len in (0..kernel.len().min(0x420)).step_by(7) {
            analysis(
                "linux",
                &tree(&[("boot/vmlinuz", 0o644, &kernel[..len])]),
                &[],
            );
        }
    }
}

#[test]
fn modules_need_their_kernel() {
    let module = b"license=GPL\0vermagic=6.12.25-v8-16k+ SMP preempt\0".to_vec();
    for (name, bytes) in [
        ("uio.ko", module.clone()),
        ("uio.ko.gz", gzip(&module)),
        (
            "uio.ko.zst",
            zstd::encode_all(module.as_slice(), 1).unwrap(),
        ),
        // Nothing here unpacks this, so the path counts.
        ("uio.ko.xz", b"\xfd7zXZ\0".to_vec()),
    ] {
        let path = format!("usr/lib/modules/6.12.25-v8-16k/kernel/{name}");
        check(
            "m",
            &[(&path, 0o644, &bytes)],
            ["linux:6.12.25-v8-16k", "", ""],
        );
        let elsewhere = format!("usr/lib/{name}");
        check("m", &[(&elsewhere, 0o644, &bytes)], ["", "", ""]);
    }
    check(
        "m",
        &[("lib/modules/6.1/x.ko.gz", 0o644, b"garbage")],
        ["", "", ""],
    );
    // A package of both needs nothing.
    let kernel = (
        "boot/vmlinuz",
        0o644,
        &b"Linux version 6.12.25-v8-16k ("[..],
    );
    let module = ("lib/modules/6.12.25-v8-16k/x.ko", 0o644, &module[..]);
    check("both", &[kernel, module], ["", "linux:6.12.25-v8-16k", ""]);
}
