//! What is read back makes the same packages.

use std::collections::BTreeMap;

use boltworks_model::Architecture;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::{Form, read};
use crate::resolved::{
    Capability, Copyright, Group, Recipe, Scriptlets, Step, Trigger, User, Written,
};
use crate::{PipelineLibrary, ResolveOptions, parse_recipe, resolve};

const RECIPE: &str = r##"
package:
  name: whole
  version: 3.10
  epoch: 2
  description: "has everything; # really"
  url: https://example.org/whole
  commit: 0123abcd
  annotations: {team: core}
  copyright:
    - {license: MIT, paths: ['*'], attestation: "© somebody", license-path: LICENSE}
    - {license: Apache-2.0, detection-override: MIT}
  dependencies:
    runtime: ['shell>=1', '!other', 'so:libx.so.1']
    provides: ['whole-virtual=3.10', 'cmd:w']
    replaces: [older<2]
    provider-priority: 7
    replaces-priority: 9
  options: {no-provides: true, no-versioned-shlib-deps: true}
  scriptlets:
    trigger: {script: "#!/bin/sh\necho t", paths: [/usr/share/*]}
    pre-install: "#!/bin/sh\necho ${NOT}"
    post-upgrade: "#!/bin/sh"
  checks: {disabled: [empty]}
  cpe: {vendor: v, product: p}
  setcap:
    - {path: /usr/bin/w, add: {cap_net_raw: +eip}, reason: pings}
  timeout: 1h
  resources: {cpu: 2}
environment:
  contents: {packages: [zlib-dev, shell, shell], repositories: [/r], keyring: [/k]}
  accounts:
    run-as: build
    users: [{username: u, uid: 7}]
    groups: [{groupname: g, gid: 8, members: [u]}]
  environment: {CFLAGS: -O2 "q" é}
capabilities: {add: [CAP_NET_ADMIN], drop: [CAP_CHOWN]}
vars: {word: "a b"}
data: [{name: sets, items: {one: first, two: second}}]
pipeline:
  - uses: fetch
    with:
      uri: https://example.org/whole-${{package.version}}.tar.gz
      expected-sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      strip-components: 2
  - working-directory: in
    environment: {A: b}
    pipeline:
      - runs: echo ${{vars.word}} $'\u2028'
      - if: ${{build.arch}} == 'nothing'
        runs: never
      - uses: autoconf/make
  - name: an empty step
subpackages:
  - range: sets
    name: whole-${{range.key}}
    description: ${{range.value}}
    setcap: [{path: /x, add: {cap_chown: +p}, reason: why}]
    pipeline:
      - uses: fetch
        with:
          uri: https://example.org/more
          expected-sha512: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
          extract: false
      - uses: split/dev
    test:
      pipeline: [{runs: "true"}]
test:
  pipeline: [{runs: whole}]
"##;

fn understood(text: &str) -> Recipe {
    let library = PipelineLibrary::builtin();
    let parsed = parse_recipe("whole.yaml", text).unwrap();
    resolve(
        &parsed,
        &ResolveOptions::new(Architecture::X86_64, &library),
    )
    .unwrap()
}

/// Reads the document of a recipe; it must be written the same again.
fn again(recipe: &Recipe) -> Recipe {
    let document = String::from_utf8(recipe.canonical_json()).unwrap();
    let embedded = read(".melange.yaml", &document, Architecture::Aarch64).unwrap();
    assert_eq!(embedded.form, Form::Canonical);
    let written = String::from_utf8(embedded.recipe.canonical_json()).unwrap();
    assert_eq!(written, document);
    embedded.recipe
}

#[test]
fn a_recipe_comes_back_whole() {
    let recipe = understood(RECIPE);
    let back = again(&recipe);
    assert_eq!(back.sources, recipe.sources);
    assert_eq!(back.package.licenses, recipe.package.licenses);
    assert_eq!(back.package.full_version, recipe.package.full_version);
    assert_eq!(back.architecture, Architecture::X86_64);
    let scripts = |recipe: &Recipe| -> Vec<(Option<String>, String, BTreeMap<String, String>)> {
        let split = recipe.subpackages.iter().flat_map(|one| &one.pipeline);
        let steps = recipe.pipeline.iter().chain(split);
        let scripts = steps.flat_map(Step::scripts);
        let facts = |step: &Step| {
            let (folder, variables) = (&step.working_directory, &step.environment);
            (step.runs.clone(), folder.clone(), variables.clone())
        };
        scripts.map(facts).collect()
    };
    assert_eq!(scripts(&back), scripts(&recipe));
    assert!(scripts(&back).len() > 5);
    let of_subpackage = |recipe: &Recipe| {
        let licenses = recipe.subpackages.iter().map(|one| one.licenses.clone());
        licenses.collect::<Vec<_>>()
    };
    assert_eq!(of_subpackage(&back), of_subpackage(&recipe));
}

#[test]
fn a_document_that_nobody_wrote_is_refused() {
    let document = String::from_utf8(understood(RECIPE).canonical_json()).unwrap();
    let check = |from: &str, to: &str, said: &str| {
        let changed = document.replacen(from, to, 1);
        assert_ne!(changed, document, "{from}");
        let error = read("x.apk", &changed, Architecture::X86_64).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    };
    check("\"form\":1", "\"form\":2", "is not known to this program");
    check("\"form\":1,", "\"form\":1,\"more\":1,", "unknown field");
    check("\"name\":\"whole\"", "\"name\":\"a/b\"", "x.apk:1:1:");
    check("\"sha256:aa", "\"sha256:ba", "is not the digest");
    check("\"sha256:aa", "\"../aa", "is not the digest");
    check("\"3.10\"", "\"3.x\"", "3.x");
    let deep = "[{\"pipeline\":".repeat(200);
    check(
        "\"pipeline\":[",
        &format!("\"pipeline\":{deep}["),
        "recursion",
    );
}

const COMPILED: &str = r#"
package:
  name: made-elsewhere
  version: "1.0"
  epoch: 0
  description: says ${not a variable}
  commit: unknown
  resources: {}
environment:
  contents:
    build_repositories: [/somewhere]
    packages: [shell=1-r0]
  accounts:
    run-as: ""
    users: [{username: build, uid: 1000, gid: 1000, shell: "", homedir: /home/build}]
pipeline:
  - uses: fetch
    with:
      expected-sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      uri: https://example.org/a.tar.gz
      of-the-pipeline-around: x
    pipeline:
      - runs: a download in the guest
  - uses: nobody/knows
    with: {a: b}
    pipeline:
      - if: '"x" == ''x'''
        runs: what it became
  - uses: nobody/knows-either
    with: {a: b}
    runs: a script at once
subpackages:
  - name: made-elsewhere-doc
    pipeline:
      - uses: split/manpages
        pipeline:
          - runs: melange's own words
"#;

#[test]
fn what_melange_compiled_is_run_as_it_compiled_it_but_for_what_it_fetched() {
    let embedded = read(".melange.yaml", COMPILED, Architecture::X86_64).unwrap();
    assert_eq!(embedded.form, Form::Compiled);
    let recipe = &embedded.recipe;
    let split = recipe.subpackages.iter().flat_map(|one| &one.pipeline);
    let scripts: Vec<&str> = recipe
        .pipeline
        .iter()
        .chain(split)
        .flat_map(Step::scripts)
        .filter_map(|step| step.runs.as_deref())
        .collect();
    let [fetch, rest @ ..] = scripts.as_slice() else {
        panic!("no steps");
    };
    assert!(!fetch.contains("a download"), "{fetch}");
    let expected = ["what it became", "a script at once", "melange's own words"];
    assert_eq!(rest, expected);
    assert_eq!(recipe.sources.len(), 1);
    again(recipe);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{1,8}",
        "[\\x00-\\x7f]{1,6}",
        "\\$\\{\\{[a-z.]{1,9}\\}\\}"
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let variables = || btree_map(text(), text(), 0..3);
    let leaf = (text(), text(), variables()).prop_map(|(runs, folder, environment)| Step {
        runs: Some(runs),
        working_directory: folder,
        environment,
        ..Step::default()
    });
    let step = leaf.prop_recursive(4, 24, 4, move |inner| {
        (option::of(text()), vec(inner, 1..4)).prop_map(|(runs, pipeline)| Step {
            runs,
            pipeline,
            ..Step::default()
        })
    });
    vec(step, 0..4)
}

fn copyright() -> impl Strategy<Value = Copyright> {
    let rest = (option::of(text()), option::of(text()), option::of(text()));
    (text(), vec(text(), 0..3), rest).prop_map(|(license, paths, rest)| Copyright {
        license,
        paths,
        attestation: rest.0,
        license_path: rest.1,
        license_path_written: Written::default(),
        detection_override: rest.2,
    })
}

proptest! {
    #[test]
    fn every_text_survives(
        (pipeline, split) in (steps(), steps()),
        copyright in vec(copyright(), 0..3),
        notes in btree_map(text(), text(), 0..3),
        (description, url, script) in (text(), option::of(text()), option::of(text())),
        numbers in (any::<u32>(), any::<u32>(), option::of(any::<u32>())),
    ) {
        let mut recipe = understood(RECIPE);
        recipe.pipeline = pipeline;
        let package = &mut recipe.package;
        package.description.clone_from(&description);
        package.url = url;
        package.annotations = notes.clone();
        package.copyright = copyright;
        package.dependencies.provider_priority = numbers.2;
        package.options.no_commands = numbers.0 % 2 == 0;
        package.setcap = vec![Capability { path: description.clone(), add: notes.clone(), reason: description.clone(), written: Written::default() }];
        package.scriptlets = Scriptlets {
            trigger: script.clone().map(|script| Trigger { paths: vec![script.clone()], script }),
            post_install: script.clone(),
            ..Scriptlets::default()
        };
        let accounts = &mut recipe.environment.accounts;
        accounts.run_as = script;
        accounts.users = vec![User { username: description.clone(), uid: numbers.0, gid: numbers.1, shell: description.clone(), homedir: String::new() }];
        accounts.groups = vec![Group { groupname: description, gid: numbers.1, members: Vec::new() }];
        recipe.environment.environment = notes;
        for package in &mut recipe.subpackages {
            package.pipeline.clone_from(&split);
        }
        let document = String::from_utf8(recipe.canonical_json()).unwrap();
        let back = read("x", &document, Architecture::X86_64);
        match back {
            Ok(back) => prop_assert_eq!(String::from_utf8(back.recipe.canonical_json()).unwrap(), document),
            Err(error) => prop_assert!(false, "{} is refused: {}", document, error),
        }
    }
}
