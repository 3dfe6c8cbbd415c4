//! Tests of resolution against files that mean harm, or mean nothing.

use boltworks_model::Architecture;
use proptest::prelude::*;

use super::tests::{bad, good, library};
use super::*;
use crate::parse_recipe;

#[test]
fn bombs_are_refused() {
    let doubling: Vec<_> = (0..60)
        .map(|i| format!("  v{i}: ${{{{vars.v{}}}}}${{{{vars.v{}}}}}\n", i + 1, i + 1))
        .collect();
    let variables = format!(
        "vars:\n{}  v60: {}\npipeline:\n- runs: ${{{{vars.v0}}}}\n",
        doubling.concat(),
        "x".repeat(100)
    );
    assert!(
        bad(&variables).contains("the limit is"),
        "{}",
        &bad(&variables)[..200]
    );
    let chain: Vec<_> = (0..5000)
        .map(|i| format!("  v{i:04}: ${{{{vars.v{:04}}}}}\n", i + 1))
        .collect();
    let chained = format!(
        "vars:\n{}  v5000: x\npipeline:\n- runs: ${{{{vars.v0000}}}}\n",
        chain.concat()
    );
    assert!(
        bad(&chained).contains("too long a chain"),
        "{}",
        &bad(&chained)[..200]
    );

    let mut library = PipelineLibrary::builtin();
    for level in 0..12 {
        let uses = format!("- uses: b{}\n", level + 1).repeat(10);
        library = library.with_file(
            &format!("b{level}"),
            "b.yaml",
            &format!("pipeline:\n{uses}"),
        );
    }
    let library = library.with_file("b12", "b.yaml", "runs: 'true'");
    let parsed = parse_recipe(
        "b.yaml",
        "package: {name: a, version: 1}\npipeline: [{uses: b0}]",
    )
    .unwrap();
    let error = resolve(
        &parsed,
        &ResolveOptions::new(Architecture::X86_64, &library),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("too many steps: the limit is 100000"),
        "{error}"
    );

    let mut library = PipelineLibrary::builtin();
    for level in 0..100 {
        let uses = format!("pipeline: [{{uses: d{}}}]", level + 1);
        library = library.with_file(&format!("d{level}"), "d.yaml", &uses);
    }
    let parsed = parse_recipe(
        "d.yaml",
        "package: {name: a, version: 1}\npipeline: [{uses: d0}]",
    )
    .unwrap();
    let error = resolve(
        &parsed,
        &ResolveOptions::new(Architecture::X86_64, &library),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("nested too deeply: the limit is 32"),
        "{error}"
    );
}
/// A recipe that uses most of the format.
const FULL: &str = "package:\n  name: demo\n  version: 1.2\n  epoch: 3\n  dependencies:\n    runtime: [a, 'b>=1']\n\
    environment:\n  contents:\n    packages: [c]\nvars:\n  x: '${{package.version}}'\npipeline:\n- if: ${{build.arch}} == 'x86_64'\n  \
    uses: autoconf/make\n  with:\n    opts: |\n      V=${{vars.x}}\n- runs: echo\n  working-directory: a\n\
    subpackages:\n- name: demo-dev\n  pipeline:\n  - uses: split/dev\n  test:\n    pipeline:\n    - runs: 'true'\n";

#[test]
fn hostile_files_are_refused() {
    let read = |text: &str| parse_recipe("h.yaml", text).unwrap_err().to_string();
    let deep = format!("pipeline: {}", "[{pipeline: ".repeat(10_000));
    assert!(read(&deep).contains("nested too deeply"), "{}", read(&deep));
    let bomb = format!(
        "vars: {{a: &a {}, b: [{}]}}",
        "x".repeat(1 << 20),
        "*a,".repeat(999)
    );
    assert!(
        read(&bomb).contains("expand to too much"),
        "{}",
        read(&bomb)
    );
    assert!(read(&"#".repeat((4 << 20) + 1)).contains("the limit is 4194304"));
    assert!(
        read(&FULL.replace("epoch: 3", "epoch: 3\n  epoch: 4"))
            .contains("h.yaml:5:3: the key 'epoch' is written twice")
    );
    assert!(read(&FULL.replace("  epoch", "\tepoch")).contains("not tabs"));
    assert!(read(&FULL.replace("demo", "de\0mo")).contains("U+0000"));
    assert!(
        read(&FULL.replace("epoch", "epcoh"))
            .contains("h.yaml:4:3: unknown key 'epcoh'; did you mean 'epoch'?")
    );
    assert!(read("pipeline: []").contains("the key 'package' is missing"));

    // Very many wrong definitions that nobody uses cost nothing but their reading.
    let wrong: Vec<_> = (0..50_000)
        .map(|i| format!("  v{i}: ${{{{no.such{i}}}}}\n"))
        .collect();
    assert_eq!(
        good(&format!("vars:\n{}", wrong.concat()))
            .package
            .name
            .as_str(),
        "demo"
    );
    // What steps inherit is bounded too.
    let environment: Vec<_> = (0..2_000)
        .map(|i| format!("    V{i}: {}\n", "x".repeat(100)))
        .collect();
    let steps = "  - runs: a\n".repeat(2_000);
    let inherited = bad(&format!(
        "pipeline:\n- environment:\n{}  pipeline:\n{steps}",
        environment.concat()
    ));
    assert!(
        inherited.contains("grows too long"),
        "{}",
        &inherited[..200]
    );
}

proptest! {
    #[test]
    fn no_change_to_a_recipe_panics(
        at in 0..FULL.len(),
        cut in 0..12_usize,
        text in "[a-z0-9:${}'\" \n|&*\\[\\]=!<>.-]{0,12}",
    ) {
        let (before, after) = FULL.split_at(at);
        let changed = format!("{before}{text}{}", after.get(cut..).unwrap_or_default());
        let library = library();
        let outcome = parse_recipe("p.yaml", &changed).and_then(|recipe| {
            resolve(&recipe, &ResolveOptions::new(Architecture::X86_64, &library))
        });
        match outcome {
            Ok(recipe) => prop_assert_eq!(recipe.canonical_json(), recipe.clone().canonical_json()),
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
        }
    }
}
