//! `boltworks solve` on crafted repositories, without a factory.

use serde_json::json;

use crate::kit::Desk;

const REPO: &[&str] = &[
    "web 1.4-r0 needs so:libz.so.1 tool>=2",
    "zlib 1.3-r0 provides so:libz.so.1=1.3",
    "tool 2.1-r0",
    "tool 1.9-r0",
    "bad 1-r0 needs !zlib so:libz.so.1",
];

#[test]
fn packages_are_chosen_from_a_folder() {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    let chosen = desk.run("solve web -r repo -k web.rsa.pub").with_code(0);
    assert_eq!(
        chosen.out,
        "tool-2.1-r0  repo\nzlib-1.3-r0  repo\nweb-1.4-r0   repo\n"
    );
    let document = desk
        .run("solve --json web -r repo -k web.rsa.pub")
        .with_code(0)
        .json();
    let names: Vec<_> = document["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["tool", "zlib", "web"]);
    assert_eq!(
        document["packages"][2]["because"],
        json!(["world needs web"])
    );
}

#[test]
fn a_choice_is_explained() {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    let explained = desk
        .run("solve web --explain -r repo -k web.rsa.pub")
        .with_code(0);
    insta::assert_snapshot!(explained.out, @r"
    tool-2.1-r0 (repo)
      web-1.4-r0 needs tool>=2
    zlib-1.3-r0 (repo)
      web-1.4-r0 needs so:libz.so.1
    web-1.4-r0 (repo)
      world needs web
    ");
}

#[test]
fn a_failure_is_explained_with_what_would_help() {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    let failed = desk.run("solve bad -r repo -k web.rsa.pub").with_code(1);
    assert!(
        failed
            .err
            .starts_with("error: the packages of bad cannot be chosen:\n"),
        "{failed:?}"
    );
    assert!(
        failed.err.contains("bad-1-r0 forbids it (!zlib)"),
        "{failed:?}"
    );
    let missing = desk
        .run("solve --json nonesuch -r repo -k web.rsa.pub")
        .with_code(1)
        .json();
    assert_eq!(missing["error"]["exit"], 1);
    let message = missing["error"]["message"].as_str().unwrap();
    assert!(message.contains("no repository has nonesuch"), "{message}");
}

#[test]
fn the_first_repository_is_preferred() {
    let desk = Desk::new();
    desk.repository("one", "web", &["a 1-r0"]);
    desk.repository("two", "web", &["a 1-r0"]);
    let chosen = |order: &str| {
        desk.run(&format!("solve a {order} -k web.rsa.pub"))
            .with_code(0)
            .out
    };
    assert_eq!(chosen("-r one -r two"), "a-1-r0  one\n");
    assert_eq!(chosen("-r two,one"), "a-1-r0  two\n");
}

#[test]
fn repositories_must_be_signed_by_who_is_trusted() {
    let desk = Desk::new();
    desk.repository("repo", "stranger", &["a 1-r0"]);
    let refused = desk.run("solve a -r repo -k web.rsa.pub").with_code(1);
    insta::assert_snapshot!(refused.err, @r"
    error: repo/x86_64/APKINDEX.tar.gz: verify the signature: it is by stranger.rsa.pub, which is not trusted
    help: if you trust it, give its public key: -k FOLDER/stranger.rsa.pub
    ");
    desk.run("solve a -r repo --ignore-signatures").with_code(0);
    let private = desk.run("solve a -r repo -k stranger.rsa").with_code(1);
    assert!(
        private.err.contains("help: keys are RSA in PEM"),
        "{private:?}"
    );
}

#[test]
fn what_is_no_repository_is_said_so() {
    let desk = Desk::new();
    let nowhere = desk.run("solve a -r nowhere -k web.rsa.pub").with_code(2);
    insta::assert_snapshot!(nowhere.err, @r"
    error: nowhere/x86_64/APKINDEX.tar.gz is not there
    help: make it: boltworks apk index -k KEY -o nowhere/x86_64/APKINDEX.tar.gz nowhere/x86_64/*.apk
    ");
    let address = desk
        .run("solve a -r https://os.example/x -k web.rsa.pub")
        .with_code(2);
    assert!(address.err.contains("is not a folder"), "{address:?}");
    let no_factory = desk.run("solve a").with_code(2);
    insta::assert_snapshot!(no_factory.err, @r"
    error: there is no factory file at boltworks.yaml
    help: make one with `boltworks init FOLDER`, or name one with `--factory FILE`
    ");
    let bad = desk.run("solve a>>>1").with_code(2);
    assert!(bad.err.contains("a>>>1"), "{bad:?}");
}
