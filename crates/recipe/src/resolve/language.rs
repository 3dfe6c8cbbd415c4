//! Tests of the language: `range`, `var-transforms`, what is filled in where, and the fields that
//! no build looks at.

use std::time::Duration;

use proptest::prelude::*;

use super::tests::{bad, good, library, resolved};
use super::*;
use crate::{parse_image, parse_recipe};

/// Packages with description, dependencies, scripts and tests, a line for each.
fn shown(recipe: &resolved::Recipe) -> String {
    let scripts = |steps: &[resolved::Step]| {
        let scripts = steps.iter().flat_map(resolved::Step::scripts);
        scripts
            .filter_map(|step| step.runs.clone())
            .collect::<Vec<_>>()
            .join("; ")
    };
    let line = |sub: &resolved::Subpackage| {
        let test = sub.test.as_ref().map(|test| scripts(&test.pipeline));
        let runtime: Vec<_> = sub
            .dependencies
            .runtime
            .iter()
            .map(ToString::to_string)
            .collect();
        format!(
            "{} | {} | {} | {} | {} | {}\n",
            sub.name,
            sub.description,
            runtime.join(" "),
            sub.scriptlets.post_install.as_deref().unwrap_or_default(),
            scripts(&sub.pipeline),
            test.unwrap_or_default(),
        )
    };
    recipe.subpackages.iter().map(line).collect()
}

/// As a pipeline's file does, so may a step: what is nearest wins.
#[test]
fn a_step_may_declare_inputs_itself() {
    let recipe = good(
        "vars: {v: w}\npipeline:\n- inputs: {a: {default: 'x${{vars.v}}'}, b: {default: y}}\n  if: ${{inputs.b}} == 'y'\n  \
         runs: ${{inputs.a}}\n- inputs: {a: {default: x}, b: {default: y}}\n  pipeline:\n  - runs: ${{inputs.a}}\n  \
         - inputs: {a: {default: z}}\n    environment: {E: '${{inputs.a}}'}\n    runs: ${{inputs.a}} ${{inputs.b}}\n",
    );
    let steps = recipe.pipeline.iter().flat_map(resolved::Step::scripts);
    let scripts: Vec<_> = steps.filter_map(|step| step.runs.as_deref()).collect();
    assert_eq!(scripts, ["xw", "x", "z y"]);
    let missing = bad("pipeline:\n- inputs: {a: {required: true}}\n  runs: a\n");
    assert!(missing.contains("needs the input 'a'"), "{missing}");
}

#[test]
fn a_recipe_is_read_with_what_its_build_is_to_stand_on() {
    let recipe = good(
        "environment: {contents: {packages: [a], baseimage: {image: '${{vars.v}}', apkindex: i}}}\n\
         vars: {v: w}\n",
    );
    let base = r#""baseimage":{"image":"w","apkindex":"i"}"#;
    assert!(
        recipe.compile_json().contains(base),
        "{}",
        recipe.compile_json()
    );
    let refused = recipe.environment.verify_no_base().unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("baseimage is not supported yet"),
        "{refused}"
    );
}

#[test]
fn a_tag_is_refused_where_a_guest_is_made() {
    let verified = |text: &str| {
        let told = |error: Error| format!("{error}: {}", error.help().unwrap_or_default());
        good(text)
            .verify_guests(&["next".to_owned()].into())
            .err()
            .map(told)
            .unwrap_or_default()
    };
    let build = verified("environment: {contents: {packages: [a, b@edge]}}\n");
    assert_eq!(
        build,
        "demo.yaml:5:41: b@edge is pinned to @edge, and no repository has that tag: write b without \
         @edge, or name a repository that has it: '@edge FOLDER'"
    );
    let known = verified("environment: {contents: {packages: [a, b@next]}}\n");
    assert_eq!(known, "");
    let test = "test: {environment: {contents: {packages: [b@edge]}}, pipeline: [{runs: a}]}\n";
    assert!(
        verified(test).starts_with("demo.yaml:5:45: "),
        "{}",
        verified(test)
    );
    assert_eq!(verified(&test.replace("{runs: a}", "")), "");
}

