//! `boltworks recipe compile`, and how errors in users' files are shown.

use serde_json::Value;

use crate::kit::{Desk, at_terminal};

const RECIPE: &str = "package:
  name: hello
  version: 3.10
  epoch: 2
  description: says hello
  copyright:
    - license: MIT
environment:
  contents:
    packages: [busybox]
options:
  loud:
    environment:
      contents:
        packages:
          add: [megaphone]
pipeline:
  - uses: autoconf/make
  - runs: echo ${{host.triplet.gnu}} ${{package.full-version}}
";

#[test]
fn a_recipe_is_one_line_of_json() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    let answer = desk.run("recipe compile hello.yaml").with_code(0);
    assert_eq!(answer.out.lines().count(), 1);
    let document = answer.json();
    assert_eq!(document["package"]["version"], "3.10");
    let text = document["pipeline"].to_string();
    assert!(text.contains("x86_64-pc-linux-musl 3.10-r2"), "{text}");
    let again = desk.run("recipe compile --json hello.yaml").with_code(0);
    assert_eq!(again.out, answer.out, "it is JSON with and without --json");
}

#[test]
fn flags_change_what_is_understood() {
    let desk = Desk::new();
    desk.write("hello.yaml", RECIPE);
    let compiled = |flags: &str| -> Value {
        desk.run(&format!("recipe compile hello.yaml {flags}"))
            .with_code(0)
            .json()
    };
    let text = compiled("--libc gnu --arch arm64")["pipeline"].to_string();
    assert!(text.contains("aarch64-unknown-linux-gnu"), "{text}");
    let packages =
        compiled("--build-option loud")["environment"]["contents"]["packages"].to_string();
    assert!(packages.contains("megaphone"), "{packages}");
    desk.write("own/autoconf/make.yaml", "name: mine\nruns: make mine\n");
    let text = compiled("--pipeline-dir own")["pipeline"].to_string();
    assert!(text.contains("make mine"), "{text}");

    let unknown = desk
        .run("recipe compile hello.yaml --build-option quiet")
        .with_code(2);
    insta::assert_snapshot!(unknown.err, @r"
    error: the recipe has no option 'quiet'
    help: its options are: loud
    ");
}

#[test]
fn a_misspelled_key_is_shown_where_it_stands() {
    let desk = Desk::new();
    desk.write("bad.yaml", RECIPE.replace("description", "descripton"));
    let failed = desk.run("recipe compile bad.yaml").with_code(2);
    assert!(failed.err.contains("bad.yaml:5:3"), "{failed:?}");
    assert!(
        failed.err.contains("  descripton: says hello"),
        "{failed:?}"
    );
    assert!(
        failed.err.contains("did you mean 'description'?"),
        "{failed:?}"
    );
    let document = desk
        .run("recipe compile --json bad.yaml")
        .with_code(2)
        .json();
    assert_eq!(document["error"]["exit"], 2);
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("bad.yaml:5:3: "), "{message}");
}

#[test]
fn a_misspelled_pipeline_and_variable_too() {
    let desk = Desk::new();
    desk.write("bad.yaml", RECIPE.replace("autoconf/make", "autoconf/mkae"));
    let failed = desk.run("recipe compile bad.yaml").with_code(2);
    assert!(failed.err.contains("bad.yaml:18:11"), "{failed:?}");
    assert!(
        failed.err.contains("did you mean 'autoconf/make'?"),
        "{failed:?}"
    );
    desk.write(
        "bad.yaml",
        RECIPE.replace("package.full-version", "package.ful-version"),
    );
    let failed = desk.run("recipe compile bad.yaml").with_code(2);
    assert!(
        failed.err.contains("did you mean 'package.full-version'?"),
        "{failed:?}"
    );
}

