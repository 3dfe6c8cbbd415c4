//! The command line: every command and flag in one place, help texts included.

mod image;
mod package;
mod recipe;

use std::path::PathBuf;

use boltworks_config::{Bytes, Span};
use boltworks_model::{Architecture, Timestamp};
use boltworks_version::apk::Dependency;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::image::{
    Compression, Image, ImageBuild, ImageContents, ImagePublish, ImagePull, ImagePush, ImageTest,
    Layers, SbomForm,
};
pub(crate) use self::package::{Rebuild, Scan};
pub(crate) use self::recipe::{
    Compile, Fmt, Graph, LicenseCheck, LicenseForm, Lint, Recipe, ScanType,
};

/// A software factory: packages and minimal images from source, each with its evidence.
#[derive(Debug, Parser)]
#[command(
    name = "boltworks",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    /// The factory's file.
    #[arg(
        long,
        global = true,
        default_value = "boltworks.yaml",
        value_name = "FILE"
    )]
    pub factory: PathBuf,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more; twice, say much more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Fetch nothing: use what the store has.
    #[arg(long, global = true)]
    pub offline: bool,
    #[command(subcommand)]
    pub command: Command,
}

// A command's arguments are made when it is chosen. What several have stands in
// structs without documentation: it would take the place of the command's own.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Make a new factory in a folder.
    Init(Init),
    /// Make everything that is stale, judge it and release it.
    Up(Up),
    /// Say what is stale and why, and make nothing.
    Plan,
    /// Say why an artifact was made and from what.
    Explain(Explain),
    /// Say what is released, what failed last, and what the state takes.
    Status,
    /// Build the packages of one recipe.
    Build(Build),
    /// Run the tests of one recipe.
    Test(Test),
    /// Open a shell where a build or test failed; without a name, list where that can be.
    Shell(Shell),
    /// Work on recipes.
    #[command(subcommand)]
    Recipe(Recipe),
    /// Work on images.
    #[command(subcommand)]
    Image(Image),
    /// Work on apk packages, indexes and keys.
    #[command(subcommand)]
    Apk(Apk),
    /// Choose packages and say why.
    Solve(Solve),
    /// Work on sources.
    #[command(subcommand)]
    Source(Source),
    /// Make or refresh the packages the first compiler comes from.
    Stage0(Stage0),
    /// Serve what is released, over HTTP.
    Serve(Serve),
    /// Work on the store.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Take melange's command line; a link named melange does the same.
    #[command(disable_help_flag = true)]
    Melange {
        /// Its words.
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "WORD"
        )]
        words: Vec<std::ffi::OsString>,
    },
    /// Take apko's command line; a link named apko does the same.
    #[command(disable_help_flag = true)]
    Apko {
        /// Its words.
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "WORD"
        )]
        words: Vec<std::ffi::OsString>,
    },
    /// Print the JSON schema of boltworks.yaml.
    Schema,
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder.
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder; made where it is missing.
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// How many builds run at once [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Print every line that builds print.
    #[arg(long)]
    pub log: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Stage0 {
    /// Write the packages and a signed index there, as a repository: DIR/ARCH/APKINDEX.tar.gz.
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A package, an image, a channel, `"recipe NAME"`, a file name, a digest or its beginning.
    pub artifact: String,
    /// Also what was made before the newest and is released nowhere.
    #[arg(long)]
    pub all: bool,
}

// Packages that are there already, beside the factory's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Packages")]
pub(crate) struct Packages {
    /// A repository to take packages from: a folder that holds ARCH/APKINDEX.tar.gz. The first is
    /// preferred.
    #[arg(short, long, value_delimiter = ',', value_name = "FOLDER")]
    pub repository_append: Vec<PathBuf>,
    /// A public key that repositories are signed with, beside the factory's own.
    #[arg(short, long, value_delimiter = ',', value_name = "FILE")]
    pub keyring_append: Vec<PathBuf>,
    /// Take packages from repositories whoever signed them.
    #[arg(long)]
    pub ignore_signatures: bool,
}

