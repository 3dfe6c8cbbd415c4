//! From flags to what the factory wants: where it works, how a recipe is read, which packages there are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use boltworks_apk::index::FILE_NAME;
use boltworks_config::{Bytes, Span};
use boltworks_factory::files::{self, Place, is_passing};
use boltworks_factory::repository::{Given, is_address, parted};
use boltworks_factory::single::{Reading, SourceFolder, linting};
use boltworks_factory::{Error, Home};
use boltworks_fsx::{Limit, Root};
use boltworks_model::{Architecture, Sink, visible_path};
use boltworks_package::lint::Level;
use boltworks_recipe::Libc;

use super::flag::Words;
use super::named::{Named, add_repository};
use super::{dotenv, quantity, usage};
use crate::commands::{self, session};
use crate::dialect::architecture;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;

/// The factory's file that counts, if it is there.
const FACTORY: &str = "boltworks.yaml";
/// Names of recipes that are looked for where none is named.
const RECIPES: [&str; 4] = [
    ".melange.yaml",
    ".melange.yml",
    "melange.yaml",
    "melange.yml",
];
/// Set to anything, what packages need of libraries is bound to their versions.
const BIND_LIBRARIES: &str = "MELANGE_VERSIONED_SHLIB_DEPENDS";
/// The file that `--create-build-log` adds to.
pub(super) const BUILD_LOG: &str = "packages.log";
/// No file of variables is larger.
const TEXT_LIMIT: Limit = Limit::mib(4);

/// The recipe of the command line, or the one that lies here. What follows it is told of.
pub(super) fn recipe(words: &Words<'_>, output: &Output) -> Result<PathBuf, Failure> {
    let mut operands = words.operands().into_iter();
    let named = operands.next();
    for more in operands {
        output.note(&format!(
            "! '{}' is not looked at: there is one recipe, and a flag's value that may be left out is \
             written --flag=value",
            visible_path(&more)
        ));
    }
    if let Some(named) = named {
        return Ok(named);
    }
    for name in RECIPES {
        if Place::of(Path::new(name))?.stat()?.is_some() {
            output.note(&format!("no recipe is named: {name} is taken"));
            return Ok(PathBuf::from(name));
        }
    }
    Err(usage(
        "no recipe is named, and there is no melange.yaml here",
        "name one behind the command: RECIPE.yaml",
    ))
}

/// The factory of this folder; where there is none, one whose state lies in the user's cache folder.
pub(super) fn home(words: &Words<'_>) -> Result<Home, Failure> {
    let mut home = match Home::open(Path::new(FACTORY), host::host(None, false)) {
        Err(Error::NoFactory { .. }) => session::makeshift(host::host(None, false))?,
        other => other?,
    };
    let namespace = words.text("namespace").unwrap_or_default();
    if !namespace.is_empty() && (home.is_makeshift || words.is_given("namespace")) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !namespace.chars().all(is_name) {
            return Err(usage(
                format!("'{namespace}' is no namespace of packages"),
                "letters, digits, '.', '-' and '_' are",
            ));
        }
        home.rename(&namespace);
    }
    home.caches = caches(words)?;
    let is_set = |value: &String| !value.is_empty();
    home.config.bind_libraries |= host::environment().get(BIND_LIBRARIES).is_some_and(is_set);
    if words.is_given("lint-require") || words.is_given("lint-warn") {
        home.lint_levels = lint_levels(words)?;
    }
    let limits = &mut home.config.limits;
    if let Some(text) = words.text("timeout") {
        let span = quantity::duration(&text);
        let span = span.ok_or_else(|| {
            usage(
                format!("'{text}' is no time"),
                "write it like 90s, 20m or 1h30m",
            )
        })?;
        if !span.is_zero() {
            limits.wall = Some(Span(span));
        }
    }
    if let Some(text) = words.text("memory") {
        let bytes = quantity::bytes(&text);
        let bytes = bytes.ok_or_else(|| {
            usage(
                format!("'{text}' is no amount of memory"),
                "write it like 512Mi or 8Gi",
            )
        })?;
        limits.memory = Some(Bytes(bytes));
    }
    Ok(home)
}

/// The level of every linter, as the flags say.
pub(super) fn lint_levels(words: &Words<'_>) -> Result<BTreeMap<String, Level>, Failure> {
    let list = |name| words.is_given(name).then(|| words.texts(name));
    let (required, warned) = (list("lint-require"), list("lint-warn"));
    Ok(linting::levels(required.as_deref(), warned.as_deref())?)
}

