//! A link named `melange`, in folders that are no factory: the commands of that program, one after the
//! other, as a Makefile runs them.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::program::program;
use boltworks_tests::small::{Small, recipe, writes};
use boltworks_tests::{Command, Folder};

use crate::offline::upstream;

/// A folder with a recipe, a link, and stage 0 as somebody's repository.
pub(crate) struct Desk {
    folder: Folder,
    small: Small,
}

const TEST: &str = "\
test:
  environment:
    contents:
      packages: [shell]
  pipeline:
    - runs: test \"$(cat /usr/share/echo)\" = echo
";

/// Another test, which asks for what is nowhere.
const LOST: &str = "\
subpackages:
  - name: echo-lost
    test:
      environment: { contents: { packages: [nowhere] } }
      pipeline: [{ runs: 'true' }]
";

impl Desk {
    pub(crate) fn new() -> Result<Self> {
        let small = Small::new()?;
        let folder = Folder::new()?;
        std::os::unix::fs::symlink(program()?, folder.path().join("melange"))?;
        let desk = Self { folder, small };
        desk.bring_stage0()?;
        let text = recipe("echo", "", &writes("echo")) + TEST;
        std::fs::create_dir(desk.path("recipes"))?;
        std::fs::write(desk.path("recipes/echo.yaml"), text)?;
        Ok(desk)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the factory's stage 0 as a repository.
    fn bring_stage0(&self) -> Result<()> {
        let folder = self.path("os").display().to_string();
        let written = self.small.command(["stage0", "--out-dir", &folder])?.ok()?;
        written.says("x86_64/APKINDEX.tar.gz")
    }

    /// `melange` with some words, in the folder.
    pub(crate) fn melange(&self, words: &str) -> Command {
        Command::new(self.path("melange"))
            .dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .args(words.split_whitespace())
    }

    /// The same with stage 0 among its repositories.
    pub(crate) fn with_os(&self, words: &str) -> Command {
        let command = self.melange(words).args(["--repository-append", "os"]);
        command.arg("--keyring-append").arg(self.key())
    }

    /// The public key of stage 0.
    pub(crate) fn key(&self) -> PathBuf {
        self.small.path().join("keys/small.rsa.pub")
    }

    fn verify(&self, words: &str) -> Result<Command> {
        let command = Command::new(program()?).dir(self.folder.path());
        Ok(command
            .args(["apk", "verify"])
            .args(words.split_whitespace()))
    }
}

#[test]
fn a_makefile_of_melange_runs_without_a_factory() -> Result<()> {
    let desk = Desk::new()?;
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    let built = "build recipes/echo.yaml --arch x86_64,aarch64 --signing-key local.rsa --out-dir packages \
        --create-build-log --runner=bubblewrap --generate-index false";
    let output = desk.with_os(built).args(["-r", "packages"]).ok()?;
    output.says("no packages come from packages")?;
    output.says("skipped for aarch64")?;
    output.says("own sandbox")?;
    let package = "packages/x86_64/echo-1-r0.apk";
    let index = "packages/x86_64/APKINDEX.tar.gz";
    desk.verify(&format!("-k local.rsa.pub {package} {index}"))?
        .ok()?;
    let log = std::fs::read_to_string(desk.path("packages.log"))?;
    ensure!(log == "x86_64|echo|echo|1-r0\n", "{log}");
    let again = desk.with_os(built).ok()?;
    again.says("made before")?;

    // Only what -r brings is tested.
    let test = "test recipes/echo.yaml -k local.rsa.pub";
    desk.with_os(&format!("{test} -r packages"))
        .ok()?
        .says("1 test passed")?;
    desk.with_os(test)
        .fails(1)?
        .says("package echo is not there")?;
    let whole = std::fs::read_to_string(desk.path("recipes/echo.yaml"))?;
    std::fs::write(desk.path("recipes/lost.yaml"), whole + LOST)?;
    let lost = "test recipes/lost.yaml -k local.rsa.pub -r packages";
    let output = desk.with_os(lost).fails(1)?;
    output.says("✓ echo")?;
    output.says("✗ echo-lost: it could not be run")?;
    output.says("1 of 2 tests failed")?;

    index_anew(&desk, package)
}

fn index_anew(desk: &Desk, package: &str) -> Result<()> {
    desk.melange(&format!("index -o new.tar.gz {package}"))
        .ok()?;
    desk.verify("-k local.rsa.pub new.tar.gz")?.fails(1)?;
    let sign = "sign-index --signing-key local.rsa new.tar.gz";
    desk.melange(sign).ok()?;
    desk.verify("-k local.rsa.pub new.tar.gz")?.ok()?;
    let before = std::fs::read(desk.path("new.tar.gz"))?;
    desk.melange("keygen --key-size 2048 other.rsa").ok()?;
    let other = "sign-index --signing-key=other.rsa new.tar.gz";
    desk.melange(other).ok()?.says("is signed already")?;
    ensure!(
        std::fs::read(desk.path("new.tar.gz"))? == before,
        "it was signed anew"
    );
    desk.melange(&format!("{other} -f")).ok()?;
    desk.verify("-k other.rsa.pub new.tar.gz")?.ok()?;
    desk.melange(&format!("sign -k other.rsa {package}")).ok()?;
    desk.verify(&format!("-k other.rsa.pub {package}"))?.ok()?;
    desk.melange(&format!("lint {package}")).ok()?;
    Ok(())
}

#[test]
fn what_is_not_signed_says_so_and_what_is_not_for_here_is_skipped() -> Result<()> {
    let desk = Desk::new()?;
    let output = desk.with_os("build recipes/echo.yaml --out-dir out").ok()?;
    output.says("not signed")?;
    let files = "out/x86_64/echo-1-r0.apk out/x86_64/APKINDEX.tar.gz";
    desk.verify(&format!("--ignore-signatures {files}"))?.ok()?;
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    let verified = desk
        .verify(&format!("-k local.rsa.pub {files}"))?
        .fails(1)?;
    verified.says("there is none")?;
    desk.with_os("build recipes/echo.yaml --arch arm64")
        .fails(4)?
        .says("skipped")?;
    let text = std::fs::read_to_string(desk.path("recipes/echo.yaml"))?;
    let text = text.replace(
        "  epoch: 0\n",
        "  epoch: 0\n  target-architecture: [aarch64]\n",
    );
    std::fs::write(desk.path("recipes/echo.yaml"), text)?;
    desk.with_os("build recipes/echo.yaml")
        .fails(4)?
        .says("not meant for it")?;
    Ok(())
}

#[test]
fn a_repository_may_be_at_an_address() -> Result<()> {
    let desk = Desk::new()?;
    let (server, port) = upstream(desk.folder.path())?;
    let key = desk.small.path().join("keys/small.rsa.pub");
    let build = |folder: &str, repository: &str| {
        let command = desk.melange("build recipes/echo.yaml --signing-key local.rsa --out-dir");
        let command = command.arg(folder).arg("-r").arg(repository);
        command.arg("-k").arg(&key).env("no_proxy", "127.0.0.1")
    };
    let read = |folder: &str| std::fs::read(desk.path(folder).join("x86_64/echo-1-r0.apk"));
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    let address = format!("http://127.0.0.1:{port}/os");
    build("remote", &address).ok()?;
    let asked = server.said()?;
    ensure!(asked.contains("/os/x86_64/bash-"), "{asked}");
    build("local", "os").ok()?;
    ensure!(read("remote")? == read("local")?, "the bytes differ");
    // An index that did not change is not sent again.
    build("again", &address).ok()?;
    let asked = server.said()?;
    ensure!(asked.contains("APKINDEX.tar.gz HTTP/1.1\" 304"), "{asked}");
    // One test that asks for what is nowhere stops no other.
    let whole = std::fs::read_to_string(desk.path("recipes/echo.yaml"))?;
    std::fs::write(desk.path("lost.yaml"), whole + LOST)?;
    let test = desk.melange("test lost.yaml -k local.rsa.pub -r remote -r");
    let test = test.arg(&address).arg("-k").arg(&key);
    let output = test.env("no_proxy", "127.0.0.1").fails(1)?;
    output.says("✓ echo")?;
    output.says("no repository has nowhere")?;
    output.says("1 of 2 tests failed")?;
    // Packages are fetched once; without the server the last index is taken, and told of.
    drop(server);
    let offline = build("offline", &address).ok()?;
    offline.says("the index fetched last is taken")?;
    ensure!(read("offline")? == read("local")?, "the bytes differ");
    let other = desk
        .melange("build recipes/echo.yaml -k local.rsa.pub -r")
        .arg(&address);
    other
        .env("no_proxy", "127.0.0.1")
        .fails(1)?
        .says("is not trusted")?;
    Ok(())
}

#[test]
fn a_repository_may_have_a_tag() -> Result<()> {
    let desk = Desk::new()?;
    let (_server, port) = upstream(desk.folder.path())?;
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    desk.with_os("build recipes/echo.yaml --signing-key local.rsa --out-dir edge")
        .ok()?;
    let build = |package: &str, repository: &str| -> Result<Command> {
        let text = recipe("user", package, "test -s /usr/share/echo");
        let named = format!(
            "contents:\n    keyring: [local.rsa.pub]\n    repositories: ['{repository}']\n"
        );
        let text = text.replace("contents:\n", &named);
        std::fs::write(desk.path("user.yaml"), text)?;
        let build = "build user.yaml --signing-key local.rsa --out-dir out";
        Ok(desk.with_os(build).env("no_proxy", "127.0.0.1"))
    };
    let address = format!("@edge http://127.0.0.1:{port}/edge");
    for (repository, code) in [(&*address, 1), ("@edge edge", 2)] {
        build("echo@edge", repository)?.ok()?;
        let unpinned = build("echo", repository)?.fails(code)?;
        unpinned.says("help: write echo@edge")?;
        let other = build("echo@other", repository)?.fails(code)?;
        other.says("echo@other")?;
    }
    let outside = build("echo@edge", "@edge ../edge")?.fails(2)?;
    outside.says("--repository-append '@edge ../edge'")?;
    build("echo", "@edge")?
        .fails(2)?
        .says("'@edge' is a tag without a repository")?;
    // The command line's are as good.
    let given = desk.with_os("build user.yaml --signing-key local.rsa -k local.rsa.pub");
    std::fs::write(
        desk.path("user.yaml"),
        recipe("user", "echo@edge", "test -s /usr/share/echo"),
    )?;
    given.args(["-r", "@edge edge"]).ok()?;
    Ok(())
}

#[test]
fn a_key_at_an_address_is_trusted_from_the_first_time_on() -> Result<()> {
    let desk = Desk::new()?;
    let (server, port) = upstream(desk.folder.path())?;
    let trusted = desk.path("trusted/small.rsa.pub");
    std::fs::create_dir(desk.path("trusted"))?;
    std::fs::copy(desk.key(), &trusted)?;
    let address = format!("http://127.0.0.1:{port}/trusted/small.rsa.pub");
    let build = |number: u32| -> Result<Command> {
        let text = recipe("echo", "", &writes(&number.to_string()));
        std::fs::write(desk.path("recipes/echo.yaml"), text)?;
        let command = desk.melange("build recipes/echo.yaml --repository-append os -k");
        Ok(command.arg(&address).env("no_proxy", "127.0.0.1"))
    };
    let told = format!("trusts key small.rsa.pub from {address}, sha256 ");
    build(1)?.ok()?.says(&told)?;
    let again = build(2)?.ok()?;
    ensure!(!again.stderr.contains("trusts key"), "{again}");
    let scan = desk.melange("scan -r packages recipes/echo.yaml -k");
    let scan = scan.arg(&address).env("no_proxy", "127.0.0.1").fails(1)?;
    scan.says("verify the signature: there is none")?;
    // Another key is none that was agreed to, and a file of its name is.
    desk.melange("keygen --key-size 2048 other.rsa").ok()?;
    std::fs::copy(desk.path("other.rsa.pub"), &trusted)?;
    build(3)?.fails(2)?.says("is another key now")?;
    build(3)?.arg("-k").arg(desk.key()).ok()?;
    drop(server);
    build(4)?.ok()?.says("the key fetched first is taken")
}

#[test]
fn a_package_is_judged_once() -> Result<()> {
    let desk = Desk::new()?;
    let build = |number: u32| -> Result<Command> {
        let text = recipe("echo", "", &writes(&number.to_string()));
        std::fs::write(desk.path("recipes/echo.yaml"), text)?;
        Ok(desk.with_os("build recipes/echo.yaml"))
    };
    build(1)?.ok()?;
    let packages = std::fs::read_dir(desk.path("os/x86_64"))?;
    let mut packages = packages.filter_map(|entry| Some(entry.ok()?.path()));
    let is_bash = |path: &PathBuf| path.to_string_lossy().contains("/bash-");
    let bash = packages.find(is_bash).context("there is no bash")?;
    // Its index vouches for what was judged, and nothing of what lies there now is taken.
    let mut bytes = std::fs::read(&bash)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&bash, &bytes)?;
    build(2)?.ok()?;
    // Another size is looked into, and so is everything when other keys are trusted.
    bytes.push(0);
    std::fs::write(&bash, &bytes)?;
    build(3)?.fails(1)?.says("bash-")?;
    bytes.pop();
    std::fs::write(&bash, &bytes)?;
    desk.melange("keygen --key-size 2048 other.rsa").ok()?;
    let other = desk.with_os("build recipes/echo.yaml -k other.rsa.pub");
    other.fails(1)?.says("bash-")?;
    std::fs::remove_file(&bash)?;
    build(4)?.fails(2)?.says("is listed and not there")
}

