//! What there is to make, and who needs whom.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_recipe::resolved::{Image, Recipe};

use crate::outline::{Makers, Order, Outline, order, wanted};
use crate::{ActionKind, Pin, Subject};

/// One recipe of the factory, resolved.
#[derive(Debug, Clone)]
pub struct RecipeItem {
    /// The recipe.
    pub recipe: Recipe,
    /// Its sources: the name steps use, the digest that will be fetched.
    pub sources: Vec<Pin>,
    /// Files beside it.
    pub files: Vec<Pin>,
}

/// One image of the factory, resolved.
#[derive(Debug, Clone)]
pub struct ImageItem {
    /// The image file's name, without its ending.
    pub name: String,
    /// The image.
    pub image: Image,
    /// The image that it stands upon, if there is one: that one's packages stay as they are there.
    pub upon: Option<String>,
    /// Its tests: they decide no byte, but must be run when they change.
    pub tests: Vec<Pin>,
}

/// Everything the factory can make.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Recipes by package name.
    pub recipes: BTreeMap<String, RecipeItem>,
    /// Images by name.
    pub images: BTreeMap<String, ImageItem>,
    /// Recipes and images whose files are not understood, and why: none of them can be made, and
    /// what such a recipe offers beside the package of its own name is not known.
    pub unread: BTreeMap<Subject, String>,
}

/// Who needs whom, and in which order recipes can be made.
#[derive(Debug, Default)]
pub struct Layout {
    /// For each recipe and image the recipes it needs first, as far as names tell: packages that
    /// files turn out to need (`so:`) are known only once they are built.
    pub needs: BTreeMap<Subject, BTreeSet<String>>,
    /// The recipes, each after those it needs; ties by name.
    pub order: Vec<String>,
    /// The recipes that contradict one another, and how: none of them can be made.
    pub faults: BTreeMap<String, String>,
}

impl Catalog {
    /// The images, each after the one that it stands upon; ties by name.
    pub fn images_in_order(&self) -> Vec<&String> {
        let depth = |name: &String| {
            let mut above = self.images.get(name);
            let mut depth = 0;
            while let Some(upon) = above.and_then(|item| item.upon.as_ref())
                && depth < self.images.len()
            {
                depth += 1;
                above = self.images.get(upon);
            }
            depth
        };
        let mut names: Vec<&String> = self.images.keys().collect();
        names.sort_by_cached_key(|name| depth(name));
        names
    }

    /// Lays the recipes out.
    pub fn layout(&self) -> Layout {
        let outlines: Vec<Outline<'_>> = self
            .recipes
            .iter()
            .map(|(name, item)| Outline {
                name,
                ..Outline::of(&item.recipe)
            })
            .collect();
        let unread = self.unread_of(ActionKind::Recipe);
        let makers = Makers::new(&outlines, unread.map(|subject| subject.name.as_str()));
        let wanted_first = outlines.iter().map(|outline| {
            let all = outline.build.iter().chain(&outline.tests);
            all.copied()
        });
        let mut first = makers.behind(wanted_first);
        for (place, needs) in first.iter_mut().enumerate() {
            needs.remove(&place);
        }
        let images = self.images.values();
        let for_images = makers.behind(images.map(|item| wanted(&item.image.packages)));
        let subjects = outlines.iter().map(|outline| Subject::recipe(outline.name));
        let subjects = subjects.chain(self.images.keys().map(Subject::image));
        let owned = |places: &BTreeSet<usize>| -> BTreeSet<String> {
            let names = places.iter().map(|place| makers.name(*place));
            names.map(str::to_owned).collect()
        };
        let needs = subjects.zip(first.iter().chain(&for_images).map(owned));
        let needs = needs.collect();
        let Order { places, circles } = order(&first);
        let mut faults = makers.faults.clone();
        for circle in circles {
            let names: Vec<&str> = circle.iter().map(|place| makers.name(*place)).collect();
            let why = format!(
                "recipes need one another in a circle: {}",
                names.join(" needs ")
            );
            for name in names {
                let fault = faults.entry(name.to_owned());
                fault.or_insert_with(|| why.clone());
            }
        }
        let places = places.into_iter();
        Layout {
            needs,
            order: places.map(|place| makers.name(place).to_owned()).collect(),
            faults,
        }
    }

    /// The recipes or the images that are not understood.
    pub fn unread_of(&self, kind: ActionKind) -> impl Iterator<Item = &Subject> {
        let all = self.unread.keys();
        all.filter(move |subject| subject.kind == kind)
    }

    /// The names of all recipes, understood or not.
    pub fn recipe_names(&self) -> BTreeSet<&str> {
        let unread = self.unread_of(ActionKind::Recipe);
        let names = unread.map(|subject| subject.name.as_str());
        names
            .chain(self.recipes.keys().map(String::as_str))
            .collect()
    }
}
