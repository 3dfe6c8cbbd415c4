//! The pipelines that `uses` can name.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use boltworks_yaml::closest;

use crate::parsed::{self, Origin, Step};
use crate::{Error, Problem};

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../pipelines/", $name, ".yaml")))),*]
    };
}

/// The program's own pipelines. They answer to the names and inputs of melange's; `split/paths` is
/// ours, and what the other `split` pipelines are made of.
const BUILTIN: &[(&str, &str)] = builtin![
    "R/build",
    "autoconf/configure",
    "autoconf/make",
    "autoconf/make-install",
    "cargo/build",
    "cmake/build",
    "cmake/configure",
    "cmake/install",
    "fetch",
    "git-am",
    "git-checkout",
    "go/build",
    "go/build/v2",
    "go/bump",
    "go/covdata",
    "go/install",
    "llvm/covreport",
    "maven/configure-mirror",
    "maven/pombump",
    "meson/compile",
    "meson/configure",
    "meson/install",
    "npm/install",
    "patch",
    "pecl/install",
    "pecl/phpize",
    "perl/cleanup",
    "perl/make",
    "python/build",
    "python/build-wheel",
    "python/import",
    "python/install",
    "python/test",
    "ruby/build",
    "ruby/clean",
    "ruby/install",
    "split/alldocs",
    "split/bin",
    "split/debug",
    "split/dev",
    "split/infodir",
    "split/lib",
    "split/locales",
    "split/manpages",
    "split/paths",
    "split/static",
    "strip",
    "xcover/ensure",
    "xcover/profile",
    "xcover/status",
    "xcover/stop",
    "xcover/wait",
];

/// Pipelines by name: the program's own, and on top of them those of the recipe's folder, and
/// on top of these those that are given. Each is parsed once, whoever uses it.
#[derive(Debug, Clone, Default)]
pub struct PipelineLibrary {
    files: BTreeMap<String, Arc<PipelineFile>>,
    /// Why what is called so, or lies in what is called so, is not taken.
    refused: BTreeMap<String, Refused>,
    /// Whether a step that uses what is not here stays without scripts and sources.
    pub(crate) passes_over_unknown: bool,
}

/// What is there and is not taken.
#[derive(Debug, Clone)]
struct Refused {
    /// The file or folder, for messages.
    path: String,
    /// What is wrong with it, as a rule that goes on after its path.
    rule: &'static str,
}

/// What to do about a pipeline that lies elsewhere.
const ELSEWHERE: &str = "name the folder it lies in with --pipeline-dir, or under `pipelines` in boltworks.yaml, and \
    write its path in there, without .yaml";

/// Where a pipeline comes from; the greater goes before the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Builtin,
    Recipe,
    Given,
}

/// A pipeline's text.
#[derive(Debug)]
pub(crate) struct PipelineFile {
    /// The file, for messages.
    path: String,
    /// Its text.
    pub(crate) text: Arc<str>,
    source: Source,
    document: OnceLock<Arc<Document>>,
}

/// A pipeline as it was written.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) step: Step,
    pub(crate) origin: Origin,
}

