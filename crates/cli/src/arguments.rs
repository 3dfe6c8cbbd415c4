//! The command line: every command and flag in one place, help texts included.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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

#[derive(Debug, Subcommand)]
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
    Stage0,
    /// Serve what is released, over HTTP.
    Serve(Serve),
    /// Work on the store.
    #[command(subcommand)]
    Store(StoreCommand),
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
pub(crate) struct Explain {
    /// A package, an image, a file name, a digest or its beginning.
    pub artifact: String,
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The recipe.
    pub file: PathBuf,
    /// The architecture to build for.
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,
    /// A repository of packages to build with: a folder that holds ARCH/APKINDEX.tar.gz.
    #[arg(short, long, value_name = "FOLDER")]
    pub repository_append: Vec<PathBuf>,
    /// A public key that repositories are signed with.
    #[arg(short, long, value_name = "FILE")]
    pub keyring_append: Vec<PathBuf>,
    /// The private key to sign with [default: the factory's]
    #[arg(long, value_name = "FILE")]
    pub signing_key: Option<PathBuf>,
    /// Where packages and index go.
    #[arg(long, default_value = "packages", value_name = "FOLDER")]
    pub out_dir: PathBuf,
    /// A folder of pipelines.
    #[arg(long, value_name = "FOLDER")]
    pub pipeline_dir: Vec<PathBuf>,
    /// The folder whose files are laid into the workspace [default: the one named like the package]
    #[arg(long, value_name = "FOLDER")]
    pub source_dir: Option<PathBuf>,
    /// The host triplet's C library: `gnu` or `musl`.
    #[arg(long, value_name = "LIBC")]
    pub libc: Option<String>,
    /// Print every line the build prints.
    #[arg(long)]
    pub log: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The recipe.
    pub file: PathBuf,
    /// The package to test [default: all of the recipe's]
    pub package: Option<String>,
    /// The architecture to test for.
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,
    /// A repository of packages to test with: a folder that holds ARCH/APKINDEX.tar.gz.
    #[arg(short, long, value_name = "FOLDER")]
    pub repository_append: Vec<PathBuf>,
    /// A public key that repositories are signed with.
    #[arg(short, long, value_name = "FILE")]
    pub keyring_append: Vec<PathBuf>,
    /// A folder of pipelines.
    #[arg(long, value_name = "FOLDER")]
    pub pipeline_dir: Vec<PathBuf>,
    /// The folder whose files are laid into the workspace [default: the one named like the package]
    #[arg(long, value_name = "FOLDER")]
    pub source_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Recipe {
    /// Print a recipe as it is understood: one line of JSON.
    Compile {
        /// The recipe.
        file: PathBuf,
        /// The architecture to resolve it for.
        #[arg(long, default_value = "x86_64", value_name = "ARCH")]
        arch: String,
        /// A folder of pipelines.
        #[arg(long, value_name = "FOLDER")]
        pipeline_dir: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Assemble an image: a layout where OUT is a folder, an archive where it is not.
    Build(ImageBuild),
}

#[derive(Debug, Args)]
pub(crate) struct ImageBuild {
    /// The image file.
    pub file: PathBuf,
    /// The image's name and tag.
    pub tag: String,
    /// An existing folder for an OCI layout, or the name of an archive for `docker load`.
    pub out: PathBuf,
    /// The architecture.
    #[arg(long, value_name = "ARCH")]
    pub arch: Vec<String>,
    /// A repository of packages: a folder that holds ARCH/APKINDEX.tar.gz.
    #[arg(short, long, value_name = "FOLDER")]
    pub repository_append: Vec<PathBuf>,
    /// A repository to build with that is not written into the image.
    #[arg(short, long, value_name = "FOLDER")]
    pub build_repository_append: Vec<PathBuf>,
    /// A public key that repositories are signed with.
    #[arg(short, long, value_name = "FILE")]
    pub keyring_append: Vec<PathBuf>,
    /// A package beside those of the file.
    #[arg(short, long, value_name = "PACKAGE")]
    pub package_append: Vec<String>,
    /// An annotation, `key:value`.
    #[arg(long, value_name = "KEY:VALUE")]
    pub annotations: Vec<String>,
    /// The time in the image, RFC 3339 [default: SOURCE_DATE_EPOCH, else the factory's]
    #[arg(long, value_name = "TIME")]
    pub build_date: Option<String>,
    /// Also write the SBOMs.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub sbom: bool,
    /// Where SBOMs go [default: beside OUT]
    #[arg(long, value_name = "FOLDER")]
    pub sbom_path: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
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
        #[arg(short, long, value_name = "ARCH")]
        arch: Option<String>,
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
}

#[derive(Debug, Args)]
pub(crate) struct Solve {
    /// What is wanted: names, with constraints and conflicts.
    #[arg(required = true)]
    pub wanted: Vec<String>,
    /// Say why each package was chosen.
    #[arg(long)]
    pub explain: bool,
    /// Solve as for an image: without stage 0.
    #[arg(long)]
    pub image: bool,
    /// The architecture.
    #[arg(long, default_value = "x86_64", value_name = "ARCH")]
    pub arch: String,
    /// A repository of packages: a folder that holds ARCH/APKINDEX.tar.gz.
    #[arg(short, long, value_name = "FOLDER")]
    pub repository_append: Vec<PathBuf>,
    /// A public key that repositories are signed with.
    #[arg(short, long, value_name = "FILE")]
    pub keyring_append: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    /// Fetch the sources of recipes into the store.
    Fetch {
        /// Recipes of the factory [default: all]
        recipes: Vec<String>,
    },
    /// Hash the sources in the store against what recipes expect.
    Verify {
        /// Recipes of the factory [default: all]
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
pub(crate) enum StoreCommand {
    /// Hash every blob and say what is bad.
    Verify,
}
