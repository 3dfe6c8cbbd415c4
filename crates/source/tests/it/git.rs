//! Commits of git repositories, from real servers that are honest, gone, slow or hostile.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use boltworks_model::{Checkout, Depth, Material, Pick, SourceKind};
use boltworks_source::{
    Checked, Error, Fetched, KnownBy, Mirror, Origin, Override, Patch, Request, Worktree,
};

use crate::Bench;
use crate::upstream::{Manner, Repository, Upstream, command};

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

#[test]
fn a_tag_brings_its_commit_alone() {
    let mut upstream = Upstream::new();
    let (repository, commits) = history(&upstream);
    let tag = repository.git(["rev-parse", "v1"]);
    let addresses = [upstream.http(Manner::Serve), upstream.daemon()];
    let mut digests = Vec::new();
    for address in addresses {
        let bench = Bench::new(&[]);
        let uri = format!("{address}/x");
        let fetched = bench.get(&uri, &tagged(&commits[7], "v1")).unwrap();
        assert!(fetched.is_new);
        let expected = Material::Source {
            uri: format!("git+{uri}@{}", commits[7]),
            fetched_from: None,
            kind: SourceKind::Git,
            sha256: fetched.digest,
            recipe_digest: None,
        };
        assert_eq!(fetched.material, expected);
        digests.push(fetched.digest);
        let unpacked = Unpacked::of(&bench, &fetched);
        let path = unpacked.repository(0);
        assert_eq!(unpacked.text(0, "object"), tag);
        assert_eq!(unpacked.text(0, "commit"), commits[7]);
        assert_eq!(unpacked.text(0, "shallow"), commits[7]);
        assert_eq!(count(&path), "1");
        let read = std::fs::read_to_string(path.join("folder/7/é")).unwrap();
        assert_eq!(read, "7");
        // The recipe may name the annotated tag itself.
        let fetched = bench.get(&uri, &tagged(&tag, "v1")).unwrap();
        let unpacked = Unpacked::of(&bench, &fetched);
        assert_eq!(unpacked.text(0, "object"), tag);
        assert_eq!(unpacked.text(0, "commit"), commits[7]);
        assert_eq!(
            git(&unpacked.repository(0), &["cat-file", "-t", &tag]),
            "tag"
        );
        let light = bench.get(&uri, &tagged(&commits[7], "light")).unwrap();
        assert_eq!(count(&Unpacked::of(&bench, &light).repository(0)), "1");
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn what_was_fetched_once_is_there_without_the_network() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    let checkout = tagged(&commits[7], "v1");
    let mut offline = bench.fetcher();
    offline.offline = true;
    let request = asked(&uri, &checkout);
    let error = offline.fetch(&request, &bench.ambient()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains(&uri) && error.contains(&commits[7]),
        "{error}"
    );
    assert_eq!(offline.known(&request).unwrap(), None);
    assert_eq!(offline.verify(&request).unwrap(), Checked::Missing);
    let fetched = bench.get(&uri, &checkout).unwrap();
    assert!(!upstream.requests().is_empty());
    let again = offline.fetch(&request, &bench.ambient()).unwrap();
    assert_eq!((again.digest, again.is_new), (fetched.digest, false));
    assert_eq!(again.material, fetched.material);
    assert_eq!(bench.get(&uri, &checkout).unwrap().digest, fetched.digest);
    assert_eq!(upstream.requests(), Vec::<String>::new());
    assert_eq!(
        offline.verify(&request).unwrap(),
        Checked::Good(fetched.digest)
    );
}

#[test]
fn a_moved_tag_and_a_missing_one_are_named() {
    let upstream = Upstream::new();
    let (repository, commits) = history(&upstream);
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    repository.git([
        "tag",
        "--force",
        "--annotate",
        "--message=two",
        "v1",
        &commits[8],
    ]);
    let error = bench.get(&uri, &tagged(&commits[7], "v1")).unwrap_err();
    assert!(matches!(error, Error::OtherCommit { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&commits[7]) && text.contains(&commits[8]),
        "{text}"
    );
    let error = bench.get(&uri, &tagged(&commits[7], "v2")).unwrap_err();
    assert!(error.to_string().contains("tag v2"), "{error}");
    let error = bench.get(&uri, &branched(&commits[7], "no")).unwrap_err();
    assert!(error.to_string().contains("branch no"), "{error}");
    bench.has_nothing();
}

#[test]
fn a_branch_brings_what_is_before_the_commit_and_nothing_after() {
    let mut upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    for address in [upstream.http(Manner::Serve), upstream.daemon()] {
        let uri = format!("{address}/x");
        let bench = Bench::new(&[]);
        let fetched = bench.get(&uri, &branched(&commits[6], "main")).unwrap();
        let unpacked = Unpacked::of(&bench, &fetched);
        let path = unpacked.repository(0);
        assert_eq!(unpacked.text(0, "shallow"), "");
        assert_eq!(count(&path), "7");
        let all = git(&path, &["cat-file", "--batch-all-objects", "--batch-check"]);
        assert!(
            all.contains(&commits[0]) && !all.contains(&commits[7]),
            "{all}"
        );
        // Versions of a text are kept as changes.
        let size = std::fs::metadata(unpacked.part(0).join("pack"))
            .unwrap()
            .len();
        assert!(size < 6000, "{size} bytes");
    }
}

#[test]
fn a_commit_that_is_not_on_its_branch_is_refused() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    for depth in [Depth::All, Depth::ONE] {
        let side = Checkout {
            depth,
            ..branched(&commits[6], "side")
        };
        let error = bench.get(&uri, &side).unwrap_err();
        assert!(matches!(error, Error::OtherBranch { .. }), "{error}");
    }
    let tip = |commit: &str| Checkout {
        is_tip: true,
        depth: Depth::ONE,
        ..branched(commit, "main")
    };
    let error = bench.get(&uri, &tip(&commits[8])).unwrap_err();
    assert!(matches!(error, Error::OtherCommit { .. }), "{error}");
    let nowhere = checkout("4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    assert!(bench.get(&uri, &nowhere).is_err());
    bench.has_nothing();
    bench.get(&uri, &tip(&commits[9])).unwrap();
    // What the store has was held against another branch, or came from an address that is one.
    bench.get(&uri, &branched(&commits[6], "main")).unwrap();
    let side = branched(&commits[6], "side");
    let error = bench.get(&uri, &side).unwrap_err();
    assert!(matches!(error, Error::OtherBranch { .. }), "{error}");
    let main = branched(&commits[6], "main");
    assert!(bench.get("-u./x", &main).is_err());
}

#[test]
fn depth_counts_from_the_commit() {
    let mut upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let mut digests = Vec::new();
    for address in [upstream.http(Manner::Serve), upstream.daemon()] {
        let uri = format!("{address}/x");
        let bench = Bench::new(&[]);
        let deep = |depth: u32| Checkout {
            depth: Depth::Last(NonZeroU32::new(depth).unwrap()),
            ..branched(&commits[2], "main")
        };
        for (depth, expected, shallow) in [(1, "1", 2), (2, "2", 1)] {
            let fetched = bench.get(&uri, &deep(depth)).unwrap();
            let unpacked = Unpacked::of(&bench, &fetched);
            assert_eq!(count(&unpacked.repository(0)), expected);
            assert_eq!(unpacked.text(0, "shallow"), commits[shallow]);
            digests.push(fetched.digest);
        }
        let fetched = bench.get(&uri, &deep(100)).unwrap();
        let unpacked = Unpacked::of(&bench, &fetched);
        assert_eq!(count(&unpacked.repository(0)), "3");
        assert_eq!(unpacked.text(0, "shallow"), "");
        // Neither branch nor tag: the commit is asked for by its name.
        let alone = bench.get(&uri, &checkout(&commits[2])).unwrap();
        assert_eq!(alone.digest, digests[0]);
    }
    assert_eq!(digests[0], digests[2]);
    assert_eq!(digests[1], digests[3]);
}

#[test]
fn what_is_applied_on_top_comes_with_what_it_changes() {
    let mut upstream = Upstream::new();
    let (mut repository, commits) = history(&upstream);
    repository.git(["checkout", "--quiet", "side"]);
    let first = repository.commit("fix", "one");
    let second = repository.commit("fix", "two");
    repository.git(["merge", "--quiet", "--no-ff", "--message=join", "main"]);
    let join = repository.git(["rev-parse", "HEAD"]);
    for address in [upstream.http(Manner::Serve), upstream.daemon()] {
        let uri = format!("{address}/x");
        let bench = Bench::new(&[]);
        let picking = |picks: &[&str]| Checkout {
            picks: picks
                .iter()
                .map(|commit| Pick {
                    branch: Some("side".parse().unwrap()),
                    commit: commit.parse().unwrap(),
                })
                .collect(),
            ..tagged(&commits[7], "v1")
        };
        let fetched = bench.get(&uri, &picking(&[&first, &second])).unwrap();
        let path = Unpacked::of(&bench, &fetched);
        let path = path.repository(0);
        git(&path, &["cherry-pick", &first, &second]);
        assert_eq!(std::fs::read_to_string(path.join("fix")).unwrap(), "two");
        assert_eq!(count(&path), "3");
        let error = bench.get(&uri, &picking(&[&join])).unwrap_err();
        assert!(error.to_string().contains("joins branches"), "{error}");
        let error = bench.get(
            &uri,
            &picking(&["4b825dc642cb6eb9a060e54bf8d69288fbee4904"]),
        );
        assert!(error.is_err());
    }
}

#[test]
fn submodules_are_brought_with_their_own() {
    let upstream = Upstream::new();
    let mut inner = upstream.repository("inner");
    let inner_commit = inner.commit("inner", "inner");
    let middle = upstream.repository("group/middle");
    middle.write(
        ".gitmodules",
        "[submodule \"in ner\"]\n\tpath = in/ner\n\turl = ../../inner\n",
    );
    let link = format!("160000,{inner_commit},in/ner");
    middle.git(["update-index", "--add", "--cacheinfo", &link]);
    middle.git(["add", ".gitmodules"]);
    middle.git(["commit", "--quiet", "--message=middle"]);
    let middle_commit = middle.git(["rev-parse", "HEAD"]);
    let mut outer = upstream.repository("outer");
    outer.commit("outer", "outer");
    outer.write(
        ".gitmodules",
        "[submodule \"m\"]\n\tpath = m\n\turl = ../group/middle/\n\
         [submodule \"none\"]\n\tpath = none\n\turl = ../gone\n\tupdate = none\n",
    );
    for path in ["m", "none"] {
        let link = format!("160000,{middle_commit},{path}");
        outer.git(["update-index", "--add", "--cacheinfo", &link]);
    }
    outer.git(["add", ".gitmodules"]);
    outer.git(["commit", "--quiet", "--message=outer"]);
    let commit = outer.git(["rev-parse", "HEAD"]);
    let address = upstream.http(Manner::Serve);
    let bench = Bench::new(&[]);
    let wanted = Checkout {
        submodules: true,
        ..branched(&commit, "main")
    };
    let fetched = bench.get(&format!("{address}/outer"), &wanted).unwrap();
    let unpacked = Unpacked::of(&bench, &fetched);
    assert_eq!(count(&unpacked.repository(0)), "2");
    let told = |number| {
        ["parent", "name", "path", "url", "commit"].map(|name| unpacked.text(number, name))
    };
    let url = |path: &str| format!("{address}/{path}");
    let expected = ["0", "m", "m", &url("group/middle"), &middle_commit];
    assert_eq!(told(1), expected);
    let expected = ["1", "in ner", "in/ner", &url("inner"), &inner_commit];
    assert_eq!(told(2), expected);
    assert!(unpacked.repository(2).join("inner").exists());
    assert!(!unpacked.part(3).exists());
}

/// A repository whose commit links something that is not there, with what it says of it.
fn linking(upstream: &Upstream, name: &str, modules: &str) -> String {
    let repository = upstream.repository(name);
    repository.write(".gitmodules", modules);
    let link = "160000,4b825dc642cb6eb9a060e54bf8d69288fbee4904,x";
    repository.git(["update-index", "--add", "--cacheinfo", link]);
    repository.git(["add", ".gitmodules"]);
    repository.git(["commit", "--quiet", "--message=odd"]);
    repository.git(["rev-parse", "HEAD"])
}

#[test]
fn hostile_submodules_are_refused() {
    let upstream = Upstream::new();
    let address = upstream.http(Manner::Serve);
    let bench = Bench::new(&[]);
    let mark = bench.folder.path().join("mark");
    let check = |name: &str, modules: &str, expected: &[&str]| {
        let commit = linking(&upstream, name, modules);
        let wanted = Checkout {
            submodules: true,
            ..checkout(&commit)
        };
        let error = bench
            .get(&format!("{address}/{name}"), &wanted)
            .unwrap_err();
        let error = error.to_string();
        assert!(
            expected.iter().any(|words| error.contains(words)),
            "{name}: {error}"
        );
    };
    let touch = format!("ext::sh -c touch% {}", mark.display());
    let to = |url: &str| format!("[submodule \"x\"]\n\tpath = x\n\turl = \"{url}\"\n");
    check("ext", &to(&touch), &["https://"]);
    check("file", &to("file:///etc"), &["https://"]);
    check("local", &to("/etc"), &["https://"]);
    check(
        "option",
        &to("--upload-pack=touch"),
        &["https://", "gitmodulesUrl"],
    );
    check("outside", &to("../../../x"), &["leads out of the host"]);
    check("none", "", &["does not say where it is"]);
    let named = "[submodule \"../../hooks\"]\n\tpath = x\n\turl = ../inner\n";
    check("name", named, &["gitmodulesName", "elsewhere"]);
    // A submodule cannot be placed elsewhere: what is linked decides.
    let placed = "[submodule \"x\"]\n\tpath = .git/hooks\n\turl = ../inner\n";
    check(
        "path",
        placed,
        &["does not say where it is", "gitmodulesPath"],
    );
    assert!(!mark.exists());
    bench.has_nothing();
}

#[test]
fn hostile_addresses_are_refused_before_anything_runs() {
    let bench = Bench::new(&[]);
    let mark = bench.folder.path().join("mark");
    let commit = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let touch = mark.display();
    for uri in [
        format!("--upload-pack=touch {touch}"),
        format!("ext::sh -c touch% {touch}"),
        "file:///etc".to_owned(),
        "/etc".to_owned(),
        "ssh://-oProxyCommand=touch/x".to_owned(),
        "https://user:secret@git.example/x".to_owned(),
    ] {
        let error = bench.get(&uri, &checkout(commit)).unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }), "{uri}: {error}");
    }
    assert!(!mark.exists());
    bench.has_nothing();
}

