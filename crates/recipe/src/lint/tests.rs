//! Every rule finds what it is for, and nothing in a recipe as it should be.

use boltworks_model::Architecture;

use super::*;
use crate::{ResolveOptions, parse_recipe, resolve};

const GOOD: &str = "\
package:
  name: zlib
  version: 1.3.1
  epoch: 0
  description: A library
  copyright:
    - license: Zlib
  dependencies:
    runtime:
      - a
      - b
environment:
  contents:
    packages:
      - busybox
      - gcc
vars:
  folder: src
var-transforms:
  - from: ${{package.version}}
    match: \\.
    replace: _
    to: tag
data:
  - name: items
    items:
      one: 1
pipeline:
  - uses: git-checkout
    with:
      repository: https://b.example/zlib
      tag: v${{vars.tag}}
      expected-commit: 0123456789012345678901234567890123456789
  - uses: fetch
    with:
      uri: https://a.example/zlib-${{package.version}}.tar.gz
      expected-sha256: 9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23
  - name: Make ${{package.name}}
    working-directory: ${{vars.folder}}
    runs: make
subpackages:
  - range: items
    name: zlib-${{range.key}}
    description: Part ${{range.value}}
test:
  pipeline:
    - runs: curl localhost
update:
  enabled: true
  github:
    identifier: owner/zlib
";

fn known() -> Known {
    Known {
        linters: BTreeSet::from(["strip", "usrlocal"]),
        licence: |text| (text != "Zlib").then(|| format!("'{text}' is no licence")),
    }
}

/// `line:column rule: what`, and what to write instead, of each finding.
fn findings(text: &str) -> Vec<String> {
    let library = PipelineLibrary::builtin();
    let recipe = parse_recipe("r/zlib.yaml", text).unwrap();
    let resolved = resolve(
        &recipe,
        &ResolveOptions::new(Architecture::X86_64, &library),
    );
    let subject = Subject {
        recipe: &recipe,
        resolved: resolved.as_ref().ok(),
        library: &library,
        known: &known(),
    };
    let found = lint(&subject, resolved.as_ref().err(), &BTreeSet::new());
    let shown = found.iter().map(|finding| {
        let Place { line, column, .. } = finding.spot.at;
        let instead = finding.spot.instead.as_ref();
        let instead = instead.map_or_else(String::new, |text| format!(" -> {text}"));
        format!(
            "{line}:{column} {}: {}{instead}",
            finding.rule, finding.spot.what
        )
    });
    shown.collect()
}

/// What is found once the good recipe has something else in it.
fn check(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(GOOD.matches(old).count(), 1, "{old}");
    assert_eq!(findings(&GOOD.replace(old, new)), expected, "{new}");
}

#[test]
fn a_good_recipe_has_nothing_wrong() {
    assert_eq!(findings(GOOD), [""; 0]);
}

#[test]
fn what_packages_say() {
    check(
        "name: zlib\n",
        "name: zlip\n",
        &["2:9 file-name: the file is called zlib.yaml, and the package 'zlip'"],
    );
    check(
        "  epoch: 0\n",
        "",
        &["3:12 epoch: the package has no epoch"],
    );
    check(
        "  description: A library\n",
        "",
        &["2:9 description: the package 'zlib' has no description"],
    );
    check(
        "Part ${{range.value}}",
        "''",
        &["43:11 description: the package 'zlib-${{range.key}}' has no description"],
    );
    check(
        "  copyright:\n    - license: Zlib\n",
        "",
        &["2:9 licence: the package has no `copyright`"],
    );
    check(
        "license: Zlib",
        "license: zlip",
        &["7:16 licence: 'zlip' is no licence"],
    );
    check(
        "license: Zlib",
        "license: ''",
        &["7:16 licence: an entry of `copyright` has no `license`"],
    );
    check(
        "epoch: 0",
        "epoch: 0\n  options: {no-depends: true}",
        &["2:9 options: `no-depends` of 'zlib': what its files need is not looked for"],
    );
    check(
        "epoch: 0",
        "epoch: 0\n  checks: {disabled: [strip, usrlocla]}",
        &["5:30 checks: there is no linter 'usrlocla' -> usrlocal"],
    );
}

#[test]
fn what_lists_hold() {
    check(
        "contents:\n    packages",
        "contents:\n    repositories: [https://c.example/os]\n    packages",
        &["14:20 repositories: the recipe names a repository of its own"],
    );
    check(
        "- gcc\n",
        "- gcc\n      - busybox\n",
        &[
            "17:9 twice: 'busybox' is in `packages` already, in line 15",
            "17:9 order: `environment.contents.packages` is not sorted: 'busybox' comes too late",
        ],
    );
    check(
        "      - a\n      - b\n",
        "      - b\n      - a\n",
        &["11:9 order: `package.dependencies.runtime` is not sorted: 'a' comes too late"],
    );
}

