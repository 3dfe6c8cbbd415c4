//! From a recipe to packages
