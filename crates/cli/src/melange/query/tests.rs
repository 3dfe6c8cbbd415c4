//! Templates and what they give.

use super::*;

const RECIPE: &str = "package:
  name: hello
  version: 3.10
  epoch: 2
  description: says hello
  url: https://example.org
  target-architecture: [aarch64]
  copyright:
    - license: MIT
    - license: Apache-2.0
  dependencies:
    runtime: [zlib, \"so:libc.musl-x86_64.so.1\", zlib]
environment:
  contents:
    packages: [busybox, \"${{package.name}}-data\"]
vars:
  a: one
  b: two
pipeline:
  - uses: some/where
    with:
      key: value
  - runs: make
subpackages:
  - name: ${{package.name}}-doc
    description: its manual
    pipeline:
      - uses: else/where
  - name: hello-dev
    if: ${{build.arch}} == 'aarch64'
update:
  enabled: true
  github:
    identifier: a/b
";

fn filled(template: &str) -> Result<String, String> {
    let recipe = boltworks_recipe::parse_recipe("hello.yaml", RECIPE).unwrap();
    fill(template, &data::recipe(recipe).unwrap())
}

#[track_caller]
fn check(template: &str, expected: &str) {
    assert_eq!(filled(template).as_deref(), Ok(expected), "{template}");
}

#[test]
fn subpackages_are_there_whatever_their_condition() {
    check("{{ len .Subpackages }}", "2");
    check(
        "{{ range .Subpackages }}{{ .Name }}: {{ .If }}; {{ end }}",
        "hello-doc: ; hello-dev: ${{build.arch}} == 'aarch64'; ",
    );
}

#[test]
fn fields_are_those_of_the_recipe() {
    check(VERSION, "hello-3.10-r2");
    check(
        "{{ .Package.FullVersion }} {{.Package.URL}}",
        "3.10-r2 https://example.org",
    );
    check(
        "{{.Package.Dependencies.Runtime}}",
        "[zlib so:libc.musl-x86_64.so.1 zlib]",
    );
    check("{{.Environment.Contents.Packages}}", "[busybox hello-data]");
    check("{{.Package.TargetArchitecture}}", "[aarch64]");
    check(
        "{{.Vars}} {{.Vars.b}} {{.Vars.c}}",
        "map[a:one b:two] two <no value>",
    );
    check(
        "{{.Update.Enabled}} {{.Update.GitHubMonitor.Identifier}}",
        "true a/b",
    );
    check("{{(index .Subpackages 0).Name}}", "hello-doc");
}

#[test]
fn records_are_printed_in_melanges_order() {
    check(
        "{{.Data}} {{.Options}} {{.VarTransforms}} {{.Capabilities}} {{.Test}}",
        "[] map[] [] {[] []} <nil>",
    );
    check(
        "{{.Update.GitHubMonitor}} {{.Update.GitMonitor}} {{.Update.VersionTransform}}",
        "{a/b      false} <nil> []",
    );
    let filled = |update: &str, template: &str| {
        let text = format!(
            "package: {{name: a, version: 1, epoch: 0}}\n\
             data: [{{name: d, items: {{a: b}}}}]\n\
             options: {{o: {{vars: {{x: y}}, environment: {{contents: {{packages: {{add: [p], remove: [q]}}}}}}}}}}\n\
             {update}\n"
        );
        let recipe = boltworks_recipe::parse_recipe("a.yaml", &text).unwrap();
        fill(template, &data::recipe(recipe).unwrap()).unwrap()
    };
    assert_eq!(
        filled("", "{{.Update}} {{.Data}} {{.Options}}"),
        "{false false false false  [] <nil> <nil> <nil> <nil> <nil> []  <nil> false} [] map[o:{map[x:y] {{{[p] [q]}}}}]"
    );
    assert_eq!(
        filled(
            "update: {enabled: true, ignore-regex-patterns: [^1, x], version-transform: [{match: a, replace: b}]}",
            "{{.Update}}"
        ),
        "{true false false false  [^1 x] <nil> <nil> <nil> <nil> <nil> [{a b}]  <nil> false}"
    );
    let update = "update: {enabled: true, git: {strip-prefix: v}, oci: {identifier: x}, \
        release-monitor: {identifier: 3}, schedule: {reason: r, period: weekly}, \
        version_data: {version_format: x, sources: [{name: cuda, stream: '1'}]}}";
    assert_eq!(
        filled(
            update,
            "{{.Update.GitMonitor}} {{.Update.OCIMonitor}} {{.Update.ReleaseMonitor}} \
             {{.Update.Schedule}} {{.Update.VersionDataMonitor}}"
        ),
        "{v   } {x    } {3    } {r weekly} {x [{cuda 1 []  false}]}"
    );
}

#[test]
fn what_is_not_written_is_nil_where_melange_has_it_so() {
    let filled = |fields: &str, below: &str, template: &str| {
        let text = format!(
            "package: {{name: a, version: 1, epoch: 0{fields}}}\n\
             subpackages: [{{name: b{below}}}]\n"
        );
        let recipe = boltworks_recipe::parse_recipe("a.yaml", &text).unwrap();
        fill(template, &data::recipe(recipe).unwrap()).unwrap()
    };
    let all = "{{.Package.Options}}|{{.Package.Resources}}|{{.Package.TestResources}}|\
        {{if .Package.Options}}y{{else}}n{{end}}{{with .Package.TestResources}}y{{else}}n{{end}}|\
        {{(index .Subpackages 0).Options}}";
    assert_eq!(filled("", "", all), "<nil>|{   }|<nil>|nn|<nil>");
    assert_eq!(
        filled(
            ", options: {no-depends: false}, test-resources: {cpu: 2}",
            ", options: {}",
            all
        ),
        "{false false false false}|{   }|{2   }|yy|{false false false false}"
    );
}

#[test]
fn ranges_conditions_and_variables() {
    check(
        "{{range .Subpackages}}{{.Name}},{{end}}",
        "hello-doc,hello-dev,",
    );
    check(
        "{{range $i, $p := .Package.Copyright}}{{$i}}{{$p.License}} {{end}}",
        "0MIT 1Apache-2.0 ",
    );
    check(
        "{{range $k, $v := .Vars}}{{$k}}={{$v}};{{end}}",
        "a=one;b=two;",
    );
    check(
        "{{range .Pipeline}}{{if .Uses}}{{.Uses}}{{else}}runs{{end}} {{end}}",
        "some/where runs ",
    );
    check(
        "{{range .Package.Dependencies.Provides}}x{{else}}none{{end}}",
        "none",
    );
    check(
        "{{with .Package.Commit}}{{.}}{{else}}no commit{{end}}",
        "no commit",
    );
    check(
        "{{$x := 1}}{{if eq $x 2}}a{{else if eq $x 1}}b{{else}}c{{end}}",
        "b",
    );
    check("{{$x := 1}}{{range .Vars}}{{$x = .}}{{end}}{{$x}}", "two");
    check("{{range .Vars}}{{$.Package.Name}}{{end}}", "hellohello");
    check(
        "{{range .Subpackages}}{{range .Pipeline}}{{.Uses}}{{end}}{{end}}",
        "else/where",
    );
}

#[test]
fn functions_and_pipes() {
    check("{{len .Subpackages}} {{.Package.Name | len}}", "2 5");
    check(
        "{{printf \"%s-%d %q %v%%\" .Package.Name .Package.Epoch \"a\\\"b\" .Vars}}",
        "hello-2 \"a\\\"b\" map[a:one b:two]%",
    );
    check("{{.Package.Name | printf \"<%s>\"}}", "<hello>");
    check(
        "{{if and .Update.Enabled (not .Update.Manual)}}yes{{end}}",
        "yes",
    );
    check(
        "{{or .Package.Commit \"none\"}} {{and \"\" .Package.Name}}",
        "none ",
    );
    check(
        "{{if eq .Package.Name \"a\" \"hello\"}}y{{end}}{{if ne 1 2}}y{{end}}{{if lt 1 2}}y{{end}}",
        "yyy",
    );
    check("{{print 1 2 \"a\" 3}}{{println \"x\" 1}}", "1 2a3x 1\n");
    check("{{index .Vars \"a\"}}", "one");
}

#[test]
fn white_space_is_cut_where_asked() {
    check("a \n{{- 1 -}}\n b", "a1b");
    check("{{/* a comment }} */}}x{{- /* another */ -}} y", "xy");
    check("{{`}}`}}{{\"}}\"}}", "}}}}");
}

#[test]
fn what_is_not_understood_is_named() {
    let refusal = |template: &str| filled(template).unwrap_err();
    for (template, words) in [
        ("{{.Package.Nmae}}", "did you mean 'Name'?"),
        ("{{.Package.Name.Length}}", "has no fields"),
        ("{{template \"x\"}}", "'template' is not supported"),
        ("{{define \"x\"}}{{end}}", "'define' is not supported"),
        (
            "{{html .Package.Name}}",
            "the function 'html' is not supported",
        ),
        ("{{upper .Package.Name}}", "there is no function 'upper'"),
        ("{{range .Vars}}", "'range' is never closed"),
        ("{{if 1}}{{else}}{{else}}{{end}}", "two 'else'"),
        ("{{end}}", "'end' ends nothing"),
        ("{{ .Package.Name", "never closed with '}}'"),
        ("{{ (len .Vars }}", "'(' is never closed"),
        ("{{ len .Vars) }}", "')' closes nothing"),
        ("{{ }}", "says nothing"),
        ("{{ 1.5 }}", "whole and decimal"),
        ("{{ $x }}", "no variable '$x'"),
        ("{{ printf \"%5s\" \"a\" }}", "'%5' is not supported"),
        ("{{ printf \"%s\" }}", "no value for '%s'"),
        ("{{ eq 1 \"1\" }}", "each with its like"),
        ("{{ index .Subpackages 9 }}", "has no number 9"),
        ("{{ .Package.Name 1 }}", "only a function"),
    ] {
        let said = refusal(template);
        assert!(said.contains(words), "{template}: {said}");
    }
    let deep = "{{if 1}}".repeat(60) + &"{{end}}".repeat(60);
    assert!(refusal(&deep).contains("deep"));
    let deep = format!("{{{{{}1{}}}}}", "(".repeat(60), ")".repeat(60));
    assert!(refusal(&deep).contains("deep"));
}
