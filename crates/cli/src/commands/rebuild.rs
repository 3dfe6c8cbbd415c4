//! `boltworks apk rebuild`: packages made again from the recipe inside them, and compared.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use boltworks_factory::repository::Given;
use boltworks_factory::single::rebuild::Choice;
use boltworks_factory::single::{self, Comparison, Inside, RebuildOrder, Rebuilt, Signing};
use boltworks_factory::{Error, Home};
use boltworks_model::{Ambient, visible_path};
use serde_json::{Value, json};

use crate::arguments::{Arguments, Rebuild};
use crate::commands::apk::difference_text;
use crate::commands::{given, session};
use crate::failure::{Failure, exit};
use crate::output::{Output, shown};

/// Where the packages come from among which one is built.
pub(crate) type Supply<'a> = dyn Fn(&Inside, &Ambient<'_>) -> Result<Given, Failure> + 'a;

/// What is to be made again.
pub(crate) struct Wanted<'a> {
    /// The packages.
    pub files: &'a [PathBuf],
    /// The packages that builds may take.
    pub supply: &'a Supply<'a>,
    /// The files beside the recipe.
    pub sources: Option<PathBuf>,
    /// Who signs.
    pub signing: Signing,
    /// Where packages go.
    pub out: Option<PathBuf>,
    /// What is printed beside the result.
    pub told: Told,
}

/// What is printed beside the result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// Every line that steps print.
    pub lines: bool,
    /// How the packages differ, and an exit code that says whether they do.
    pub differences: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    rebuild: &Rebuild,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = session::home_or_makeshift(arguments)?;
    let signing = Signing::with(rebuild.signing_key.clone(), &home);
    let wanted = Wanted {
        files: &rebuild.files,
        supply: &|_, _| Ok(given::packages(&rebuild.packages)),
        sources: rebuild.source_dir.clone(),
        signing,
        out: rebuild.out_dir.clone(),
        told: Told {
            lines: rebuild.log,
            differences: true,
        },
    };
    carry_out(&home, &wanted, output)
}

/// Makes packages again, those of one build at once, and compares each.
pub(crate) fn carry_out(
    home: &Home,
    wanted: &Wanted<'_>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let opened = wanted.files.iter().map(|file| Inside::open(file));
    let packages = opened.collect::<Result<Vec<_>, Error>>()?;
    let machine = session::machine()?;
    let watcher = session::watcher(wanted.told.lines);
    let ambient = machine.ambient(watcher.as_ref());
    let mut builds: Vec<(&Inside, Rebuilt)> = Vec::new();
    for (file, inside) in wanted.files.iter().zip(&packages) {
        if builds
            .iter()
            .any(|(other, _)| other.is_of_one_build(inside))
        {
            continue;
        }
        let order = RebuildOrder {
            given: (wanted.supply)(inside, &ambient)?,
            sources: wanted.sources.clone(),
            signing: wanted.signing.clone(),
            out: wanted.out.clone(),
        };
        let made = single::rebuild(home, inside, &order, &ambient);
        builds.push((inside, made.map_err(|error| error.of_file(file))?));
    }
    let mut rows = Vec::new();
    for (file, inside) in wanted.files.iter().zip(&packages) {
        let mut of_it = builds.iter();
        let of_it = of_it.find(|(other, _)| other.is_of_one_build(inside));
        if let Some((_, rebuilt)) = of_it {
            rows.push(Row {
                file,
                inside,
                rebuilt,
                comparison: single::compare(home, inside, rebuilt)?,
                log: home.blob_path(&rebuilt.log),
            });
        }
    }
    drop(watcher);
    let is_equal = rows.iter().all(|row| row.comparison.is_equal());
    let lines = rows.iter().flat_map(|row| row.text(wanted.told));
    output.text(&lines.collect::<Vec<_>>().join("\n"));
    let documents: Vec<Value> = rows.iter().map(Row::document).collect();
    output.json(&json!({"equal": is_equal, "packages": documents}));
    Ok(if is_equal || !wanted.told.differences {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

/// One package and what became of it.
struct Row<'a> {
    file: &'a Path,
    inside: &'a Inside,
    rebuilt: &'a Rebuilt,
    comparison: Comparison,
    log: PathBuf,
}

impl Row<'_> {
    fn name(&self) -> String {
        let control = self.inside.package.control();
        format!("{}-{}", control.name, control.version)
    }

    fn text(&self, told: Told) -> Vec<String> {
        let comparison = &self.comparison;
        let verdict = match (told.differences, comparison.is_equal()) {
            (false, _) => "made again",
            (true, true) => "equal",
            (true, false) => "different",
        };
        let among = match self.rebuilt.choice {
            Choice::Recorded => "the same packages as then",
            Choice::Named => "packages of the versions that the recipe names",
            Choice::Newest => "the newest packages there are",
        };
        let mut lines = vec![format!("{}: {verdict}", self.name())];
        lines.push(format!("  built among {among}"));
        let changes = self.rebuilt.changes.iter();
        lines.extend(changes.map(|change| format!("  not as it was then: {change}")));
        if told.differences {
            let differences = difference_text(&comparison.difference);
            lines.extend(differences.iter().map(|line| format!("  {line}")));
            let maker = &comparison.of_the_maker;
            if !maker.is_only_in_form() {
                lines.push("  because another program made it, and not counted:".to_owned());
                lines.extend(
                    difference_text(maker)
                        .iter()
                        .map(|line| format!("    {line}")),
                );
            }
            if comparison.signed != comparison.signed_again {
                lines.push(format!(
                    "  signed by {} then, by {} now",
                    signers(&comparison.signed),
                    signers(&comparison.signed_again)
                ));
            }
        }
        if let Some(path) = &comparison.path {
            lines.push(format!("  written to {}", visible_path(path)));
        }
        lines.push(format!("  log: {}", visible_path(&self.log)));
        lines
    }

    fn document(&self) -> Value {
        let comparison = &self.comparison;
        json!({
            "file": shown(self.file),
            "package": self.name(),
            "equal": comparison.is_equal(),
            "same-bytes": comparison.difference.is_empty(),
            "built-among": self.rebuilt.choice.word(),
            "changes": self.rebuilt.changes,
            "difference": comparison.difference,
            "of-the-maker": comparison.of_the_maker,
            "signed-by": comparison.signed,
            "signed-again-by": comparison.signed_again,
            "path": comparison.path.as_deref().map(shown),
            "log": shown(&self.log),
        })
    }
}

fn signers(names: &[String]) -> String {
    if names.is_empty() {
        "nobody".to_owned()
    } else {
        names.join(", ")
    }
}
