//! The pipelines that `uses` can name.

use std::collections::BTreeMap;
use std::sync::Arc;

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
        todo!()
    }

    /// Adds the pipeline `name` (`autoconf/make`, without `.yaml`), or replaces it. `path` is
    /// only for messages.
    #[must_use]
    pub fn with_file(mut self, name: &str, path: &str, text: &str) -> Self {
        let file =
            PipelineFile { path: path.to_owned(), text: Arc::from(text), builtin: false };
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
