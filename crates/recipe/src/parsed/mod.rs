//! Recipes and image files as they were written: templates and places kept.
//!
//! [`recipe`] is melange's build file with its [`step`]s, [`image`] is apko's image file, which is also the
//! `environment` of a recipe. Unknown keys are errors, nulls are "nothing", numbers and booleans
//! stay the text that was written wherever text is wanted.

pub mod image;
pub mod include;
pub mod recipe;
pub mod step;
pub mod text;
pub mod update;

pub use image::{
    Accounts, BaseImage, Certificate, Certificates, Contents, Entrypoint, Group, Image, Layering,
    PathMutation, RuntimeKey, User,
};
pub use include::{Ground, Included, with_ground, with_included};
pub use recipe::{
    BuildOption, Capabilities, Capability, Checks, Copyright, Cpe, DataSet, Dependencies,
    ListChange, OptionContents, OptionEnvironment, Package, PackageOptions, Recipe, Resources,
    Scriptlets, Subpackage, Test, Trigger, VarTransform,
};
pub use step::{Assertions, Input, Needs, PipelineFile, Step};
pub use text::{Number, Origin, Permissions, Text};
pub use update::{
    GitHubMonitor, GitMonitor, OciMonitor, ReleaseMonitor, Schedule, Update, VersionDataMonitor,
    VersionDataSource, VersionTransform,
};

use crate::Error;

/// Reads a recipe. `file` is only for messages.
pub fn parse_recipe(file: &str, text: &str) -> Result<Recipe, Error> {
    let mut recipe: Recipe = boltworks_yaml::parse(file, text).map_err(|error| {
        if error.message == boltworks_yaml::EMPTY {
            error.helped(
                "a recipe begins with `package:`, and beneath it `name: …` and `version: …`",
            )
        } else {
            error
        }
    })?;
    recipe.origin = Origin::new(file, text);
    Ok(recipe)
}

/// Reads an image file. `file` is only for messages.
pub fn parse_image(file: &str, text: &str) -> Result<Image, Error> {
    let mut image: Image = boltworks_yaml::parse(file, text).map_err(|error| {
        if error.message == boltworks_yaml::EMPTY {
            error.helped("an image begins with `contents:`, and beneath it `packages:`")
        } else {
            error
        }
    })?;
    image.origin = Origin::new(file, text);
    Ok(image)
}