#[test]
fn what_is_named_and_what_is_not() {
    check(
        "folder: src\n",
        "folder: src\n  other: 1\n",
        &["19:10 unused: nothing uses the variable 'other'"],
    );
    check(
        "v${{vars.tag}}",
        "v${{package.version}}",
        &["23:9 unused: nothing uses the variable 'tag' that is made here"],
    );
    check(
        "  - range: items\n    name: zlib-${{range.key}}\n    description: Part ${{range.value}}\n",
        "  - name: x\n    description: y\n",
        &["25:11 unused: no subpackage is ranged over the data 'items'"],
    );
    check(
        "Make ${{package.name}}",
        "Make ${{package.nam}}",
        &["38:16 left-over: '${{package.nam}}' names no variable"],
    );
    check(
        "  - range: items\n",
        "  - range: items\n    if: ${{range.key}} != ${{build.arch}}\n",
        &["43:27 known-late: '${{build.arch}}' is not known yet where subpackages are chosen"],
    );
    check(
        "working-directory: ${{vars.folder}}",
        "working-directory: ${{vars.foldre}}",
        &[
            "18:11 unused: nothing uses the variable 'folder'",
            "39:24 understood: unknown variable 'vars.foldre' -> vars.folder",
        ],
    );
}

#[test]
fn what_is_fetched() {
    check(
        "      expected-sha256: 9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23\n",
        "",
        &["34:11 digest: what is fetched has no digest here"],
    );
    check(
        "      expected-commit: 0123456789012345678901234567890123456789\n",
        "",
        &["29:11 commit: what is checked out has no commit here"],
    );
    check(
        "tag: v${{vars.tag}}",
        "tag: stable-${{vars.tag}}-1.3.1",
        &[
            "32:33 version: the version 1.3.1 stands in `tag` -> stable-${{vars.tag}}-${{package.version}}",
        ],
    );
    check(
        "  - uses: git-checkout",
        "  - runs: echo ${{vars.tag}}\n  - uses: git-checkout",
        &[],
    );
    check(
        "zlib-${{package.version}}.tar.gz",
        "zlib-1.3.1.tar.gz",
        &[
            "36:35 version: the version 1.3.1 stands in `uri` -> https://a.example/zlib-${{package.version}}.tar.gz",
        ],
    );
    check(
        "https://b.example/zlib",
        "http://b.example/zlib",
        &["31:19 encryption: it is fetched without encryption -> https://b.example/zlib"],
    );
    let text = GOOD.replace("tag: v${{vars.tag}}", "tag: stable");
    let found = findings(&text.replace("runs: make", "runs: make ${{vars.tag}}"));
    assert_eq!(
        found,
        ["32:12 tag: the tag 'stable' does not change with the version"]
    );
}

#[test]
fn what_steps_do() {
    check(
        "      uri:",
        "      urii: x\n      uri:",
        &["36:7 inputs: the pipeline 'fetch' has no input 'urii' -> uri"],
    );
    check(
        "uses: fetch",
        "uses: fetchh",
        &["34:11 inputs: there is no pipeline 'fetchh' -> fetch"],
    );
    check(
        "      repository: https://b.example/zlib\n",
        "",
        &["29:11 inputs: the pipeline 'git-checkout' needs the input 'repository'"],
    );
    check(
        "runs: make",
        "runs: |\n      make\n      git clone https://c.example/x",
        &["42:7 network: 'git clone' needs the network"],
    );
    check(
        "working-directory: ${{vars.folder}}",
        "working-directory: ${{vars.folder}}/../../x",
        &["39:24 directory: the folder '${{vars.folder}}/../../x' is not in the workspace"],
    );
    check(
        "test:\n  pipeline:\n    - runs: curl localhost\n",
        "",
        &["2:9 test: 'zlib' has no test"],
    );
}

#[test]
fn how_versions_are_found() {
    const UPDATE: &str = "update:\n  enabled: true\n  github:\n    identifier: owner/zlib\n";
    check(
        UPDATE,
        "",
        &["2:9 update: nothing says how new versions are found"],
    );
    check(
        UPDATE,
        "update:\n  enabled: false\n  shared: true\n",
        &["2:9 update: nobody looks for new versions, and nothing says why"],
    );
    check(
        UPDATE,
        "update:\n  enabled: true\n",
        &["2:9 monitor: `update` is enabled, and names nothing to look at"],
    );
    check(
        "owner/zlib",
        "zlib\n  git: {}",
        &[
            "2:9 monitor: `update` names github and git: one is looked at",
            "51:17 monitor: 'zlib' is no repository on GitHub -> OWNER/NAME",
        ],
    );
    check(
        "owner/zlib",
        "owner/zlib\n  schedule: {period: yearly}\n  ignore-regex-patterns: [\"a(\"]",
        &[
            "52:22 monitor: 'yearly' is no period -> daily, weekly or monthly",
            "53:27 monitor: the pattern is not understood at character 2: ')' is missing",
        ],
    );
}

