//! Commits of git repositories, from real servers that are honest, gone, slow or hostile.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

mod commits;
mod hostile;
mod places;

use std::path::{Path, PathBuf};

use boltworks_model::{Checkout, Depth};
use boltworks_source::{Error, Fetched, KnownBy, Request};

use crate::Bench;
use crate::upstream::{Repository, Upstream, command};

fn checkout(commit: &str) -> Checkout {
    Checkout {
        commit: commit.parse().unwrap(),
        branch: None,
        is_tip: false,
        tag: None,
        depth: Depth::ONE,
        submodules: false,
        picks: Vec::new(),
    }
}

fn tagged(commit: &str, tag: &str) -> Checkout {
    Checkout {
        tag: Some(tag.parse().unwrap()),
        ..checkout(commit)
    }
}

fn branched(commit: &str, branch: &str) -> Checkout {
    Checkout {
        branch: Some(branch.parse().unwrap()),
        depth: Depth::All,
        ..checkout(commit)
    }
}

impl Bench {
    fn get(&self, uri: &str, checkout: &Checkout) -> Result<Fetched, Error> {
        self.fetcher().fetch(&asked(uri, checkout), &self.ambient())
    }

    /// Nothing was kept, and no folder is left.
    fn has_nothing(&self) {
        assert_eq!(self.store.list().unwrap(), []);
        let left = self.root.dir(&"git".try_into().unwrap());
        let left = left
            .map(|folder| folder.list().unwrap())
            .unwrap_or_default();
        assert_eq!(left, []);
        assert_eq!(self.parts(), Vec::<String>::new());
    }
}

fn asked<'a>(uri: &'a str, checkout: &'a Checkout) -> Request<'a> {
    Request {
        uri,
        known_by: KnownBy::Checkout(checkout),
        package: "x",
        version: "1",
    }
}

/// A blob made to repositories again, as a guest does.
struct Unpacked(tempfile::TempDir);

impl Unpacked {
    fn of(bench: &Bench, fetched: &Fetched) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blob = bench.store.open_blob(&fetched.digest).unwrap();
        let mut tar = std::process::Command::new("tar")
            .args(["-x", "-f", "-"])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = tar.stdin.take().unwrap();
        std::io::copy(&mut blob.reader(), &mut input).unwrap();
        drop(input);
        assert!(tar.wait().unwrap().success());
        Self(folder)
    }

    fn part(&self, number: usize) -> PathBuf {
        self.0.path().join(format!("boltworks-git/{number}"))
    }

    fn text(&self, number: usize, name: &str) -> String {
        let text = std::fs::read_to_string(self.part(number).join(name));
        text.unwrap_or_default().trim().to_owned()
    }

    /// A repository of one part, held against all of git's rules.
    fn repository(&self, number: usize) -> PathBuf {
        let path = self.0.path().join(format!("repository-{number}"));
        let part = self.part(number);
        git(self.0.path(), &["init", "--quiet", path.to_str().unwrap()]);
        let pack = std::fs::File::open(part.join("pack")).unwrap();
        let taken = command(&path)
            .args(["index-pack", "--stdin", "--fsck-objects"])
            .stdin(pack)
            .output()
            .unwrap();
        assert!(taken.status.success(), "{taken:?}");
        if part.join("shallow").exists() {
            std::fs::copy(part.join("shallow"), path.join(".git/shallow")).unwrap();
        }
        let commit = self.text(number, "commit");
        git(&path, &["update-ref", "HEAD", &commit]);
        git(
            &path,
            &["update-ref", "refs/kept", &self.text(number, "object")],
        );
        git(&path, &["fsck", "--full", "--strict"]);
        git(&path, &["reset", "--quiet", "--hard"]);
        path
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = command(folder).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn count(path: &Path) -> String {
    git(path, &["rev-list", "--count", "HEAD"])
}

/// A repository with ten commits: tags `light` and `v1` (annotated) on the eighth, another branch from
/// the fifth.
fn history(upstream: &Upstream) -> (Repository, Vec<String>) {
    let mut repository = upstream.repository("x");
    let mut commits = Vec::new();
    for number in 0..10 {
        let lines = (0..200).map(|line| (line * (number % 3 + 1)).to_string());
        let text = lines.collect::<Vec<_>>().join("\n");
        repository.write("folder/same", "the same in every commit");
        repository.write(&format!("folder/{number}/é"), &number.to_string());
        commits.push(repository.commit("text", &text));
    }
    repository.git(["tag", "light", &commits[7]]);
    repository.git(["tag", "--annotate", "--message=one", "v1", &commits[7]]);
    repository.git(["branch", "side", &commits[4]]);
    (repository, commits)
}
