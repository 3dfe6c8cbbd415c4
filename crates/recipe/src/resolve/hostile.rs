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

#[test]
fn no_script_has_a_nul() {
    for step in [
        r#"runs: "echo \0 x""#,
        r#"{runs: a, environment: {A: "b\0"}}"#,
        r#"{runs: a, working-directory: "b\0"}"#,
    ] {
        let error = bad(&format!("pipeline:\n- {step}\n"));
        assert!(error.starts_with("demo.yaml:6:"), "{error}");
        assert!(error.contains("has a NUL (`\\0`)"), "{error}");
    }
}

/// A recipe that uses most of the format.
const FULL: &str = "package:\n  name: demo\n  version: 1.2\n  epoch: 3\n  dependencies:\n    runtime: [a, 'b>=1']\n\
    environment:\n  contents:\n    packages: [c]\nvars:\n  x: '${{package.version}}'\npipeline:\n- if: ${{build.arch}} == 'x86_64'\n  \
    uses: autoconf/make\n  with:\n    opts: |\n      V=${{vars.x}}\n- runs: echo\n  working-directory: a\n\
    subpackages:\n- name: demo-dev\n  pipeline:\n  - uses: split/dev\n  test:\n    pipeline:\n    - runs: 'true'\n";

#[test]
fn what_no_program_can_be_handed_is_refused() {
    let most = 120 * 1024;
    let script = |size: usize| format!("pipeline:\n- runs: {}\n", "x".repeat(size));
    good(&script(most));
    let variable = |size: usize| {
        let value = "x".repeat(size);
        [
            format!("environment: {{environment: {{V: {value}}}}}\n"),
            format!("pipeline: [{{runs: x, environment: {{V: {value}}}}}]\n"),
            format!("test: {{environment: {{environment: {{V: {value}}}}}, pipeline: []}}\n"),
        ]
    };
    for text in variable(most - 1) {
        good(&text);
    }
    // A step has the variables of those around it.
    let nested = (0..5).fold("runs: x".to_owned(), |inner, level| {
        let value = "x".repeat(most - 2);
        format!("pipeline: [{{environment: {{V{level}: {value}}}, {inner}}}]")
    });
    let [first, second, third] = variable(most);
    let said = [
        script(most + 1),
        first,
        second,
        third,
        format!("{nested}\n"),
    ]
    .map(|text| bad(&text));
    insta::assert_snapshot!(said.join("\n"), @"
    demo.yaml:6:9: the script has 122881 bytes, and a program can be handed 122880
    demo.yaml:5:32: the variable 'V' has 122881 bytes, and a program can be handed 122880
    demo.yaml:5:39: the variable 'V' has 122881 bytes, and a program can be handed 122880
    demo.yaml:5:39: the variable 'V' has 122881 bytes, and a program can be handed 122880
    demo.yaml:5:491675: the list of all variables has 614400 bytes, and a program can be handed 524288
    ");
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    let recipe = |name: &str, package: &str| {
        let text =
            format!("package: {{name: {name}, version: 1}}\nsubpackages: [{{name: {package}}}]\n");
        let parsed = parse_recipe("a.yaml", &text).unwrap();
        resolve(
            &parsed,
            &ResolveOptions::new(Architecture::X86_64, &library()),
        )
    };
    let longest = "a".repeat(255 - "-1-r0.spdx.json".len());
    recipe(&longest, "b").unwrap();
    recipe("b", &longest).unwrap();
    let longer = format!("{longest}a");
    let said = [recipe(&longer, "b"), recipe("b", &longer)]
        .map(|refused| refused.unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"), @"
    a.yaml:1:17: the package's name and version make a file name of 256 bytes, and 255 are the most (`NAME-VERSION.spdx.json`)
    a.yaml:2:22: the package's name and version make a file name of 256 bytes, and 255 are the most (`NAME-VERSION.spdx.json`)
    ");
}

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

#[test]
fn a_million_packages_are_refused_before_any_is_made() {
    // 2,000 items, 500 times: a million packages, of little text.
    let items: Vec<_> = (0..2_000).map(|i| format!("k{i}: v")).collect();
    let ranges = "- {range: d, name: 'x-${{range.key}}'}\n".repeat(500);
    let million = format!(
        "data: [{{name: d, items: {{{}}}}}]\nsubpackages:\n{ranges}",
        items.join(", ")
    );
    let error = bad(&million);
    assert!(
        error.contains("makes too many packages: the limit is 20000"),
        "{error}"
    );
    assert!(error.starts_with("demo.yaml:16:11: "), "{error}");

    // Two thousand are fine, with steps and tests of their own.
    let many = format!(
        "data: [{{name: d, items: {{{}}}}}]\nsubpackages:\n- range: d\n  name: x-${{{{range.key}}}}\n  \
         pipeline: [{{uses: split/dev}}, {{runs: a}}]\n  test: {{pipeline: [{{runs: b}}]}}\n",
        items.join(", ")
    );
    assert_eq!(good(&many).subpackages.len(), 2_000);

    // Few packages of very much text.
    let long = "x".repeat(100_000);
    let large = format!(
        "data: [{{name: d, items: {{{}}}}}]\nsubpackages: [{{range: d, name: 'x-${{{{range.key}}}}', description: {long}}}]\n",
        items.join(", ")
    );
    let error = bad(&large);
    assert!(error.contains("grows too long"), "{}", &error[..200]);
}

#[test]
fn transformations_that_blow_up_are_refused() {
    let transforms = |all: &str| bad(&format!("var-transforms:\n{all}"));
    let check = |all: &str, expected: &str| {
        let error = transforms(all);
        assert!(
            error.contains(expected),
            "{}",
            &error[..error.len().min(300)]
        );
    };
    // Each result is ten times the one before.
    let tenfold = |i: u32| {
        let from = match i.checked_sub(1) {
            Some(before) => format!("${{{{vars.v{before}}}}}"),
            None => "x".to_owned(),
        };
        format!("- {{from: '{from}', match: x, replace: xxxxxxxxxx, to: v{i}}}\n")
    };
    let tenfold = (0..20).map(tenfold).collect::<Vec<_>>().concat();
    check(&tenfold, "the text to transform is too long");
    let wide = format!(
        "- {{from: {}, match: x, replace: {}, to: v}}\n",
        "x".repeat(200),
        "y".repeat(1000)
    );
    check(&wide, "the transformed text is too long");
    // Patterns that are huge, or grow to be.
    let huge = |pattern: &str| format!("- {{from: x, match: '{pattern}', replace: y, to: v}}\n");
    check(&huge(&"a".repeat(5000)), "longer than 4096 bytes");
    check(&huge("((a{1,1000}){1,1000}){1,1000}"), "grows too large");
    check(&huge(r"\pL{1000}"), "grows too large");
    check(&huge(&"(".repeat(4000)), "nested too deeply");
    // A pattern that tries much for each character of a long text.
    let slow = format!(
        "- {{from: {}, match: '(x*?y|x){{100}}', replace: y, to: v}}\n",
        "x".repeat(4000)
    );
    check(&slow, "do too much work");
    // Very many small ones.
    check(&huge("a").repeat(20_000), "do too much work");
}

#[test]
fn ten_megabytes_are_refused_unread() {
    let ten = |line: &str| {
        format!(
            "package: {{name: a, version: 1}}\n{}",
            line.repeat((10 << 20) / line.len())
        )
    };
    for line in [
        "# comment\n",
        "- - - - - - -",
        "vars: {a: b}\n",
        "[[[[{{{{",
        "\"${{",
        "&a *a ",
    ] {
        let error = parse_recipe("h.yaml", &ten(line)).unwrap_err().to_string();
        assert!(error.contains("the limit is 4194304"), "{error}");
    }
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
