//! Tests of resolution: what comes out, and what an error says.

use boltworks_model::Architecture;

use super::*;
use crate::parse_recipe;
use crate::resolved::{KnownBy, SourceRef};

const SHA256: &str = "9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23";

pub(super) fn library() -> PipelineLibrary {
    PipelineLibrary::builtin()
        .with_file(
            "greet",
            "pipelines/greet.yaml",
            "name: Greet\n\
             needs: {packages: [hello, '${{inputs.with-tool}}']}\n\
             inputs:\n  who: {required: true}\n  with-tool: {default: tool}\n  loud: {default: 'false'}\n\
             environment: {GREETING: 'hi ${{inputs.who}}'}\n\
             pipeline:\n\
             - runs: echo ${{inputs.who}} in ${{targets.contextdir}}\n\
             - if: ${{inputs.loud}} == 'true'\n  runs: echo LOUD\n",
        )
        .with_file("twice", "pipelines/twice.yaml", "pipeline:\n- uses: greet\n  with: {who: a}\n- uses: greet\n  with: {who: b}\n")
        .with_file("circle", "pipelines/circle.yaml", "pipeline:\n- uses: round\n")
        .with_file("round", "pipelines/round.yaml", "pipeline:\n- uses: circle\n")
        .with_file("broken", "pipelines/broken.yaml", "pipeline:\n- runs: |\n    one\n    two ${{inputs.no}}\n")
        .with_file("assert", "pipelines/assert.yaml", "pipeline:\n- if: ${{build.arch}} == 'vax'\n  runs: a\nassertions:\n  required-steps: 1\n")
}

pub(super) fn resolved(body: &str) -> Result<resolved::Recipe, Error> {
    let text = format!("package:\n  name: demo\n  version: 1.2\n  epoch: 3\n{body}");
    let library = library();
    resolve(
        &parse_recipe("demo.yaml", &text)?,
        &ResolveOptions::new(Architecture::X86_64, &library),
    )
}

pub(super) fn good(body: &str) -> resolved::Recipe {
    resolved(body).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn bad(body: &str) -> String {
    resolved(body).map_or_else(|error| error.to_string(), |recipe| recipe.compile_json())
}

fn scripts(steps: &[resolved::Step]) -> Vec<String> {
    let scripts = steps.iter().flat_map(resolved::Step::scripts);
    scripts
        .map(|step| {
            let environment: Vec<_> = step
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value} "))
                .collect();
            let script = step.runs.as_deref().unwrap_or_default().trim();
            format!(
                "{}: {}{script}",
                step.working_directory,
                environment.concat()
            )
        })
        .collect()
}

