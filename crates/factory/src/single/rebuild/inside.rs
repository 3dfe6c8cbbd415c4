//! A package with the recipe inside it.

use std::path::Path;

use boltworks_apk::PackageFile;
use boltworks_fsx::{Kind, Limit, RelPath, Root};
use boltworks_model::Architecture;
use boltworks_package::libraries::VERSIONED;
use boltworks_recipe::embedded::{Embedded, Form, read};
use boltworks_recipe::resolved::Recipe;

use crate::{Error, Home, packages};

/// The recipe's name inside a package.
pub(in crate::single) const RECIPE: &str = ".melange.yaml";
/// No SBOM of one package is larger.
const SBOM_LIMIT: Limit = Limit::mib(32);
/// The namespace of packages of which it is not known.
const UNKNOWN: &str = "unknown";

/// A package with the recipe inside it.
#[derive(Debug, Clone)]
pub struct Inside {
    /// The package.
    pub package: PackageFile,
    text: String,
    embedded: Embedded,
}

impl Inside {
    /// Whether what it needs of libraries was bound to their versions.
    pub fn is_bound(&self) -> bool {
        let mut needs = self.package.control().depends.iter();
        needs.any(|need| need.name.as_str().starts_with(VERSIONED))
    }

    /// Opens a package and reads the recipe inside it. Whoever signed it, nobody is asked.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let package = packages::open(path, None)?;
        let text = package.embedded().get(RECIPE).ok_or_else(|| {
            Error::asked(
                format!("there is no recipe in {}", path.display()),
                "packages that this program or melange built have one; of others, build the recipe",
            )
        })?;
        let not_text = |_| {
            let what = format!("the recipe in {} is no text", path.display());
            Error::asked(what, "the package is damaged: bring it anew")
        };
        let text = String::from_utf8(text.clone()).map_err(not_text)?;
        let arch = package.control().arch.parse();
        let arch = arch.unwrap_or(Architecture::X86_64);
        let embedded = read(&format!("{}/{RECIPE}", path.display()), &text, arch)?;
        Ok(Self {
            package,
            text,
            embedded,
        })
    }

    /// The recipe.
    pub const fn recipe(&self) -> &Recipe {
        &self.embedded.recipe
    }

    /// How the recipe is written.
    pub const fn form(&self) -> Form {
        self.embedded.form
    }

    /// The recipe as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether another package holds the same recipe, built at the same time.
    pub fn is_of_one_build(&self, other: &Self) -> bool {
        let date = |inside: &Self| inside.package.control().build_date;
        self.text == other.text && date(self) == date(other)
    }

    /// Refuses a package that is not for the home's architecture.
    pub(super) fn check_architecture(&self, home: &Home) -> Result<(), Error> {
        let (found, own) = (self.recipe().architecture, home.architecture());
        if found == own && self.package.control().arch == own.apk() {
            return Ok(());
        }
        Err(Error::asked(
            format!("the package is for {found}, and this machine builds for {own}"),
            format!("make it again on a machine that builds for {found}"),
        ))
    }

    /// Who built it: the namespace of its address in its SBOM.
    pub(super) fn vendor(&self, scratch: &Root) -> Result<String, Error> {
        let control = self.package.control();
        let version = control.version.to_string();
        let path = boltworks_sbom::package_path(control.name.as_str(), &version);
        let tree = self.package.tree(scratch)?;
        let node = tree.get(&RelPath::try_from(path.as_str())?);
        let Some(Kind::File(content)) = node.map(|node| &node.kind) else {
            return Ok(UNKNOWN.to_owned());
        };
        let bytes = content.read_vec(SBOM_LIMIT);
        let bytes = bytes.map_err(|source| boltworks_fsx::Error::Stream {
            action: "read the SBOM",
            source,
        })?;
        // An SBOM that is not understood says nothing.
        let document = boltworks_sbom::spdx::Document::from_json(&bytes).ok();
        let packages = document.iter().flat_map(|document| &document.packages);
        let mut addresses = packages.filter_map(|package| package.purl());
        let vendor = addresses.find_map(|address| {
            let rest = address.strip_prefix("pkg:apk/")?;
            let (vendor, name) = rest.split_once('/')?;
            let name = name.split(['@', '?']).next()?;
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            (name == control.name.as_str() && vendor.chars().all(is_plain))
                .then(|| vendor.to_owned())
        });
        Ok(vendor.unwrap_or_else(|| UNKNOWN.to_owned()))
    }
}
