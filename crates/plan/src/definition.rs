//! What the files of the factory say of what is to be made.

use boltworks_model::Sha256;
use boltworks_recipe::resolved::Accounts;

use crate::catalog::{ImageItem, RecipeItem};
use crate::inputs::{Pin, Upon};

/// What the files of the factory say of one recipe or image.
#[derive(Default)]
pub(crate) struct Definition {
    pub(crate) text: Vec<u8>,
    pub(crate) tests: Vec<Pin>,
    pub(crate) sources: Vec<Pin>,
    pub(crate) files: Vec<Pin>,
    has_accounts: bool,
    pub(crate) upon: Option<Upon>,
}

/// Beside the writers of packages, of a recipe with accounts: there was a time when guests had none.
const ACCOUNTS: &str = "accounts-1";

impl Definition {
    pub(crate) fn of_recipe(item: &RecipeItem, sha256: fn(&[u8]) -> Sha256) -> Self {
        let recipe = &item.recipe;
        let own = recipe.test.iter().map(|test| (&recipe.package.name, test));
        let split = recipe
            .subpackages
            .iter()
            .filter_map(|sub| Some((&sub.name, sub.test.as_ref()?)));
        let tests: Vec<_> = own.chain(split).collect();
        let environments = tests.iter().map(|(_, test)| &test.environment);
        let has_accounts = environments
            .chain([&recipe.environment])
            .any(|environment| environment.accounts != Accounts::default());
        let tests = tests
            .into_iter()
            .map(|(name, test)| {
                let digest = sha256(&test.canonical_json()).prefixed();
                Pin::new(name.to_string(), digest)
            })
            .collect();
        Self {
            text: recipe.canonical_json(),
            tests,
            sources: item.sources.clone(),
            files: item.files.clone(),
            has_accounts,
            upon: None,
        }
    }

    pub(crate) fn of_image(item: &ImageItem, upon: Option<Upon>) -> Self {
        Self {
            text: item.image.canonical_json(),
            tests: item.tests.clone(),
            upon,
            ..Self::default()
        }
    }

    /// The writers, in order, of what is made by it.
    pub(crate) fn writers(&self, of_its_kind: Option<&Vec<String>>) -> Vec<String> {
        let own = self.has_accounts.then(|| ACCOUNTS.to_owned());
        let mut writers: Vec<String> = of_its_kind.into_iter().flatten().cloned().collect();
        writers.extend(own);
        writers.sort_unstable();
        writers
    }
}