#[test]
fn a_factory_and_melange_make_the_same_bytes() -> Result<()> {
    let desk = Desk::new()?;
    desk.melange("keygen --key-size 2048 local.rsa").ok()?;
    let flags = "--signing-key local.rsa --namespace small --git-commit 0123abcd";
    desk.with_os(&format!("build recipes/echo.yaml {flags}"))
        .ok()?;
    // In the factory's folder its stage 0 is used, and its name is the namespace.
    let copy = desk.small.path().join("mine");
    std::fs::create_dir(&copy)?;
    std::fs::copy(desk.path("recipes/echo.yaml"), copy.join("echo.yaml"))?;
    let here = |words: &str| -> Result<()> {
        let command = Command::new(desk.path("melange")).dir(desk.small.path());
        command.args(words.split_whitespace()).ok()?;
        Ok(())
    };
    let key = desk.path("local.rsa");
    here(&format!(
        "build mine/echo.yaml --signing-key {} --git-commit 0123abcd --out-dir {}",
        key.display(),
        desk.path("factory").display()
    ))?;
    let read = |folder: &str| -> Result<Vec<u8>> {
        let path = Path::new(folder).join("x86_64/echo-1-r0.apk");
        Ok(std::fs::read(desk.folder.path().join(path))?)
    };
    ensure!(read("packages")? == read("factory")?, "the bytes differ");
    Ok(())
}

