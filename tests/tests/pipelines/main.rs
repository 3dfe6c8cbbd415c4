//! The built-in pipelines with real tools: sources of a few lines each, built twice in two places
//! from Debian's compilers and interpreters. The recipes in `factory/` also test what they made.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

mod cloned;
mod made;
#[path = "../../../crates/source/tests/it/upstream.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod upstream;

use std::fs::{metadata, read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::Command;
use boltworks_tests::tools::need;

use crate::made::Made;

/// A compiled Python file that holds its source's digest, and is checked against it.
const BY_DIGEST: [u8; 4] = [3, 0, 0, 0];

#[test]
fn cmake_makes_a_library_and_a_program() -> Result<()> {
    let made = Made::get()?;
    made.holds("greet", &["usr/bin/greet"])?;
    made.holds(
        "libgreet",
        &["usr/lib/libgreet.so.1", "usr/lib/libgreet.so.1.2.0"],
    )?;
    let development = [
        "usr/include/greet.h",
        "usr/lib/cmake/greet/greet-config-release.cmake",
        "usr/lib/cmake/greet/greet-config.cmake",
        "usr/lib/libgreet.so",
        "usr/lib/pkgconfig/greet.pc",
    ];
    made.holds("greet-dev", &development)?;
    made.depends("greet", &["so:libgreet.so.1", "so:libc.so.6"])?;
    made.depends("greet-dev", &["libgreet=1.2.0-r0"])?;
    made.provides("libgreet", &["so:libgreet.so.1=1"])?;
    made.provides("greet-dev", &["pc:greet=1.2.0-r0"])?;
    // No folder of the build is looked for libraries in.
    let program = made.file("greet", "usr/bin/greet");
    let dynamic = Command::new(need("readelf")?)
        .args(["--wide", "--dynamic"])
        .arg(&program)
        .ok()?
        .stdout;
    ensure!(!dynamic.contains("RUNPATH"), "{dynamic}");
    Ok(())
}

#[test]
fn meson_links_another_recipes_library() -> Result<()> {
    let made = Made::get()?;
    let files = [
        "etc/hello/hello.conf",
        "usr/bin/hello",
        "usr/lib/libhello.so",
        "usr/lib/libhello.so.2",
        "usr/lib/libhello.so.2.1",
    ];
    made.holds("hello", &files)?;
    made.depends("hello", &["so:libgreet.so.1"])?;
    made.provides("hello", &["cmd:hello=2.1-r3", "so:libhello.so.2=2"])?;
    // The type of the build is the project's choice, and the recipe prefers another folder.
    let configuration = read(made.file("hello", "etc/hello/hello.conf"))?;
    ensure!(configuration == b"type=debug\n", "{configuration:?}");
    Ok(())
}

#[test]
fn perl_installs_a_module_for_the_distribution() -> Result<()> {
    let made = Made::get()?;
    let architecture = "usr/lib/x86_64-linux-gnu/perl5/5.40";
    let files = [
        "usr/bin/pgreet",
        &format!("{architecture}/Greet.pm"),
        &format!("{architecture}/auto/Greet/Greet.so"),
    ];
    made.holds("perl-greet", &files)?;
    made.holds(
        "perl-greet-doc",
        &[
            "usr/share/man/man1/pgreet.1p",
            "usr/share/man/man3/Greet.3pm",
        ],
    )?;
    made.depends("perl-greet", &["cmd:perl"])?;
    made.provides("perl-greet", &["cmd:pgreet=0.03-r0"])
}

#[test]
fn python_builds_and_installs_a_wheel() -> Result<()> {
    let made = Made::get()?;
    let folder = "usr/lib/python3/dist-packages";
    let about = [
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "top_level.txt",
    ]
    .map(|name| format!("{folder}/greet-0.1.dist-info/{name}"));
    let module = format!("{folder}/greet/__init__.py");
    let mut files = vec!["usr/bin/py-greet", &module];
    files.extend(about.iter().map(String::as_str));
    files.sort_unstable();
    made.holds("py3-greet", &files)?;
    made.provides("py3-greet", &["cmd:py-greet=0.1-r0"])?;
    let mode = metadata(made.file("py3-greet", "usr/bin/py-greet"))?;
    ensure!(mode.permissions().mode() & 0o777 == 0o755);
    Ok(())
}

#[test]
fn python_installs_by_setup_py() -> Result<()> {
    let made = Made::get()?;
    let folder = "usr/lib/python3/dist-packages/certifi";
    let files = made.files("py3-certifi")?;
    for name in ["__init__.py", "cacert.pem", "core.py"] {
        ensure!(files.contains(&format!("{folder}/{name}")), "{files:?}");
    }
    let compiled = format!("{folder}/__pycache__/core.cpython-313.pyc");
    let source = format!("{folder}/core.py");
    is_compiled_for_good(&made.file("py3-certifi", &compiled), &source)
}

/// A compiled file knows no time, and its source where it will be.
fn is_compiled_for_good(compiled: &Path, source: &str) -> Result<()> {
    let bytes = read(compiled).with_context(|| compiled.display().to_string())?;
    let name = format!("/{source}");
    ensure!(bytes.get(4..8) == Some(&BY_DIGEST), "{:?}", bytes.get(..16));
    ensure!(
        bytes
            .windows(name.len())
            .any(|part| part == name.as_bytes()),
        "{name} is not named"
    );
    Ok(())
}

#[test]
fn patches_are_applied_and_targets_made() -> Result<()> {
    let made = Made::get()?;
    let share = "usr/share/mended";
    let expected = [
        ("commit", None),
        ("first.made", Some("first a word\n")),
        ("second.made", Some("second a word\n")),
        ("text", Some("three\n")),
    ];
    let names = expected.map(|(name, _)| format!("{share}/{name}"));
    made.holds("mended", &names.each_ref().map(String::as_str))?;
    for (name, content) in expected {
        let read = read(made.file("mended", &format!("{share}/{name}")))?;
        let is_so = content.is_none_or(|content| read == content.as_bytes());
        ensure!(is_so, "{name}: {}", String::from_utf8_lossy(&read));
    }
    Ok(())
}

#[test]
fn a_second_factory_makes_the_same_bytes() -> Result<()> {
    let made = Made::get()?;
    ensure!(made.first.len() == 11, "{:?}", made.first);
    ensure!(
        made.first == made.second,
        "{:?}\n{:?}",
        made.first,
        made.second
    );
    Ok(())
}

#[test]
fn no_file_names_the_builds_folders() -> Result<()> {
    let made = Made::get()?;
    // The documents about what is in a package may.
    let found = Command::new(need("grep")?)
        .args([
            "--recursive",
            "--files-with-matches",
            "--exclude=*.spdx.json",
        ])
        .args(["--exclude=.melange.yaml", "/home/build"])
        .arg(made.folder())
        .run()?;
    ensure!(found.stdout.is_empty(), "{found}");
    Ok(())
}
