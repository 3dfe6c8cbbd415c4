//! `boltworks recipe`: recipes as they are understood.

use std::process::ExitCode;

use boltworks_factory::single::{BumpOrder, Reading};

use crate::arguments::{Arguments, Compile, Recipe};
use crate::commands::{bump, fmt, given, graph, licences, lint, session};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(
    arguments: &Arguments,
    recipe: &Recipe,
    output: &Output,
) -> Result<ExitCode, Failure> {
    match recipe {
        Recipe::Bump(bump) => {
            let order = BumpOrder {
                file: bump.file.clone(),
                version: bump.to.clone(),
                commit: bump.expected_commit.clone(),
                reading: Reading {
                    pipelines: bump.pipelines.pipeline_dir.clone(),
                    ..Reading::default()
                },
            };
            bump::run(&session::open_home(arguments, None)?, &order, output)
        }
        Recipe::Compile(compile) => run_compile(compile, output),
        Recipe::Fmt(given) => fmt::run(given, output),
        Recipe::Lint(given) => lint::run(given, output),
        Recipe::LicenseCheck(check) => licences::run(arguments, check, output),
        Recipe::Graph(graph) => graph::run(arguments, graph, output),
    }
}

fn run_compile(compile: &Compile, output: &Output) -> Result<ExitCode, Failure> {
    let reading = Reading {
        pipelines: compile.pipelines.pipeline_dir.clone(),
        libc: given::libc(compile.libc),
        options: compile.build_option.iter().cloned().collect(),
        ..Reading::default()
    };
    let recipe = reading.recipe(&compile.file, compile.arch)?;
    output.raw(&recipe.compile_json());
    Ok(ExitCode::SUCCESS)
}
