//! The same factory in two worlds: another folder, user, clock, number of processors, language,
//! time zone and umask. Packages, repository and image are the same to the bit.
//!
//! Both start from one stage 0 and one key. What they build is small, but asks the guest for
//! whatever could differ, and puts the answers into a package.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::program::program;
use boltworks_tests::tools::{as_ordinary_user, give_to_ordinary_user, need, need_faketime};
use boltworks_tests::{Command, Factory, Folder};
use serde_json::Value;

use crate::once::Demo;

const TINY: &str = r#"
package:
  name: tiny
  version: "1"
  epoch: 0
  description: a program without a library, and what the guest says of itself
  copyright:
    - license: Apache-2.0
  checks:
    disabled: [setuidgid]
environment:
  contents:
    packages: [stage0-toolchain]
pipeline:
  - name: compile
    runs: |
      cat > tiny.c <<'END'
      int add(int, int);
      const char *built_in = __FILE__;
      void _start(void) {
        __asm__ volatile("syscall" :: "a"(60), "D"(add(40, 2)) : "rcx", "r11");
        for (;;) {}
      }
      END
      echo 'int add(int left, int right) { return left + right; }' > add.c
      gcc -g -O2 -ffreestanding -c add.c
      ar rc libtiny.a add.o
      gcc -g -O2 -ffreestanding -nostdlib -static -o tiny tiny.c libtiny.a
      install -Dm755 tiny "${{targets.destdir}}/usr/bin/tiny"
      install -Dm644 libtiny.a "${{targets.destdir}}/usr/lib/libtiny.a"
      install -Dm644 add.c "${{targets.destdir}}/usr/include/tiny.h"
      mkdir -p "${{targets.destdir}}/usr/share/man/man1"
      echo '.TH tiny 1' > "${{targets.destdir}}/usr/share/man/man1/tiny.1"
  - name: ask the guest
    runs: |
      mkdir -p "${{targets.destdir}}/usr/share/tiny"
      cd "${{targets.destdir}}/usr/share/tiny"
      env | sort > environment
      { umask; id; hostname; pwd; tty || true; ulimit -Sa; } > process
      printf '%s\n' ı İ I i Z a ä B | sort > sorted
      printf '%.1f\n' 1.5 > number
      stat -c '%a %u %g' /home/build /tmp / > folders
      ln -s sorted link
      ln sorted hardlink
      mkfifo -m 600 fifo && rm fifo
      chmod 4755 ../../bin/tiny
  - uses: strip
subpackages:
  - name: tiny-dev
    description: its library
    pipeline:
      - uses: split/dev
  - name: tiny-doc
    description: its manual
    pipeline:
      - uses: split/manpages
test:
  environment:
    contents:
      packages: [stage0-toolchain]
  pipeline:
    - runs: |
        code=0
        tiny || code=$?
        test "$code" -eq 42
"#;

const IMAGE: &str = "\
contents:
  packages: [baselayout, ca-certificates, tiny]
entrypoint:
  command: /usr/bin/tiny
accounts:
  users:
    - username: nonroot
      uid: 65532
  run-as: nonroot
archs: [x86_64]
";

const PACKAGES: &[&str] = &[
    "baselayout",
    "ca-certificates",
    "tiny",
    "tiny-dev",
    "tiny-doc",
];

/// A factory in a folder, with the demo's stage 0, key and sources, and nothing made yet.
fn factory(demo: &Demo, path: PathBuf) -> Result<Factory> {
    let factory = Factory::at(path);
    let from = demo.factory.path();
    let copy = |file: &str| -> Result<()> {
        let to = factory.path().join(file);
        let parent = to.parent().context("no folder")?;
        Command::new("mkdir").arg("--parents").arg(parent).ok()?;
        Command::new("cp")
            .arg("-a")
            .arg(from.join(file))
            .arg(&to)
            .ok()?;
        Ok(())
    };
    for file in [
        "keys",
        "recipes/baselayout",
        "recipes/baselayout.yaml",
        "recipes/ca-certificates.yaml",
        ".boltworks/stage0",
        ".boltworks/store",
    ] {
        copy(file)?;
    }
    let text = Command::new("cat")
        .arg(from.join("boltworks.yaml"))
        .ok()?
        .stdout;
    let (before, rest) = text.split_once("\nchannels:\n").context("no channels")?;
    let (_, after) = rest.split_once("\npolicies:\n").context("no policies")?;
    let channels = "\nchannels:\n  \"small:1\": { image: small }\n";
    factory.write(
        "boltworks.yaml",
        &format!("{before}{channels}\npolicies:\n{after}"),
    )?;
    factory.write("recipes/tiny.yaml", TINY)?;
    factory.write("images/small.yaml", IMAGE)?;
    Ok(factory)
}

