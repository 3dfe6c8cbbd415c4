//! What servers and recipes try, and what becomes of it.

use std::time::Duration;

use boltworks_model::Checkout;
use boltworks_source::Error;

use super::{asked, checkout};
use crate::Bench;
use crate::upstream::{Manner, Upstream};

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
