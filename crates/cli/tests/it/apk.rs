//! `boltworks apk`: keys, signatures, indexes, and packages for reading.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::kit::Desk;

#[test]
fn a_key_pair_is_made_once_and_for_its_owner_alone() {
    let desk = Desk::new();
    let made = desk.run("apk keygen --json new.rsa").with_code(0);
    assert_eq!(
        made.json(),
        json!({"private": "new.rsa", "public": "new.rsa.pub"})
    );
    let mode = |name: &str| {
        let metadata = std::fs::metadata(desk.path(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("new.rsa"), mode("new.rsa.pub")), (0o600, 0o644));
    let before = desk.read("new.rsa");
    let again = desk.run("apk keygen new.rsa").with_code(2);
    assert!(again.err.contains("new.rsa is there already"), "{again:?}");
    assert!(again.err.contains("help: "), "{again:?}");
    // Half of a pair is in the way as well.
    std::fs::remove_file(desk.path("new.rsa")).unwrap();
    let half = desk.run("apk keygen new.rsa").with_code(2);
    assert!(half.err.contains("new.rsa.pub is there"), "{half:?}");
    desk.write("new.rsa", before);

    // What one half signs, the other verifies.
    desk.package("a.apk", "web", "a 1-r0");
    desk.run("apk sign -k new.rsa a.apk").with_code(0);
    let verified = desk.run("apk verify -k new.rsa.pub a.apk").with_code(0);
    assert_eq!(verified.out, "OK a.apk: a-1-r0, signed by new.rsa.pub\n");
}

#[test]
fn a_key_has_the_name_that_apk_looks_for() {
    let desk = Desk::new();
    let refused = desk.run("apk keygen mine").with_code(2);
    assert!(refused.err.contains("mine.rsa"), "{refused:?}");
    assert!(!desk.names().contains(&"mine".to_owned()));
}

#[test]
fn signing_anew_takes_the_old_signature_away() {
    let desk = Desk::new();
    desk.package("a.apk", "stranger", "a 1-r0");
    let untrusted = desk.run("apk verify -k web.rsa.pub a.apk").with_code(1);
    assert_eq!(
        untrusted.out,
        "BAD a.apk: verify the signature: it is by stranger.rsa.pub, which is not trusted\n"
    );
    let signed = desk.run("apk sign -k web.rsa a.apk").with_code(0);
    assert_eq!(signed.out, "signed package a.apk\n");
    desk.run("apk verify -k web.rsa.pub a.apk").with_code(0);
    desk.run("apk verify -k stranger.rsa.pub a.apk")
        .with_code(1);
    // Equal bytes, whenever and however often it is done.
    let once = desk.read("a.apk");
    desk.run("apk sign -k web.rsa a.apk").with_code(0);
    assert_eq!(desk.read("a.apk"), once);
}

#[test]
fn an_index_that_is_none_is_not_signed() {
    let desk = Desk::new();
    desk.write("DESCRIPTION", "web");
    desk.write("APKINDEX", "P:a\nV:not a version\n\n");
    let pack = std::process::Command::new("tar")
        .args(["-czf", "APKINDEX.tar.gz", "DESCRIPTION", "APKINDEX"])
        .current_dir(desk.path(""))
        .status();
    assert!(pack.unwrap().success());
    let before = desk.read("APKINDEX.tar.gz");
    let refused = desk.run("apk sign -k web.rsa APKINDEX.tar.gz").with_code(1);
    assert!(
        refused
            .err
            .contains("read APKINDEX: the package before line 3"),
        "{refused:?}"
    );
    assert_eq!(desk.read("APKINDEX.tar.gz"), before);
}

#[test]
fn what_is_not_sound_is_not_signed() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    let mut bytes = desk.read("a.apk");
    let place = bytes.len() - 20;
    bytes[place] ^= 1;
    desk.write("a.apk", &bytes);
    let names = desk.names();
    let refused = desk.run("apk sign -k web.rsa a.apk").with_code(1);
    assert!(refused.err.starts_with("error: a.apk: "), "{refused:?}");
    assert!(refused.err.contains("\nhelp: "), "{refused:?}");
    assert_eq!(desk.read("a.apk"), bytes);
    assert_eq!(desk.names(), names, "nothing is left behind");
    let verified = desk
        .run("apk verify --json -k web.rsa.pub a.apk")
        .with_code(1);
    let verified = verified.json();
    assert_eq!(verified["good"], false);
    assert_eq!(verified["files"][0]["file"], "a.apk");
    assert!(verified["files"][0]["error"].is_string());
}

