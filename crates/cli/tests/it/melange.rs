//! The command line of melange: by the name of a link, by the first word, and what it needs no guest for.

use std::process::Command;

use crate::kit::Desk;

const RECIPE: &str = "package:
  name: hello
  version: 3.10
  epoch: 2
  description: says hello
  copyright:
    - license: MIT
pipeline:
  - uses: local/step
  - runs: echo ${{host.triplet.gnu}}
";

#[test]
fn a_link_named_melange_is_melange() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    let link = desk.path("melange");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_boltworks"), &link).unwrap();
    let output = Command::new(&link)
        .args(["package-version", "hello.yaml"])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"hello-3.10-r2\n", "{output:?}");
    // Under any other name it is boltworks.
    let other = desk.path("melange2");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_boltworks"), &other).unwrap();
    let output = Command::new(&other)
        .arg("package-version")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_first_word_is_as_good_as_the_name() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    desk.write("pipelines/local/step.yaml", "name: ours\nruns: ours\n");
    let version = desk.run("melange package-version hello.yaml").with_code(0);
    assert_eq!(version.out, "hello-3.10-r2\n");
    let query = desk
        .run("melange query hello.yaml {{.Package.Name}}")
        .with_code(0);
    assert_eq!(query.out, "hello\n");
    let help = desk.run("melange --help").with_code(0);
    assert!(help.out.contains("update-cache"), "{help:?}");
    // The folder `pipelines` beside the recipe is looked into, and the C library is GNU's.
    let compiled = desk
        .run("melange compile hello.yaml --arch arm64")
        .with_code(0);
    assert_eq!(compiled.out.lines().count(), 1);
    let pipeline = compiled.json()["pipeline"].to_string();
    assert!(pipeline.contains("ours"), "{pipeline}");
    assert!(pipeline.contains("aarch64-unknown-linux-gnu"), "{pipeline}");
    let recipe = desk.run("melange compile").with_code(2);
    assert!(recipe.err.contains("melange.yaml"), "{recipe:?}");
}

#[test]
fn a_recipe_may_come_out_of_a_pipe() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    desk.write("wrong.yaml", RECIPE.replace("epoch: 2", "epoch: x"));
    desk.write("pipelines/local/step.yaml", "name: ours\nruns: ours\n");
    let program = env!("CARGO_BIN_EXE_boltworks");
    let shell = |script: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-c", script]).current_dir(desk.path("."));
        let output = shell.env("B", program).output().unwrap();
        let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), texts.concat())
    };
    for script in [
        "cat hello.yaml | $B melange package-version /dev/stdin",
        "$B melange package-version <(cat hello.yaml)",
        "$B melange package-version /dev/stdin <hello.yaml",
        "mkfifo pipe; cat hello.yaml >pipe & $B melange package-version pipe",
    ] {
        assert_eq!(
            shell(script),
            (Some(0), "hello-3.10-r2\n".into()),
            "{script}"
        );
    }
    // It is read once, and asked for more than once.
    let (code, text) = shell("$B melange compile <(cat hello.yaml) --pipeline-dir pipelines");
    assert!(code == Some(0) && text.contains("ours"), "{text}");
    let (code, text) = shell("cat wrong.yaml | $B melange package-version /dev/stdin");
    assert!(code == Some(2) && text.contains("/dev/stdin:4:"), "{text}");
    let (code, text) = shell("$B melange package-version /dev/zero");
    assert!(code == Some(2) && text.contains("help: "), "{text}");
    let (_, text) = shell("cat hello.yaml | $B recipe lint /dev/stdin --pipeline-dir pipelines");
    assert!(
        text.contains("[update]") && !text.contains("[file-name]"),
        "{text}"
    );
    let (code, text) = shell("cat hello.yaml | $B melange bump /dev/stdin 4");
    assert!(code == Some(2) && text.contains("is a pipe: "), "{text}");
}

