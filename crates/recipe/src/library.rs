//! The pipelines that `uses` can name.

use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Pipelines by name: the program's own, and on top of them those of the factory.
#[derive(Debug, Clone, Default)]
pub struct PipelineLibrary {
    files: BTreeMap<String, PipelineFile>,
}

/// A pipeline's text.
#[derive(Debug, Clone)]
pub(crate) struct PipelineFile {
    /// The file, for messages.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: Arc<str>,
    /// Whether it is one of the program's own.
    pub(crate) builtin: bool,
}

impl PipelineLibrary {
    /// The program's own pipelines.
    pub fn builtin() -> Self {
        let file = |&(name, text): &(&str, &str)| {
            let path = format!("pipelines/{name}.yaml (built in)");
            (
                name.to_owned(),
                PipelineFile {
                    path,
                    text: Arc::from(text),
                    builtin: true,
                },
            )
        };
        Self {
            files: BUILTIN.iter().map(file).collect(),
        }
    }

    /// Adds the pipeline `name` (`autoconf/make`, without `.yaml`), or replaces it. `path` is
    /// only for messages.
    #[must_use]
    pub fn with_file(mut self, name: &str, path: &str, text: &str) -> Self {
        let file = PipelineFile {
            path: path.to_owned(),
            text: Arc::from(text),
            builtin: false,
        };
        self.files.insert(name.to_owned(), file);
        self
    }

    /// The names `uses` can take, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&PipelineFile> {
        self.files.get(name)
    }
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
        let mut lines = name.to_owned();
        for need in &step.needs.packages {
            lines += &format!(" {}", &**need);
        }
        for (input, declared) in &step.inputs {
            lines += &format!("\n  {input}{}", if declared.required { " !" } else { "" });
            let default = declared.default.as_deref().unwrap_or_default();
            if !default.is_empty() {
                lines += &format!(" = {default}");
            }
        }
        lines + "\n"
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
        assert!(!file.builtin && &*file.text == "runs: a");
        assert_eq!(library.names().count(), BUILTIN.len());
    }
}
