//! The command line of what is done again with packages that are there: `apk rebuild`, `apk scan`.

use std::path::PathBuf;

use clap::Args;

use super::Packages;

#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// The packages.
    #[arg(required = true, value_name = "PACKAGE")]
    pub files: Vec<PathBuf>,
    /// Where the packages go that are made again: into ARCH/ beneath it [default: nowhere]
    #[arg(long, value_name = "FOLDER")]
    pub out_dir: Option<PathBuf>,
    /// The private key to sign them with [default: the factory's]
    #[arg(long, value_name = "FILE")]
    pub signing_key: Option<PathBuf>,
    /// The files that lay beside the recipe [default: the factory's own, if it has that recipe]
    #[arg(long, value_name = "FOLDER")]
    pub source_dir: Option<PathBuf>,
    /// Print every line that steps print.
    #[arg(long)]
    pub log: bool,
    #[command(flatten)]
    pub packages: Packages,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// The packages.
    #[arg(required = true, value_name = "PACKAGE")]
    pub files: Vec<PathBuf>,
    /// Show how it differs from what they say of themselves; the exit code is 1 if it does.
    #[arg(long)]
    pub diff: bool,
    /// What is a comment counts too: libraries that a package carries for its own use.
    #[arg(long)]
    pub comments: bool,
}
