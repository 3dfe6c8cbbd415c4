//! `git-checkout` with what the factory would lay ready: packs of a real repository.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Guest, understood};

const SOURCES: &str = "/var/cache/melange";

/// Git as nobody, at a fixed time.
fn git(folder: &Path, args: &[&str]) -> String {
    let output = command(folder, args).output();
    let output = output.expect("git is needed: apt-get install git");
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(["-c", "user.name=a", "-c", "user.email=a@localhost"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "@1700000000 +0000")
        .env("GIT_COMMITTER_DATE", "@1700000000 +0000");
    command
}

/// A repository with three commits, an annotated tag on the second, and a fix on a branch.
struct Upstream {
    folder: tempfile::TempDir,
    second: String,
    fix: String,
}

impl Upstream {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        git(at, &["init", "--quiet", "--initial-branch=main"]);
        let commit = |file: &str, text: &str| {
            let path = at.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            git(at, &["add", "--all"]);
            git(at, &["commit", "--quiet", "--message", file]);
            git(at, &["rev-parse", "HEAD"])
        };
        let first = commit("text", "one\n");
        commit("folder/it's", "x\n");
        let second = commit("other/y", "y\n");
        git(at, &["tag", "--annotate", "--message=v", "v'1"]);
        git(at, &["checkout", "--quiet", "-b", "fixes", &first]);
        let fix = commit("text", "two\n");
        Self {
            folder,
            second,
            fix,
        }
    }

    /// Writes a part of a blob: everything that some objects lead to.
    fn part(&self, folder: &Path, object: &str, wanted: &str, shallow: &str) {
        fs::create_dir_all(folder).unwrap();
        let mut pack = command(self.folder.path(), &["pack-objects", "--revs", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(fs::File::create(folder.join("pack")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut pack.stdin.take().unwrap(), wanted.as_bytes()).unwrap();
        assert!(pack.wait().unwrap().success());
        let commit = git(
            self.folder.path(),
            &["rev-parse", &format!("{object}^{{commit}}")],
        );
        let object = git(self.folder.path(), &["rev-parse", object]);
        fs::write(folder.join("object"), object + "\n").unwrap();
        fs::write(folder.join("commit"), commit + "\n").unwrap();
        if !shallow.is_empty() {
            fs::write(folder.join("shallow"), format!("{shallow}\n")).unwrap();
        }
    }
}

impl Guest {
    /// Lays the blob ready that the recipe's first source names.
    fn lay(&self, body: &str, parts: &Path) {
        let key = understood(body).sources[0].key.clone();
        let blob = self.path(&format!("{SOURCES}/{key}"));
        fs::write(parts.join("format"), "1\n").unwrap();
        let above = parts.parent().unwrap();
        let tar = Command::new("tar")
            .args(["--format=ustar", "--sort=name", "-c", "-f"])
            .arg(blob)
            .args(["boltworks-git/format", "boltworks-git/0"])
            .args(parts.join("1").exists().then_some("boltworks-git/1"))
            .args(parts.join("2").exists().then_some("boltworks-git/2"))
            .current_dir(above)
            .output()
            .unwrap();
        assert!(tar.status.success(), "{tar:?}");
    }
}

fn use_of(with: &str) -> String {
    let with = with.replace('\n', "\n    ");
    format!(
        "pipeline:\n- uses: git-checkout\n  with:\n    repository: https://a.example/x\n    {with}\n"
    )
}

#[test]
fn a_tag_is_checked_out_as_if_it_was_cloned() {
    let upstream = Upstream::new();
    let guest = Guest::new();
    let body = use_of(&format!(
        "tag: v'1\nexpected-commit: {}\ndestination: a b",
        upstream.second
    ));
    let parts = tempfile::tempdir().unwrap();
    let parts = parts.path().join("boltworks-git");
    upstream.part(&parts.join("0"), "v'1", "v'1\n", "");
    guest.lay(&body, &parts);
    // What is there already stays, but for what the commit has itself.
    guest.file("/home/build/a b/mine", "mine", 0o644);
    guest.file("/home/build/a b/text", "other", 0o600);
    guest.run(&body).unwrap();
    // Once more over itself.
    guest.run(&body).unwrap();
    let tree = guest.path("/home/build/a b");
    let files: Vec<_> = guest.list("/home/build/a b");
    let files: Vec<_> = files
        .iter()
        .filter(|file| !file.starts_with(".git/"))
        .collect();
    assert_eq!(files, ["folder/it's", "mine", "other/y", "text"]);
    assert_eq!(fs::read_to_string(tree.join("text")).unwrap(), "one\n");
    assert_eq!(git(&tree, &["rev-parse", "HEAD"]), upstream.second);
    assert_eq!(git(&tree, &["describe", "--dirty"]), "v'1");
    assert_eq!(git(&tree, &["branch", "--show-current"]), "");
    assert_eq!(
        git(&tree, &["remote", "get-url", "origin"]),
        "https://a.example/x"
    );
    assert_eq!(git(&tree, &["status", "--porcelain"]), "?? mine");
    let time = fs::metadata(tree.join("text")).unwrap().modified().unwrap();
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_700_000_000);
    git(&tree, &["fsck", "--strict"]);
}

#[test]
fn a_branch_is_on_its_branch_with_what_is_applied_on_top() {
    let upstream = Upstream::new();
    let body = use_of(&format!(
        "branch: main\ndepth: 2\nexpected-commit: {}\ncherry-picks: |\n  # why\n  fixes/{}: a fix\n",
        upstream.second, upstream.fix
    ));
    let parts = tempfile::tempdir().unwrap();
    let parts = parts.path().join("boltworks-git");
    let wanted = format!("main\n{}\n", upstream.fix);
    upstream.part(&parts.join("0"), "main", &wanted, "");
    let heads = ["1", "2"].map(|_| {
        let guest = Guest::new();
        guest.lay(&body, &parts);
        guest.run(&body).unwrap();
        let tree = guest.path("/home/build");
        assert_eq!(fs::read_to_string(tree.join("text")).unwrap(), "two\n");
        assert_eq!(git(&tree, &["branch", "--show-current"]), "main");
        assert_eq!(git(&tree, &["rev-parse", "HEAD^"]), upstream.second);
        assert_eq!(git(&tree, &["rev-parse", "origin/main"]), upstream.second);
        assert_eq!(git(&tree, &["status", "--porcelain"]), "");
        let message = git(&tree, &["log", "-1", "--format=%B"]);
        assert!(message.contains(&format!("cherry picked from commit {}", upstream.fix)));
        git(&tree, &["rev-parse", "HEAD"])
    });
    assert_eq!(heads[0], heads[1]);
}

#[test]
fn folders_that_are_enough_are_all_there_is() {
    let upstream = Upstream::new();
    let guest = Guest::new();
    let body = use_of(&format!(
        "expected-commit: {}\nsparse-paths: |\n  folder\n",
        upstream.second
    ));
    let parts = tempfile::tempdir().unwrap();
    let parts = parts.path().join("boltworks-git");
    upstream.part(&parts.join("0"), "main", "main\n", "");
    guest.lay(&body, &parts);
    guest.run(&body).unwrap();
    let files: Vec<_> = guest.list("/home/build");
    let files: Vec<_> = files
        .iter()
        .filter(|file| !file.starts_with(".git/"))
        .collect();
    assert_eq!(files, ["folder/it's", "text"]);
    assert_eq!(
        git(&guest.path("/home/build"), &["status", "--porcelain"]),
        ""
    );
}

#[test]
fn submodules_are_gits_own() {
    let upstream = Upstream::new();
    let outer = tempfile::tempdir().unwrap();
    git(outer.path(), &["init", "--quiet", "--initial-branch=main"]);
    fs::write(
        outer.path().join(".gitmodules"),
        "[submodule \"in ner/é\"]\n\tpath = lib/in ner\n\turl = ../x\n",
    )
    .unwrap();
    let link = format!("160000,{},lib/in ner", upstream.second);
    git(
        outer.path(),
        &["update-index", "--add", "--cacheinfo", &link],
    );
    git(outer.path(), &["add", ".gitmodules"]);
    git(outer.path(), &["commit", "--quiet", "--message=outer"]);
    let commit = git(outer.path(), &["rev-parse", "HEAD"]);
    let guest = Guest::new();
    let body = use_of(&format!(
        "expected-commit: {commit}\nrecurse-submodules: true\ndestination: sub"
    ));
    let parts = tempfile::tempdir().unwrap();
    let parts = parts.path().join("boltworks-git");
    let inner = parts.join("1");
    upstream.part(&inner, "main", "main\n", "");
    for (name, text) in [
        ("parent", "0"),
        ("name", "in ner/é"),
        ("path", "lib/in ner"),
        ("url", "https://a.example/inner"),
    ] {
        fs::write(inner.join(name), format!("{text}\n")).unwrap();
    }
    let nested = Upstream {
        folder: outer,
        second: commit.clone(),
        fix: String::new(),
    };
    nested.part(&parts.join("0"), "main", "main\n", "");
    guest.lay(&body, &parts);
    guest.run(&body).unwrap();
    let tree = guest.path("/home/build/sub");
    let inner = tree.join("lib/in ner");
    assert_eq!(git(&inner, &["rev-parse", "HEAD"]), upstream.second);
    assert_eq!(fs::read_to_string(inner.join("text")).unwrap(), "one\n");
    assert_eq!(
        fs::read_to_string(inner.join(".git")).unwrap(),
        "gitdir: ../../.git/modules/in ner/é\n"
    );
    assert_eq!(git(&tree, &["status", "--porcelain"]), "");
    let status = git(&tree, &["submodule", "status"]);
    assert!(status.starts_with(&upstream.second), "{status}");
    // Wherever it is moved, it holds together.
    let moved = guest.path("/home/moved");
    fs::rename(&tree, &moved).unwrap();
    assert_eq!(
        git(&moved.join("lib/in ner"), &["status", "--porcelain"]),
        ""
    );
}

#[test]
fn an_archive_may_take_its_place() {
    let guest = Guest::new();
    let commit = "f62d2ef4402954bd7d7dfd9054372a932bd4a19c";
    let body = use_of(&format!("expected-commit: {commit}\ndestination: x"));
    guest.file("/tmp/x-1/src/a.c", "int a;", 0o644);
    let tar = Command::new("tar")
        .args(["-c", "-z", "-f"])
        .arg(guest.path(&format!("{SOURCES}/git:{commit}")))
        .args(["-C", guest.path("/tmp").to_str().unwrap(), "x-1"])
        .output()
        .unwrap();
    assert!(tar.status.success(), "{tar:?}");
    guest.run(&body).unwrap();
    assert_eq!(guest.list("/home/build"), ["x/src/a.c"]);
    let without = use_of("tag: v1");
    let error = guest.run(&without).unwrap_err();
    assert!(error.contains("names no commit"), "{error}");
}