#[test]
fn what_is_unknown_or_refused_ends_with_two() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    let keyring = |key: &str| format!("{RECIPE}environment:\n  contents: {{keyring: [{key}]}}\n");
    desk.write("keys.yaml", keyring("http://example.org/os/a.rsa.pub"));
    desk.write("far.yaml", keyring("../a.rsa.pub"));
    let text = RECIPE.replace("MIT", "MIT\n      license-path: /etc/passwd");
    desk.write("text.yaml", text);
    desk.write("pipelines/local/step.yaml", "name: ours\nruns: ours\n");
    for (words, said) in [
        ("build hello.yaml --signing-kye k", "'--signing-key'"),
        ("biuld hello.yaml", "'build'"),
        ("build hello.yaml --strip-origin-name", "is not taken"),
        (
            "build hello.yaml -r ftp://example.org/os",
            "packages are not fetched from",
        ),
        (
            "build hello.yaml --cache-source gs://bucket",
            "not taken from buckets",
        ),
        ("build hello.yaml --namespace a/b", "is no namespace"),
        ("build hello.yaml --timeout soon", "is no time"),
        ("build hello.yaml --memory lots", "is no amount of memory"),
        (
            "build hello.yaml --lint-require dyllib",
            "there is no linter 'dyllib'",
        ),
        ("query hello.yaml {{.Package.Nmae}}", "did you mean 'Name'"),
        (
            "build hello.yaml -k http://example.org/os/a.rsa.pub",
            "would come over http, where anybody can answer\nhelp: name it with https://, or download it \
             and give the file: -k a.rsa.pub",
        ),
        (
            "scan hello.yaml -k http://example.org/os/a.rsa.pub",
            "would come over http, where anybody can answer",
        ),
        ("build keys.yaml", "--> keys.yaml:12:24\n"),
        ("build keys.yaml", "give the file: -k a.rsa.pub"),
        ("build far.yaml", "--> far.yaml:12:24\n"),
        (
            "build far.yaml",
            "if it is meant, name it yourself: --keyring-append ../a.rsa.pub",
        ),
        (
            "build text.yaml",
            "= help: write where the text lies in the workspace",
        ),
        (
            "bump hello.yaml 1..2",
            "error: '1..2' is not a valid apk version",
        ),
        ("bump hello.yaml 1..2", "help: write digits and dots"),
        ("initramfs", "QEMU"),
        ("completion tcsh", "fish"),
    ] {
        let cache = desk.path("cache").display().to_string();
        let answer = desk
            .run_with(&format!("melange {words}"), &[("XDG_CACHE_HOME", &cache)])
            .with_code(2);
        assert!(answer.err.contains(said), "{words}: {answer:?}");
    }
}

#[test]
fn flags_of_ours_are_not_left_out_silently() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    for flag in ["--factory other.yaml", "--offline", "-v"] {
        for program in ["melange", "apko"] {
            let answer = desk.run(&format!("{flag} {program} version")).with_code(2);
            let said = format!("takes {program}'s flags alone, and {}", &flag[..2]);
            assert!(answer.err.contains(&said), "{answer:?}");
            assert!(answer.err.contains("help: "), "{answer:?}");
        }
    }
    // Who asks for a document gets one.
    for words in [
        "--json melange package-version hello.yaml",
        "melange --json version",
    ] {
        let answer = desk.run(words).with_code(2);
        let message = answer.json()["error"]["message"].to_string();
        assert!(message.contains("--json is ours"), "{answer:?}");
    }
    // Behind the command the word is melange's.
    let version = desk.run("melange version --json").with_code(0);
    assert_eq!(version.json()["program"], "boltworks");
}

#[test]
fn indexes_are_merged_from_their_source() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    desk.package("b.apk", "web", "b 1-r0");
    desk.package("arm.apk", "web", "c 1-r0 arch aarch64");
    desk.run("melange index -o one --signing-key web.rsa a.apk")
        .with_code(0);
    let both = "melange index -o two -s one -m --signing-key web.rsa -a x86_64 b.apk arm.apk";
    let answer = desk.run(both).with_code(0);
    assert!(
        answer.err.contains("arm.apk is for another architecture"),
        "{answer:?}"
    );
    assert!(answer.out.contains("2 packages"), "{answer:?}");
    desk.run("melange index b.apk").with_code(0);
    let alone = desk
        .run("apk verify --ignore-signatures APKINDEX.tar.gz")
        .with_code(0);
    assert!(alone.out.contains("1 package"), "{alone:?}");
}

