//! The command line of `boltworks recipe`.

use std::path::PathBuf;

use boltworks_model::Architecture;
use clap::{Args, Subcommand, ValueEnum};

use super::{Libc, Pipelines, architecture};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Recipe {
    /// Print recipes as they are understood: of each, one line of JSON.
    Compile(Compile),
    /// Move a recipe to another version: its epoch and the digests of its sources follow.
    Bump(Bump),
    /// Bring recipes into the usual form: indentation, blank lines, the ends of lines.
    Fmt(Fmt),
    /// Look for what is wrong with recipes, without building them.
    Lint(Lint),
    /// Compare the licences that a recipe declares with those that its sources show.
    LicenseCheck(LicenseCheck),
    /// Print the recipes of folders in an order in which they can be built, each with those it needs.
    Graph(Graph),
}

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Recipes, and folders of recipes.
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Write nothing; the exit code is 1 if a recipe is not in its usual form.
    #[arg(long)]
    pub check: bool,
    /// Write nothing, and print what would change, as `patch` takes it. The exit code is that of
    /// --check.
    #[arg(long)]
    pub diff: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Recipes, and folders of recipes.
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Put right what can be without a change of meaning.
    #[arg(long)]
    pub fix: bool,
    /// A rule that is not asked; may be given again.
    #[arg(long, value_delimiter = ',', value_name = "RULE")]
    pub skip_rule: Vec<String>,
    /// The architecture to read recipes for.
    #[arg(long, value_parser = architecture, default_value = "x86_64", value_name = "ARCH")]
    pub arch: Architecture,
    #[command(flatten)]
    pub pipelines: Pipelines,
}

#[derive(Debug, Args)]
pub(crate) struct LicenseCheck {
    /// A recipe, a package with the recipe inside it, or a folder of sources.
    #[arg(value_name = "FILE|FOLDER")]
    pub file: PathBuf,
    /// Name in the recipe what is found and not declared.
    #[arg(long)]
    pub fix: bool,
    /// How it is named: an entry for each licence, or one expression.
    #[arg(long, value_enum, default_value = "flat", value_name = "FORM")]
    pub format: LicenseForm,
    /// How deep files are looked for: at the top and one folder below, or everywhere.
    #[arg(long, value_enum, default_value = "shallow", value_name = "DEPTH")]
    pub scan_type: ScanType,
    #[command(flatten)]
    pub pipelines: Pipelines,
}

/// How licences are named in a recipe.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LicenseForm {
    /// An entry for each, with the file that holds its text.
    Flat,
    /// One expression.
    Simple,
}

/// How deep files are looked for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ScanType {
    /// At the top, and in the folders there.
    Shallow,
    /// Everywhere.
    Deep,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Folders of recipes.
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// The architecture to read recipes for.
    #[arg(long, value_parser = architecture, default_value = "x86_64", value_name = "ARCH")]
    pub arch: Architecture,
    #[command(flatten)]
    pub pipelines: Pipelines,
    /// Print it for Graphviz; what tests need is dashed.
    #[arg(long, conflicts_with = "json")]
    pub dot: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bump {
    /// The recipe.
    pub file: PathBuf,
    /// The new version.
    #[arg(value_name = "VERSION")]
    pub to: String,
    /// The commit of the new version, of a recipe that checks one out.
    #[arg(long, value_name = "COMMIT")]
    pub expected_commit: Option<String>,
    #[command(flatten)]
    pub pipelines: Pipelines,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// Recipes, and folders of recipes.
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// The architecture to resolve them for.
    #[arg(long, value_parser = architecture, default_value = "x86_64", value_name = "ARCH")]
    pub arch: Architecture,
    #[command(flatten)]
    pub pipelines: Pipelines,
    /// The C library that ${{host.triplet.gnu}} names.
    #[arg(
        long,
        alias = "override-host-triplet-libc-substitution-flavor",
        default_value = "musl",
        value_name = "LIBC"
    )]
    pub libc: Libc,
    /// An option of the recipe to switch on.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub build_option: Vec<String>,
}
