//! What is inside: SPDX 2.3, SPDX 3.0.1 and `CycloneDX` 1.6 documents.
//!
//! Reading order:
//!
//! 1. [`licence`]: a recipe's licence line as a valid SPDX expression, or a note why not.
//! 2. [`detection`]: which licence a text is.
//! 3. [`purl`]: package addresses, `pkg:apk/vendor/name@version?arch=…`.
//! 4. [`spdx`]: the SPDX document's own types, read within bounds.
//! 5. [`package`]: [`PackageFacts`] → the document that travels inside a package.
//! 6. [`image`]: [`ImageFacts`] → the documents of an image, and the [`Gap`]s in them.
//! 7. [`index`]: [`IndexFacts`] → the document of images for several architectures.
//! 8. [`spdx3`]: what an SPDX document says, in SPDX 3.0.1.
//! 9. [`cyclonedx`]: the `CycloneDX` document's own types.
//!
//! Pure, and deterministic: identifiers, the namespace and the serial number come from the
//! content by the hash function handed in, `created` is the time handed in, nothing of the
//! machine gets in. The types are ours: the crates stop at SPDX 2.2 and `CycloneDX` 1.5.

pub mod cyclonedx;
pub mod detection;
pub mod error;
mod ident;
pub mod image;
pub mod index;
pub mod licence;
mod merge;
pub mod package;
pub mod purl;
pub mod spdx;
pub mod spdx3;

pub use error::Error;
pub use image::{Gap, ImageFacts, ImagePackage, ImageSbom, LayerFact, OsFacts, for_image};
pub use index::{IndexFacts, for_index};
pub use merge::Own;
pub use package::{PackageFacts, SourceFact, package_path, spdx_for_package};

/// Names the bytes this crate writes into packages; part of every package's action digest, and the
/// tool named in its document (never the program's version: a commit that changes no byte rebuilds
/// nothing).
pub const WRITER_VERSION: &str = "sbom-1";
/// The same for what it writes of images: to change that rebuilds no package.
pub const IMAGE_WRITER_VERSION: &str = "sbom-image-3";

/// How this crate has bytes hashed: it owns no hash function.
pub type Hash = fn(&[u8]) -> boltworks_model::Sha256;
