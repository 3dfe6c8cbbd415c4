//! Who steps are in their guest, and which other accounts there are, in builds and tests.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use anyhow::{Result, ensure};
use boltworks_tests::Command;
use boltworks_tests::small::{Small, recipe, writes};

use crate::melange::Desk;

/// A recipe whose build and whose tests each are somebody else.
const PEOPLE: &str = r#"
package:
  name: people
  version: "1"
  epoch: 0
  description: each is somebody else
  copyright: [{ license: Apache-2.0 }]
environment:
  contents: { packages: [shell] }
  environment: { WHOSE: recipe, PATH: /nowhere, LANG: POSIX }
  accounts:
    groups: [{ groupname: www, gid: 44, members: [web] }]
    users: [{ username: web, uid: 33, gid: 44, homedir: /srv/web }, { username: homeless, uid: 5, homedir: /dev/null }]
    run-as: web
pipeline:
  - runs: |
      test "$(id -u):$(id -g):$(id -un):$(id -gn)" = 33:44:web:www
      test "$HOME:$(echo ~web):$PWD" = /home/build:/srv/web:/home/build
      test "$GOPATH:$PIP_CACHE_DIR" = /home/build/.cache/go:/var/cache/melange/pip
      test "$LANG:${LC_ALL-}" = POSIX:
      test "$(stat -c %a:%U:%G ~web /home/build /etc/passwd | tr '\n' ' ')" = '700:web:www 755:web:www 644:web:www '
      test "$(id -u build):$(id -u root):$(id -gn homeless 2>/dev/null || true)" = 1000:0:5
      test -c /dev/null
      touch ~web/mine
      mkdir -p ${{targets.destdir}}/usr/share
      echo people >${{targets.destdir}}/usr/share/people
      chown web:www ${{targets.destdir}}/usr/share/people
      ! chown root ${{targets.destdir}}/usr/share/people
subpackages:
  - name: people-root
    description: root, who is as other people
    pipeline:
      - runs: |
          mkdir -p ${{targets.subpkgdir}}/usr/share
          echo root >${{targets.subpkgdir}}/usr/share/people-root
    test:
      environment:
        contents: { packages: [shell] }
        accounts:
          groups: [{ groupname: test, gid: 1001 }]
          users: [{ username: test, gid: 1001, uid: 1001 }]
          run-as: 0
      pipeline:
        - runs: |
            test "$(id -u):$(id -g):$(id -un):$(id -gn)" = 0:0:root:root
            test "$HOME:$(echo ~test):$(stat -c %U /usr/share/people-root)" = /home/build:/home/test:root
            touch mine
            chown 0:0 mine
            install -o 0 -g 0 -m 755 mine /usr/bin/mine
            echo more >>/etc/passwd
            ! chown test mine
            ! chroot / true
            while read -r name value; do
              case $name in Cap*) test "$value" = 0000000000000000 ;; esac
            done </proc/self/status
  - name: people-build
    description: nobody is named
    pipeline:
      - runs: |
          mkdir -p ${{targets.subpkgdir}}/usr/share
          echo build >${{targets.subpkgdir}}/usr/share/people-build
    test:
      environment: { contents: { packages: [shell] } }
      pipeline:
        - runs: |
            test "$(id -u):$(id -g):$(id -un):$(id -gn)" = 1000:1000:build:build
            test "$WHOSE" = recipe
            test ! -e /srv/web
            ! id web
test:
  environment:
    contents: { packages: [shell] }
    environment: { WHOSE: test }
    accounts:
      groups: [{ groupname: nonroot, gid: 65532 }]
      users: [{ username: nonroot, gid: 65532, uid: 65532 }]
      run-as: 65532
  pipeline:
    - working-directory: /home/nonroot
      pipeline:
        - runs: |
            test "$(id -u):$(id -g):$(id -un):$PWD" = 65532:65532:nonroot:/home/nonroot
            test "$WHOSE" = test
            touch mine
"#;

#[test]
fn steps_are_who_the_recipe_says() -> Result<()> {
    let small = Small::new()?;
    small.write("recipes/people.yaml", PEOPLE)?;
    let build = ["build", "recipes/people.yaml", "--out-dir", "out"];
    small.command(build)?.ok()?;
    // Whoever made them, files are root's.
    for name in ["people", "people-root"] {
        let list = Command::new("tar").args(["--numeric-owner", "-tvzf"]);
        let package = small.path().join(format!("out/x86_64/{name}-1-r0.apk"));
        let list = list.arg(package).ok()?.stdout;
        let file = format!("usr/share/{name}");
        let mut lines = list.lines().filter(|line| line.ends_with(&file));
        ensure!(
            lines.next().is_some_and(|line| line.contains(" 0/0 ")),
            "{list}"
        );
    }
    let output = small.command(["test", "recipes/people.yaml"])?.ok()?;
    output.says("3 tests passed")
}

#[test]
fn they_are_with_melanges_commands_too() -> Result<()> {
    let desk = Desk::new()?;
    std::fs::write(desk.path("recipes/people.yaml"), PEOPLE)?;
    let build = "build recipes/people.yaml --out-dir packages";
    desk.with_os(build).ok()?;
    let test = "test recipes/people.yaml -r packages --ignore-signatures";
    desk.with_os(test).ok()?.says("3 tests passed")
}

#[test]
fn who_is_not_there_is_told() -> Result<()> {
    let small = Small::new()?;
    let text = recipe("lost", "", &writes("lost"));
    let with = |accounts: &str| {
        let accounts = format!("environment:\n  accounts: {accounts}\n");
        small.write(
            "recipes/lost.yaml",
            &text.replace("environment:\n", &accounts),
        )
    };
    let build = || small.command(["build", "recipes/lost.yaml"]);
    with("{ run-as: stranger }")?;
    let output = build()?.fails(2)?;
    output.says("build of lost cannot run as 'stranger'")?;
    output.says("add 'stranger' with a uid to `environment.accounts.users` in the recipe")?;
    with("{ users: [{ username: build, uid: 1001 }] }")?;
    let output = build()?.fails(2)?;
    output.says("build of lost cannot have what `environment.accounts` in the recipe lists")?;
    output.says("'build' is in /etc/passwd already, as 'build:x:1000:1000:")?;
    output.says("correct the recipe")?;
    // Who is in the guest anyway may be named.
    with("{ run-as: nobody }")?;
    build()?.ok()?;
    Ok(())
}