/// Folders of sources that were fetched before.
fn caches(words: &Words<'_>) -> Result<Vec<PathBuf>, Failure> {
    let source = words.path("cache-source");
    if let Some(source) = &source
        && is_address(source)
    {
        return Err(usage(
            format!(
                "--cache-source {}: sources are not taken from buckets",
                visible_path(source)
            ),
            "copy them into a folder, and name that",
        ));
    }
    let folders = words.path("cache-dir").into_iter().chain(source);
    let folders = folders.map(|folder| {
        verify_folder(&folder)?;
        Ok(host::absolute(&folder))
    });
    folders.collect()
}

/// Refuses what is there and is no folder. One that is not there may be made later.
fn verify_folder(path: &Path) -> Result<(), Failure> {
    match Root::open(path) {
        Err(error) if error.is_not_found() => Ok(()),
        Err(_) => Ok(files::folder(path).map(drop)?),
        Ok(_) => Ok(()),
    }
}

/// What is built for; whether what this machine cannot build for was asked for by name.
pub(super) fn is_wanted(
    words: &Words<'_>,
    own: Architecture,
    output: &Output,
) -> Result<bool, Failure> {
    let asked = words.texts("arch");
    let mut is_own = asked.is_empty();
    for name in asked {
        if name == "all" {
            is_own = true;
            continue;
        }
        let arch = architecture(&name)?;
        if arch == own {
            is_own = true;
        } else {
            output.note(&format!(
                "! skipped for {arch}: this machine builds for {own}"
            ));
        }
    }
    Ok(is_own)
}

/// How a recipe is read.
pub(super) fn reading(
    words: &Words<'_>,
    recipe: &Path,
    output: &Output,
) -> Result<Reading, Failure> {
    let sources = match words.path("source-dir") {
        _ if words.is_on("empty-workspace") => SourceFolder::Nowhere,
        Some(folder) if is_gone(&folder, output) => SourceFolder::Nowhere,
        Some(folder) => SourceFolder::Folder(folder),
        None if is_passing(recipe) => SourceFolder::Nowhere,
        None => SourceFolder::Folder(parent(recipe).to_owned()),
    };
    let libc = words.text("override-host-triplet-libc-substitution-flavor");
    let mut pipelines: Vec<PathBuf> = words.path("pipeline-dir").into_iter().collect();
    pipelines.extend(words.paths("pipeline-dirs"));
    let options = [words.texts("build-option"), words.texts("test-option")];
    let packages = [
        words.texts("package-append"),
        words.texts("test-package-append"),
    ];
    let packages = packages.concat().into_iter().map(|text| {
        text.parse().map_err(|_| {
            usage(
                format!("'{text}' is no package"),
                "write it like zlib or zlib>=1.3",
            )
        })
    });
    Ok(Reading {
        pipelines: commands::given::pipelines(&pipelines, output),
        libc: match libc.as_deref() {
            None | Some("gnu" | "glibc") => Libc::Glibc,
            Some("musl") => Libc::Musl,
            Some(other) => {
                return Err(usage(
                    format!("'{other}' is no C library"),
                    "there are gnu and musl",
                ));
            }
        },
        options: options.concat().into_iter().collect(),
        sources,
        packages: packages.collect::<Result<_, _>>()?,
        variables: variables(&words.paths("env-file"))?,
        vars: vars(words.path("vars-file").as_deref())?,
        commit: words.text("git-commit"),
        withheld: withheld(words, recipe),
    })
}

pub(super) fn is_gone(folder: &Path, output: &Output) -> bool {
    let is_gone = Root::open(folder).is_err_and(|error| error.is_not_found());
    if is_gone {
        let folder = visible_path(folder);
        output.note(&format!(
            "! --source-dir {folder} is not there: it goes on as if it were empty"
        ));
    }
    is_gone
}

/// What lies in a source folder and is none of its sources: keys, and what a build reads and writes
/// itself. In the recipe's own folder the recipe and the repository's history are not either: every
/// comment and every commit would make all packages anew.
fn withheld(words: &Words<'_>, recipe: &Path) -> Vec<PathBuf> {
    let single = [
        "signing-key",
        "out-dir",
        "cache-dir",
        "cache-source",
        "workspace-dir",
    ];
    let several = ["keyring-append", "repository-append"];
    let mut withheld: Vec<PathBuf> = single.iter().filter_map(|name| words.path(name)).collect();
    let several = several.iter().flat_map(|name| words.paths(name));
    withheld.extend(several.map(|named| parted(&named).1));
    withheld.push(PathBuf::from(BUILD_LOG));
    if words.path("source-dir").is_none() {
        let folder = parent(recipe);
        withheld.push(recipe.to_owned());
        withheld.push(folder.join(".git"));
        let files = Root::open(folder).and_then(|folder| folder.list());
        let keys = files
            .unwrap_or_default()
            .into_iter()
            .map(|entry| entry.name);
        let keys = keys.filter(|name| name.ends_with(b".rsa"));
        withheld.extend(keys.map(|name| folder.join(OsString::from_vec(name))));
    }
    withheld
}

