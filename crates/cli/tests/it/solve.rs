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
    let private = desk.run("solve a -r repo -k stranger.rsa").with_code(2);
    assert!(
        private.err.contains("help: keys are RSA in PEM"),
        "{private:?}"
    );
}

#[test]
fn what_an_index_says_is_kept_and_believed_of_nothing_else() {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    let solve = || desk.run("solve web --explain -r repo -k web.rsa.pub");
    let first = solve().with_code(0).out;
    let kept = || {
        let names = desk.names().into_iter();
        names
            .filter(|name| name.starts_with("cache/boltworks/indexes/"))
            .collect::<Vec<_>>()
    };
    let [name] = &kept()[..] else {
        panic!("{:?}", kept());
    };
    let whole = desk.read(name);
    // The header, a page, and the checksums: what is damaged is made again.
    for at in [3, 4106, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        desk.write(name, damaged);
        assert_eq!(solve().with_code(0).out, first, "{at}");
        assert_eq!(desk.read(name), whole, "{at}");
    }
    desk.write(name, &whole[..4100]);
    assert_eq!(solve().with_code(0).out, first);
    assert_eq!(desk.read(name), whole);
    // It is of this index and of these keys only.
    desk.run("solve web -r repo -k stranger.rsa.pub")
        .with_code(1);
    desk.repository("repo", "web", &["web 2-r0"]);
    assert_eq!(
        solve().with_code(0).out,
        "web-2-r0 (repo)\n  world needs web\n"
    );
    let [one, other] = &kept()[..] else {
        panic!("{:?}", kept());
    };
    let (one, other) = if one == name {
        (one, other)
    } else {
        (other, one)
    };
    desk.write(other, desk.read(one));
    assert_eq!(
        solve().with_code(0).out,
        "web-2-r0 (repo)\n  world needs web\n"
    );
    // What others may write is not read, whatever it says.
    desk.repository("repo", "web", REPO);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(desk.path(name), mode).unwrap();
    assert_eq!(solve().with_code(0).out, first);
    let mode = std::fs::metadata(desk.path(name)).unwrap().permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o600
    );
}

#[test]
fn what_is_not_understood_is_left_out_and_told() {
    let desk = Desk::new();
    desk.repository("repo", "web", REPO);
    let index = desk.read("repo/x86_64/APKINDEX.tar.gz");
    let index = boltworks_apk::Index::read(&index, None).unwrap();
    let odd = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:odd\nV:0.99f7-r0\n\n";
    desk.write("APKINDEX", odd.to_owned() + &index.to_text().unwrap());
    let tar = std::process::Command::new("tar")
        .args(["-czf", "repo/x86_64/APKINDEX.tar.gz", "APKINDEX"])
        .current_dir(desk.path(""))
        .status();
    assert!(tar.unwrap().success());
    let solved = desk
        .run("solve web -r repo --ignore-signatures")
        .with_code(0);
    assert!(
        solved
            .err
            .contains("repo/x86_64 lists 1 package with fields that are not understood: left out"),
        "{solved:?}"
    );
    let again = desk
        .run("solve web -r repo --ignore-signatures")
        .with_code(0);
    assert_eq!((again.out, again.err), (solved.out, solved.err));
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
