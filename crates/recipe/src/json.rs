//! What `recipe compile` prints and what an action digest hashes.

use crate::resolved::{Image, Recipe};

impl Recipe {
    /// Everything that decides the bytes of the packages, as one canonical JSON document:
    /// what an action digest hashes. Comments, names of steps and the recipe's path change
    /// nothing.
    pub fn canonical_json(&self) -> Vec<u8> {
        todo!()
    }

    /// The whole resolved recipe as one line of JSON, with the keys of the file format.
    pub fn compile_json(&self) -> String {
        todo!()
    }
}

impl Image {
    /// Everything that decides the bytes of the image, as one canonical JSON document.
    pub fn canonical_json(&self) -> Vec<u8> {
        todo!()
    }
}