/// The folder a path is in; this one, for what lies in none.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") && !is_passing(path) => parent,
        _ => Path::new("."),
    }
}

/// Variables of several files; of two that set the same one, the first counts.
fn variables(files: &[PathBuf]) -> Result<BTreeMap<String, String>, Failure> {
    let mut variables = BTreeMap::new();
    for file in files {
        let text = Place::of(file)?.read_text(TEXT_LIMIT)?;
        let read = dotenv::parse(&text).map_err(|(line, what)| {
            usage(
                format!("{}:{line}: {what}", visible_path(file)),
                "correct the line",
            )
        })?;
        for (name, value) in read {
            variables.entry(name).or_insert(value);
        }
    }
    Ok(variables)
}

fn vars(file: Option<&Path>) -> Result<BTreeMap<String, String>, Failure> {
    let Some(file) = file else {
        return Ok(BTreeMap::new());
    };
    let text = Place::of(file)?.read_text(TEXT_LIMIT)?;
    boltworks_yaml::parse(&file.to_string_lossy(), &text).map_err(|error| {
        usage(
            error.to_string(),
            "it is a list of `name: value`, each a text",
        )
    })
}

/// Repositories and keys: those of the command line, then those that environments name. A folder
/// without an index is left out with a note, as melange does: it is often the out-dir of a first build.
pub(super) fn packages(
    words: &Words<'_>,
    named: &Named<'_>,
    (architecture, output): (Architecture, &Output),
) -> Result<Given, Failure> {
    let mut given = Given {
        repositories: Vec::new(),
        keys: words.paths("keyring-append"),
        ignore_signatures: words.is_on("ignore-signatures"),
        ..Given::default()
    };
    for repository in words.texts("repository-append") {
        add_repository(&mut given, &repository)?;
    }
    named.add_to(&mut given, (architecture, output))?;
    let mut listed = Vec::new();
    for repository in given.repositories {
        let folder = parted(&repository).1.join(architecture.apk());
        if has_index(&repository, &folder)? {
            listed.push(repository);
        } else {
            output.note(&format!(
                "! no packages come from {}: {} has no {FILE_NAME}",
                visible_path(&repository),
                visible_path(&folder)
            ));
        }
    }
    given.repositories = listed;
    Ok(given)
}

/// Whether a repository's folder has an index. What is at an address is asked later.
fn has_index(repository: &Path, folder: &Path) -> Result<bool, Failure> {
    if is_address(repository) {
        return Ok(true);
    }
    verify_folder(&parted(repository).1)?;
    let index = Root::open(folder).and_then(|folder| folder.exists(&FILE_NAME.parse()?));
    match index {
        Err(error) if error.is_not_found() => Ok(false),
        other => Ok(other?),
    }
}

/// Checks which runner is asked for; there is one.
pub(super) fn runner(words: &Words<'_>, output: &Output) -> Result<(), Failure> {
    match words.text("runner").as_deref() {
        None => Ok(()),
        Some(runner @ ("bubblewrap" | "docker" | "qemu")) => {
            output.note(&format!(
                "! --runner {runner}: steps run in the program's own sandbox all the same, and without a \
                 network"
            ));
            Ok(())
        }
        Some(other) => Err(usage(
            format!("'{other}' is no runner"),
            "leave it out: steps run in the program's own sandbox",
        )),
    }
}

/// Who gets a shell where a step fails, if it is asked for, and who watches.
pub(super) fn attended(
    words: &Words<'_>,
) -> Result<(Option<session::Chair>, Box<dyn Sink>), Failure> {
    session::attended(&session::Shown {
        interactive: words.is_on("interactive"),
        every_line: words.is_on("debug"),
    })
}

/// Refuses a workspace with something in it: what lay there would have counted.
pub(super) fn workspace(words: &Words<'_>) -> Result<(), Failure> {
    let Some(folder) = words.path("workspace-dir") else {
        return Ok(());
    };
    verify_folder(&folder)?;
    let is_used = match Root::open(&folder) {
        Ok(root) => !root.list()?.is_empty(),
        Err(error) if error.is_not_found() => false,
        Err(error) => return Err(error.into()),
    };
    if is_used {
        return Err(usage(
            format!(
                "--workspace-dir {}: something is in it",
                visible_path(&folder)
            ),
            "name what a build shall find with --source-dir: every workspace is laid out anew, beneath \
             the state",
        ));
    }
    Ok(())
}