#[test]
fn packages_are_linted_with_the_levels_that_are_asked_for() {
    let desk = Desk::new();
    desk.package("a.apk", "web", "a 1-r0");
    desk.run("melange lint a.apk --persist-lint-results --out-dir out")
        .with_code(0);
    let document = String::from_utf8(desk.read("out/x86_64/lint-a-1-r0.json")).unwrap();
    assert!(document.contains("\"package\":\"a\""), "{document}");
    desk.package("any.apk", "web", "any 1-r0 arch riscv64");
    desk.run("melange lint any.apk --persist-lint-results --out-dir out")
        .with_code(0);
    assert!(!desk.read("out/riscv64/lint-any-1-r0.json").is_empty());
    desk.package("page.apk", "web", "a.md 1-r0");
    desk.run("melange lint page.apk").with_code(0);
    let strict = desk.run("melange lint page.apk a.apk --lint-require documentation");
    let strict = strict.with_code(1);
    assert!(strict.err.contains("usr/share/a.md"), "{strict:?}");
    let warned = desk.run("melange lint page.apk --lint-require= --lint-warn documentation");
    assert!(warned.with_code(0).err.contains("usr/share/a.md"));
}

#[test]
fn sources_of_a_cache_are_hashed_before_they_are_used() {
    let desk = Desk::new();
    let digest = boltworks_crypto::sha256(b"bytes").to_string();
    let recipe = "package: {name: fetches, version: 1}\n\
        pipeline:\n  - uses: fetch\n    with:\n      uri: http://127.0.0.1:9/a.tar.gz\n      expected-sha256: ";
    desk.write("fetches.yaml", format!("{recipe}{digest}\n"));
    let state = desk.path("state").display().to_string();
    let run = |words: &str| desk.run_with(words, &[("XDG_CACHE_HOME", &state), ("no_proxy", "*")]);
    let update = "melange update-cache --cache-dir cache fetches.yaml";
    desk.write(&format!("cache/sha256:{digest}"), b"other");
    let wrong = run(update).with_code(1);
    assert!(wrong.err.contains("127.0.0.1"), "{wrong:?}");
    desk.write(&format!("cache/sha256:{digest}"), b"bytes");
    let kept = run(update).with_code(0);
    assert_eq!(kept.out, "1 source in cache\n");
    // It is kept between commands, and goes to any other folder from there.
    run("melange update-cache --cache-dir=more/beneath fetches.yaml").with_code(0);
    assert_eq!(
        desk.read(&format!("more/beneath/sha256:{digest}")),
        b"bytes"
    );
}

/// Who runs no step needs no pipeline, and recipes lie apart from theirs.
#[test]
fn an_unknown_pipeline_stops_only_who_would_run_it() {
    let desk = Desk::new();
    desk.write(
        "recipes/a.yaml",
        "package: {name: a, version: 1, copyright: [{license: MIT}]}\npipeline: [{uses: mine, with: {x: y}}]\n",
    );
    desk.write("pipelines/mine.yaml", "name: ours\nruns: ours\n");
    let state = desk.path("state").display().to_string();
    let run = |words: &str| desk.run_with(words, &[("XDG_CACHE_HOME", &state)]);
    let compiled = run("melange compile recipes/a.yaml").with_code(2);
    assert!(compiled.err.contains("unknown pipeline"), "{compiled:?}");
    run("melange license-check recipes/a.yaml").with_code(0);
    run("melange update-cache --cache-dir cache recipes/a.yaml").with_code(0);
    run("melange bump recipes/a.yaml 1.1").with_code(0);
    let text = String::from_utf8(desk.read("recipes/a.yaml")).unwrap();
    assert!(text.contains("version: 1.1"), "{text}");
    let scan = run("melange scan recipes/a.yaml").with_code(2);
    assert!(scan.err.contains("build the recipe"), "{scan:?}");
    let source = run("melange source get recipes/a.yaml").with_code(2);
    assert!(source.err.contains("git-checkout"), "{source:?}");
    let sign = run("melange sign a.apk").with_code(2);
    assert!(sign.err.contains("keygen local-melange.rsa"), "{sign:?}");
}

