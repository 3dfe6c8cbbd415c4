//! What a recipe may ask of a repository: tags, branches, depth, submodules, and a person's work on them.

use std::num::NonZeroU32;

use boltworks_model::{Checkout, Depth, Material, Pick, SourceKind};
use boltworks_source::{Error, Patch, Worktree};

use super::{Unpacked, branched, checkout, count, git, history, tagged};
use crate::Bench;
use crate::upstream::{Manner, Upstream};

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