#[test]
fn steps_are_shown_the_folder_without_its_keys() -> Result<()> {
    let desk = Desk::new()?;
    desk.melange("keygen --key-size=2048 recipes/local.rsa")
        .ok()?;
    std::fs::write(desk.path("recipes/file"), "shown")?;
    std::fs::write(desk.path("recipes/hidden"), "not shown")?;
    std::fs::write(desk.path("recipes/.melangeignore"), "hidden\n")?;
    std::fs::write(desk.path("env"), "A=\"from file\"\nB=from file\n")?;
    std::fs::write(desk.path("vars"), "word: from vars\n")?;
    let script = "test -e file\ntest ! -e hidden\ntest ! -e local.rsa\ntest ! -e look.yaml\n\
        test \"$A$B\" = 'from filerecipe'\ntest '${{vars.word}}' = 'from vars'";
    let text = recipe("look", "", script).replace(
        "environment:\n",
        "vars:\n  word: recipe\nenvironment:\n  environment: {B: recipe}\n",
    );
    std::fs::write(desk.path("recipes/look.yaml"), text)?;
    let flags = "--signing-key recipes/local.rsa --env-file env --vars-file vars";
    let build = format!("build recipes/look.yaml {flags}");
    desk.with_os(&build).ok()?;
    // What was made before is linted again, where other linters must pass.
    let strict = format!("{build} --lint-require empty");
    desk.with_os(&strict).fails(1)?.says("linter empty")?;
    desk.with_os(&format!("{build} --lint-warn empty"))
        .ok()?
        .says("linter empty")?;
    // … and where the usual ones must again.
    let script = "touch ${{targets.destdir}}/x\nchmod 4755 ${{targets.destdir}}/x";
    std::fs::write(desk.path("recipes/look.yaml"), recipe("look", "", script))?;
    let build = "build recipes/look.yaml --signing-key recipes/local.rsa";
    desk.with_os(&format!("{build} --lint-require=")).ok()?;
    desk.with_os(build).fails(1)?.says("linter setuidgid")
}

#[test]
fn a_package_that_says_nothing_of_tests_is_not_taken_for_one_without() -> Result<()> {
    let small = Small::new()?;
    let script = "install -Dm644 /dev/null melange-out/one/usr/lib/pkgconfig/one.pc";
    small.write("recipes/one.yaml", &recipe("one", "", script))?;
    small.command(["build", "recipes/one.yaml"])?.ok()?;
    // The recipe inside it has no tests: whether there are any is not known, nor said, as in melange.
    let lint = ["melange", "lint", "packages/x86_64/one-1-r0.apk"];
    small.command(lint)?.arg("--lint-require=pkgconf").ok()?;
    Ok(())
}