#[test]
fn every_file_is_verified_even_after_a_bad_one() {
    let desk = Desk::new();
    desk.repository("repo", "web", &["a 1-r0", "b 2-r0 needs a"]);
    desk.write("junk.apk", "not a package");
    let all = "repo/x86_64/APKINDEX.tar.gz junk.apk missing.apk repo/x86_64/b-2-r0.apk";
    let verified = desk
        .run(&format!("apk verify -k web.rsa.pub {all}"))
        .with_code(1);
    insta::assert_snapshot!(verified.out, @r"
    OK repo/x86_64/APKINDEX.tar.gz: index of 2 packages, signed by web.rsa.pub
    BAD junk.apk: read the control section: it is not a gzip member
    BAD missing.apk: missing.apk is not there
    OK repo/x86_64/b-2-r0.apk: b-2-r0, signed by web.rsa.pub
    ");
    let ignored = desk.run("apk verify --ignore-signatures repo/x86_64/a-1-r0.apk");
    let ignored = ignored.with_code(0).out;
    assert_eq!(
        ignored,
        "OK repo/x86_64/a-1-r0.apk: a-1-r0, signatures not judged\n"
    );
    let no_key = desk.run("apk verify junk.apk").with_code(2);
    assert!(
        no_key.err.contains("help: give a public key with -k"),
        "{no_key:?}"
    );
}

#[test]
fn an_index_is_made_and_merged() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    desk.package("b.apk", "web", "b 2-r0 needs a");
    desk.package("other.apk", "web", "c 3-r0 arch aarch64");
    desk.package("noarch.apk", "web", "d 4-r0 arch noarch");
    let made =
        desk.run("apk index --json -k web.rsa -a x86_64 -o repo.tar.gz b.apk other.apk noarch.apk");
    let made = made.with_code(0);
    assert_eq!(
        made.json(),
        json!({
            "index": "repo.tar.gz", "packages": 2, "added": 2,
            "skipped": ["other.apk"], "signed-by": "web.rsa.pub",
        })
    );
    let merged = desk
        .run("apk index -m -k web.rsa -o repo.tar.gz a.apk b.apk")
        .with_code(0);
    assert_eq!(
        merged.out,
        "repo.tar.gz: 3 packages, 2 of them read now, signed by web.rsa.pub\n"
    );
    desk.run("apk verify -k web.rsa.pub repo.tar.gz")
        .with_code(0);
    // The order in which packages are named decides nothing.
    desk.run("apk index -k web.rsa -o one.tar.gz a.apk b.apk noarch.apk")
        .with_code(0);
    assert_eq!(desk.read("one.tar.gz"), desk.read("repo.tar.gz"));
    // Without --merge it is made anew.
    desk.run("apk index -k web.rsa -o repo.tar.gz a.apk")
        .with_code(0);
    let listed = desk
        .run("apk verify -k web.rsa.pub repo.tar.gz")
        .with_code(0)
        .out;
    assert_eq!(
        listed,
        "OK repo.tar.gz: index of 1 package, signed by web.rsa.pub\n"
    );
    let listed = |judged: &str| {
        let verified = desk.run(&format!("apk verify --json {judged} repo.tar.gz"));
        verified.with_code(0).json()["files"][0]["signed-by"].clone()
    };
    assert_eq!(listed("-k web.rsa.pub"), json!(["web.rsa.pub"]));
    assert_eq!(listed("--ignore-signatures"), json!([]));
}

#[test]
fn nobody_vouches_for_what_another_key_listed() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    desk.package("b.apk", "web", "b 1-r0");
    desk.run("apk index -k stranger.rsa -o repo.tar.gz a.apk")
        .with_code(0);
    let before = desk.read("repo.tar.gz");
    let refused = desk
        .run("apk index -m -k web.rsa -o repo.tar.gz b.apk")
        .with_code(1);
    assert!(refused.err.contains("which is not trusted"), "{refused:?}");
    assert_eq!(desk.read("repo.tar.gz"), before);
    let nothing = desk.run("apk index -k web.rsa -o repo.tar.gz").with_code(2);
    assert!(nothing.err.contains("no package is named"), "{nothing:?}");
}