// Pipelines beside those that are built in.
#[derive(Debug, Args)]
pub(crate) struct Pipelines {
    /// A folder of pipelines; they go before the factory's, if there is one, and the built-in ones.
    #[arg(
        long,
        visible_alias = "pipeline-dirs",
        value_delimiter = ',',
        value_name = "FOLDER"
    )]
    pub pipeline_dir: Vec<PathBuf>,
}

// How a recipe is understood, and what its steps may use.
#[derive(Debug, Args)]
#[command(next_help_heading = "Recipe")]
pub(crate) struct Reading {
    #[command(flatten)]
    pub pipelines: Pipelines,
    /// The folder whose files are laid into the workspace [default: the one beside the recipe that
    /// is named like the package]
    #[arg(long, value_name = "FOLDER")]
    pub source_dir: Option<PathBuf>,
    /// Lay no files into the workspace.
    #[arg(long, conflicts_with = "source_dir")]
    pub empty_workspace: bool,
    /// The C library that ${{host.triplet.gnu}} names.
    #[arg(
        long,
        alias = "override-host-triplet-libc-substitution-flavor",
        default_value = "musl",
        value_name = "LIBC"
    )]
    pub libc: Libc,
    /// An option of the recipe to switch on.
    #[arg(
        long,
        visible_alias = "test-option",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub build_option: Vec<String>,
    /// A file of NAME=VALUE lines: variables that steps see.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// A package in the environment beside those the recipe names.
    #[arg(
        long,
        visible_alias = "test-package-append",
        value_delimiter = ',',
        value_name = "PACKAGE"
    )]
    pub package_append: Vec<Dependency>,
    /// The longest a step may take, like 90s, 20m or 2h [default: the factory's `limits.wall`, 2h]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Span>,
    /// The most memory a step may use, like 512MiB or 4GiB [default: the factory's `limits.memory`, none]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Bytes>,
    /// The architecture [default: the factory's]
    #[arg(long, value_parser = architecture, value_delimiter = ',', value_name = "ARCH")]
    pub arch: Vec<Architecture>,
    /// Print every line that steps print.
    #[arg(long)]
    pub log: bool,
}

/// A C library.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Libc {
    /// glibc
    #[value(alias = "glibc")]
    Gnu,
    /// musl
    Musl,
}