/// As root where the tests are, on one processor, in English, in winter.
fn one_world(demo: &Demo, folder: &Path) -> Result<Factory> {
    let words = [
        need("taskset")?.as_os_str().to_owned(),
        "--cpu-list".into(),
        "0".into(),
        "env".into(),
        "LANG=C".into(),
        "TZ=UTC".into(),
        "sh".into(),
        "-c".into(),
        "umask 022; exec \"$0\" \"$@\"".into(),
    ];
    Ok(factory(demo, folder.join("a"))?.through(words))
}

/// As an ordinary user, on all processors, in Turkish, in Nepal, in another summer.
fn other_world(demo: &Demo, folder: &Path) -> Result<Factory> {
    let factory = factory(demo, folder.join("b/much deeper/down/in/the tree"))?;
    let program_copy = folder.join("boltworks");
    Command::new("cp").arg(program()?).arg(&program_copy).ok()?;
    give_to_ordinary_user(&folder.join("b"))?;
    let mut words = as_ordinary_user()?;
    words.extend(
        [
            "env",
            "LANG=tr_TR.UTF-8",
            "LC_ALL=tr_TR.UTF-8",
            "TZ=Asia/Kathmandu",
            "HOME=/nonexistent",
            "SOURCE_DATE_EPOCH=1",
            "CFLAGS=-O0",
            "FAKETIME=@2031-07-06 05:04:03",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]
        .map(OsString::from),
    );
    // The clock is faked for the program alone: others would leave their shared memory behind.
    let clock = need_faketime()?.display().to_string();
    let limits = "umask 077; ulimit -Sn 900; ulimit -Ss 4096";
    let script = format!("{limits}; exec env LD_PRELOAD='{clock}' \"$0\" \"$@\"");
    words.extend(["sh", "-c", &script].map(OsString::from));
    Ok(factory.by(program_copy).through(words))
}

#[test]
fn two_builds_in_other_worlds_are_equal() -> Result<()> {
    let demo = Demo::get()?;
    let folder = Folder::new()?;
    let one = one_world(demo, folder.path())?;
    let other = other_world(demo, folder.path())?;
    for factory in [&one, &other] {
        let output = factory.command(["--offline", "up", "--json"])?.ok()?;
        let made = boltworks_tests::Report::of(&output)?.with("made");
        ensure!(made.len() == 4, "{output}");
    }
    let clock = other.explain("tiny")?[0]["finished"].clone();
    let is_2031 = clock
        .as_str()
        .is_some_and(|clock| clock.starts_with("2031-07-"));
    ensure!(is_2031, "the other world's clock says {clock}");
    for package in PACKAGES {
        same_bytes(
            &one,
            &other,
            &digest(&one, package)?,
            &digest(&other, package)?,
        )
        .with_context(|| format!("{package} differs"))?;
    }
    ensure!(one.channels()? == other.channels()?, "channels differ");
    for (channel, digest) in one.channels()? {
        same_bytes(&one, &other, &digest, &digest).with_context(|| format!("{channel} differs"))?;
    }
    let (left, right) = (image(&one)?, image(&other)?);
    ensure!(left["documents"] == right["documents"], "{left} {right}");
    ensure!(left["action"] == right["action"], "{left} {right}");
    Ok(())
}

fn digest(factory: &Factory, package: &str) -> Result<String> {
    let explained = factory.explain(package)?;
    ensure!(
        explained.len() == 1,
        "{package} is there {} times",
        explained.len()
    );
    Ok(explained[0]["artifact"]["digest"]
        .as_str()
        .context("no digest")?
        .to_owned())
}

fn image(factory: &Factory) -> Result<Value> {
    Ok(factory.explain("small:1")?.remove(0))
}

fn same_bytes(one: &Factory, other: &Factory, left: &str, right: &str) -> Result<()> {
    Command::new(need("cmp")?)
        .arg(one.blob(left))
        .arg(other.blob(right))
        .ok()?;
    Ok(())
}