#[test]
fn a_recipe_is_understood() {
    let recipe = good(
        "  description: |\n    A demo\n    of it all.\n  copyright: [{license: MIT}, {license: MIT}, {license: Apache-2.0}]\n  \
         dependencies:\n    runtime: [a, 'b>=${{package.version}}', a, ~]\n    provides: ['cmd:demo=${{package.full-version}}']\n    provider-priority: 10\n\
         environment:\n  contents: {packages: [build-base, hello]}\n  environment: {CFLAGS: -O2, ARCH: '${{build.arch}}'}\n\
         vars: {flags: '--with-${{vars.what}}', what: 'zlib-${{package.version}}'}\n\
         pipeline:\n- name: configure\n  runs: ./configure ${{vars.flags}} --host=${{host.triplet.gnu}}\n- uses: greet\n  with: {who: 7, loud: true}\n\
         subpackages:\n- name: ${{package.name}}-dev\n  dependencies: {runtime: ['demo=${{package.full-version}}']}\n  \
         pipeline:\n  - runs: mv ${{targets.destdir}}/x ${{targets.subpkgdir}} # ${{targets.package.demo-dev}}\n  test: {pipeline: [{runs: 'true'}]}\n\
         - name: demo-arm\n  if: ${{build.arch}} == 'aarch64'\n\
         test:\n  environment: {contents: {packages: [bash]}}\n  pipeline: [{uses: greet, with: {who: test}}]\n",
    );
    insta::assert_snapshot!(recipe.compile_json(), @r#"{"package":{"name":"demo","version":"1.2","epoch":3,"description":"A demo of it all.","target-architecture":["aarch64","armhf","armv7","loongarch64","ppc64le","riscv64","s390x","x86","x86_64"],"copyright":[{"license":"MIT"},{"license":"MIT"},{"license":"Apache-2.0"}],"dependencies":{"runtime":["a","b>=1.2"],"provides":["cmd:demo=1.2-r3"],"provider-priority":"10"}},"environment":{"environment":{"ARCH":"x86_64","CFLAGS":"-O2"},"contents":{"packages":["build-base","hello","tool"]}},"pipeline":[{"name":"configure","runs":"./configure --with-zlib-1.2 --host=x86_64-pc-linux-gnu","working-directory":"/home/build"},{"uses":"greet","with":{"loud":"true","who":"7"},"pipeline":[{"runs":"echo 7 in /home/build/melange-out/demo","working-directory":"/home/build","environment":{"GREETING":"hi 7"}},{"runs":"echo LOUD","working-directory":"/home/build","environment":{"GREETING":"hi 7"}}]}],"subpackages":[{"name":"demo-dev","pipeline":[{"runs":"mv /home/build/melange-out/demo/x /home/build/melange-out/demo-dev","working-directory":"/home/build"}],"dependencies":{"runtime":["demo=1.2-r3"]},"copyright":[{"license":"MIT"},{"license":"MIT"},{"license":"Apache-2.0"}],"test":{"environment":{"contents":{"packages":["demo-dev=1.2-r3"]}},"pipeline":[{"runs":"true","working-directory":"/home/build"}]}}],"vars":{"flags":"--with-zlib-1.2","what":"zlib-1.2"},"test":{"environment":{"contents":{"packages":["demo=1.2-r3","bash","hello","tool"]}},"pipeline":[{"uses":"greet","with":{"who":"test"},"pipeline":[{"runs":"echo test in /home/build/melange-out/demo","working-directory":"/home/build","environment":{"GREETING":"hi test"}}]}]}}"#);
    let names: Vec<_> = recipe.package_names().map(ToString::to_string).collect();
    assert_eq!(names, ["demo", "demo-dev"]);
    let used: Vec<_> = recipe
        .pipelines_used
        .iter()
        .map(|used| (&*used.name, used.builtin))
        .collect();
    assert_eq!(used, [("greet", false)]);
}

#[test]
fn folders_and_variables_are_handed_down() {
    let recipe = good(
        "pipeline:\n\
         - working-directory: src/${{package.name}}\n  environment: {A: '1', B: '1'}\n  pipeline:\n  \
         - runs: one\n  - runs: two\n    environment: {B: '2'}\n    working-directory: /tmp\n  - uses: greet\n    with: {who: x}\n\
         - runs: three\n",
    );
    insta::assert_snapshot!(scripts(&recipe.pipeline).join("\n"), @r#"
    /home/build/src/demo: A=1 B=1 one
    /tmp: A=1 B=2 two
    /home/build/src/demo: A=1 B=1 GREETING=hi x echo x in /home/build/melange-out/demo
    /home/build: three
    "#);
}

#[test]
fn errors_name_the_place() {
    let mut all = String::new();
    for body in [
        "pipeline:\n- runs: |\n    one\n    two ${{package.versio}} three\n",
        "pipeline:\n- runs: >-\n    ${{range.key == 'x'}}\n",
        "pipeline:\n- runs: ${{ oops\n",
        "pipeline:\n- uses: autoconf/mkae\n",
        "pipeline:\n- uses: no/such/thing\n",
        "pipeline:\n- uses: git-checkout\n",
        "pipeline:\n- uses: greet\n  with: {whom: x}\n",
        "pipeline:\n- uses: greet\n",
        "pipeline:\n- uses: greet\n  runs: x\n",
        "pipeline:\n- with: {a: b}\n",
        "pipeline:\n- uses: circle\n",
        "pipeline:\n- uses: broken\n",
        "pipeline:\n- uses: assert\n",
        "pipeline:\n- if: ${{build.arch}} = 'x'\n",
        "pipeline:\n- if: ${{build.arhc}} == 'x'\n",
        "pipeline:\n- if: ${{build.arch}} == 'x'\n  uses: no/such/thing\n",
        "vars: {a: '${{vars.b}}', b: '${{vars.c}}', c: '${{vars.a}}'}\npipeline:\n- runs: ${{vars.a}}\n",
        "vars: {a: '${{vars.nope}}', unused: '${{nope}}'}\npipeline:\n- runs: ${{vars.a}}\n",
        "var-transforms: [{from: x, match: y, replace: z, to: short}]\npipeline:\n- runs: ${{vars.short}}\n",
        "data: [{name: d, items: {a: b}}]\nsubpackages:\n- range: d\n  name: x-${{range.key}}\n",
        "subpackages:\n- name: demo\n",
        "subpackages:\n- name: a/b\n",
        "subpackages:\n- name: ${{range.key}}\n",
        "  dependencies: {runtime: ['a b']}\n",
        "  dependencies: {provides: ['a>1']}\n",
        "  dependencies: {provider-priority: -1}\n",
        "  target-architecture: [aarch64, riscv64]\n",
        "  target-architecture: [x86-64]\n",
        "  timeout: 1 day\n",
        "  setcap: [{path: /bin/x, add: {cap_net_raw: +eip}}]\n",
        "  copyright: [{licence: MIT}]\n",
        "pipeline:\n- working-directory: \"a\\nb\"\n",
        "pipeline:\n- environment: {A=B: c}\n",
    ] {
        all += &bad(body);
        all.push('\n');
    }
    insta::assert_snapshot!(all, @r#"
    demo.yaml:8:9: unknown variable 'package.versio'; did you mean 'package.version'?
    demo.yaml:7:5: '${{range.key == 'x'}}' is no variable: write ${{name}}
    demo.yaml:6:9: '${{ oops' is no variable: write ${{name}}
    demo.yaml:6:9: unknown pipeline 'autoconf/mkae'; did you mean 'autoconf/make'?
    demo.yaml:6:9: unknown pipeline 'no/such/thing': no folder of pipelines has a file of that name
    demo.yaml:6:9: the pipeline 'git-checkout' needs the input 'repository'
    demo.yaml:7:10: the pipeline 'greet' has no input 'whom'; did you mean 'who'?
    demo.yaml:6:9: the pipeline 'greet' needs the input 'who'
    demo.yaml:6:9: a step with uses 'greet' cannot have runs too
    demo.yaml:6:13: an input 'b' is given, but the step uses no pipeline
    pipelines/round.yaml:2:9: the pipelines use each other in a circle: circle → round → circle (used at demo.yaml:6:9)
    pipelines/broken.yaml:4:9: unknown variable 'inputs.no': list it under the pipeline's `inputs` (used at demo.yaml:6:9)
    pipelines/assert.yaml:5:19: 0 of the pipeline's steps run, but it requires 1 (used at demo.yaml:6:9)
    demo.yaml:6:23: the condition is not understood at character 17: '==' or '!=' expected
    demo.yaml:6:7: unknown variable 'build.arhc'; did you mean 'build.arch'?
    {"package":{"name":"demo","version":"1.2","epoch":3,"target-architecture":["aarch64","armhf","armv7","loongarch64","ppc64le","riscv64","s390x","x86","x86_64"]}}
    demo.yaml:5:11: the variables define each other in a circle: vars.a → vars.b → vars.c → vars.a
    demo.yaml:5:12: unknown variable 'vars.nope': define it under `vars`
    {"package":{"name":"demo","version":"1.2","epoch":3,"target-architecture":["aarch64","armhf","armv7","loongarch64","ppc64le","riscv64","s390x","x86","x86_64"]},"pipeline":[{"runs":"x","working-directory":"/home/build"}],"var-transforms":[{"from":"x","match":"y","replace":"z","to":"short"}]}
    {"package":{"name":"demo","version":"1.2","epoch":3,"target-architecture":["aarch64","armhf","armv7","loongarch64","ppc64le","riscv64","s390x","x86","x86_64"]},"subpackages":[{"name":"x-a"}]}
    demo.yaml:6:9: the package 'demo' is made twice: each needs a name of its own
    demo.yaml:6:9: 'a/b' is no name for a package: '/' stands in it
    demo.yaml:6:9: unknown variable 'range.key': only a subpackage with `range` has it
    demo.yaml:5:28: 'a b' is not a valid package name: only letters, digits and + - . _ : / [ ] , * % are allowed
    demo.yaml:5:29: what is provided, 'a>1' is not of the form name or name=version
    {"package":{"name":"demo","version":"1.2","epoch":3,"target-architecture":["aarch64","armhf","armv7","loongarch64","ppc64le","riscv64","s390x","x86","x86_64"],"dependencies":{"provider-priority":"0"}}}
    demo.yaml:5:25: the recipe is for aarch64, riscv64, not for x86_64
    demo.yaml:5:25: unknown architecture 'x86-64': known are aarch64, armhf, armv7, loongarch64, ppc64le, riscv64, s390x, x86, x86_64; did you mean 'x86_64'?
    demo.yaml:5:12: the timeout '1 day' is not of the form 1h30m or 90s
    demo.yaml:5:19: the capability of '/bin/x' needs a reason
    demo.yaml:5:16: unknown key 'licence'; did you mean 'license'?
    demo.yaml:6:22: working directory 'a\nb' has control characters in it
    demo.yaml:6:17: the name of a variable 'A=B' must not be empty, or have '=' or control characters in it
    "#);
}

#[test]
fn versions_are_checked() {
    let version = |version: &str| {
        let text = format!("package: {{name: demo, version: {version}, epoch: 0}}");
        let library = PipelineLibrary::builtin();
        let options = ResolveOptions::new(Architecture::X86_64, &library);
        match resolve(&parse_recipe("v.yaml", &text).unwrap(), &options) {
            Ok(recipe) => recipe.package.full_version.to_string(),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(version("3.10"), "3.10-r0");
    assert_eq!(version("1.0_rc1"), "1.0_rc1-r0");
    assert!(
        version("1.0-r1").contains("has a release number"),
        "{}",
        version("1.0-r1")
    );
    assert!(
        version("v1").starts_with("v.yaml:1:32: "),
        "{}",
        version("v1")
    );
}

#[test]
fn what_is_not_used_is_not_refused() {
    let recipe = good(
        "data: [{name: d, items: {3.10: x}}]\n\
         var-transforms: [{from: '${{package.version}}', match: a, replace: b, to: short}]\n\
         pipeline:\n- runs: 'true'\n  name: keeps ${{inputs.python}}\n",
    );
    assert_eq!(
        recipe.pipeline[0].name.as_deref(),
        Some("keeps ${{inputs.python}}")
    );
}

#[test]
fn pipelines_say_what_they_need() {
    let recipe = good(
        "environment: {contents: {packages: [tool, make]}}\npipeline:\n- uses: twice\n- uses: autoconf/make\n- needs: {packages: [extra]}\n  runs: x\n",
    );
    let packages: Vec<_> = recipe
        .build_packages
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(packages, ["tool", "make", "hello", "extra"]);
    let used: Vec<_> = recipe
        .pipelines_used
        .iter()
        .map(|used| used.name.as_str())
        .collect();
    assert_eq!(used, ["autoconf/make", "greet", "twice"]);
}

#[test]
fn a_fetch_is_known_by_its_digest() {
    let fetch = |with: &str| {
        bad(&format!(
            "pipeline:\n- uses: fetch\n  with:\n    {}\n",
            with.replace('\n', "\n    ")
        ))
    };
    let recipe = good(&format!(
        "pipeline:\n- uses: fetch\n  with:\n    uri: https://example.org/demo-${{{{package.version}}}}.tar.gz\n    expected-sha256: {SHA256}\n\
         - working-directory: b\n  pipeline:\n  - uses: fetch\n    with: {{uri: 'https://example.org/b.tgz', expected-sha256: {SHA256}, strip-components: 2, directory: sub}}\n\
         - uses: fetch\n  with: {{uri: 'pypi:a/b.whl', expected-sha512: {SHA256}{SHA256}, extract: false}}\n"
    ));
    let keys: Vec<_> = recipe
        .sources
        .iter()
        .map(|source| (&*source.key, &*source.uri))
        .collect();
    let (first, second) = (
        format!("sha256:{SHA256}"),
        format!("sha512:{SHA256}{SHA256}"),
    );
    assert_eq!(
        keys,
        [
            (&*first, "https://example.org/demo-1.2.tar.gz"),
            (&*second, "pypi:a/b.whl")
        ]
    );
    let nested = &recipe.pipeline[1].pipeline[0];
    let found = nested.fetch.as_ref().unwrap();
    assert_eq!(
        found.guest_path(),
        format!("/var/cache/melange/sha256:{SHA256}")
    );
    assert_eq!(
        (
            found.directory.as_str(),
            found.strip_components,
            &*found.purl_name
        ),
        ("sub", 2, "demo")
    );
    assert_eq!(nested.working_directory, "/home/build/b");
    assert!(nested.runs.as_ref().unwrap().contains(&found.guest_path()));
    let mut all = String::new();
    for with in [
        "uri: https://example.org/a.tgz",
        "expected-sha256: abc\nuri: https://example.org/a.tgz",
        &format!("expected-sha256: {SHA256}"),
        &format!("uri: a b\nexpected-sha256: {SHA256}"),
        &format!("uri: a\nexpected-sha256: {SHA256}\nextract: maybe"),
        &format!("uri: a\nexpected-sha256: {SHA256}\nstrip-components: -1"),
        "uri: a\nexpected-none: true",
    ] {
        all += &fetch(with);
        all.push('\n');
    }
    insta::assert_snapshot!(all, @r#"
    demo.yaml:6:9: the input 'expected-sha256' of the pipeline 'fetch' is missing, and so is expected-sha512: a source is known by its digest
    demo.yaml:8:22: the input 'expected-sha256' of the pipeline 'fetch' is not 64 hexadecimal digits
    demo.yaml:6:9: the pipeline 'fetch' needs the input 'uri'
    demo.yaml:8:10: the input 'uri' of the pipeline 'fetch' has white space in it
    demo.yaml:10:14: the input 'extract' of the pipeline 'fetch' is neither true nor false
    demo.yaml:10:23: the input 'strip-components' of the pipeline 'fetch' is not a whole number
    demo.yaml:6:9: the input 'expected-sha256' of the pipeline 'fetch' is missing, and so is expected-sha512: a source is known by its digest
    "#);
}

#[test]
fn only_what_decides_bytes_decides_the_digest() {
    let base = "environment: {contents: {packages: [a, b]}}\npipeline:\n- name: x\n  runs: make\n";
    let same = |body: &str| {
        assert_eq!(
            good(base).canonical_json(),
            good(body).canonical_json(),
            "{body}"
        );
    };
    let other = |body: &str| {
        assert_ne!(
            good(base).canonical_json(),
            good(body).canonical_json(),
            "{body}"
        );
    };
    same("# a comment\nenvironment: {contents: {packages: [b, a, b]}}\npipeline:\n- runs: make\n");
    same(
        "environment: {contents: {packages: [a, b]}}\npipeline:\n- label: z\n  runs: make\nupdate: {enabled: true}\n",
    );
    same(
        "  timeout: 1h\n  resources: {cpu: 4}\n  checks: {disabled: [dev]}\nvars: {m: make}\nenvironment: {contents: {packages: [a, b]}}\npipeline:\n- runs: ${{vars.m}}\n- if: ${{build.arch}} == 'vax'\n  runs: no\ntest: {pipeline: [{runs: x}]}\n",
    );
    other("environment: {contents: {packages: [a, b, c]}}\npipeline:\n- runs: make\n");
    other(
        "environment: {contents: {packages: [a, b]}, environment: {A: b}}\npipeline:\n- runs: make\n",
    );
    other("environment: {contents: {packages: [a, b]}}\npipeline:\n- runs: make -j\n");
    other(
        "environment: {contents: {packages: [a, b]}}\npipeline:\n- runs: make\n  working-directory: x\n",
    );
    other(
        "  description: other\nenvironment: {contents: {packages: [a, b]}}\npipeline:\n- runs: make\n",
    );
    other(
        "environment: {contents: {packages: [a, b]}}\npipeline:\n- runs: make\nsubpackages: [{name: c}]\n",
    );
    let text = String::from_utf8(good(base).canonical_json()).unwrap();
    insta::assert_snapshot!(text, @r#"{"form":1,"architecture":"x86_64","package":{"name":"demo","version":"1.2","epoch":3},"packages":["a","b"],"pipeline":[{"runs":"make","working-directory":"/home/build"}]}"#);
}

#[test]
fn options_are_switched_on_by_name() {
    let text = "package: {name: demo, version: 1, epoch: 0}\n\
        environment: {contents: {packages: [a, b]}}\n\
        vars: {tls: openssl}\n\
        options:\n  gnutls:\n    vars: {tls: gnutls}\n    environment: {contents: {packages: {add: [c], remove: [a]}}}\n\
        pipeline:\n- if: ${{options.gnutls.enabled}} == 'true'\n  runs: on\n- runs: --with-${{vars.tls}}\n";
    let parsed = parse_recipe("o.yaml", text).unwrap();
    let library = PipelineLibrary::builtin();
    let mut options = ResolveOptions::new(Architecture::X86_64, &library);
    let off = resolve(&parsed, &options).unwrap();
    options.enabled.insert("gnutls".to_owned());
    let on = resolve(&parsed, &options).unwrap();
    assert_eq!(scripts(&off.pipeline), ["/home/build: --with-openssl"]);
    assert_eq!(
        scripts(&on.pipeline),
        ["/home/build: on", "/home/build: --with-gnutls"]
    );
    let packages: Vec<_> = on.build_packages.iter().map(ToString::to_string).collect();
    assert_eq!(packages, ["b", "c"]);
}

#[test]
fn tests_run_beside_the_package() {
    let recipe = good(
        "subpackages:\n- name: sub\n  test: {pipeline: [{uses: greet, with: {who: '${{context.name}}'}}]}\ntest: {environment: {contents: {packages: [bash]}}, pipeline: [{runs: x}]}\n",
    );
    let packages = |test: &resolved::Test| {
        test.packages
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        packages(recipe.test.as_ref().unwrap()),
        ["demo=1.2-r3", "bash"]
    );
    let sub = recipe.subpackages[0].test.as_ref().unwrap();
    assert_eq!(packages(sub), ["sub=1.2-r3", "hello", "tool"]);
    assert_eq!(
        scripts(&sub.pipeline),
        ["/home/build: GREETING=hi sub echo sub in /home/build/melange-out/sub"]
    );
    assert!(recipe.build_packages.is_empty() && recipe.pipelines_used.is_empty());
}

const COMMIT: &str = "f62d2ef4402954bd7d7dfd9054372a932bd4a19c";

fn checked_out(with: &str) -> SourceRef {
    let with = with.replace('\n', "\n    ");
    let recipe = good(&format!(
        "pipeline:\n- uses: git-checkout\n  with:\n    repository: https://example.org/a\n    {with}\n"
    ));
    let [source] = <[_; 1]>::try_from(recipe.sources).unwrap();
    assert_eq!(recipe.pipeline[0].checkout.as_ref(), Some(&source));
    source
}

#[test]
fn a_checkout_is_known_by_its_commit() {
    let check = |with: &str, expected: &str| {
        let source = checked_out(&format!("{with}\nexpected-commit: {COMMIT}"));
        let KnownBy::Commit(checkout) = source.known_by else {
            panic!("{with}: {source:?}");
        };
        assert_eq!(
            checkout.identity(),
            format!("git:{COMMIT}{expected}"),
            "{with}"
        );
        assert_eq!(source.key, checkout.key());
    };
    check("destination: b", "");
    check("tag: v${{package.version}}", " tag=v1.2");
    check("branch: main", " depth=all branch=main");
    check("branch: main\ndepth: 1", " branch=main");
    check(
        "branch: main\nexpected-commit-is-branch-tip: true",
        " branch=main",
    );
    check("tag: v1\ndepth: -1", " depth=all tag=v1");
    check("depth: 7\nrecurse-submodules: true", " depth=7 submodules");
    check("sparse-paths: a b", "");
    let picks =
        format!("cherry-picks: |\n  # all\n  3.1/x/{COMMIT}: why # not\n\n  {COMMIT}: because");
    check(&picks, &format!(" pick={COMMIT} pick={COMMIT}"));
}

#[test]
fn a_checkout_that_cannot_be_is_told_to_who_builds_it() {
    let told = |with: &str| match checked_out(with).known_by {
        KnownBy::Nothing(unpinned) => {
            let error = unpinned.error();
            let help = error.help().filter(|help| help.contains("git ls-remote"));
            let help = help.map_or_else(String::new, |help| format!("\n  {help}"));
            format!("{error}{help}\n")
        }
        known_by => panic!("{with}: {known_by:?}"),
    };
    let good = format!("expected-commit: {COMMIT}\n");
    let mut all = String::new();
    for with in ["tag: v1", "branch: main", "destination: ."] {
        all += &told(with);
    }
    for with in [
        "tag: v1\nbranch: main",
        "tag: --upload-pack=x",
        "depth: 0",
        "depth: some",
        "recurse-submodules: maybe",
        "expected-commit-is-branch-tip: true",
        "cherry-picks: abc",
        "cherry-picks: 'abc: why'",
        "cherry-picks: 'main/abc:'",
    ] {
        all += &told(&format!("{good}{with}"));
    }
    insta::assert_snapshot!(all, @r"
    demo.yaml:6:9: the pipeline 'git-checkout' needs the input 'expected-commit'
      add `expected-commit: …` under `with` of this step: tags and branches can be moved. `git ls-remote -- https://example.org/a refs/tags/v1 'refs/tags/v1^{}'` tells it
    demo.yaml:6:9: the pipeline 'git-checkout' needs the input 'expected-commit'
      add `expected-commit: …` under `with` of this step: tags and branches can be moved. `git ls-remote -- https://example.org/a refs/heads/main` tells it
    demo.yaml:6:9: the pipeline 'git-checkout' needs the input 'expected-commit'
      add `expected-commit: …` under `with` of this step: tags and branches can be moved. `git ls-remote -- https://example.org/a HEAD` tells it
    demo.yaml:11:13: the input 'branch' of the pipeline 'git-checkout' is given, and so is tag: which is meant?
    demo.yaml:10:10: '--upload-pack=x' is not the name of a branch or tag
    demo.yaml:10:12: the input 'depth' of the pipeline 'git-checkout' is neither a number of commits nor -1, which is all
    demo.yaml:10:12: the input 'depth' of the pipeline 'git-checkout' is neither a number of commits nor -1, which is all
    demo.yaml:10:25: the input 'recurse-submodules' of the pipeline 'git-checkout' is neither true nor false
    demo.yaml:10:36: the input 'expected-commit-is-branch-tip' of the pipeline 'git-checkout' is true, but there is no branch
    demo.yaml:10:19: the input 'cherry-picks' of the pipeline 'git-checkout' has a line that is not BRANCH/COMMIT: REASON
    demo.yaml:10:19: 'abc' is not the name of a git object: 40 hexadecimal digits are needed, or 64
    demo.yaml:10:19: the input 'cherry-picks' of the pipeline 'git-checkout' has a line without a reason after the colon
    ");
}