#[test]
fn folders_with_names_that_leave_them_are_refused() {
    let upstream = Upstream::new();
    let address = upstream.http(Manner::Serve);
    let bench = Bench::new(&[]);
    let check = |name: &str, mode: &str, entry: &str| {
        let repository = upstream.repository(name);
        let blob = repository.object("blob", b"evil");
        let mut tree = format!("{mode} {entry}\0").into_bytes();
        let bytes = (0..40)
            .step_by(2)
            .map(|at| u8::from_str_radix(&blob[at..at + 2], 16));
        tree.extend(bytes.map(Result::unwrap));
        let commit = repository.commit_tree(&tree);
        let error = bench.get(&format!("{address}/{name}"), &checkout(&commit));
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("run git") || error.contains("take the tree"),
            "{error}"
        );
    };
    check("git", "100644", ".git");
    check("up", "100644", "..");
    check("here", "100644", ".");
    check("below", "100644", "a/b");
    check("config", "100644", ".git/config");
    check("linked", "120000", ".gitmodules");
    bench.has_nothing();
}

#[test]
fn the_blob_is_the_same_whatever_the_machine_is_set_to() {
    let upstream = Upstream::new();
    let (repository, commits) = history(&upstream);
    let address = upstream.http(Manner::Serve);
    let mut digests = Vec::new();
    for round in 0..3 {
        // The server packs in another way each time, and somebody sets what they like.
        let settings = ["0", "1", "9"];
        repository.git(["config", "pack.compression", settings[round]]);
        repository.git(["config", "pack.threads", settings[1 + round % 2]]);
        repository.git(["repack", "-a", "-d", "-f", "--quiet", "--depth=0"]);
        let home = tempfile::tempdir().unwrap();
        let evil = "[core]\n\thooksPath = /evil\n[url \"file:///\"]\n\tinsteadOf = http://\n";
        std::fs::write(home.path().join(".gitconfig"), evil).unwrap();
        let home = home.path().display().to_string();
        let bench = Bench::new(&[
            ("HOME", &home),
            ("GIT_CONFIG_GLOBAL", "/evil"),
            ("TZ", "Asia/Tokyo"),
        ]);
        let fetched = bench.get(&format!("{address}/x"), &branched(&commits[9], "main"));
        digests.push(fetched.unwrap().digest.to_string());
    }
    digests.dedup();
    // Other bytes are another form: whoever changes it changes `FORMAT`.
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[test]
fn a_server_that_sends_too_much_or_nothing_is_given_up() {
    let upstream = Upstream::new();
    let mut repository = upstream.repository("x");
    let noise = (0_u64..400_000).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let noise = noise.map(|number| number.to_string()).collect::<String>();
    let commit = repository.commit("noise", &noise);
    let bench = Bench::new(&[]);
    let wanted = checkout(&commit);
    let mut fetcher = bench.fetcher();
    fetcher.git.bytes = 100_000;
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let error = fetcher
        .fetch(&asked(&uri, &wanted), &bench.ambient())
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    bench.has_nothing();
    let hanging = format!("{}/x", upstream.http(Manner::Hang));
    fetcher.git.quiet = Duration::from_millis(300);
    let error = fetcher
        .fetch(&asked(&hanging, &wanted), &bench.ambient())
        .unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    bench.cancel.press();
    let error = fetcher
        .fetch(&asked(&hanging, &wanted), &bench.ambient())
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled(_)), "{error}");
    bench.has_nothing();
}