#[test]
fn a_template_is_for_machines_unless_a_person_looks() {
    let desk = Desk::new();
    let step = "  - name: \"a\\e[31m\\u202eb\"\n    runs: x\n";
    desk.write("hello.yaml", RECIPE.to_owned() + step);
    let template = "{{range.Pipeline}}{{.Name}}{{end}}";
    let piped = desk.run(&format!("melange query hello.yaml {template}"));
    assert_eq!(piped.with_code(0).out, "a\u{1b}[31m\u{202e}b\n");
    let terminal = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/kit/at_terminal.py"
    );
    let output = Command::new("python3")
        .args([terminal, "[]", env!("CARGO_BIN_EXE_boltworks")])
        .args(["melange", "query", "hello.yaml", template])
        .current_dir(desk.path("."))
        .output()
        .expect("python3 is needed: apt-get install python3");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.trim_end(), "a\u{fffd}[31m\u{fffd}b");
}

#[test]
fn a_file_or_folder_of_the_wrong_kind_is_a_wrong_command_line() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    desk.write("pipelines/local/step.yaml", "name: ours\nruns: ours\n");
    desk.write("file", "no key");
    std::fs::create_dir(desk.path("folder")).unwrap();
    for (words, said) in [
        ("melange build folder", "folder is a folder"),
        ("melange compile folder", "folder is a folder"),
        ("melange build file/x.yaml", "file is no folder"),
        (
            "melange build hello.yaml --env-file folder",
            "folder is a folder",
        ),
        (
            "melange build hello.yaml --vars-file folder",
            "folder is a folder",
        ),
        (
            "melange build hello.yaml --signing-key folder",
            "folder is a folder",
        ),
        (
            "melange build hello.yaml --signing-key file",
            "keys are RSA in PEM",
        ),
        ("melange build hello.yaml -k folder", "folder is a folder"),
        ("melange build hello.yaml -k file", "keys are RSA in PEM"),
        ("melange build hello.yaml -r file", "file is no folder"),
        (
            "melange build hello.yaml --cache-dir file",
            "file is no folder",
        ),
        (
            "melange build hello.yaml --cache-source file",
            "file is no folder",
        ),
        (
            "melange build hello.yaml --workspace-dir file",
            "file is no folder",
        ),
        (
            "melange build hello.yaml --out-dir file",
            "file is no folder",
        ),
        ("melange build hello.yaml --out-dir file/x", "is no folder"),
        (
            "melange build hello.yaml --out-dir /proc/x",
            "nothing can be put into the folder /proc/x",
        ),
        (
            "melange update-cache hello.yaml --cache-dir file",
            "file is no folder",
        ),
        ("apk info /dev/null", "/dev/null is no file to read"),
        ("apk info folder", "folder is a folder"),
        ("apk sign -k file folder", "keys are RSA in PEM"),
        ("solve a -r file", "file/x86_64 is no folder"),
        ("image build folder a a.tar", "folder is a folder"),
    ] {
        let answer = desk.run(words).with_code(2);
        assert!(answer.err.contains(said), "{words}: {answer:?}");
        // Nothing was begun.
        assert!(!answer.err.contains("… recipe"), "{words}: {answer:?}");
    }
}