#[test]
fn subpackages_are_ranged_over_data() {
    let recipe = good(
        "vars: {suffix: x}\n\
         data:\n- name: pythons\n  items: {3.9: '309', 3.10: '310-${{vars.suffix}}', 3.12: ~}\n- name: none\n\
         subpackages:\n- range: pythons\n  name: py${{range.key}}-demo\n  description: for Python ${{range.key}}\n  \
         if: ${{range.key}} != '3.12' && ${{subpkg.name}} != 'py3.8-demo'\n  \
         dependencies: {runtime: ['python-${{range.key}}', 'v=${{package.version}}']}\n  \
         scriptlets: {post-install: 'echo ${{ range.value }}'}\n  \
         pipeline:\n  - uses: greet\n    with: {who: '${{range.value}}'}\n  - if: ${{range.key}} == '3.9'\n    runs: nine in ${{targets.subpkgdir}}\n  \
         test: {pipeline: [{runs: 'test ${{range.key}} ${{context.name}}'}]}\n\
         - name: plain\n- range: none\n  name: never\n\
         - name: all\n  pipeline: [{runs: '${{targets.package.py3.10-demo}} ${{targets.package.py3.12-demo}}'}]\n",
    );
    insta::assert_snapshot!(shown(&recipe), @r#"
    py3.10-demo | for Python 3.10 | python-3.10 v=1.2 | echo 310-x | echo 310-x in /home/build/melange-out/py3.10-demo | test 3.10 py3.10-demo
    py3.9-demo | for Python 3.9 | python-3.9 v=1.2 | echo 309 | echo 309 in /home/build/melange-out/py3.9-demo; nine in /home/build/melange-out/py3.9-demo | test 3.9 py3.9-demo
    plain |  |  |  |  | 
    all |  |  |  | /home/build/melange-out/py3.10-demo /home/build/melange-out/py3.12-demo |
    "#);
}

#[test]
fn subpackages_are_chosen_by_what_the_recipe_says() {
    let conditions = [
        "${{context.name}} == 's'",
        "${{subpkg.name}} == 's'",
        "${{targets.subpkgdir}} == '/home/build/melange-out/s'",
        "${{targets.package.s}} == '/home/build/melange-out/s'",
        "${{build.arch}} == 'x86_64'",
        "${{context.name}} != 's'",
        "${{package.name}} == 'demo' && '${{package.full-version}}' == '1.2-r3'",
        "'${{vars.x}}' == 'y'",
    ];
    let made = conditions.map(|condition| {
        let recipe = good(&format!(
            "vars: {{x: y}}\nsubpackages:\n- name: s\n  if: >-\n    {condition}\n"
        ));
        recipe.subpackages.len()
    });
    assert_eq!(made, [0, 0, 0, 0, 0, 1, 1, 1]);
}

#[test]
fn what_a_range_cannot_mean_is_refused() {
    let mut all = String::new();
    for body in [
        "subpackages:\n- range: d\n  name: x\n",
        "data: [{name: pythons, items: {a: b}}]\nsubpackages:\n- range: python\n  name: x\n",
        "data: [{name: d, items: {a: b, c: d}}]\nsubpackages:\n- range: d\n  name: x\n",
        "data: [{name: d, items: {demo: b}}]\nsubpackages:\n- range: d\n  name: ${{range.key}}\n",
        "data: [{name: d, items: {a: b}}, {name: d, items: {c: d}}]\n",
        "data: [{name: d, items: {a: '${{no.such}}'}}]\nsubpackages:\n- range: d\n  name: x\n",
        "data: [{name: d, items: {a: b}}]\nsubpackages:\n- range: d\n  name: x\n  description: x\n  pipeline: [{runs: '${{range.kye}}'}]\n",
        "pipeline: [{runs: '${{range.key}}'}]\n",
    ] {
        all += &bad(body);
        all.push('\n');
    }
    insta::assert_snapshot!(all, @r#"
    demo.yaml:6:10: there is no data 'd': list it under `data`
    demo.yaml:7:10: there is no data 'python'; did you mean 'pythons'?
    demo.yaml:8:9: the package 'x' is made twice: each needs a name of its own
    demo.yaml:8:9: the package 'demo' is made twice: each needs a name of its own
    demo.yaml:5:41: the data 'd' are given twice
    demo.yaml:5:30: unknown variable 'no.such'
    demo.yaml:10:22: unknown variable 'range.kye'; did you mean 'range.key'?
    demo.yaml:5:20: unknown variable 'range.key': only a subpackage with `range` has it
    "#);
}

#[test]
fn variables_are_transformed_in_order() {
    let vars = |body: &str| -> String {
        let recipe = good(&format!(
            "{body}pipeline: [{{runs: '${{{{vars.a}}}} ${{{{vars.b}}}}'}}]\n"
        ));
        recipe.pipeline[0].runs.clone().unwrap()
    };
    // Each may name the ones before it, and the last of a name is what counts.
    let text = vars(
        "vars: {b: one-two, late: 'see ${{vars.a}}'}\n\
         var-transforms:\n\
         - {from: '${{package.full-version}}', match: '^(\\d+)\\.(\\d+)-r(\\d+)$', replace: '$2.${1}_$3', to: a}\n\
         - {from: '${{ vars.a }}', match: \\., replace: '-', to: a}\n\
         - {from: '${{vars.b}}', match: (.*)-(.*), replace: '$2 $1 ${{package.name}} $$', to: b}\n",
    );
    assert_eq!(text, "2-1_3 two one demo $");
    // What comes out may name what the program knows.
    let text = vars(
        "vars: {b: '', a: --host=HOST}\n\
         var-transforms: [{from: '${{vars.a}}', match: HOST, replace: '${{host.triplet.gnu}}', to: a}]\n",
    );
    assert_eq!(text, "--host=x86_64-pc-linux-gnu ");
    // A package's own version may be made of one.
    let recipe = good(
        "var-transforms: [{from: '${{package.name}}', match: d(e)mo, replace: 'x$1', to: a.b_c-d}]\n\
         subpackages: [{name: '${{vars.a.b_c-d}}'}]\n",
    );
    assert_eq!(recipe.subpackages[0].name.as_str(), "xe");
}

#[test]
fn wrong_transformations_are_refused_where_they_stand() {
    let mut all = String::new();
    for transform in [
        "{from: '${{vars.none}}', match: a, replace: b, to: c}",
        "{from: x, match: '(', replace: b, to: c}",
        "{from: x, match: 'a(?=b)', replace: b, to: c}",
        "{from: x, match: \\pX, replace: b, to: c}",
        "{from: x, match: x, replace: $1ü, to: c}",
        "{from: x, match: x, replace: '${{no.such}}', to: c}",
        "{from: x, match: x, replace: y, to: a b}",
        "{from: '${{vars.c}}', match: x, replace: y, to: c}",
        "{from: x, match: x, to: c, with: y}",
    ] {
        all += &bad(&format!("var-transforms:\n- {transform}\n"));
        all.push('\n');
    }
    insta::assert_snapshot!(all, @r#"
    demo.yaml:6:11: unknown variable 'vars.none': define it under `vars`
    demo.yaml:6:20: the pattern is not understood at character 1: ')' is missing
    demo.yaml:6:20: the pattern is not understood at character 4: only the flags i, m, s and U are known, and no look-around
    demo.yaml:6:20: the pattern is not understood at character 1: this is no class of characters
    demo.yaml:6:32: the replacement '$1ü' has a letter beyond ASCII right after a group: write ${1} or ${name}
    demo.yaml:6:33: unknown variable 'no.such'
    demo.yaml:6:39: the name of a variable 'a b' has other characters than letters, digits and . _ -
    demo.yaml:6:11: unknown variable 'vars.c': define it under `vars`
    demo.yaml:6:30: unknown key 'with': known here are from, match, replace, to
    "#);
}

#[test]
fn what_nobody_knows_stays_in_texts_for_people() {
    let library = library().with_file(
        "named",
        "pipelines/named.yaml",
        "inputs: {python: {default: x}}\npipeline:\n- name: import ${{inputs.python}}\n  runs: 'true'\n",
    );
    let text = "package: {name: demo, version: 1, description: 'a ${{range.key == \"64\"}} ${{package.name}}'}\n\
        vars: {v: w}\npipeline:\n- uses: named\n  name: step ${{vars.v}} ${{no.such}}\n";
    let options = ResolveOptions::new(Architecture::X86_64, &library);
    let recipe = resolve(&parse_recipe("n.yaml", text).unwrap(), &options).unwrap();
    assert_eq!(
        recipe.package.description,
        "a ${{range.key == \"64\"}} demo"
    );
    let step = &recipe.pipeline[0];
    assert_eq!(step.written_name.as_deref(), Some("step w ${{no.such}}"));
    let inner = &step.pipeline[0];
    assert_eq!(
        inner.written_name.as_deref(),
        Some("import ${{inputs.python}}")
    );
    assert_eq!(inner.name.as_deref(), Some("import x"));
}

#[test]
fn an_empty_input_is_the_default() {
    let library = PipelineLibrary::builtin()
        .with_file(
            "inner",
            "inner.yaml",
            "inputs: {a: {default: of-inner}, b: {required: true}}\nruns: ${{inputs.a}} ${{inputs.b}} ${{inputs.c}}\n",
        )
        .with_file(
            "outer",
            "outer.yaml",
            "inputs: {a: {default: ''}, c: {default: seen}}\npipeline: [{uses: inner, with: {a: '${{inputs.a}}', b: b}}]\n",
        );
    let run = |with: &str| {
        let text = format!(
            "package: {{name: demo, version: 1}}\nvars: {{none: ''}}\npipeline: [{{uses: {with}}}]\n"
        );
        let options = ResolveOptions::new(Architecture::X86_64, &library);
        match resolve(&parse_recipe("n.yaml", &text).unwrap(), &options) {
            Ok(recipe) => recipe.pipeline[0].scripts()[0].runs.clone().unwrap(),
            Err(error) => error.to_string(),
        }
    };
    // Handed on by a pipeline, nothing is a value. A pipeline sees what is around it.
    assert_eq!(run("outer"), " b seen");
    assert_eq!(run("outer, with: {a: x}"), "x b seen");
    assert_eq!(
        run("inner, with: {a: '${{vars.none}}', b: ''}"),
        "n.yaml:3:19: the pipeline 'inner' needs the input 'b'"
    );
}

#[test]
fn tests_may_have_a_script_beside_what_they_use() {
    let recipe = good(
        "test:\n  pipeline:\n  - uses: greet\n    runs: first\n    with: {who: x}\n  - runs: plain\n    with: {setup: nobody}\n",
    );
    let test = recipe.test.unwrap();
    let scripts = test.pipeline.iter().flat_map(resolved::Step::scripts);
    let scripts: Vec<_> = scripts.filter_map(|step| step.runs.as_deref()).collect();
    assert_eq!(
        scripts,
        ["first", "echo x in /home/build/melange-out/demo", "plain"]
    );
    let which = bad("test: {pipeline: [{uses: strip, runs: first}]}\n");
    assert_eq!(
        which,
        "demo.yaml:5:26: the pipeline 'strip' has a script, as the step has: which is meant?"
    );
}

#[test]
fn a_compiled_recipe_can_be_read_again() {
    let recipe = good(
        "vars: {v: '1'}\npipeline:\n- uses: twice\n- uses: strip\n  assertions: {required-steps: 1}\n",
    );
    let printed = recipe.compile_json();
    let again = parse_recipe("again.yaml", &printed).unwrap();
    let empty = PipelineLibrary::default();
    let again = resolve(&again, &ResolveOptions::new(Architecture::X86_64, &empty)).unwrap();
    let scripts = |recipe: &resolved::Recipe| {
        let steps = recipe.pipeline.iter().flat_map(resolved::Step::scripts);
        steps.map(|step| step.runs.clone()).collect::<Vec<_>>()
    };
    assert_eq!(scripts(&again), scripts(&recipe));
}

#[test]
fn every_field_is_kept_and_printed() {
    let recipe = good(
        "  annotations: {org.example/ecosystem: '${{package.name}}'}\n  \
         copyright: [{license: MIT, paths: ['*'], attestation: 'A ${{x}}', license-path: a/../LICENSE, detection-override: MIT}]\n  \
         options: {no-versioned-shlib-deps: true, no-commands: true}\n  \
         checks: {disabled: [dev]}\n  cpe: {part: a, vendor: v, product: p, sw_edition: s}\n  \
         setcap: [{path: /usr/bin/x, add: {'cap_net_raw,cap_net_admin': +ep, cap_chown: =i}, reason: it pings}]\n  \
         timeout: 1.5h\n  resources: {cpu: 4, memory: 8Gi, cpumodel: m, disk: 50Gi}\n  test-resources: {cpu: 1}\n\
         capabilities: {add: [CAP_SYS_PTRACE], drop: [CAP_CHOWN]}\n\
         vars: {a: 'x-${{package.version}}', broken: '${{no.such}}'}\n\
         options: {fast: {vars: {a: y}, environment: {contents: {packages: {add: [p], remove: [q]}}}}}\n\
         pipeline:\n- runs: one\n  label: l\n  needs: {packages: [n]}\n\
         subpackages:\n- name: sub\n  setcap: [{path: usr/bin/y, add: {cap_ipc_lock: +eip}, reason: locks}]\n  \
         annotations: {b: c}\n  checks: {disabled: [empty]}\n  test: {environment: {contents: {packages: [t]}}, pipeline: [{uses: twice, needs: {packages: [inner]}}]}\n\
         update:\n  enabled: true\n  manual: true\n  shared: true\n  require-sequential: true\n  enable-prerelease-tags: true\n  \
         version-separator: _\n  ignore-regex-patterns: ['^1\\.']\n  exclude-reason: none\n  \
         release-monitor: {identifier: 7, strip-prefix: v, strip-suffix: s, version-filter-prefix: p, version-filter-contains: c}\n  \
         github: {identifier: 'o/${{package.name}}', strip-prefix: v, tag-filter: t, tag-filter-prefix: p, tag-filter-contains: c, use-tag: true, strip-suffix: s}\n  \
         git: {strip-prefix: v}\n  oci: {identifier: r, tag-filter-prefix: p}\n  \
         version_data: {version_format: '${{cuda.version}}', sources: [{name: cuda, stream: '12.6', ignore: [a], commit_source: c, use_release: true}]}\n  \
         version-transform: [{match: a, replace: b}]\n  schedule: {period: weekly, reason: r}\n",
    );
    assert_eq!(recipe.package.timeout, Some(Duration::from_mins(90)));
    let sets = recipe.package.setcap[0].sets();
    assert_eq!(
        (sets.effective, sets.permitted, sets.inheritable),
        (1 << 12 | 1 << 13, 1 << 12 | 1 << 13, 1)
    );
    insta::assert_snapshot!(recipe.compile_json(), @r#"{"package":{"name":"demo","version":"1.2","epoch":3,"annotations":{"org.example/ecosystem":"demo"},"target-architecture":["aarch64","armhf","armv7","loongarch64","ppc64le","riscv64","s390x","x86","x86_64"],"copyright":[{"paths":["*"],"attestation":"A ${{x}}","license":"MIT","license-path":"a/../LICENSE","detection-override":"MIT"}],"options":{"no-commands":true,"no-versioned-shlib-deps":true},"cpe":{"part":"a","vendor":"v","product":"p","sw_edition":"s"},"setcap":[{"path":"/usr/bin/x","add":{"cap_chown":"=i","cap_net_raw,cap_net_admin":"+ep"},"reason":"it pings"}],"checks":{"disabled":["dev"]},"timeout":"5400s","resources":{"cpu":"4","cpumodel":"m","memory":"8Gi","disk":"50Gi"},"test-resources":{"cpu":"1"}},"environment":{"contents":{"packages":["n"]}},"capabilities":{"add":["CAP_SYS_PTRACE"],"drop":["CAP_CHOWN"]},"pipeline":[{"label":"l","runs":"one","working-directory":"/home/build"}],"subpackages":[{"name":"sub","annotations":{"b":"c"},"copyright":[{"paths":["*"],"attestation":"A ${{x}}","license":"MIT","license-path":"a/../LICENSE","detection-override":"MIT"}],"setcap":[{"path":"usr/bin/y","add":{"cap_ipc_lock":"+eip"},"reason":"locks"}],"checks":{"disabled":["empty"]},"test":{"environment":{"contents":{"packages":["sub=1.2-r3","t","inner","hello","tool"]}},"pipeline":[{"uses":"twice","pipeline":[{"uses":"greet","with":{"who":"a"},"pipeline":[{"runs":"echo a in /home/build/melange-out/sub","working-directory":"/home/build","environment":{"GREETING":"hi a"}}]},{"uses":"greet","with":{"who":"b"},"pipeline":[{"runs":"echo b in /home/build/melange-out/sub","working-directory":"/home/build","environment":{"GREETING":"hi b"}}]}]}]}}],"update":{"enabled":true,"manual":true,"require-sequential":true,"shared":true,"version-separator":"_","ignore-regex-patterns":["^1\\."],"release-monitor":{"identifier":7,"strip-prefix":"v","strip-suffix":"s","version-filter-prefix":"p","version-filter-contains":"c"},"github":{"identifier":"o/demo","tag-filter":"t","strip-prefix":"v","strip-suffix":"s","tag-filter-prefix":"p","tag-filter-contains":"c","use-tag":true},"git":{"strip-prefix":"v"},"oci":{"identifier":"r","tag-filter-prefix":"p"},"version_data":{"version_format":"${{cuda.version}}","sources":[{"name":"cuda","stream":"12.6","ignore":["a"],"commit_source":"c","use_release":true}]},"version-transform":[{"match":"a","replace":"b"}],"exclude-reason":"none","schedule":{"reason":"r","period":"weekly"},"enable-prerelease-tags":true},"vars":{"a":"x-1.2","broken":"${{no.such}}"},"options":{"fast":{"vars":{"a":"y"},"environment":{"contents":{"packages":{"add":["p"],"remove":["q"]}}}}}}"#);
}

#[test]
fn fields_that_mean_nothing_are_refused() {
    let mut all = String::new();
    for body in [
        "  cpe: {vendor: v}\n",
        "  cpe: {vendor: v, product: P}\n",
        "  cpe: {part: h, vendor: v, product: p}\n",
        "  cpe: {vendor: v, product: p, other: '*'}\n",
        "  setcap: [{path: /bin/x, add: {cap_everything: +eip}, reason: r}]\n",
        "  setcap: [{path: /bin/x, add: {cap_chown: all}, reason: r}]\n",
        "  setcap: [{path: ../bin/x, add: {cap_chown: +e}, reason: r}]\n",
        "  copyright: [{license: MIT, license-path: a/../../etc/passwd}]\n",
        "  copyright: [{license: MIT, license-path: /etc/passwd}]\n",
        "  timeout: -1s\n",
        "  dependencies: {provider-priority: x}\n",
        "update: {schedule: {period: wekly}}\n",
        "update: {release-monitor: {identifier: x}}\n",
        "pipeline: [{uses: git-checkout, with: {repository: r, expected-commit: abc}}]\n",
    ] {
        all += &bad(body);
        all.push('\n');
    }
    insta::assert_snapshot!(all, @"
    demo.yaml:5:17: the name 'v' stands alone: a CPE has a vendor and a product
    demo.yaml:5:29: the part of a CPE 'P' has other characters than small letters, digits and + _ . -
    demo.yaml:5:15: the part 'h' is neither a, an application, nor o, an operating system
    demo.yaml:5:39: the part of a CPE '*' has other characters than small letters, digits and + _ . -
    demo.yaml:5:33: unknown file capability 'cap_everything': known are the kernel's, as capabilities(7) names them, in small letters
    demo.yaml:5:44: the flags 'all' are not of the form +eip
    demo.yaml:5:19: the path '../bin/x' does not stay in the package
    demo.yaml:5:44: the licence's path 'a/../../etc/passwd' does not stay in the workspace
    demo.yaml:5:44: the licence's path '/etc/passwd' does not stay in the workspace
    demo.yaml:5:12: the timeout '-1s' is not of the form 1h30m or 90s
    demo.yaml:5:37: the priority 'x' is not a whole number
    demo.yaml:5:29: unknown period 'wekly': known are daily, weekly, monthly; did you mean 'weekly'?
    demo.yaml:5:40: a whole number is needed here, 0 or more
    demo.yaml:5:72: the input 'expected-commit' of the pipeline 'git-checkout' is not 40 hexadecimal digits
    ");
}

/// Each of them says what to write, in a recipe and in an image.
#[test]
fn what_means_nothing_is_told_with_a_way_out() {
    for body in [
        "  timeout: -5s\n",
        "  dependencies: {provider-priority: x}\n",
        "  scriptlets: {trigger: {script: x, paths: [usr/share]}}\n",
        "  cpe: {vendor: 'a:b', product: p}\n",
        "  cpe: {vendor: v}\n",
        "  cpe: {part: x}\n",
        "data: [{name: d, items: {a: b}}, {name: d, items: {a: b}}]\n",
        "environment: {environment: {'': b}}\n",
        "pipeline: [{environment: {'': b}, runs: x}]\n",
        "environment: {accounts: {users: [{username: u}]}}\n",
        "environment: {accounts: {users: [{username: u, uid: 0}]}}\n",
        "environment: {accounts: {users: [{uid: 5}]}}\n",
        "environment: {accounts: {groups: [{gid: 5}]}}\n",
        "environment: {accounts: {users: [{username: u, uid: 5, shell: sh}]}}\n",
        "environment: {accounts: {users: [{username: u, uid: 5, shell: '/a:b'}]}}\n",
        "environment: {accounts: {groups: [{groupname: g, gid: 5, members: ['a:b']}]}}\n",
    ] {
        let error = resolved(body).unwrap_err();
        assert!(error.help().is_some(), "{error}");
        if body.ends_with("{username: u}]}}\n") {
            insta::assert_snapshot!(error, @"demo.yaml:5:45: the user 'u' has no uid");
        }
    }
    for users in ["{uid: 5}", "{username: u}", "{username: u, uid: 0}"] {
        let text = format!("accounts: {{users: [{users}]}}\n");
        let error = resolve_image(&parse_image("web.yaml", &text).unwrap()).unwrap_err();
        assert!(error.help().is_some(), "{error}");
    }
}

/// Whoever runs no step needs no pipeline that lies elsewhere.
#[test]
fn an_unknown_pipeline_is_passed_over_where_nothing_is_run() {
    let text = "package: {name: demo, version: 1}\npipeline:\n- uses: mine\n  with: {x: y}\n\
        - runs: last\nsubpackages:\n- name: s\n  pipeline: [{uses: mine, with: {x: y}}]\n";
    let recipe = parse_recipe("demo.yaml", text).unwrap();
    let read = |library: PipelineLibrary| {
        resolve(
            &recipe,
            &ResolveOptions::new(Architecture::X86_64, &library),
        )
    };
    let error = read(library()).unwrap_err().to_string();
    assert!(error.contains("unknown pipeline 'mine'"), "{error}");
    let passed = read(library().passing_over_unknown()).unwrap();
    let runs: Vec<_> = passed.pipeline.iter().map(|step| &step.runs).collect();
    assert_eq!(runs, [&None, &Some("last".to_owned())]);
    assert_eq!(passed.subpackages.len(), 1);
}

#[test]
fn what_other_programs_take_is_taken() {
    let recipe = good(
        "  dependencies: {runtime: ['a==1.0-r1', 'b~=2', '!c'], provides: ['!d', e], provider-priority: -1}\n",
    );
    let texts = |list: &[Dependency]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let needed = &recipe.package.dependencies;
    assert_eq!(texts(&needed.runtime), ["a=1.0-r1", "b~2", "!c"]);
    assert_eq!(texts(&needed.provides), ["e"]);
    assert_eq!(needed.provider_priority, Some(0));
}

proptest! {
    #[test]
    fn each_item_makes_one_package(keys in prop::collection::btree_set("[a-z0-9]{1,6}", 0..12)) {
        let items: Vec<_> = keys.iter().map(|key| format!("\"{key}\": \"v-{key}\"")).collect();
        let recipe = good(&format!(
            "data: [{{name: d, items: {{{}}}}}]\nsubpackages: [{{range: d, name: 'p-${{{{range.key}}}}', description: '${{{{range.value}}}}'}}]\n",
            items.join(", ")
        ));
        let made: Vec<_> = recipe.subpackages.iter().map(|sub| (sub.name.to_string(), sub.description.clone())).collect();
        let expected: Vec<_> = keys.iter().map(|key| (format!("p-{key}"), format!("v-{key}"))).collect();
        prop_assert_eq!(made, expected);
    }
}