#[test]
fn what_can_be_put_right_is() {
    let text = GOOD
        .replace(
            "zlib-${{package.version}}.tar.gz",
            "zlib-1.3.1.tar.gz # from upstream",
        )
        .replace(
            "- gcc\n",
            "- gcc # the compiler\n      - gcc\n\n      - busybox # again\n",
        );
    let library = PipelineLibrary::builtin();
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    let recipe = parse_recipe("zlib.yaml", &text).unwrap();
    let resolved = resolve(&recipe, &options).unwrap();
    let known = known();
    let subject = Subject {
        recipe: &recipe,
        resolved: Some(&resolved),
        library: &library,
        known: &known,
    };
    let found = lint(&subject, None, &BTreeSet::from(["order".to_owned()]));
    let means = |text: &str| {
        let recipe = parse_recipe("zlib.yaml", text).unwrap();
        resolve(&recipe, &options).unwrap().compile_json()
    };
    let before = means(&text);
    let (fixed, done) = fix::fixed(&text, &found, |text| means(text) == before);
    assert_eq!(done.len(), 2, "a comment keeps a line");
    let expected = text.replace("      - gcc\n", "").replace(
        "uri: https://a.example/zlib-1.3.1.tar.gz",
        "uri: \"https://a.example/zlib-${{package.version}}.tar.gz\"",
    );
    assert_eq!(fixed, expected);
    let (kept, done) = fix::fixed(&text, &found, |_| false);
    assert_eq!((kept, done.len()), (text, 0));
}

#[test]
fn a_hostile_recipe_is_told_of_in_bounded_time() {
    let many = |count: usize, line: &str| line.repeat(count);
    let text = format!(
        "package: {{name: a, version: 1.2}}\nenvironment: {{contents: {{packages: [{}]}}}}\npipeline:\n{}{}  - runs: |\n{}",
        many(20_000, "a, "),
        many(4_000, "  - {uses: x, name: '${{y}}'}\n"),
        many(
            20_000,
            "  - {uses: fetch, with: {uri: http://1.2, urii: x}}\n"
        ),
        many(10_000, "      wget x\n"),
    );
    assert!(text.len() < boltworks_yaml::MAX_BYTES);
    let found = findings(&text);
    let of = |rule: &str| {
        let rule = format!(" {rule}: ");
        found.iter().filter(|line| line.contains(&rule)).count()
    };
    for rule in [
        "twice",
        "inputs",
        "left-over",
        "version",
        "encryption",
        "digest",
        "network",
    ] {
        assert_eq!(of(rule), MOST, "{rule}");
    }
}

#[test]
fn rules_have_names_of_their_own() {
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    assert!(!names.contains(UNDERSTOOD));
}

#[test]
fn each_is_documented_with_its_level() {
    let page = include_str!("../../../../docs/recipes.md");
    let all = RULES.iter().map(|rule| (rule.name, rule.level));
    for (name, level) in all.chain([(UNDERSTOOD, Level::Error)]) {
        let row = format!("\n| `{name}` | {} |", level.word());
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn what_is_not_understood_has_its_help() {
    let error = parse_recipe("a.yaml", "package:\n  name: a\n").unwrap_err();
    let finding = Finding::not_understood(&error);
    assert_eq!(
        finding.advice,
        "add the line `version: …` beneath `package:`"
    );
    let error = parse_recipe("a.yaml", "pakcage: {}\n").unwrap_err();
    let finding = Finding::not_understood(&error);
    assert_eq!(finding.spot.instead.as_deref(), Some("package"));
    assert_eq!(finding.advice, "");
}

#[test]
fn what_no_build_can_get() {
    let address = "https://b.example/zlib";
    for bad in [
        "--upload-pack=x",
        "ext::sh",
        "/etc",
        "file:///etc",
        "ssh://b.example/zlib",
    ] {
        let text = GOOD.replace(address, bad);
        let found = findings(&text);
        let expected =
            format!("31:19 source: nothing here can fetch '{bad}': git repositories are");
        assert!(
            found.len() == 1 && found[0].starts_with(&expected),
            "{found:?}"
        );
    }
    check(
        "uri: https://a.example/zlib-${{package.version}}.tar.gz",
        "uri: file:///zlib-${{package.version}}.tar.gz",
        &[
            "36:12 source: nothing here can fetch 'file:///zlib-1.3.1.tar.gz': only https://, http:// \
             and pypi:PROJECT/FILE are known (a `sources:` entry of boltworks.yaml can say where else \
             it is)",
        ],
    );
    let input = |line: &str| format!("https://b.example/zlib\n      {line}");
    check(
        address,
        &input("depth: abc"),
        &[
            "32:14 source: the input 'depth' of the pipeline 'git-checkout' is neither a number of \
             commits nor -1, which is all",
        ],
    );
    check(
        address,
        &input("cherry-picks: 'a b: c'"),
        &[
            "32:21 source: 'a b' is not the name of a git object: 40 hexadecimal digits are needed, or 64",
        ],
    );
    check(
        address,
        &input("branch: '--v'"),
        &["32:15 source: '--v' is not the name of a branch or tag"],
    );
    // Another rule tells of a commit that is missing.
    check(
        "      expected-commit: 0123456789012345678901234567890123456789\n",
        "",
        &["29:11 commit: what is checked out has no commit here"],
    );
}