#[test]
fn a_source_with_wrong_inputs_is_not_left_out() {
    let desk = Desk::new();
    let recipe = |with: &str| {
        format!(
            "package: {name}\npipeline:\n  - uses: git-checkout\n    with: {{repository: 'http://127.0.0.1:9/a', {with}}}\n",
            name = "{name: a, version: 1}"
        )
    };
    let commit = "0".repeat(40);
    let wrong = format!("tag: 'a..b', expected-commit: '{commit}'");
    desk.write("wrong.yaml", recipe(&wrong));
    let update = "melange update-cache --cache-dir cache";
    let answer = desk.run(&format!("{update} wrong.yaml")).with_code(2);
    assert!(answer.err.contains("--> wrong.yaml:4:"), "{answer:?}");
    // Whoever follows a branch names no commit.
    desk.write("branch.yaml", recipe("branch: main"));
    let answer = desk.run(&format!("{update} branch.yaml")).with_code(0);
    assert_eq!(answer.out, "0 sources in cache\n");
}

#[test]
fn what_is_wrong_is_called_by_its_name() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    desk.write("pipelines/local/step.yaml", "name: ours\nruns: ours\n");
    desk.package("hello.apk", "web", "hello 3.10-r2");
    for (words, code, said) in [
        ("melange test", 2, "it takes RECIPE too"),
        (
            "melange scan hello.apk",
            2,
            "hello.apk is compressed, as packages",
        ),
        ("melange query hello.apk x", 2, "and no text"),
        (
            "melange rebuild hello.yaml",
            1,
            "this one is no package or index of apk's",
        ),
        (
            "melange index hello.yaml",
            1,
            "this one is no package or index of apk's",
        ),
        (
            "melange compile hello.yaml --build-option x",
            2,
            "leave --build-option out",
        ),
        (
            "shell nosuch",
            2,
            "no workspace of a failed build or test at",
        ),
    ] {
        let answer = desk.run(words).with_code(code);
        assert!(answer.err.contains(said), "{words}: {answer:?}");
    }
    let empty = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boltworks"));
        let output = command.args(words).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(empty(&["build", ""]).contains("invalid value '(an empty word)' for '<FILE>'"));
    assert!(empty(&["melange", "build", ""]).contains("(an empty word)"));
    assert!(empty(&["build", "--out-dir"]).contains("none was supplied"));
}

/// As melange 2043d30b printed them for this recipe.
#[test]
fn templates_find_what_melange_has() {
    let desk = Desk::new();
    desk.write(
        "a.yaml",
        "package:
  name: a
  version: 1.2
  epoch: 3
  timeout: 90m
  cpe: {vendor: v, product: p, target_sw: x}
  copyright:
    - {license: MIT, attestation: me, paths: ['*']}
    - {license: Apache-2.0, detection-override: MIT}
  scriptlets:
    post-install: echo hi
    trigger: {script: run, paths: [/a, /b]}
  setcap:
    - {path: /usr/bin/x, add: {cap_net_raw: +eip}, reason: why}
subpackages: [{name: b}]
",
    );
    for (template, expected) in [
        ("{{.Package.CPE}}", "{ v p    x  }"),
        ("{{.Package.CPEString}}", "cpe:2.3:a:v:p:1.2:*:*:*:*:x:*:*"),
        ("{{.Package.Timeout}}", "1h30m0s"),
        ("{{.Package.LicenseExpression}}", "MIT AND Apache-2.0"),
        ("{{.Package.FullCopyright}}", "me\n"),
        (
            "{{.Package.Copyright}}",
            "[{[*] me MIT  } {[]  Apache-2.0  MIT}]",
        ),
        ("{{.Package.Scriptlets.PostInstall}}", "echo hi"),
        ("{{.Package.Scriptlets.Trigger.Paths}}", "[/a /b]"),
        (
            "{{.Package.SetCap}}",
            "[{/usr/bin/x map[cap_net_raw:+eip] why}]",
        ),
        ("{{.Package.Dependencies}}", "{[] [] []   []}"),
    ] {
        let answer = desk.run(&format!("melange query a.yaml {template}"));
        assert_eq!(
            answer.with_code(0).out.trim_end_matches('\n'),
            expected.trim_end_matches('\n')
        );
    }
}
