//! Tests of what is said of mistakes: where they are, and what to do next.

use boltworks_model::Architecture;

use super::tests::library;
use super::*;
use crate::parse_recipe;

/// The place, what is wrong, and the help beneath it.
fn told(text: &str) -> String {
    let library = library();
    let error = parse_recipe("a.yaml", text)
        .and_then(|recipe| {
            resolve(
                &recipe,
                &ResolveOptions::new(Architecture::X86_64, &library),
            )
        })
        .unwrap_err();
    let help = error.help().filter(|help| !help.is_empty());
    let help = help.unwrap_or_else(|| panic!("no help: {error}"));
    let (place, message) = (error.place(), error.message());
    format!("{place}: {message}\n  {help}\n")
}

fn all_told<const N: usize>(texts: [&str; N]) -> String {
    texts.map(told).concat()
}

const HEAD: &str = "package:\n  name: a\n  version: 1\n";

fn below_told<const N: usize>(bodies: [&str; N]) -> String {
    bodies.map(|body| told(&format!("{HEAD}{body}"))).concat()
}

#[test]
fn names_that_no_package_can_have() {
    let name = |name: &str| told(&format!("package:\n  name: {name}\n  version: 1\n"));
    let named = [
        "..", ".", ".git", "_x", "a*", "a%b", "a/b", "so:a", "'a b'", "ä", "''",
    ];
    insta::assert_snapshot!(named.map(name).concat(), @r#"
    a.yaml:2:9: '..' is no name for a package: it begins with '.'
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: '.' is no name for a package: it begins with '.'
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: '.git' is no name for a package: it begins with '.'
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: '_x' is no name for a package: it begins with '_'
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: 'a*' is no name for a package: '*' stands in it
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: 'a%b' is no name for a package: '%' stands in it
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: 'a/b' is no name for a package: '/' stands in it
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: 'so:a' is no name for a package: ':' stands in it
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: 'a b' is no name for a package: ' ' stands in it
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: 'ä' is no name for a package: it begins with 'ä'
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:2:9: '' is no name for a package
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    "#);
    insta::assert_snapshot!(below_told([
        "subpackages:\n  - name: ${{package.name}}-x*\n",
        "vars: {x: ..}\nsubpackages:\n  - name: ${{vars.x}}\n",
        "data: [{name: d, items: {'../b': c}}]\nsubpackages:\n  - range: d\n    name: ${{range.key}}\n",
    ]), @r#"
    a.yaml:5:11: 'a-x*' is no name for a package: '*' stands in it
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:6:11: '..' is no name for a package: it begins with '.'
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    a.yaml:7:11: '../b' is no name for a package: it begins with '.'
      write a name that starts with a letter or a digit and has only letters, digits and + _ . - in it
    "#);
}

#[test]
fn other_names_keep_their_signs() {
    let text = "package:\n  name: 9a+b_c.d-e\n  version: 1\n  dependencies:\n    runtime: ['so:libc.so.6', '/bin/sh', 'a[b]']\n";
    let library = library();
    let recipe = parse_recipe("a.yaml", text).unwrap();
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    let recipe = resolve(&recipe, &options).unwrap();
    assert_eq!(recipe.package.dependencies.runtime.len(), 3);
}

#[test]
fn the_form_of_a_recipe() {
    insta::assert_snapshot!(all_told([
        "",
        "pipeline: []\n",
        "package:\n  version: 1\n",
        "package:\n  # no version\n  name: a\n",
        "package: {name: a}\n",
        "package: []\n",
        "package:\n  name: a\n version: 1\n",
        "package:\n  name: 'a\n  version: 1\n",
        "package:\n  name: a\n  version: x1\n",
    ]), @"
    a.yaml:1:1: the file is empty
      a recipe begins with `package:`, and beneath it `name: …` and `version: …`
    a.yaml:1:1: the key 'package' is missing
      add the line `package: …`
    a.yaml:1:1: the key 'name' is missing
      add the line `name: …` beneath `package:`
    a.yaml:1:1: the key 'version' is missing
      add the line `version: …` beneath `package:`
    a.yaml:1:1: the key 'version' is missing
      add the line `version: …` beneath `package:`
    a.yaml:1:10: a mapping is needed here: keys and values
      write keys with values beneath `package:`, each on a line of its own: `name: text`
    a.yaml:3:2: while parsing a block mapping, did not find expected key
      put the line exactly under the others of its list or mapping, and text with `: ` or ` #` in quotes
    a.yaml:2:9: the quote does not end
      write the same quote again where the text ends; within ' ' a quote is written ''
    a.yaml:3:12: 'x1' is not a valid apk version: a version begins with a digit at byte 0
      write digits and dots, then perhaps _alpha, _beta, _pre, _rc, _p or _git with digits: 1.2.3_rc1
    ");
    insta::assert_snapshot!(below_told([
        "pipeline: foo\n",
        "pipeline:\n  runs: foo\n",
        "pipeline:\n  - runs: a\n   name: b\n",
        "capabilities:\n  add: [CAP_NET_RAV]\n",
        "capabilities:\n  drop: [CAP_FOO]\n",
    ]), @r#"
    a.yaml:4:11: a list is needed here
      begin each item beneath `pipeline:` with a dash: `- item`
    a.yaml:5:3: a list is needed here
      begin each item beneath `pipeline:` with a dash: `- item`
    a.yaml:6:4: while parsing a block collection, did not find expected '-' indicator
      put the line exactly under the others of its list or mapping, and text with `: ` or ` #` in quotes
    a.yaml:5:9: unknown capability 'CAP_NET_RAV': known are the kernel's, as capabilities(7) names them: CAP_NET_ADMIN
      did you mean 'CAP_NET_RAW'?
    a.yaml:5:10: unknown capability 'CAP_FOO': known are the kernel's, as capabilities(7) names them: CAP_NET_ADMIN
      write one of those that are known
    "#);
}

#[test]
fn the_steps_of_a_recipe() {
    let digest = "9".repeat(64);
    let fetch = format!("pipeline:\n  - uses: fetch\n    with: {{expected-sha256: {digest}}}\n");
    insta::assert_snapshot!(below_told([
        &fetch,
        "pipeline:\n  - uses: strip\n    runs: foo\n",
        "pipeline:\n  - uses: nonesuch/foo\n",
        "pipeline:\n  - uses: autoconf/make\n    with:\n      otps: a\n",
        "pipeline:\n  - uses: autoconf/make\n    with: {'zzzzzz': zzzzzz}\n",
        "pipeline:\n  - uses: autoconf/make\n    with:\n      zzzzzz: |\n        zzzzzz\n",
    ]), @r#"
    a.yaml:5:11: the pipeline 'fetch' needs the input 'uri'
      add it under `with` of this step: `uri: …`
    a.yaml:5:11: a step with uses 'strip' cannot have runs too
      give the script a step of its own: `- runs: …` before or after this one
    a.yaml:5:11: unknown pipeline 'nonesuch/foo': no folder of pipelines has a file of that name
      'nonesuch/foo.yaml' is looked for in the folders given with --pipeline-dir, in `pipelines` beside the recipe, and among the built-in pipelines
    a.yaml:7:7: the pipeline 'autoconf/make' has no input 'otps'
      did you mean 'opts'?
    a.yaml:6:13: the pipeline 'autoconf/make' has no input 'zzzzzz'
      take it away, or correct its name
    a.yaml:7:7: the pipeline 'autoconf/make' has no input 'zzzzzz'
      take it away, or correct its name
    "#);
    insta::assert_snapshot!(below_told([
        "pipeline:\n  - if: ${{build.arch}} = 'x'\n    runs: a\n",
        "pipeline:\n  - if: \"'ä' == 'b' & 'c' == 'c'\"\n    runs: a\n",
        "pipeline:\n  - if: |\n      'a' == 'a' &&\n      b == 'b'\n    runs: a\n",
        "pipeline:\n  - if: ${{build.arch}} == 'x\n    runs: a\n",
        "pipeline:\n  - if: \"'a' ==\"\n    runs: a\n",
        "pipeline:\n  - if: >\n      'a' == 'a'\n\n      &&   b == 'b'\n    runs: a\n",
        "pipeline:\n  - if: >-\n      'a' == 'a'\n      &&&& 'b' == 'b'\n    runs: a\n",
        "pipeline:\n  - if: \"'a' == 'a'\n      && b == 'b'\"\n    runs: a\n",
        "pipeline:\n  - if: \"'\\u0061' == b\"\n    runs: a\n",
    ]), @r#"
    a.yaml:5:25: the condition is not understood at character 17: '==' or '!=' expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:5:21: the condition is not understood at character 12: '&&', '||' or the end expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:7:7: the condition is not understood at character 15: 'text' or ${{name}} expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:5:28: the condition is not understood at character 20: a closing quote in the text that starts expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:5:16: the condition is not understood at character 7: 'text' or ${{name}} expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:8:12: the condition is not understood at character 17: 'text' or ${{name}} expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:7:9: the condition is not understood at character 14: 'text' or ${{name}} expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:6:10: the condition is not understood at character 15: 'text' or ${{name}} expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    a.yaml:5:9: the condition is not understood at character 8: 'text' or ${{name}} expected
      compare with == or !=, on each side ${{name}} or text in quotes; join by && and ||, from left to right; put together with ( )
    "#);
}

#[test]
fn the_rest_of_a_recipe() {
    let items: Vec<_> = (0..20_001).map(|i| format!("k{i}: v")).collect();
    let many = format!(
        "data: [{{name: d, items: {{{}}}}}]\nsubpackages:\n  - range: d\n    name: a-${{{{range.key}}}}\n",
        items.join(", ")
    );
    insta::assert_snapshot!(below_told([
        "  setcap:\n    - path: /bin/a\n      add: {cap_net_raw: +eip}\n",
        &many,
    ]), @r#"
    a.yaml:5:13: the capability of '/bin/a' needs a reason
      add `reason: …` beside `path`: who reads the package will ask
    a.yaml:6:12: the recipe makes too many packages: the limit is 20000
      make several recipes of it, or range over fewer items
    "#);
}

#[test]
fn what_no_line_of_a_package_can_hold() {
    insta::assert_snapshot!(below_told([
        r#"  description: "a\eb""#,
        r#"  url: "https://example.org/\a""#,
        r#"  commit: "\x9b31m""#,
        r#"  copyright: [{license: "MIT\nmaintainer = b"}]"#,
        r#"  scriptlets: {trigger: {script: x, paths: ["", "/a\ab"]}}"#,
        r#"  setcap: [{path: /bin/a, add: {cap_chown: +ep}, reason: "\x7f"}]"#,
        "  description: ${{vars.x}}\nvars: {x: \"a\\b\"}\n",
        "subpackages:\n  - name: b\n    description: \"\\u0001\"\n",
        "data: [{name: d, items: {b: \"\\x1b\"}}]\nsubpackages:\n  - range: d\n    name: ${{range.key}}\n    url: a${{range.value}}\n",
    ]), @r"
    a.yaml:4:16: the description 'a�b' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    a.yaml:4:8: the url 'https://example.org/�' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    a.yaml:4:11: the commit '�31m' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    a.yaml:4:25: the licence 'MIT\nmaintainer = b' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    a.yaml:4:49: the trigger's path '/a�b' is not an absolute path without white space and control characters
      write it from / on: `/usr/share/fonts/*`
    a.yaml:4:58: the reason '�' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    a.yaml:4:16: the description 'a�' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    a.yaml:6:18: the description '�' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    a.yaml:8:10: the url 'a�' has control characters in it
      write it on one line, and without what `\e`, `\x…` and `\u…` make in double quotes
    ");
}

#[test]
fn a_description_may_go_over_lines() {
    let library = library();
    let text = format!("{HEAD}  description: \"one\\ttwo\\r\\n\\n  three \\u202e\"\n");
    let recipe = parse_recipe("a.yaml", &text).unwrap();
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    let recipe = resolve(&recipe, &options).unwrap();
    assert_eq!(recipe.package.description, "one two three \u{202e}");
}

#[test]
fn what_is_made_of_variables() {
    insta::assert_snapshot!(below_told([
        "var-transforms:\n  - {from: a, match: a, replace: b, to: 'x}}'}\n",
        "var-transforms:\n  - {from: a, match: a, replace: $1ä, to: x}\n",
        "var-transforms:\n  - {from: a, match: '(', replace: b, to: x}\n",
        "environment: {environment: {\"a\\nb\": c}}\n",
        "pipeline:\n  - with: {a: b}\n",
        "pipeline:\n  - uses: \"a\\nerror: b\"\n",
    ]), @r"
    a.yaml:5:41: the name of a variable 'x}}' has other characters than letters, digits and . _ -
      write a name that has not, without `${{vars.` and `}}`: `to: mangled-version`
    a.yaml:5:34: the replacement '$1ä' has a letter beyond ASCII right after a group: write ${1} or ${name}
      put the group's number or name in braces
    a.yaml:5:22: the pattern is not understood at character 1: ')' is missing
      patterns are Go's, RE2: no look-around, no back-references
    a.yaml:4:37: the name of a variable 'a\nb' must not be empty, or have '=' or control characters in it
      write `NAME: value`, or take it away
    a.yaml:5:15: an input 'b' is given, but the step uses no pipeline
      add `uses: …` to the step, or take `with` away
    a.yaml:5:11: unknown pipeline 'a\nerror: b': no folder of pipelines has a file of that name
      'a\nerror: b.yaml' is looked for in the folders given with --pipeline-dir, in `pipelines` beside the recipe, and among the built-in pipelines
    ");
}

#[test]
fn an_address_that_nothing_can_fetch_has_its_place() {
    let digest = "9".repeat(64);
    let text = format!(
        "{HEAD}pipeline:\n  - uses: fetch\n    with:\n      expected-sha256: {digest}\n      uri: file:///etc/passwd\n"
    );
    let library = library();
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    let recipe = resolve(&parse_recipe("a.yaml", &text).unwrap(), &options).unwrap();
    let error = recipe.sources[0].unfetchable("only https").unwrap();
    assert_eq!(
        error.to_string(),
        "a.yaml:8:12: nothing here can fetch 'file:///etc/passwd': only https"
    );
    assert!(error.help().unwrap().contains("`sources`"));
}