#[test]
fn hostile_yaml_is_refused_at_once() {
    let desk = Desk::new();
    let deep = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let lines = ('b'..='k').zip('a'..).map(|(this, last)| {
        let items = [format!("*{last}").as_str(); 10].join(",");
        format!("{this}: &{this} [{items}]\n")
    });
    let bomb = format!("a: &a [x,x,x,x,x,x,x,x,x,x]\n{}", lines.collect::<String>());
    for text in [deep.as_str(), bomb.as_str(), "a: 1\na: 2\n", "\u{0}", "%"] {
        desk.write("bad.yaml", text);
        let failed = desk.run("recipe compile bad.yaml").with_code(2);
        assert!(failed.err.contains("bad.yaml"), "{failed:?}");
        assert!(failed.err.len() < 4000, "{} bytes", failed.err.len());
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let desk = Desk::new();
    let failed = desk.run("recipe compile nope/hello.yaml").with_code(2);
    insta::assert_snapshot!(failed.err, @r"
    error: nope is not there
    help: check the name, and the folder you are in
    ");
}

/// A recipe that builds with some packages and tests with others.
fn node(name: &str, builds: &str, tests: &str) -> String {
    format!(
        "package: {{name: {name}, version: 1, copyright: [{{license: MIT}}]}}\n\
         environment: {{contents: {{packages: [{builds}]}}}}\n\
         pipeline: [{{runs: 'true'}}]\n\
         subpackages: [{{name: {name}-dev, dependencies: {{runtime: [{name}]}}}}]\n\
         test: {{environment: {{contents: {{packages: [{tests}]}}}}, pipeline: [{{runs: 'true'}}]}}\n"
    )
}

#[test]
fn recipes_are_put_in_the_order_in_which_they_can_be_built() {
    let desk = Desk::new();
    for (name, builds, tests) in [
        ("web", "zlib-dev, make", "curl"),
        ("zlib", "make", "web"),
        ("make", "", ""),
        ("curl", "zlib", ""),
        ("hen", "egg-dev", ""),
        ("egg", "hen", ""),
    ] {
        desk.write(&format!("os/{name}.yaml"), node(name, builds, tests));
    }
    desk.write("os/broken.yaml", "package: [");
    let text = desk.run("recipe graph os").with_code(2);
    insta::assert_snapshot!(text.out, @r"
    make
    zlib: make (tests: web)
    curl: zlib
    web: make zlib (tests: curl)
    egg: hen
    hen: egg
    ");
    insta::assert_snapshot!(text.err, @r"
    ! 2 recipes need one another:
        egg builds with hen
        hen builds with egg-dev
    ! os/broken.yaml:1:10: a mapping is needed here: keys and values
        help: write keys with values beneath `package:`, each on a line of its own: `name: text`
    6 recipes in order, 0 for other architectures, 1 not understood
    ");
    let document = desk.run("recipe graph os --json").with_code(2).json();
    assert_eq!(document["recipes"][0]["name"], "make");
    assert_eq!(document["circles"][0][0]["packages"][0], "hen");
    assert_eq!(document["unread"][0]["file"], "os/broken.yaml");
    let dot = desk.run("recipe graph os --dot").with_code(2).out;
    assert!(dot.contains("\"web\" -> \"zlib\";"), "{dot}");
    assert!(dot.contains("\"zlib\" -> \"web\" [style=dashed];"), "{dot}");
    desk.run("recipe graph nowhere").with_code(2);
}

#[test]
fn what_is_no_folder_of_recipes_is_told() {
    let desk = Desk::new();
    desk.write("os/zlib.yaml", node("zlib", "", ""));
    std::fs::create_dir(desk.path("none")).unwrap();
    let commands = [
        "recipe graph /dev/null",
        "recipe graph os/zlib.yaml",
        "recipe graph os none",
        "recipe graph os ./os/../os",
        "melange lint os/zlib.yaml",
    ];
    let told = commands.map(|words| desk.run(words).with_code(2).err);
    insta::assert_snapshot!(told.concat(), @"
    error: /dev/null is no folder
    help: name a folder
    error: os/zlib.yaml is no folder
    help: name the folder that it is in
    error: there is no recipe in none
    help: name a folder whose files end in .yaml; what is in folders beneath it is not taken
    error: one folder is named twice, as os and as ./os/../os
    help: name each folder once
    error: os/zlib.yaml is a recipe: packages are linted here, `.apk`
    help: of a recipe, `boltworks recipe lint os/zlib.yaml` tells what is wrong; its packages can be linted when they are made
    ");
}

const FORGED: &str = "package:
  name: hello
  version: 1
  epoch: 0
  description: \"says\\ehello\"
";

#[test]
fn a_recipe_forges_no_line_and_is_told_once() {
    let desk = Desk::new();
    desk.write("os/hello.yaml", FORGED);
    let told =
        "os/hello.yaml:5:16: the description 'says\u{fffd}hello' has control characters in it";
    let graph = desk.run("recipe graph os").with_code(2).err;
    assert_eq!(
        graph.matches("control characters in it").count(),
        1,
        "{graph}"
    );
    assert!(graph.contains(told), "{graph}");
    let lint = desk.run("recipe lint os").with_code(1).out;
    assert!(
        lint.contains("os/hello.yaml:5:16: error: the description"),
        "{lint}"
    );
    for words in [
        "recipe compile os/hello.yaml",
        "melange compile os/hello.yaml",
    ] {
        let compiled = desk.run(words).with_code(2).err;
        assert!(compiled.contains("--> os/hello.yaml:5:16"), "{compiled}");
        assert!(
            compiled.contains("help: write it on one line"),
            "{compiled}"
        );
    }
    let forged = FORGED.replace("\\e", " ") + "pipeline:\n  - uses: \"x\\nerror: \\u202ey\"\n";
    desk.write("os/hello.yaml", forged);
    for words in [
        "recipe graph os",
        "recipe lint os",
        "recipe compile os/hello.yaml",
    ] {
        let answer = desk.run(words);
        let all = answer.out + &answer.err;
        assert!(all.contains("x\\nerror: \u{fffd}y"), "{all}");
        assert!(!all.contains('\u{202e}'), "{all}");
    }
    let document = desk.run("recipe lint os --json").with_code(1).out;
    assert!(!document.contains('\u{202e}'), "{document}");
}

#[test]
fn what_was_read_of_recipes_is_kept_and_never_believed_over_the_text() {
    let desk = Desk::new();
    let graph = || desk.run("recipe graph os --json").with_code(2).out;
    let kept = || {
        let names = desk.names().into_iter();
        let mut names = names.filter(|name| name.starts_with("cache/boltworks/graphs/"));
        let name = names.next().unwrap();
        (desk.read(&name), name)
    };
    desk.write("os/zlib.yaml", node("zlib", "make", ""));
    desk.write("os/make.yaml", node("make", "", ""));
    desk.write("os/broken.yaml", "package: [");
    let first = graph();
    let (text, name) = kept();
    assert_eq!(graph(), first);
    assert_eq!(kept().0, text, "nothing new is nothing to write");

    for damage in [
        b"".to_vec(),
        text[..text.len() - 9].to_vec(),
        b"boltworks outlines 1\n# 0\n".to_vec(),
    ] {
        desk.write(&name, damage);
        assert_eq!(graph(), first);
        assert_eq!(kept().0, text, "what is damaged is replaced");
    }
    desk.write("os/zlib.yaml", node("zlib", "", ""));
    assert_ne!(graph(), first);
    desk.write("os/zlib.yaml", node("zlib", "make", ""));
    assert_eq!(graph(), first);
    // Another pipeline may mean another package for every recipe.
    desk.write("os/pipelines/x.yaml", "needs: {packages: [make]}\nruns: x");
    let tool = node("tool", "", "").replace("[{runs: 'true'}]\nsub", "[{uses: x}]\nsub");
    desk.write("os/tool.yaml", tool);
    let needs = || {
        let document: Value = serde_json::from_str(&graph()).unwrap();
        let all = document["recipes"].as_array().unwrap();
        let tool = all.iter().find(|recipe| recipe["name"] == "tool");
        tool.unwrap()["needs"].clone()
    };
    assert_eq!(needs(), serde_json::json!(["make"]));
    desk.write("os/pipelines/x.yaml", "runs: x");
    assert_eq!(needs(), serde_json::json!([]));

    // Where a factory is, it is kept in its state.
    desk.write("boltworks.yaml", "factory: web\nstage0: {}\n");
    graph();
    assert!(
        desk.names()
            .iter()
            .any(|name| name.starts_with(".boltworks/graphs/"))
    );
    // Where nothing can be kept, nothing is.
    let answer = desk.run_with(
        "--factory no.yaml recipe graph os",
        &[("XDG_CACHE_HOME", "/dev/null")],
    );
    assert!(answer.with_code(2).out.contains("tool"));
}

const ODD: &str = "package:
    name: hello   # the best
    version: 1
    epoch: 0

    description: says hello
    copyright:
    - license: MIT
# what it is made in
environment:
    contents:
        packages:
        - busybox
pipeline:
- runs: |
        make
- runs: echo
";

fn text(desk: &Desk, name: &str) -> String {
    String::from_utf8(desk.read(name)).unwrap()
}

#[test]
fn recipes_get_the_usual_form() {
    let desk = Desk::new();
    desk.write("os/hello.yaml", ODD);
    desk.write("os/usual.yaml", "package:\n  name: usual\n  version: 1\n");
    let check = desk.run("recipe fmt --check os").with_code(1);
    assert_eq!(check.out, "os/hello.yaml\n");
    let diff = desk.run("recipe fmt --diff os").with_code(1).out;
    assert!(diff.contains("\n-        - busybox\n"), "{diff}");
    assert!(diff.contains("\n+      - busybox\n"), "{diff}");
    assert_eq!(text(&desk, "os/hello.yaml"), ODD, "nothing is written");

    let run = desk.run("recipe fmt os --json").with_code(0).json();
    assert_eq!(run["changed"][0]["file"], "os/hello.yaml");
    assert_eq!((&run["usual"], &run["written"]), (&1.into(), &true.into()));
    insta::assert_snapshot!(text(&desk, "os/hello.yaml"), @"
    package:
      name: hello   # the best
      version: 1
      epoch: 0

      description: says hello
      copyright:
        - license: MIT

    # what it is made in
    environment:
      contents:
        packages:
          - busybox

    pipeline:
      - runs: |
          make

      - runs: echo
    ");
    desk.run("recipe fmt --check os").with_code(0);

    desk.write("os/broken.yaml", "package: [");
    desk.write("os/odd.yaml", ODD);
    let run = desk.run("recipe fmt os").with_code(2);
    assert_eq!(run.out, "os/odd.yaml\n", "the others are written");
    assert!(
        run.err.starts_with("! os/broken.yaml:1:10: "),
        "{}",
        run.err
    );
    assert_eq!(text(&desk, "os/broken.yaml"), "package: [");
    desk.run("recipe fmt nowhere.yaml").with_code(2);
}

#[test]
fn a_link_to_a_recipe_stays_a_link() {
    let desk = Desk::new();
    desk.write("real.yaml", ODD);
    std::fs::create_dir(desk.path("os")).unwrap();
    std::os::unix::fs::symlink("../real.yaml", desk.path("os/hello.yaml")).unwrap();
    desk.run("recipe fmt os").with_code(2);
    assert_eq!(
        text(&desk, "real.yaml"),
        ODD,
        "a folder's links are not followed"
    );
    desk.run("recipe fmt os/hello.yaml real.yaml").with_code(0);
    assert_ne!(text(&desk, "real.yaml"), ODD);
    assert!(desk.path("os/hello.yaml").is_symlink());
}

#[test]
fn what_is_wrong_with_recipes_is_told_rule_by_rule() {
    let desk = Desk::new();
    let odd = ODD.replace("MIT", "mine").replace(
        "- runs: echo\n",
        "- uses: fetch\n  with:\n      uri: https://a.example/hello-1.2.3.tar.gz\n",
    );
    desk.write(
        "os/hello.yaml",
        odd.replace("version: 1\n", "version: 1.2.3\n"),
    );
    let lint = desk.run("recipe lint os").with_code(1);
    insta::assert_snapshot!(lint.out, @"
    os/hello.yaml:2:11: warning: 'hello' has no test [test]; write a `test` with one step at least, that runs what is in the package
    os/hello.yaml:2:11: warning: nothing says how new versions are found [update]; say in `update` where new versions are found, or why nobody looks (`exclude-reason`)
    os/hello.yaml:8:16: error: the licence 'mine' is no SPDX expression [licence]; write an SPDX expression, or LicenseRef-NAME for a licence of its own
    os/hello.yaml:17:9: error: what is fetched has no digest here [digest]; write expected-sha256: a source is known by its digest
    os/hello.yaml:19:36: warning: the version 1.2.3 stands in `uri` [version]; write https://a.example/hello-${{package.version}}.tar.gz
    ");
    assert_eq!(lint.err, "1 recipe: 2 errors, 3 warnings\n");
    let rest = "recipe lint os --skip-rule licence,digest --skip-rule understood";
    let rest = desk.run(rest).with_code(0);
    assert_eq!(rest.out.lines().count(), 3);
    desk.run("recipe lint os --skip-rule licenze").with_code(2);

    let good = ODD.replace("runs: echo\n", "uses: fetch\n  with:\n      expected-sha256: 9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23\n      uri: https://a.example/hello-1.2.3.tar.gz\n");
    desk.write(
        "os/hello.yaml",
        good.replace("version: 1\n", "version: 1.2.3\n"),
    );
    let lint = desk.run("recipe lint os --fix --json").with_code(0).json();
    assert_eq!(lint["fixed"][0]["rule"], "version");
    assert!(
        text(&desk, "os/hello.yaml")
            .contains("uri: \"https://a.example/hello-${{package.version}}.tar.gz\"\n")
    );
}

#[test]
fn our_own_recipes_are_as_we_say() {
    let desk = Desk::new();
    for (recipes, pipelines) in [("examples/web/recipes", ""), ("os/recipes", "os/pipelines")] {
        let path = |name: &str| format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
        let recipes = path(recipes);
        desk.run(&format!("recipe fmt --check {recipes}"))
            .with_code(0);
        let pipelines = match pipelines {
            "" => String::new(),
            name => format!("--pipeline-dir {}", path(name)),
        };
        let lint = format!("recipe lint {recipes} {pipelines}");
        desk.run(&lint).with_code(0);
    }
}

#[test]
fn many_recipes_are_compiled_in_order() {
    let desk = Desk::new();
    let text = |name: &str, more: &str| {
        format!(
            "package:\n  name: {name}\n  version: 1\n  epoch: 0\n{more}pipeline:\n  - runs: it\n"
        )
    };
    for name in ["b", "a", "c"] {
        desk.write(&format!("os/{name}.yaml"), text(name, ""));
    }
    desk.write("os/bad.yaml", text("bad", "  speed: 3\n"));
    desk.write(
        "os/elsewhere.yaml",
        text("elsewhere", "  target-architecture: [aarch64]\n"),
    );
    desk.write("alone.yaml", text("alone", ""));
    let named = |out: &str| -> Vec<String> {
        let lines = out.lines().map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            let name = value["package"]["name"].as_str();
            name.map_or_else(|| value["error"]["exit"].to_string(), str::to_owned)
        });
        lines.collect()
    };
    let many = desk.run("recipe compile os alone.yaml").with_code(2);
    assert_eq!(named(&many.out), ["a", "b", "c", "alone"]);
    assert!(many.err.contains("--> os/bad.yaml:5:3"), "{many:?}");
    assert!(
        many.err
            .contains("os/elsewhere.yaml is not meant for x86_64")
    );
    let many = desk.run("--json recipe compile os").with_code(2);
    assert_eq!(named(&many.out), ["a", "b", "2", "c"]);
    let arm = desk.run("recipe compile os/elsewhere.yaml --arch aarch64");
    assert_eq!(named(&arm.with_code(0).out), ["elsewhere"]);
    std::fs::create_dir(desk.path("empty")).unwrap();
    let none = desk.run("recipe compile empty").with_code(2);
    assert!(none.err.contains("there is no recipe"), "{none:?}");
}

#[test]
fn no_line_is_broken_by_the_terminal() {
    let desk = Desk::new();
    let padded = format!("a{}error: forged", " ".repeat(50));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_boltworks"));
    command
        .args(["recipe", "graph", &padded])
        .current_dir(desk.path("."));
    let shown = at_terminal(&mut command, 40);
    let is_ours = |line: &&str| !line.starts_with(' ');
    let ours: Vec<&str> = shown.lines().filter(is_ours).collect();
    assert!(shown.contains("\n    error: forged"), "{shown}");
    assert!(
        shown
            .lines()
            .all(|line| line.trim_end().len() <= 40 || line.starts_with("help: ")),
        "{shown}"
    );
    assert_eq!(ours.len(), 2, "{shown}");
    assert!(
        ours[0].starts_with("error: a") && ours[1].starts_with("help: "),
        "{shown}"
    );
}

#[test]
fn an_excerpt_is_no_wider_than_the_terminal() {
    let desk = Desk::new();
    let pad = " ".repeat(50);
    desk.write(
        "wrong.yaml",
        format!("package:\n  \"nmae{pad}error: forged\": x{pad}\n"),
    );
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_boltworks"));
    command
        .args(["recipe", "compile", "wrong.yaml"])
        .current_dir(desk.path("."))
        .env("NO_COLOR", "1");
    let shown = at_terminal(&mut command, 60);
    assert!(shown.contains("--> wrong.yaml:2:3"), "{shown}");
    for line in shown.lines().filter(|line| !line.contains("= help: ")) {
        assert!(line.chars().count() <= 60, "{shown}");
    }
}

#[test]
fn a_word_of_the_command_line_forges_nothing() {
    let desk = Desk::new();
    let forged = "x\nerror: forged\u{1b}[31m";
    desk.write(&format!("{forged}.yaml"), "package:\n  name: x\n");
    let flag = format!("--{forged}");
    let file = format!("{forged}.yaml");
    let key = format!("{forged}.rsa");
    for words in [
        vec![forged],
        vec!["--json", &flag],
        vec!["melange", "build", &flag],
        vec!["apko", "build", &flag],
        vec!["recipe", "compile", "--arch", forged],
        vec!["recipe", "compile", forged],
        vec!["recipe", "compile", &file],
        vec!["recipe", "lint", &file],
        vec!["recipe", "fmt", &file],
        vec!["apk", "info", &file],
        vec!["apk", "keygen", &key],
        vec!["--factory", forged, "plan"],
        vec!["melange", "build", &file, "-r", forged],
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_boltworks"));
        let command = command.args(&words).current_dir(desk.path("."));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("\\nerror: forged"), "{words:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{words:?}: {said}");
        let mut lines = said.lines().map(str::trim_start);
        assert!(
            lines.all(|line| !line.starts_with("error: forged")),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn a_folder_without_recipes_is_named_wrongly() {
    let desk = Desk::new();
    desk.write("sound.yaml", "package: {name: sound, version: 1}\n");
    std::fs::create_dir(desk.path("empty")).unwrap();
    for command in ["compile", "lint", "fmt", "graph"] {
        let answer = desk.run(&format!("recipe {command} empty")).with_code(2);
        assert!(answer.err.contains("no recipe in empty"), "{answer:?}");
        assert_eq!(answer.out, "", "{command}");
    }
    desk.write("mixed/sound.yaml", "package: {name: sound, version: 1}\n");
    desk.write("mixed/wrong.yaml", "package: {nmae: wrong}\n");
    for flag in ["", "--dot", "--json"] {
        let answer = desk.run(&format!("recipe graph mixed {flag}")).with_code(2);
        assert!(answer.out.contains("sound"), "{answer:?}");
    }
}

#[test]
fn a_recipe_that_is_named_twice_is_one() {
    let desk = Desk::new();
    desk.write("r/a.yaml", "package:   {name: a,  version: 1}\n");
    let twice = "r/a.yaml r/a.yaml ./r/a.yaml r";
    let lint = desk.run(&format!("recipe lint --json {twice}"));
    assert_eq!(lint.json()["recipes"], 1);
    let fmt = desk
        .run(&format!("recipe fmt --check {twice}"))
        .with_code(1);
    assert_eq!(fmt.out, "r/a.yaml\n", "{fmt:?}");
}

#[test]
fn a_recipe_is_bumped_without_a_factory() {
    let desk = Desk::new();
    desk.write(
        "a.yaml",
        "package:\n  name: a\n  version: 1.0 # the first\n  epoch: 3\n",
    );
    let bumped = desk.run("recipe bump a.yaml 1.1").with_code(0);
    assert_eq!(bumped.out, "a.yaml: 1.0 -> 1.1, epoch 0\n");
    let now = "package:\n  name: a\n  version: 1.1 # the first\n  epoch: 0\n";
    assert_eq!(desk.read("a.yaml"), now.as_bytes());
    assert!(
        !desk
            .names()
            .iter()
            .any(|name| name.starts_with(".boltworks"))
    );
}

/// Examples that name what is in this repository name what is there.
#[test]
fn the_examples_of_the_guide_name_what_is_there() {
    let guide = include_str!("../../../../docs/commands.md");
    let examples = guide
        .lines()
        .filter(|line| line.starts_with("    boltworks "));
    let words = examples.flat_map(str::split_whitespace);
    let paths: Vec<&str> = words
        .filter(|word| *word == "os" || word.starts_with("os/"))
        .collect();
    assert!(paths.len() > 3, "{paths:?}");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for path in paths {
        assert!(root.join(path).is_dir(), "{path}");
        assert_ne!(path, "os", "its recipes are in os/recipes");
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let desk = Desk::new();
    desk.write("a.yaml", "package: {name: a, version: 1}\n");
    for words in [
        "recipe compile a.yaml",
        "recipe lint a.yaml",
        "--json recipe graph .",
        "melange query a.yaml {{.Package.Name}}",
        "melange version",
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_boltworks"))
            .args(words.split_whitespace())
            .current_dir(desk.path("."))
            .stdout(full.unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert!(
            said.contains("error: write to standard output: "),
            "{words}: {said}"
        );
        assert!(said.contains("help: "), "{words}: {said}");
    }
}