#[test]
fn a_package_can_be_read() {
    let desk = Desk::new();
    desk.package(
        "a.apk",
        "web",
        "a 1-r0 needs so:libc.so provides cmd:a=1-r0",
    );
    let text = desk.run("apk info --files a.apk").with_code(0).out;
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| {
            !line.starts_with("identity")
                && !line.starts_with("datahash")
                && !line.starts_with("file ")
        })
        .collect();
    insta::assert_snapshot!(kept.join("\n"), @r"
    name         a
    version      1-r0
    arch         x86_64
    description  about a
    license      MIT
    built        2026-01-01T00:00:00Z
    depends      so:libc.so
    provides     cmd:a=1-r0
    installed    43 B
    signed by    web.rsa.pub (not judged: see apk verify)

    d0755  0:0  0   usr
    d0755  0:0  0   usr/share
    -0644  0:0  43  usr/share/a
    ");
    let document = desk.run("apk info --json a.apk").with_code(0).json();
    assert_eq!(document["control"]["name"], "a");
    assert_eq!(document["control"]["depends"], json!(["so:libc.so"]));
    assert_eq!(document["signatures"], json!(["web.rsa.pub"]));
    assert_eq!(document["files"], json!(null));
    let document = desk.run("apk info --json -f a.apk").with_code(0).json();
    assert_eq!(document["files"][2]["path"], "usr/share/a");
    assert_eq!(document["files"][2]["mode"], "0644");
}

#[test]
fn two_packages_are_compared() {
    let desk = Desk::new();
    desk.package("one.apk", "web", "a 1-r0 needs x y");
    desk.package("same.apk", "stranger", "a 1-r0 needs x y");
    desk.package("two.apk", "web", "a 2-r0 needs y z");
    let same = desk.run("apk diff one.apk same.apk").with_code(0);
    assert_eq!(same.out, "the same, but perhaps for signatures\n");
    let other = desk.run("apk diff one.apk two.apk").with_code(1);
    let lines: Vec<&str> = other.out.lines().collect();
    assert_eq!(
        lines[..3],
        ["~ pkgver: 1-r0 → 2-r0", "- depend x", "+ depend z"]
    );
    assert!(
        lines[3].starts_with("~ usr/share/a: content sha256:"),
        "{lines:?}"
    );
    let document = desk
        .run("apk diff --json one.apk two.apk")
        .with_code(1)
        .json();
    assert_eq!(document["fields"][0]["what"], "pkgver");
    assert_eq!(document["same_data"], false);
}

#[test]
fn a_link_to_a_package_is_that_package() {
    let desk = Desk::new();
    desk.package("store/a.apk", "stranger", "a 1-r0");
    std::os::unix::fs::symlink("store/a.apk", desk.path("a.apk")).unwrap();
    desk.run("apk sign -k web.rsa a.apk").with_code(0);
    desk.run("apk verify -k web.rsa.pub a.apk store/a.apk")
        .with_code(0);
    assert!(
        std::fs::symlink_metadata(desk.path("a.apk"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn the_time_of_signatures_comes_from_the_environment() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    let sign =
        |epoch: &str| desk.run_with("apk sign -k web.rsa a.apk", &[("SOURCE_DATE_EPOCH", epoch)]);
    sign("0").with_code(0);
    let zero = desk.read("a.apk");
    sign("1767225600").with_code(0);
    assert_ne!(desk.read("a.apk"), zero);
    for wrong in ["yesterday", "-1", "8589934592"] {
        let refused = sign(wrong).with_code(2);
        let what = format!("SOURCE_DATE_EPOCH is '{wrong}'");
        assert!(refused.err.contains(&what), "{refused:?}");
        assert!(refused.err.contains("from 0 to 8589934591"), "{refused:?}");
    }
}

#[test]
fn a_factory_trusts_its_own_key() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    desk.package("b.apk", "stranger", "b 1-r0");
    desk.write(
        "boltworks.yaml",
        "factory: web\nrecipes: []\nimages: []\nstage0: {packages: [gcc]}\n",
    );
    // There is no key yet, and none is made.
    let none = desk.run("apk verify a.apk").with_code(2);
    assert!(none.err.contains("no key to verify"), "{none:?}");
    assert!(!desk.names().contains(&"keys".to_owned()));
    desk.write("keys/web.rsa.pub", desk.read("web.rsa.pub"));
    let names = desk.names();
    let verified = desk.run("apk verify a.apk").with_code(0);
    assert_eq!(verified.out, "OK a.apk: a-1-r0, signed by web.rsa.pub\n");
    assert_eq!(desk.names(), names, "nothing is written");
    let other = desk.run("apk verify b.apk").with_code(1);
    assert!(other.out.contains("is not trusted"), "{other:?}");
    // Who names a key means that one alone.
    desk.run("apk verify -k stranger.rsa.pub a.apk")
        .with_code(1);
    desk.run("apk verify --factory ./boltworks.yaml a.apk")
        .with_code(0);
}

#[test]
fn an_index_takes_the_place_of_files_alone() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    let null = desk.run("apk index -o /dev/null a.apk").with_code(2);
    assert!(null.err.contains("/dev/null is a device"), "{null:?}");
    assert!(null.err.contains("help: name a file"), "{null:?}");
}