#[test]
fn a_moved_repository_and_a_disturbed_server_are_no_hindrance() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let there = upstream.http(Manner::Serve);
    let moved = upstream.http(Manner::Redirect(there));
    let bench = Bench::new(&[]);
    // What was moved is known by its commit as before.
    bench
        .get(&format!("{moved}/x"), &tagged(&commits[7], "v1"))
        .unwrap();
    upstream.requests();
    let disturbed = upstream.http(Manner::Disturbed(503, 1));
    bench
        .get(&format!("{disturbed}/x"), &tagged(&commits[7], "light"))
        .unwrap();
}

#[test]
fn mirrors_and_the_map_are_asked_for_repositories_too() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let there = upstream.http(Manner::Serve);
    let bench = Bench::new(&[]);
    let mut fetcher = bench.fetcher();
    fetcher.mirrors.push(Mirror {
        prefix: "http://no-such-host.invalid/".to_owned(),
        to: format!("{there}/"),
    });
    let gone = "http://no-such-host.invalid/x";
    // One that is of no use hides neither why upstream failed nor another mirror.
    let mut useless = bench.fetcher();
    useless.mirrors.push(Mirror {
        prefix: "http://no-such-host.invalid/".to_owned(),
        to: "https://user:secret@git.example/".to_owned(),
    });
    let error = useless.fetch(&asked(gone, &tagged(&commits[7], "v1")), &bench.ambient());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("Could not resolve host: no-such-host.invalid"), "{error}");
    assert!(error.contains("https://…@git.example/x: a user's name or password"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    fetcher.mirrors.splice(0..0, useless.mirrors);
    let wanted = tagged(&commits[7], "v1");
    let request = asked(gone, &wanted);
    let fetched = fetcher.fetch(&request, &bench.ambient()).unwrap();
    let Material::Source {
        uri, fetched_from, ..
    } = &fetched.material
    else {
        panic!("a source was expected");
    };
    assert_eq!(uri, &format!("git+{gone}@{}", commits[7]));
    assert_eq!(fetched_from.as_deref(), Some(format!("{there}/x").as_str()));
    let server = crate::server::Server::start(b"archive", [crate::server::Act::Serve]);
    fetcher.overrides.push(Override {
        package: "x".into(),
        version: "1".into(),
        uri: None,
        origin: Origin::Address(server.url("/x.tar.gz")),
        file: "x.tar.gz".into(),
        sha256: boltworks_crypto::sha256(b"archive"),
        kind: SourceKind::DebianOrig,
    });
    let mapped = fetcher.fetch(&request, &bench.ambient()).unwrap();
    let expected = Material::Source {
        uri: gone.to_owned(),
        fetched_from: Some(server.url("/x.tar.gz")),
        kind: SourceKind::DebianOrig,
        sha256: boltworks_crypto::sha256(b"archive"),
        recipe_digest: Some(format!("git:{}", commits[7])),
    };
    assert_eq!(mapped.material, expected);
}

#[test]
fn repositories_of_sha256_are_repositories() {
    let upstream = Upstream::new();
    let mut repository = upstream.repository("x");
    std::fs::remove_dir_all(repository.path.join(".git")).unwrap();
    repository.git([
        "init",
        "--quiet",
        "--initial-branch=main",
        "--object-format=sha256",
    ]);
    repository.commit("a", "a");
    let commit = repository.commit("a", "b");
    assert_eq!(commit.len(), 64);
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    let fetched = bench.get(&uri, &branched(&commit, "main")).unwrap();
    let unpacked = Unpacked::of(&bench, &fetched);
    assert_eq!(unpacked.text(0, "commit"), commit);
}

#[test]
fn a_folder_of_files_that_were_fetched_before_will_do() {
    let upstream = Upstream::new();
    let (_, commits) = history(&upstream);
    let uri = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    let wanted = tagged(&commits[7], "v1");
    let fetched = bench.get(&uri, &wanted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(wanted.key());
    let mut blob = bench.store.open_blob(&fetched.digest).unwrap().reader();
    std::io::copy(&mut blob, &mut std::fs::File::create(&path).unwrap()).unwrap();
    let caches = [boltworks_fsx::Root::open(folder.path()).unwrap()];
    let get = || {
        let bench = Bench::new(&[]);
        let mut fetcher = bench.fetcher();
        fetcher.caches = &caches;
        fetcher.offline = true;
        fetcher.fetch(&asked(&uri, &wanted), &bench.ambient())
    };
    assert_eq!(get().unwrap().digest, fetched.digest);
    // What somebody changed is not taken.
    let mut bytes = std::fs::read(&path).unwrap();
    let pack = bytes.windows(4).position(|bytes| bytes == b"PACK").unwrap();
    bytes[pack + 60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(get(), Err(Error::Offline { .. })));
    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(get(), Err(Error::Offline { .. })));
}

/// A commit that links another repository's, that one, and a fix of another branch.
fn linked(upstream: &Upstream) -> [String; 3] {
    let mut inner = upstream.repository("inner");
    let inner_commit = inner.commit("inner", "inner\n");
    let (mut repository, _) = history(upstream);
    repository.write(
        ".gitmodules",
        "[submodule \"in/ner\"]\n\tpath = lib/in ner\n\turl = ../inner\n",
    );
    let link = format!("160000,{inner_commit},lib/in ner");
    repository.git(["update-index", "--add", "--cacheinfo", &link]);
    repository.git(["add", ".gitmodules"]);
    repository.git(["commit", "--quiet", "--message=link"]);
    let commit = repository.git(["rev-parse", "HEAD"]);
    repository.git(["checkout", "--quiet", "side"]);
    let fix = repository.commit("fix", "fixed\n");
    [commit, inner_commit, fix]
}

#[test]
fn a_person_changes_a_commit_and_gets_patches() {
    let upstream = Upstream::new();
    let [commit, inner_commit, fix] = linked(&upstream);
    let address = format!("{}/x", upstream.http(Manner::Serve));
    let bench = Bench::new(&[]);
    let wanted = Checkout {
        submodules: true,
        picks: vec![Pick {
            branch: None,
            commit: fix.parse().unwrap(),
        }],
        ..branched(&commit, "main")
    };
    let fetched = bench.get(&address, &wanted).unwrap();
    let blob = bench.store.open_blob(&fetched.digest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("source/x");
    let worktree = Worktree::make(&blob, (&address, &wanted), &path).unwrap();
    assert_eq!(
        std::fs::read_to_string(path.join("fix")).unwrap(),
        "fixed\n"
    );
    assert_eq!(git(&path, &["branch", "--show-current"]), "main");
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
    assert_eq!(
        git(&path.join("lib/in ner"), &["rev-parse", "HEAD"]),
        inner_commit
    );
    let again = Worktree::make(&blob, (&address, &wanted), &path).unwrap_err();
    assert!(matches!(again, Error::Occupied { .. }), "{again}");

    // A mail, a plain difference, and one that only fits roughly.
    let patches = folder.path().join("patches");
    let commit = wanted.commit;
    let nothing = worktree.patches(&commit, &patches).unwrap_err().to_string();
    assert!(nothing.contains("nothing is committed"), "{nothing}");
    let difference = "--- a/fix\n+++ b/fix\n@@ -1 +1,2 @@\n-fixed\n+mended\n+more\n";
    let rough = "--- a/fix\n+++ b/fix\n@@ -1,2 +1,3 @@\n other\n more\n+most\n";
    for (name, text) in [("plain.patch", difference), ("rough.patch", rough)] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let patch = Patch {
            file,
            name: name.to_owned(),
            strip: 1,
            fuzz: 2,
        };
        worktree.apply(&patch).unwrap();
    }
    let text = std::fs::read_to_string(path.join("fix")).unwrap();
    assert_eq!(text, "mended\nmore\nmost\n");
    std::fs::write(path.join("fix"), "mine\n").unwrap();
    let unfinished = worktree.patches(&commit, &patches).unwrap_err().to_string();
    assert!(unfinished.contains("not committed"), "{unfinished}");
    git(&path, &["commit", "--quiet", "--all", "--message=My own"]);
    let names = Worktree::open(&path)
        .unwrap()
        .patches(&commit, &patches)
        .unwrap();
    assert_eq!(
        names,
        ["0001-plain.patch", "0002-rough.patch", "0003-My-own.patch"]
    );
    // They lead to the same from the commit on.
    let fresh = folder.path().join("fresh");
    let worktree = Worktree::make(&blob, (&address, &wanted), &fresh).unwrap();
    for name in names {
        let file = patches.join(&name);
        worktree
            .apply(&Patch {
                file,
                name,
                strip: 1,
                fuzz: 2,
            })
            .unwrap();
    }
    let trees = [path, fresh].map(|path| git(&path, &["rev-parse", "HEAD^{tree}"]));
    assert_eq!(trees[0], trees[1]);
}
