//! The command line of apko: by the name of a link, by the first word, and what it needs no packages for.

use std::process::Command;

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
            "build mode.yaml web:1 o.tar --format erofs",
            "no EROFS layers",
        ),
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
