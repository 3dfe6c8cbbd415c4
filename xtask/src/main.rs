//! Chores of this repository: `cargo xtask tidy` holds documents and structure against the code.

mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("tidy") => repository().and_then(|root| tidy::run(&root)),
        _ => Err(anyhow::anyhow!("usage: cargo xtask tidy")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository: the folder above this crate's.
fn repository() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().context("xtask has no parent folder")?;
    if !root.join("Cargo.lock").is_file() {
        bail!("{} is not the repository", root.display());
    }
    Ok(root.to_owned())
}

#[expect(clippy::print_stderr, reason = "this is a program for people")]
fn report(text: &str) {
    eprintln!("{text}");
}
