//! What each fuzz target does with its bytes.
//!
//! A target is a plain function over bytes. It gives them to the parsers of one room and panics
//! where one of these panics, or where a property does not hold: mostly that what was read and
//! written again reads as the same. An error of a parser is no fault.
//!
//! The functions are called from two sides: by libFuzzer through `fuzz/fuzz_targets`, and by the
//! test `fuzz_seeds`, which replays every seed and mutations of it on a stable compiler.
//!
//! Reading order: [`mend`], which makes checksums right that chance never would; then a module
//! for each room.

use std::cell::Cell;

pub mod analysis;
pub mod apk;
pub mod archive;
pub mod debian;
pub mod erofs;
pub mod image_tree;
pub mod keys;
pub mod machine;
pub mod mend;
pub mod names;
pub mod oci;
pub mod registry;
pub mod sbom;
pub mod serve;
pub mod upstream;
pub mod versions;
pub mod yaml;

/// A target by its name: that of its function, of its file in `fuzz/fuzz_targets`, and of its
/// folder in `fuzz/seeds`.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// The function. It panics at a fault and returns otherwise.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($module:ident::$name:ident),* $(,)?) => {
        $(pub use $module::$name;)*

        /// All targets, by name.
        pub const TARGETS: &[Target] = &[
            $(Target { name: stringify!($name), run: $module::$name },)*
        ];
    };
}

targets![
    machine::apt_sources,
    apk::apk_index,
    apk::apk_index_text,
    apk::apk_package,
    apk::apk_sections,
    yaml::condition,
    debian::deb822,
    debian::debian_index,
    debian::debian_names,
    versions::dependencies,
    analysis::elf,
    erofs::erofs,
    yaml::factory_file,
    machine::http_address,
    machine::http_date,
    yaml::image,
    image_tree::image_tree,
    apk::installed,
    apk::installed_side,
    sbom::licence,
    names::model_names,
    oci::oci_document,
    oci::oci_parts,
    oci::oci_reference,
    analysis::package_files,
    yaml::pattern,
    keys::pem,
    machine::pip_configuration,
    yaml::pipeline,
    apk::pkginfo,
    machine::python_index,
    yaml::recipe,
    yaml::recipe_form,
    upstream::recipe_inside,
    registry::registry_challenge,
    registry::registry_logins,
    serve::served_path,
    serve::served_range,
    upstream::source_archive,
    sbom::spdx,
    debian::stage0_plan,
    archive::tar,
    archive::unpack,
    versions::versions,
    yaml::yaml_value,
];

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// How often an input of a target that this thread ran was taken by its parser. Seeds that no
/// parser takes any more are worth nothing; the test `fuzz_seeds` looks at it.
pub fn times_taken() -> u64 {
    TAKEN.get()
}

/// Notes that a parser took an input.
fn taken() {
    TAKEN.set(TAKEN.get() + 1);
}

/// The input as text, if it is some.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}
