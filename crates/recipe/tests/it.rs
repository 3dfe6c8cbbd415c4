//! The program's own pipelines, resolved and then run by a real shell with real tools, in a
//! folder that stands for the guest.
#![expect(
    clippy::disallowed_methods,
    reason = "the test plays the guest: it lays out files and starts the shell"
)]
#![expect(clippy::unwrap_used, reason = "a test's own helpers fail by panicking")]

#[path = "it/checkout.rs"]
mod checkout;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use boltworks_model::Architecture;
use boltworks_recipe::resolved::{Recipe, Step};
use boltworks_recipe::{PipelineLibrary, ResolveOptions, parse_recipe, resolve};

const SHA256: &str = "9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23";

/// A folder that stands for the guest's root.
struct Guest(tempfile::TempDir);

impl Guest {
    fn new() -> Self {
        let guest = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(guest.path("/home/build")).unwrap();
        fs::create_dir_all(guest.path("/var/cache/melange")).unwrap();
        guest
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file of the main package.
    fn file(&self, path: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Runs every script of the recipe in order, as a build would.
    fn run(&self, body: &str) -> Result<(), String> {
        let recipe = understood(body);
        let steps = recipe.pipeline.iter();
        let steps = steps.chain(recipe.subpackages.iter().flat_map(|sub| &sub.pipeline));
        steps
            .flat_map(Step::scripts)
            .try_for_each(|step| self.step(step))
    }

    fn step(&self, step: &Step) -> Result<(), String> {
        let here = |text: &str| {
            let root = self.0.path().to_str().unwrap();
            text.replace("/home/build", &format!("{root}/home/build"))
                .replace("/var/cache/melange", &format!("{root}/var/cache/melange"))
        };
        let folder = here(&step.working_directory);
        fs::create_dir_all(&folder).unwrap();
        let script = here(step.runs.as_deref().unwrap_or_default());
        let output = Command::new("bash")
            .args(["-c", &format!("set -eo pipefail\n{script}")])
            .current_dir(folder)
            .output()
            .expect("bash is needed: apt-get install bash");
        if output.status.success() {
            return Ok(());
        }
        let (out, err) = (&output.stdout, &output.stderr);
        Err(format!(
            "{}{}",
            String::from_utf8_lossy(out),
            String::from_utf8_lossy(err)
        ))
    }

    /// Everything beneath a folder, sorted, without folders that hold something.
    fn list(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let mut found = Vec::new();
        walk(&root, &root, &mut found);
        found.sort();
        found
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_symlink() {
            found.push(format!(
                "{name} -> {}",
                fs::read_link(&path).unwrap().display()
            ));
        } else if metadata.is_dir() {
            let before = found.len();
            walk(root, &path, found);
            if found.len() == before {
                found.push(format!("{name}/"));
            }
        } else {
            found.push(name);
        }
    }
}

fn understood(body: &str) -> Recipe {
    let text = format!("package: {{name: demo, version: 1.2, epoch: 0}}\n{body}");
    let library = PipelineLibrary::builtin();
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    resolve(&parse_recipe("demo.yaml", &text).unwrap(), &options).unwrap()
}

/// Runs a tool the test itself needs.
fn tool(name: &str, arguments: &[&str], folder: &Path, install: &str) {
    let status = Command::new(name)
        .args(arguments)
        .current_dir(folder)
        .status();
    let status = status.unwrap_or_else(|_| panic!("{name} is needed: apt-get install {install}"));
    assert!(status.success(), "{name} {arguments:?}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

const DESTDIR: &str = "/home/build/melange-out/demo";

#[test]
fn a_source_is_unpacked_however_it_is_packed() {
    for compression in ["--gzip", "--xz", "--bzip2"] {
        let guest = Guest::new();
        guest.file("/made/demo-1.2/src/a.c", "int a;", 0o644);
        guest.file("/made/demo-1.2/configure", "#!/bin/sh\n", 0o755);
        // The name is the digest the recipe expects, whatever a mirror's file really is.
        let archive = guest.path(&format!("/var/cache/melange/sha256:{SHA256}"));
        let arguments = [
            "--create",
            compression,
            "--file",
            archive.to_str().unwrap(),
            "demo-1.2",
        ];
        tool(
            "tar",
            &arguments,
            &guest.path("/made"),
            "tar gzip xz-utils bzip2",
        );
        guest
            .run(&format!(
                "pipeline:\n- uses: fetch\n  with: {{uri: 'https://example.org/demo.tar.gz', expected-sha256: {SHA256}}}\n\
                 - uses: fetch\n  working-directory: other\n  with: {{uri: 'https://example.org/demo.tar.gz', expected-sha256: {SHA256}, strip-components: 2, directory: deep/er}}\n\
                 - uses: fetch\n  working-directory: third\n  with: {{uri: 'https://example.org/demo.tar.gz', expected-sha256: {SHA256}, delete: true}}\n"
            ))
            .unwrap();
        assert_eq!(
            guest.list("/home/build"),
            [
                "configure",
                "demo.tar.gz",
                "other/deep/er/a.c",
                "other/demo.tar.gz",
                "src/a.c",
                "third/configure",
                "third/src/a.c"
            ]
        );
        assert_eq!(mode(&guest.path("/home/build/configure")), 0o755);
    }
}

#[test]
fn a_source_keeps_its_own_name() {
    let guest = Guest::new();
    guest.file(&format!("/var/cache/melange/sha256:{SHA256}"), "jar", 0o444);
    guest
        .run(&format!(
            "pipeline:\n- uses: fetch\n  with: {{uri: 'https://example.org/a/b.jar?raw=1', expected-sha256: {SHA256}, extract: false}}\n\
             - uses: fetch\n  with: {{uri: 'https://example.org/a/', expected-sha256: {SHA256}, extract: false}}\n\
             - uses: fetch\n  with: {{uri: 'https://example.org/gone', expected-sha256: {SHA256}, extract: false, delete: true}}\n"
        ))
        .unwrap();
    assert_eq!(guest.list("/home/build"), ["a", "b.jar?raw=1"]);
    assert_eq!(mode(&guest.path("/home/build/b.jar?raw=1")) & 0o200, 0o200);
}

#[test]
fn patches_are_applied_in_order() {
    let diff =
        |from: &str, to: &str| format!("--- a/text\n+++ b/text\n@@ -1,1 +1,1 @@\n-{from}\n+{to}\n");
    let guest = Guest::new();
    guest.file("/home/build/text", "one\n", 0o644);
    guest.file("/home/build/1.patch", diff("one", "two"), 0o644);
    guest.file("/home/build/2.patch", diff("two", "three"), 0o644);
    guest.file(
        "/home/build/debian/3.patch",
        diff("three", "four")
            .replace("a/", "x/a/")
            .replace("b/", "x/b/"),
        0o644,
    );
    guest.file(
        "/home/build/debian/series",
        "# comment\n\n3.patch -p2 # why\n",
        0o644,
    );
    guest
        .run("pipeline:\n- uses: patch\n  with:\n    patches: |\n      1.patch\n      2.patch\n- uses: patch\n  with: {series: debian/series}\n")
        .unwrap();
    assert_eq!(
        fs::read_to_string(guest.path("/home/build/text")).unwrap(),
        "four\n"
    );
    let refused = guest.run("pipeline:\n- uses: patch\n  with: {patches: 1.patch}\n");
    assert!(refused.unwrap_err().contains("applying 1.patch"));
    guest.run("pipeline:\n- uses: patch\n").unwrap();
    for no_file in ["debian", "nowhere/series"] {
        let step = format!("pipeline:\n- uses: patch\n  with: {{series: {no_file}}}\n");
        let refused = guest.run(&step).unwrap_err();
        let told = format!("the series {no_file} is not a file");
        assert!(refused.contains(&told), "{refused}");
    }
}

/// Makes a program with symbols for debuggers.
fn program(guest: &Guest, path: &str, mode: u32) -> PathBuf {
    let source = guest.file("/made/main.c", "int main(void) { return 0; }\n", 0o644);
    let program = guest.file(path, "", 0o644);
    let (program_name, source) = (program.to_str().unwrap(), source.to_str().unwrap());
    tool(
        "cc",
        &["-g", "-o", program_name, source],
        guest.0.path(),
        "gcc libc6-dev",
    );
    fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
    program
}

fn has_section(file: &Path, section: &str) -> bool {
    let output = Command::new("readelf").arg("-SW").arg(file).output();
    let output = output.expect("readelf is needed: apt-get install binutils");
    assert!(output.status.success(), "{}", file.display());
    String::from_utf8_lossy(&output.stdout).contains(section)
}

#[test]
fn programs_are_stripped_and_nothing_else_is_touched() {
    let guest = Guest::new();
    let setuid = program(&guest, &format!("{DESTDIR}/usr/bin/a program"), 0o4755);
    let unwritable = program(&guest, &format!("{DESTDIR}/usr/bin/b"), 0o555);
    let text = guest.file(
        &format!("{DESTDIR}/usr/share/c"),
        "about \u{7f}ELF files\n",
        0o644,
    );
    let like = guest.file(
        &format!("{DESTDIR}/usr/share/d"),
        b"text\n\x7fELF at a line's start\n",
        0o644,
    );
    guest.file(&format!("{DESTDIR}/usr/share/empty"), "", 0o644);
    let mut foreign = fs::read(&setuid).unwrap();
    foreign[18] ^= 0xff;
    let foreign_file = guest.file(&format!("{DESTDIR}/usr/lib/firmware"), &foreign, 0o644);
    assert!(has_section(&setuid, ".debug_info"));
    guest.run("pipeline:\n- uses: strip\n").unwrap();
    for file in [&setuid, &unwritable] {
        assert!(!has_section(file, ".debug_info"), "{}", file.display());
    }
    assert_eq!((mode(&setuid), mode(&unwritable)), (0o4755, 0o555));
    assert_eq!(
        fs::read(text).unwrap(),
        "about \u{7f}ELF files\n".as_bytes()
    );
    assert_eq!(
        fs::read(like).unwrap(),
        b"text\n\x7fELF at a line's start\n"
    );
    assert_eq!(fs::read(foreign_file).unwrap(), foreign);
    // Nothing to strip, and no folder at all.
    Guest::new().run("pipeline:\n- uses: strip\n").unwrap();
    let empty = Guest::new();
    empty.file(&format!("{DESTDIR}/a"), "b", 0o644);
    empty.run("pipeline:\n- uses: strip\n").unwrap();
}

#[test]
fn symbols_are_split_off() {
    let guest = Guest::new();
    let program = program(&guest, &format!("{DESTDIR}/usr/bin/a"), 0o755);
    guest
        .run("subpackages:\n- name: demo-dbg\n  pipeline:\n  - uses: split/debug\n")
        .unwrap();
    assert_eq!(
        guest.list("/home/build/melange-out/demo-dbg"),
        ["usr/lib/debug/usr/bin/a.debug"]
    );
    assert!(!has_section(&program, ".debug_info") && has_section(&program, ".gnu_debuglink"));
    let symbols = guest.path("/home/build/melange-out/demo-dbg/usr/lib/debug/usr/bin/a.debug");
    assert!(has_section(&symbols, ".debug_info"));
}

#[test]
fn packages_are_split_off() {
    let guest = Guest::new();
    for path in [
        "usr/bin/demo",
        "usr/bin/demo-config",
        "usr/sbin/demod",
        "usr/include/demo/a.h",
        "usr/lib/libdemo.a",
        "usr/lib/libdemo.so.1.2",
        "usr/lib/libother.so.3",
        "usr/lib/demo/plugin.so",
        "usr/lib/demo/include/b.h",
        "usr/lib/libplain.so",
        "usr/share/demo/a.c",
        "usr/lib/pkgconfig/demo.pc",
        "usr/share/man/man1/demo.1",
        "usr/share/man/man3/demo.3",
        "usr/man/man5/demo.5",
        "usr/share/info/demo.info",
        "usr/share/info/dir",
        "usr/share/doc/demo/README",
        "usr/share/locale/de/LC_MESSAGES/demo.mo",
    ] {
        guest.file(&format!("{DESTDIR}/{path}"), path, 0o644);
    }
    guest.link(&format!("{DESTDIR}/usr/lib/libdemo.so"), "libdemo.so.1.2");
    guest.link(&format!("{DESTDIR}/usr/lib/libdemo.so.1"), "libdemo.so.1.2");
    guest
        .run(
            "subpackages:\n\
             - name: demo-static\n  pipeline: [{uses: split/static}]\n\
             - name: demo-dev\n  pipeline: [{uses: split/dev}]\n\
             - name: demo-lang\n  pipeline: [{uses: split/locales}]\n\
             - name: demo-doc\n  pipeline: [{uses: split/manpages}, {uses: split/infodir}, {uses: split/alldocs}]\n\
             - name: libother\n  pipeline: [{uses: split/lib, with: {patterns: \"other\\n\", paths: \"usr/lib64\\nopt/lib\\n\"}}]\n\
             - name: demo-libs\n  pipeline: [{uses: split/lib}]\n\
             - name: demo-tools\n  pipeline: [{uses: split/bin}]\n\
             - name: demo-again\n  pipeline: [{uses: split/manpages, with: {package: demo-doc}}]\n\
             - name: demo-none\n  pipeline: [{uses: split/manpages, with: {package: no-such}}]\n",
        )
        .unwrap();
    let mut lines = Vec::new();
    for package in fs::read_dir(guest.path("/home/build/melange-out")).unwrap() {
        let name = package.unwrap().file_name().to_str().unwrap().to_owned();
        let files = guest.list(&format!("/home/build/melange-out/{name}"));
        lines.push(format!("{name} [{}]", files.join(" ")));
    }
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    demo [usr/lib/demo/plugin.so usr/lib/libplain.so usr/sbin/demod]
    demo-again [usr/share/man/man1/demo.1 usr/share/man/man3/demo.3 usr/share/man/man5/demo.5]
    demo-dev [usr/bin/demo-config usr/include/demo/a.h usr/lib/demo/include/b.h usr/lib/libdemo.so -> libdemo.so.1.2 usr/lib/pkgconfig/demo.pc usr/share/demo/a.c]
    demo-doc [usr/share/doc/demo/README usr/share/info/demo.info]
    demo-lang [usr/share/locale/de/LC_MESSAGES/demo.mo]
    demo-libs [usr/lib/libdemo.so.1 -> libdemo.so.1.2 usr/lib/libdemo.so.1.2]
    demo-none []
    demo-static [usr/lib/libdemo.a]
    demo-tools [usr/bin/demo]
    libother [usr/lib/libother.so.3]
    "#);
    let itself = guest
        .run("pipeline: [{uses: split/manpages}]\n")
        .unwrap_err();
    assert!(
        itself.contains("a package cannot be split off itself"),
        "{itself}"
    );
}

#[test]
fn what_is_there_already_is_filled_up() {
    let guest = Guest::new();
    guest.file(&format!("{DESTDIR}/usr/share/man/man1/a.1"), "a", 0o644);
    guest.file(
        "/home/build/melange-out/demo-doc/usr/share/man/man1/b.1",
        "b",
        0o600,
    );
    guest
        .run("subpackages:\n- name: demo-doc\n  pipeline: [{uses: split/manpages}]\n")
        .unwrap();
    assert_eq!(
        guest.list("/home/build/melange-out/demo-doc"),
        ["usr/share/man/man1/a.1", "usr/share/man/man1/b.1"]
    );
    assert!(guest.list(DESTDIR).is_empty());
}

#[test]
fn development_files_are_split_off_from_another_prefix() {
    let guest = Guest::new();
    let prefix = "/home/build/melange-out/demo/opt/it";
    guest.file(&format!("{prefix}/include/a.h"), "a", 0o644);
    guest.file(&format!("{prefix}/lib/pkgconfig/a.pc"), "a", 0o644);
    guest.file(&format!("{prefix}/lib/a.so.1"), "a", 0o644);
    guest.link(&format!("{prefix}/lib/a.so"), "a.so.1");
    guest.file(&format!("{DESTDIR}/usr/include/b.h"), "b", 0o644);
    guest.file(&format!("{DESTDIR}/usr/lib/b.a"), "b", 0o644);
    guest
        .run("subpackages:\n- name: demo-dev\n  pipeline: [{uses: split/dev, with: {prefix: /opt/it}}]\n")
        .unwrap();
    assert_eq!(
        guest.list("/home/build/melange-out/demo-dev"),
        [
            "opt/it/include/a.h",
            "opt/it/lib/a.so -> a.so.1",
            "opt/it/lib/pkgconfig/a.pc",
            // Whatever is called so is moved, wherever it is.
            "usr/include/b.h"
        ]
    );
    assert_eq!(guest.list(DESTDIR), ["opt/it/lib/a.so.1", "usr/lib/b.a"]);
}

#[test]
fn what_perls_installer_leaves_behind_is_removed() {
    let guest = Guest::new();
    for path in ["auto/A/.packlist", "perllocal.pod", "auto/B/B.bs"] {
        let path = format!("{DESTDIR}/usr/lib/perl5/{path}");
        guest.file(&path, "", 0o444);
    }
    guest.run("pipeline: [{uses: perl/cleanup}]\n").unwrap();
    assert_eq!(
        guest.list(DESTDIR),
        ["usr/lib/perl5/auto/A/", "usr/lib/perl5/auto/B/B.bs"]
    );
    Guest::new()
        .run("pipeline: [{uses: perl/cleanup}]\n")
        .unwrap();
}

#[test]
fn autoconf_configures_makes_and_installs() {
    let guest = Guest::new();
    guest.file(
        "/home/build/src/configure",
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > arguments\n\
         printf 'all:\\n\\techo $(WHAT) > made\\ninstall more:\\n\\tinstall -D made $(DESTDIR)/usr/lib/made\\n\\ttouch $(DESTDIR)/usr/lib/a.la\\n' > Makefile\n",
        0o755,
    );
    guest
        .run(
            "pipeline:\n- working-directory: src\n  pipeline:\n\
             \x20 - uses: autoconf/configure\n    with:\n      opts: |\n        --disable-static \\\n        --with-x\n\
             \x20 - uses: autoconf/make\n    with: {opts: WHAT=it}\n\
             \x20 - uses: autoconf/make-install\n",
        )
        .unwrap();
    assert_eq!(guest.list(DESTDIR), ["usr/lib/made"]);
    assert_eq!(
        fs::read_to_string(guest.path(&format!("{DESTDIR}/usr/lib/made"))).unwrap(),
        "it\n"
    );
    insta::assert_snapshot!(fs::read_to_string(guest.path("/home/build/src/arguments")).unwrap(), @r#"
    --host=x86_64-pc-linux-gnu
    --build=x86_64-pc-linux-gnu
    --prefix=/usr
    --sysconfdir=/etc
    --libdir=/usr/lib
    --mandir=/usr/share/man
    --infodir=/usr/share/info
    --localstatedir=/var
    --disable-static
    --with-x
    "#);
}
