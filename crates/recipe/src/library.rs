//! The pipelines that `uses` can name.

use std::collections::BTreeMap;
use std::sync::Arc;

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../pipelines/", $name, ".yaml")))),*]
    };
}

/// The program's own pipelines. They answer to melange's names and inputs; `split/paths` is
/// ours, and what the other `split` pipelines are made of.
const BUILTIN: &[(&str, &str)] = builtin![
    "autoconf/configure",
    "autoconf/make",
    "autoconf/make-install",
    "fetch",
    "patch",
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
];

/// Pipelines melange has and this program does not have yet.
pub(crate) const LATER: &[&str] = &[
    "R/build",
    "cargo/build",
    "cmake/build",
    "cmake/configure",
    "cmake/install",
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
            assert!(!LATER.contains(name), "{name} is there already");
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
