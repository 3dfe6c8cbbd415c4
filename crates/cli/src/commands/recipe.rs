//! `boltworks recipe`: recipes as they are understood.

use std::process::ExitCode;

use boltworks_factory::single::Reading;

use crate::arguments::{Compile, Recipe};
use crate::commands::{given, graph};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(recipe: &Recipe, output: &Output) -> Result<ExitCode, Failure> {
    match recipe {
        Recipe::Compile(compile) => run_compile(compile, output),
        Recipe::Graph(graph) => graph::run(graph, output),
    }
}

fn run_compile(compile: &Compile, output: &Output) -> Result<ExitCode, Failure> {
    let reading = Reading {
        pipelines: compile.pipeline_dir.clone(),
        libc: given::libc(compile.libc),
        options: compile.build_option.iter().cloned().collect(),
        ..Reading::default()
    };
    let recipe = reading.recipe(&compile.file, compile.arch)?;
    output.raw(&recipe.compile_json());
    Ok(ExitCode::SUCCESS)
}
