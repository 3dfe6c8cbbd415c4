//! What `boltworks image` takes.

use std::path::PathBuf;

use boltworks_model::{Architecture, Timestamp};
use boltworks_oci::Reference;
use boltworks_version::apk::Dependency;
use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::{Packages, architecture};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Image {
    /// Assemble an image: a layout where OUT is a folder, an archive where it is not.
    Build(ImageBuild),
    /// Run the tests of an image of the factory, as it was made last.
    Test(ImageTest),
    /// Assemble an image and bring it to registries; prints its name by digest.
    Publish(ImagePublish),
    /// Bring an image that is there to registries: an OCI layout, or what the factory made last.
    Push(ImagePush),
    /// Bring an image of a registry into a folder, as an OCI layout.
    Pull(ImagePull),
}

#[derive(Debug, Args)]
pub(crate) struct ImageBuild {
    /// The image file.
    pub file: PathBuf,
    /// The image's name and tag.
    pub tag: Reference,
    /// An existing folder for an OCI layout, or the name of an archive for `docker load`.
    pub out: PathBuf,
    /// The architectures [default: the factory's, else this machine's, else the first that the file
    /// names]
    #[arg(long, value_parser = architecture, value_delimiter = ',', value_name = "ARCH")]
    pub arch: Vec<Architecture>,
    #[command(flatten)]
    pub contents: ImageContents,
}

#[derive(Debug, Args)]
pub(crate) struct ImageTest {
    /// The image's file, or its name.
    pub image: String,
}

#[derive(Debug, Args)]
pub(crate) struct ImagePublish {
    /// The image file.
    pub file: PathBuf,
    /// Where it goes, like registry.example/team/web:1; several may be given.
    #[arg(required = true)]
    pub tags: Vec<Reference>,
    /// The architectures [default: the factory's, else this machine's, else the first that the file
    /// names]
    #[arg(long, value_parser = architecture, value_delimiter = ',', value_name = "ARCH")]
    pub arch: Vec<Architecture>,
    /// Also write the names by digest into this file, one a line: each image's, then the index's.
    #[arg(long, value_name = "FILE")]
    pub image_refs: Option<PathBuf>,
    /// Also bring the SBOMs along, as referrers of each image.
    #[arg(long)]
    pub attach_sboms: bool,
    #[command(flatten)]
    pub contents: ImageContents,
}

#[derive(Debug, Args)]
pub(crate) struct ImagePush {
    /// The folder of an OCI layout, with :TAG behind it where it holds several images; or the name of an
    /// image of the factory.
    pub image: PathBuf,
    /// Where it goes, like registry.example/team/web:1; several may be given.
    #[arg(required = true)]
    pub tags: Vec<Reference>,
    /// What is said about it goes along, as referrers: SBOMs of an image of the factory, whatever a layout has.
    #[arg(
        long,
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    pub attach_sboms: bool,
    /// Also write the name by digest into this file.
    #[arg(long, value_name = "FILE")]
    pub image_refs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ImagePull {
    /// What is pulled, like registry.example/team/web:1, or with @sha256:… after it.
    pub name: Reference,
    /// The folder; it is made if it is not there.
    pub out: PathBuf,
    /// The one architecture that is wanted [default: all]
    #[arg(long, value_parser = architecture, value_name = "ARCH")]
    pub arch: Option<Architecture>,
}

// What is in an image, and what is said of it.
#[derive(Debug, Args)]
pub(crate) struct ImageContents {
    /// A further repository, as with -r.
    #[arg(short, long, value_delimiter = ',', value_name = "FOLDER")]
    pub build_repository_append: Vec<PathBuf>,
    /// A package in the image beside those of the file.
    #[arg(short, long, value_delimiter = ',', value_name = "PACKAGE")]
    pub package_append: Vec<Dependency>,
    /// The packages of this lock file, by checksum and no others; no index is asked for. `boltworks apko lock`
    /// makes one.
    #[arg(long, value_name = "FILE")]
    pub lockfile: Option<PathBuf>,
    /// An annotation beside those of the file; it wins over theirs.
    #[arg(long, value_parser = annotation, value_delimiter = ',', value_name = "KEY:VALUE")]
    pub annotations: Vec<(String, String)>,
    /// The time in the image, like 2026-11-26T10:25:20Z [default: `SOURCE_DATE_EPOCH`, else the
    /// factory's, else that of the newest package]
    #[arg(long, value_name = "TIME")]
    pub build_date: Option<Timestamp>,
    /// How layers are laid.
    #[arg(long, value_enum, default_value_t = Layers::Frames, value_name = "WAY")]
    pub layers: Layers,
    /// How layers are compressed.
    #[arg(long, default_value = "gzip", value_name = "FORM")]
    pub compression: Compression,
    /// Also write SBOMs.
    #[arg(
        long,
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set,
        value_name = "BOOL"
    )]
    pub sbom: bool,
    /// The SBOMs to write.
    #[arg(
        long,
        value_delimiter = ',',
        default_values = ["spdx", "spdx3", "cyclonedx"],
        value_name = "FORM"
    )]
    pub sbom_formats: Vec<SbomForm>,
    /// Where SBOMs go [default: the folder that OUT is in; nowhere if the image is published]
    #[arg(long, value_name = "FOLDER")]
    pub sbom_path: Option<PathBuf>,
    #[command(flatten)]
    pub packages: Packages,
}

/// A way of laying layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layers {
    /// Of what was laid out before, with what the packages say.
    Frames,
    /// As apko lays them, byte for byte before compression.
    Compatible,
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// As every client reads it
    Gzip,
    /// Smaller and quicker; some older clients do not read it
    Zstd,
}

/// A form of SBOM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SbomForm {
    /// SPDX 2.3
    Spdx,
    /// SPDX 3.0.1
    Spdx3,
    /// `CycloneDX` 1.6
    Cyclonedx,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY:VALUE".to_owned()),
    }
}
