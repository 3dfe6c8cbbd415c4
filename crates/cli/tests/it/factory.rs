//! Commands on a factory, as far as they go without network and sandbox.

use crate::kit::Desk;

const FACTORY: &str = "factory: small
recipes: [recipes]
images: [images]
stage0: {packages: [gcc]}
";

const RECIPE: &str = "package:
  name: hello
  version: 1
  epoch: 0
  description: says hello
  copyright: [{license: MIT}]
pipeline:
  - uses: fetch
    with:
      uri: https://hello.example/hello-1.tar.gz
      expected-sha256: 9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23
";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("boltworks.yaml", FACTORY);
    desk.write("recipes/hello.yaml", RECIPE);
    std::fs::create_dir(desk.path("images")).unwrap();
    // The factory's key, so that none is made: that takes seconds.
    desk.write("keys/small.rsa", desk.read("web.rsa"));
    desk
}

#[test]
fn building_needs_a_factory() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    for command in [
        "build hello.yaml",
        "test hello.yaml",
        "up",
        "plan",
        "source verify",
    ] {
        let failed = desk.run(command).with_code(2);
        assert!(
            failed
                .err
                .contains("help: make one with `boltworks init FOLDER`"),
            "{failed:?}"
        );
    }
    let init = desk.run("init --json new").with_code(0).json();
    assert_eq!(init["factory"], "new");
    assert!(desk.names().contains(&"new/recipes/musl.yaml".to_owned()));
    let again = desk.run("init new").with_code(2);
    assert!(again.err.contains("holds a factory already"), "{again:?}");
}