/// A processor architecture by apk's or OCI's name, or `host`.
fn architecture(text: &str) -> Result<Architecture, String> {
    let name = if text == "host" {
        std::env::consts::ARCH
    } else {
        text
    };
    name.parse()
        .map_err(|error: boltworks_model::NameError| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The recipe.
    pub file: PathBuf,
    /// The private key to sign packages and index with [default: the factory's]
    #[arg(long, value_name = "FILE")]
    pub signing_key: Option<PathBuf>,
    /// Where packages and index go: into ARCH/ beneath it.
    #[arg(long, default_value = "packages", value_name = "FOLDER")]
    pub out_dir: PathBuf,
    /// Bring the index in the out-dir up to date.
    #[arg(
        long,
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    pub generate_index: bool,
    /// The time in packages, like 2026-11-26T10:25:20Z [default: the factory's]
    #[arg(long = "build-date", value_name = "TIME")]
    pub date: Option<Timestamp>,
    /// Open a shell in the guest where a step fails. What a person goes on with is no package of the
    /// factory.
    #[arg(short, long)]
    pub interactive: bool,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub packages: Packages,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The recipe.
    pub file: PathBuf,
    /// The package to test [default: all of the recipe's]
    pub package: Option<String>,
    /// Open a shell in the guest where a step fails. Tests run one by one then.
    #[arg(short, long)]
    pub interactive: bool,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub packages: Packages,
}

#[derive(Debug, Args)]
pub(crate) struct Shell {
    /// The workspace that the failure named: its folder, or that folder's name.
    pub workspace: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Apk {
    /// Make a key pair: FILE and FILE.pub.
    Keygen {
        /// The private key's file.
        #[arg(default_value = "boltworks.rsa")]
        file: PathBuf,
    },
    /// Sign packages anew with a key.
    Sign {
        /// The private key.
        #[arg(short = 'k', long, value_name = "FILE")]
        signing_key: PathBuf,
        /// Packages or indexes.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Make, merge and sign an index of packages.
    Index {
        /// The index to write.
        #[arg(short, long, default_value = "APKINDEX.tar.gz", value_name = "FILE")]
        output: PathBuf,
        /// The key to sign it with.
        #[arg(short = 'k', long, value_name = "FILE")]
        signing_key: Option<PathBuf>,
        /// Only packages of this architecture.
        #[arg(short, long, value_parser = architecture, value_name = "ARCH")]
        arch: Option<Architecture>,
        /// Keep what the index has already.
        #[arg(short, long)]
        merge: bool,
        /// The packages.
        files: Vec<PathBuf>,
    },
    /// Check signatures, digests and structure of packages and indexes.
    Verify {
        /// A public key to trust.
        #[arg(short, long, value_name = "FILE")]
        keyring_append: Vec<PathBuf>,
        /// Check everything but signatures.
        #[arg(long)]
        ignore_signatures: bool,
        /// Packages or indexes.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what a package says of itself and what it holds.
    Info {
        /// The package.
        file: PathBuf,
        /// List its files too.
        #[arg(short, long)]
        files: bool,
    },
    /// Show how two packages differ.
    Diff {
        /// One package.
        before: PathBuf,
        /// The other.
        after: PathBuf,
    },
    /// Make packages again from the recipe inside them, and show how they differ.
    Rebuild(Rebuild),
    /// Read what packages need and offer off their files again.
    Scan(Scan),
}

/// Who chooses packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Solver {
    /// Boltworks.
    Boltworks,
    /// apko's way.
    Apko,
}

#[derive(Debug, Args)]
pub(crate) struct Solve {
    /// What is wanted: names, with constraints and conflicts.
    #[arg(required = true, value_name = "PACKAGE")]
    pub wanted: Vec<Dependency>,
    /// Say why each package was chosen, and where apko's choice differs and why.
    #[arg(long)]
    pub explain: bool,
    /// Whose choice it is: boltworks finds one where there is one, apko never goes back.
    #[arg(long, default_value = "boltworks", value_name = "WHOSE")]
    pub solver: Solver,
    /// Solve as for an image: without stage 0.
    #[arg(long)]
    pub image: bool,
    /// The architecture.
    #[arg(long, value_parser = architecture, default_value = "x86_64", value_name = "ARCH")]
    pub arch: Architecture,
    #[command(flatten)]
    pub packages: Packages,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Source {
    /// Fetch the sources of recipes into the store.
    Fetch {
        /// Recipes of the factory, by name or file [default: all]
        recipes: Vec<String>,
    },
    /// Hash the sources in the store against what recipes expect.
    Verify {
        /// Recipes of the factory, by name or file [default: all]
        recipes: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:5000", value_name = "ADDRESS")]
    pub listen: std::net::SocketAddr,
    /// Write the address that is listened on into a file once it answers (port 0 picks one).
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum StoreCommand {
    /// Hash every blob, and say what is bad and what is missing.
    Verify {
        /// Move bad blobs out of the store, so that `up` makes them anew.
        #[arg(long)]
        set_aside: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn told(command: &clap::Command) -> Vec<String> {
        let below = command.get_subcommands();
        let below = below.filter(|below| below.get_name() != "help");
        below
            .flat_map(|below| {
                let about = below.get_about().map(ToString::to_string);
                let line = format!("{}: {}", below.get_name(), about.unwrap_or_default());
                [vec![line], told(below)].concat()
            })
            .collect()
    }

    #[test]
    fn arguments_do_not_change_what_a_command_is_for() {
        let mut command = Arguments::command();
        let before = told(&command);
        command.build();
        assert_eq!(told(&command), before);
        assert!(before.len() > 40);
        Arguments::command().debug_assert();
    }
}