impl Document {
    /// The inputs that are not the pipeline's default, as it is written.
    pub(crate) fn not_the_default(
        &self,
        inputs: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let default = |name: &str| self.step.inputs.get(name)?.default.as_deref();
        let given = inputs
            .iter()
            .filter(|(name, value)| default(name).unwrap_or_default() != value.as_str());
        given
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

impl PipelineFile {
    fn new(path: String, text: &str, source: Source) -> Arc<Self> {
        Arc::new(Self {
            path,
            text: Arc::from(text),
            source,
            document: OnceLock::new(),
        })
    }

    /// Whether it is one of the program's own.
    pub(crate) fn is_builtin(&self) -> bool {
        self.source == Source::Builtin
    }

    /// It as it was written.
    pub(crate) fn document(&self) -> Result<Arc<Document>, Error> {
        if let Some(known) = self.document.get() {
            return Ok(Arc::clone(known));
        }
        let file: parsed::PipelineFile = boltworks_yaml::parse(&self.path, &self.text)?;
        let document = Arc::new(Document {
            step: file.into_step(),
            origin: Origin::new(&self.path, &self.text),
        });
        Ok(Arc::clone(self.document.get_or_init(|| document)))
    }
}

impl PipelineLibrary {
    /// The program's own pipelines.
    pub fn builtin() -> Self {
        let file = |&(name, text): &(&str, &str)| {
            let path = format!("pipelines/{name}.yaml (built in)");
            (
                name.to_owned(),
                PipelineFile::new(path, text, Source::Builtin),
            )
        };
        Self {
            files: BUILTIN.iter().map(file).collect(),
            ..Self::default()
        }
    }

    /// Adds the pipeline `name` (`autoconf/make`, without `.yaml`), or replaces it. `path` is
    /// only for messages.
    #[must_use]
    pub fn with_file(self, name: &str, path: &str, text: &str) -> Self {
        self.with(name, path, text, Source::Given)
    }

    /// Adds a pipeline of the folder `pipelines/` beside a recipe. It goes before the program's
    /// own, and after those [given](Self::with_file), in whatever order they are added.
    #[must_use]
    pub fn with_recipes_own(self, name: &str, path: &str, text: &str) -> Self {
        self.with(name, path, text, Source::Recipe)
    }

    /// Says why a pipeline, or a folder of them, is not taken although something is called so: `rule` goes
    /// on after its `path`. The empty name stands for all that are not known.
    #[must_use]
    pub fn with_refused(mut self, name: &str, path: &str, rule: &'static str) -> Self {
        let known = self.files.get(name);
        if known.is_none_or(|known| known.source < Source::Given) {
            self.files.remove(name);
            let path = path.to_owned();
            self.refused.insert(name.to_owned(), Refused { path, rule });
        }
        self
    }

    /// A step that uses what is not known here is no error and does nothing: for whoever runs no step.
    #[must_use]
    pub const fn passing_over_unknown(mut self) -> Self {
        self.passes_over_unknown = true;
        self
    }

    /// Why a name that is not known is not taken, where something is called so.
    fn refusal(&self, name: &str) -> Option<&Refused> {
        let ends = name
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([name.len(), 0]);
        let mut above = ends.filter_map(|end| name.get(..end));
        above.find_map(|above| self.refused.get(above))
    }

    fn with(mut self, name: &str, path: &str, text: &str, source: Source) -> Self {
        let known = self.files.get(name);
        if known.is_none_or(|known| known.source <= source) {
            let file = PipelineFile::new(path.to_owned(), text, source);
            self.refused.remove(name);
            self.files.insert(name.to_owned(), file);
        }
        self
    }

    /// The name of the pipeline in this file of a folder of pipelines: `a/b` for `a/b.yaml`,
    /// nothing for other files.
    pub fn name_of(path: &str) -> Option<&str> {
        let name = path.strip_suffix(".yaml")?;
        let is_file = name
            .rsplit('/')
            .next()
            .is_some_and(|last| !last.is_empty() && !last.starts_with('.'));
        is_file.then_some(name)
    }

    /// The names `uses` can take, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Names and texts of the pipelines that are not the program's own, sorted.
    pub fn added(&self) -> impl Iterator<Item = (&str, &str)> {
        let added = self.files.iter().filter(|(_, file)| !file.is_builtin());
        added.map(|(name, file)| (name.as_str(), &*file.text))
    }

    /// The pipeline of this name. Those in folders are paths: `./a/../b` is `b`, as in melange.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<PipelineFile>> {
        self.files.get(name).or_else(|| {
            let file = self.files.get(&*plain(name)?)?;
            (!file.is_builtin()).then_some(file)
        })
    }

    /// Why there is no pipeline of this name.
    pub(crate) fn why_not(&self, name: &str) -> Problem {
        let shown = boltworks_model::visible_start(name, 160);
        let Some(plain) = plain(name) else {
            let rule = [
                "leads out of the folders that pipelines are looked for in",
                ELSEWHERE,
            ];
            return Problem::value("the pipeline", name, rule);
        };
        match self.refusal(&plain) {
            Some(Refused { path, rule }) => Problem::RefusedPipeline {
                name: shown,
                path: path.clone(),
                rule,
            },
            None => Problem::UnknownPipeline {
                name: shown,
                suggestion: self.meant_by(name).map(str::to_owned),
            },
        }
    }

    /// The pipeline that is perhaps meant by a name that none has.
    pub(crate) fn meant_by(&self, name: &str) -> Option<&str> {
        let plain = plain(name)?;
        let bare = plain.strip_suffix(".yaml").or(plain.strip_suffix(".yml"));
        let bare = bare.unwrap_or(&plain);
        let beneath = bare.strip_prefix("pipelines/").unwrap_or(bare);
        let known = [bare, beneath].into_iter().find_map(|name| {
            let (name, _) = self.files.get_key_value(name)?;
            Some(name.as_str())
        });
        known.or_else(|| closest(name, self.names()))
    }
}

/// A path without `.` and `..`; nothing, where it leads out.
fn plain(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed::PipelineFile as Document;

    #[test]
    fn the_own_pipelines_are_well_formed() {
        for (name, text) in BUILTIN {
            let step: Document = boltworks_yaml::parse(name, text).unwrap();
            assert!(step.name.is_some(), "{name} says what it does");
            for (input, declared) in &step.inputs {
                assert!(
                    declared.description.is_some(),
                    "{name}: {input} says what it is"
                );
            }
        }
    }

    /// What a pipeline asks for, line by line: its name and needs; each input, `!` where it must be
    /// given, and its default.
    fn outline(name: &str, step: &Document) -> String {
        let needs = step.needs.packages.iter().map(|need| &**need);
        let head: Vec<_> = std::iter::once(name).chain(needs).collect();
        let mut lines = vec![head.join(" ")];
        for (input, declared) in &step.inputs {
            let mark = if declared.required { " !" } else { "" };
            let default = match declared.default.as_deref().unwrap_or_default() {
                "" => String::new(),
                default => format!(" = {default}"),
            };
            lines.push(format!("  {input}{mark}{default}"));
        }
        lines.join("\n") + "\n"
    }

    #[test]
    fn all_of_melanges_pipelines_are_there() {
        let expected = include_str!("../tests/pipelines.txt");
        let own = BUILTIN.iter().filter(|(name, _)| *name != "split/paths");
        let outlines: Vec<_> = own
            .map(|(name, text)| outline(name, &boltworks_yaml::parse(name, text).unwrap()))
            .collect();
        assert_eq!(outlines.len(), 51);
        assert_eq!(outlines.concat(), expected);
    }

    #[test]
    fn each_is_documented_with_its_inputs() {
        let page = include_str!("../../../docs/recipes.md");
        for (name, text) in BUILTIN {
            let step: Document = boltworks_yaml::parse(name, text).unwrap();
            let names = |line: &&str| {
                line.split('|')
                    .nth(1)
                    .is_some_and(|cell| cell.contains(&format!("`{name}`")))
            };
            let row = page.lines().find(names);
            let row = row.unwrap_or_else(|| panic!("{name} has no row"));
            for input in step.inputs.keys() {
                assert!(row.contains(&format!("`{input}`")), "{name}: {input}");
            }
        }
    }

    #[test]
    fn a_factorys_pipeline_goes_before_our_own() {
        let library =
            PipelineLibrary::builtin().with_file("strip", "pipelines/strip.yaml", "runs: a");
        let file = library.get("strip").unwrap();
        assert!(!file.is_builtin() && &*file.text == "runs: a");
        assert_eq!(library.names().count(), BUILTIN.len());
    }

    #[test]
    fn names_in_folders_are_paths() {
        let library = PipelineLibrary::builtin().with_file("own/o", "p/own/o.yaml", "runs: a");
        for name in ["own/o", "./own/o", "own//./o", "a/../own/o", "/own/o"] {
            assert!(library.get(name).is_some(), "{name}");
        }
        for name in ["../own/o", "own/o/..", "./strip", "own/o.yaml"] {
            assert!(library.get(name).is_none(), "{name}");
        }
        for name in [
            "own/o.yaml",
            "pipelines/own/o",
            "./pipelines/own/o.yml",
            "own/p",
        ] {
            assert_eq!(library.meant_by(name), Some("own/o"), "{name}");
        }
        assert_eq!(library.meant_by("./strip"), Some("strip"));
        assert_eq!(library.meant_by("../own/o"), None);
    }

    #[test]
    fn what_is_given_goes_before_the_recipes_own() {
        let (given, own) = ("runs: given", "runs: own");
        let library = PipelineLibrary::builtin()
            .with_file("a", "given/a.yaml", given)
            .with_recipes_own("a", "pipelines/a.yaml", own)
            .with_recipes_own("strip", "pipelines/strip.yaml", own)
            .with_recipes_own("b", "pipelines/b.yaml", own)
            .with_file("b", "given/b.yaml", given);
        let text = |name: &str| &*library.get(name).unwrap().text;
        assert_eq!([text("a"), text("b"), text("strip")], [given, given, own]);
    }

    #[test]
    fn pipelines_are_called_by_their_files() {
        let name = PipelineLibrary::name_of;
        assert_eq!(name("test/tw/ldd-check.yaml"), Some("test/tw/ldd-check"));
        assert_eq!(
            [
                name("a.yml"),
                name("README.md"),
                name(".yaml"),
                name("a/.b.yaml")
            ],
            [None; 4]
        );
    }
}
