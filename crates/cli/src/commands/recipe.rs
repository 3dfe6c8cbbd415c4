//! `boltworks recipe`: recipes as they are understood.

use std::process::ExitCode;

use boltworks_factory::Error;
use boltworks_factory::single::{self, BumpOrder, CompileOrder, Reading};
use boltworks_model::visible_path;

use crate::arguments::{Arguments, Compile, Recipe};
use crate::commands::{bump, fmt, given, graph, licences, lint, session};
use crate::failure::{self, Failure, USAGE};
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
                    pipelines: given::pipelines(&bump.pipelines.pipeline_dir, output),
                    ..Reading::default()
                },
            };
            bump::run(&session::home_or_makeshift(arguments)?, &order, output)
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
        pipelines: given::pipelines(&compile.pipelines.pipeline_dir, output),
        libc: given::libc(compile.libc),
        options: compile.build_option.iter().cloned().collect(),
        ..Reading::default()
    };
    let order = CompileOrder {
        paths: compile.paths.clone(),
        reading,
        architecture: compile.arch,
    };
    let mut alone = None;
    let mut code = ExitCode::SUCCESS;
    single::compile(&order, &mut |file, line| match line {
        Ok(line) => output.raw(&line),
        Err(error) if order.paths == [file] => alone = Some(error),
        Err(error) if is_for_others(&error) => {
            let (file, arch) = (visible_path(file), order.architecture);
            output.note(&format!("! {file} is not meant for {arch}"));
        }
        Err(error) => {
            tell(&error.into(), output);
            code = ExitCode::from(USAGE);
        }
    })?;
    match alone {
        Some(error) => Err(error.into()),
        None => Ok(code),
    }
}

fn is_for_others(error: &Error) -> bool {
    matches!(error, Error::Recipe(error) if error.is_other_architecture())
}

/// Tells of a recipe among others: machines read it as a line among theirs.
fn tell(failure: &Failure, output: &Output) {
    if output.is_json() {
        output.raw(&failure::document(failure).to_string());
    } else {
        failure::tell(failure, output);
    }
}