#[test]
fn sources_are_looked_for_in_the_store() {
    let desk = desk();
    let missing = desk.run("source verify").with_code(1);
    insta::assert_snapshot!(missing.out, @r"
    ✗ hello  https://hello.example/hello-1.tar.gz  not in the store
    1 of 1 source missing or bad
    help: `boltworks source fetch` brings what is missing
    ");
    let document = desk
        .run("source verify --json recipes/hello.yaml")
        .with_code(1)
        .json();
    assert_eq!(document["sources"][0]["state"], "missing");
    let offline = desk.run("source fetch --offline hello").with_code(1);
    assert!(
        offline
            .out
            .contains("find https://hello.example/hello-1.tar.gz offline"),
        "{offline:?}"
    );
    let unknown = desk.run("source verify helo").with_code(2);
    insta::assert_snapshot!(unknown.err, @r"
    error: there is no recipe 'helo' in this factory
    help: did you mean 'hello'?
    help: the recipes there are: hello
    ");
}

#[test]
fn faults_in_the_factorys_own_files_have_a_place() {
    let desk = desk();
    desk.write("boltworks.yaml", FACTORY.replace("images:", "imges:"));
    let failed = desk.run("plan").with_code(2);
    assert!(failed.err.contains("boltworks.yaml:3:1"), "{failed:?}");
    assert!(failed.err.contains("did you mean 'images'?"), "{failed:?}");
    desk.write("boltworks.yaml", FACTORY);
    desk.write("recipes/hello.yaml", RECIPE.replace("epoch: 0", "epoch: x"));
    for words in ["source verify", "source verify hello"] {
        let failed = desk.run(words).with_code(1);
        assert!(failed.out.contains("recipes/hello.yaml:4:"), "{failed:?}");
    }
    desk.write("recipes/hello.yaml", RECIPE);
    desk.write("recipes/twice.yaml", RECIPE);
    let failed = desk.run("source verify").with_code(1);
    assert!(failed.out.contains("rename one of the two"), "{failed:?}");
    std::fs::remove_dir_all(desk.path("recipes")).unwrap();
    let failed = desk.run("source verify").with_code(2);
    assert!(failed.err.contains("the folder 'recipes'"), "{failed:?}");
    assert!(failed.err.contains("help: make the folder"), "{failed:?}");
}

#[test]
fn what_is_asked_of_a_build_is_checked_before_it_begins() {
    let desk = desk();
    let usage = |words: &str, what: &str| {
        let failed = desk.run(words).with_code(2);
        assert!(failed.err.contains(what), "{failed:?}");
    };
    usage(
        "build recipes/hello.yaml --arch arm64",
        "the factory builds for x86_64",
    );
    usage(
        "build recipes/hello.yaml --arch x86_64,arm64",
        "several architectures",
    );
    usage(
        "build recipes/hello.yaml --memory lots",
        "'lots' is not a size",
    );
    usage("build recipes/hello.yaml --timeout 1", "'1' is not a time");
    usage(
        "build recipes/hello.yaml -r nowhere",
        "nowhere/x86_64/APKINDEX.tar.gz is not there",
    );
    usage(
        "build recipes/hello.yaml --source-dir a --empty-workspace",
        "cannot be used with",
    );
    usage(
        "build nope.yaml --signing-key web.rsa",
        "nope.yaml is not there",
    );
    usage(
        "test recipes/hello.yaml hallo",
        "the recipe has no package 'hallo'",
    );
    desk.write("env", "export A=1\n");
    usage(
        "build recipes/hello.yaml --env-file env",
        "env:1: 'export A=1' sets no variable",
    );
    let untested = desk.run("test recipes/hello.yaml").with_code(0);
    assert_eq!(untested.out, "the recipe has no tests\n");
}

#[test]
fn a_state_that_cannot_be_written_is_a_clear_error() {
    let desk = desk();
    desk.write(".boltworks", "a file where a folder must be");
    let failed = desk.run("plan").with_code(1);
    assert!(failed.err.contains(".boltworks"), "{failed:?}");
    assert!(failed.err.contains("help: "), "{failed:?}");
}

/// Advice is about what is wrong, and not to look closer.
#[test]
fn odd_files_are_answered_with_what_to_do() {
    const COMPILE: &str = "recipe compile recipes/b.yaml";
    let help = |prepare: &dyn Fn(&Desk), words: &str, code: i32| {
        let desk = desk();
        prepare(&desk);
        let failed = desk.run(words).with_code(code);
        let (_, help) = failed.err.split_once("help: ").unwrap();
        help.trim_end().to_owned()
    };
    let linked = desk();
    std::os::unix::fs::symlink("hello.yaml", linked.path("recipes/b.yaml")).unwrap();
    let link = linked.run("plan").with_code(1);
    assert!(
        link.out.contains("a symbolic link is in the way"),
        "{link:?}"
    );
    let folder = help(
        &|desk| std::fs::create_dir(desk.path("recipes/b.yaml")).unwrap(),
        "build recipes/b.yaml",
        2,
    );
    assert!(folder.contains("folders are no files"), "{folder}");
    let socket = help(
        &|desk| {
            std::os::unix::net::UnixListener::bind(desk.path("recipes/b.yaml")).unwrap();
        },
        COMPILE,
        2,
    );
    assert!(socket.contains("sockets"), "{socket}");
    let pipe = help(
        &|desk| {
            let made = std::process::Command::new("mkfifo")
                .arg(desk.path("recipes/b.yaml"))
                .status();
            assert!(made.unwrap().success());
        },
        // One that is named is read; nobody named this one.
        "recipe compile recipes",
        2,
    );
    assert!(pipe.contains("pipes"), "{pipe}");
    let text = help(
        &|desk| desk.write("recipes/b.yaml", b"a: \xff\n"),
        COMPILE,
        2,
    );
    assert!(text.contains("save the file as UTF-8 text"), "{text}");
    let odd = desk();
    odd.write("recipes/b.yaml", b"a: caf\xe9\n");
    let place = "recipes/b.yaml:1:7: the byte 0xe9 is no UTF-8 text";
    for words in ["recipe lint recipes", "recipe fmt recipes/b.yaml", "plan"] {
        let told = odd.run(words);
        assert!(
            told.err.contains(place) || told.out.contains(place),
            "{told:?}"
        );
        assert!(!told.err.contains("b.yaml: recipes"), "{told:?}");
        let both = format!("{}{}", told.out, told.err);
        assert!(both.contains("\n    help: take the byte away"), "{told:?}");
    }
    let state = help(&|desk| desk.write(".boltworks", "text"), "plan", 1);
    assert!(state.contains("move it away"), "{state}");
    let build = help(&|_| (), "build recipes/hello.yaml --offline", 1);
    assert!(build.contains("without --offline"), "{build}");
}

#[test]
fn excerpts_mark_the_word_and_nothing_else() {
    let shown = |text: &str| {
        let desk = desk();
        desk.write("recipes/b.yaml", text);
        desk.run("recipe compile recipes/b.yaml").with_code(2).err
    };
    insta::assert_snapshot!(shown(""), @r"
    error: the file is empty
     --> recipes/b.yaml:1:1
      |
    1 |
      | ^
      |
      = help: a recipe begins with `package:`, and beneath it `name: …` and `version: …`
    ");
    insta::assert_snapshot!(shown("package: {name: a, version: [1]}\n"), @r#"
    error: text is needed here
     --> recipes/b.yaml:1:29
      |
    1 | package: {name: a, version: [1]}
      |                             ^
      |
      = help: write `version: "text"`
    "#);
    insta::assert_snapshot!(shown("package: {nmae}\n"), @r"
    error: unknown key 'nmae'
     --> recipes/b.yaml:1:11
      |
    1 | package: {nmae}
      |           ^^^^
      |
      = help: did you mean 'name'?
    ");
    let long = format!("package: {{description: '{}', nmae: b}}\n", "x".repeat(300));
    insta::assert_snapshot!(shown(&long), @r"
    error: unknown key 'nmae'
    --> recipes/b.yaml:1:328
     = help: did you mean 'name'?
    ");
}

#[test]
fn a_server_tells_machines_its_address() {
    use std::io::BufRead as _;

    let desk = desk();
    let mut server = std::process::Command::new(env!("CARGO_BIN_EXE_boltworks"))
        .args(["serve", "--json", "--listen", "127.0.0.1:0"])
        .current_dir(desk.path(""))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let lines = std::io::BufReader::new(server.stdout.take().unwrap()).lines();
    for line in lines.map(Result::unwrap) {
        text += &line;
        if line == "}" {
            break;
        }
    }
    server.kill().unwrap();
    server.wait().unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let address = document["address"].as_str().unwrap();
    assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"));
    assert_eq!(document["url"], format!("http://{address}/"));
}

#[test]
fn a_new_factory_leaves_what_is_there() {
    let desk = Desk::new();
    desk.write("new/.gitignore", "mine\n");
    desk.write("new/recipes/zlib.yaml", "mine\n");
    desk.write("elsewhere/web.yaml", "mine\n");
    std::os::unix::fs::symlink("../elsewhere", desk.path("new/images")).unwrap();
    let before = desk.names();
    let refused = desk.run("init new").with_code(2);
    insta::assert_snapshot!(refused.err, @r"
    error: in new these are in the way of a new factory: images, recipes/zlib.yaml
    help: move them away, or choose another folder: nothing was written
    ");
    assert_eq!(desk.names(), before);
    assert_eq!(desk.read("new/recipes/zlib.yaml"), b"mine\n");

    std::fs::remove_file(desk.path("new/recipes/zlib.yaml")).unwrap();
    std::fs::remove_file(desk.path("new/images")).unwrap();
    let made = desk.run("init new").with_code(0);
    insta::assert_snapshot!(made.err, @"! new/.gitignore is yours and stays as it is; it should say, each on a line of its own: .boltworks/ keys/*.rsa");
    assert_eq!(desk.read("new/.gitignore"), b"mine\n");
}

#[test]
fn a_new_factory_that_was_broken_off_is_finished() {
    let desk = Desk::new();
    desk.run("init new").with_code(0);
    let whole = desk.names();
    for file in ["boltworks.yaml", "images/web.yaml", ".gitignore"] {
        std::fs::remove_file(desk.path(&format!("new/{file}"))).unwrap();
    }
    desk.run("init new").with_code(0);
    assert_eq!(desk.names(), whole);
}

#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let desk = desk();
    let odd = std::ffi::OsStr::from_bytes(b"x\xffy");
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_boltworks"));
        command.current_dir(desk.path(""));
        command.args(words).arg(odd).output().unwrap()
    };
    for words in [
        &["--json", "init"][..],
        &["--json", "man"],
        &["--json", "apk", "keygen"],
        &["--json", "apk", "index", "--merge", "-o"],
        &["--json", "apk", "verify", "--ignore-signatures"],
        &["--json", "apk", "sign", "-k", "web.rsa"],
        &["--json", "apk", "info"],
        &["--json", "apk", "diff", "web.rsa"],
        &["--json", "build"],
        &["--json", "test"],
        &["--json", "recipe", "compile"],
        &["--json", "image", "build", "a.yaml", "a:1"],
        &["--json", "solve", "a", "-r"],
        &["--json", "solve", "a", "-k"],
        &["--json", "solve"],
        &["--json", "explain"],
        &["--json", "source", "fetch"],
        &["--json", "plan", "--factory"],
        &["--json"],
    ] {
        let output = run(words);
        let code = output.status.code().unwrap();
        assert!([0, 1, 2].contains(&code), "{words:?}: {output:?}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {output:?}"));
        assert!(document.is_object(), "{words:?}: {output:?}");
    }
}

#[test]
fn log_lines_in_a_file_are_plain() {
    let desk = Desk::new();
    desk.run("init new").with_code(0);
    let plan = desk.run("plan --factory new/boltworks.yaml -vvv");
    assert!(plan.err.contains("TRACE"), "{plan:?}");
    assert!(!plan.err.contains('\x1b'), "{plan:?}");
}

#[test]
fn what_is_next_can_be_pasted() {
    let desk = Desk::new();
    let program = env!("CARGO_BIN_EXE_boltworks");
    let init = |folder: &str| {
        let mut command = std::process::Command::new(program);
        let command = command.args(["init", folder]).current_dir(desk.path("."));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(init("a b"), format!("next: cd 'a b' && {program} up"));
    assert_eq!(init("."), format!("next: {program} up"));
}
