//! Flags that several commands take, under apko's names and with apko's defaults.

use crate::dialect::flag::{Flag, list, switch, text};

/// The flags that every command takes.
pub(super) const EVERYWHERE: &[Flag] = &[
    text("log-level", "How much is said: debug, info, warn or error").or("INFO"),
    text("workdir", "The folder to work in").short('C').refused(
        "the program works where it is started",
        "go there: (cd FOLDER && apko …)",
    ),
];

pub(super) const ANNOTATIONS: Flag = list(
    "annotations",
    "Annotations beside the file's, like key:value; these win",
);
pub(super) const ARCH: Flag = list(
    "arch",
    "The architectures, instead of the file's; `host` and `all` among them",
);
pub(super) const BUILD_ARCH: Flag = text(
    "build-arch",
    "The architecture to build for [default: this machine's]",
);
pub(super) const BUILD_DATE: Flag = text(
    "build-date",
    "The time in the image, like 2026-11-26T10:25:20Z",
);
pub(super) const BUILD_REPOSITORY_APPEND: Flag = list(
    "build-repository-append",
    "Repositories to take packages from",
)
.short('b');
pub(super) const CACHE_DIR: Flag = text("cache-dir", "Packages are kept with the state").idle();
pub(super) const FORMAT: Flag = text(
    "format",
    "The form of layers, whatever the file says: tar or erofs",
);
pub(super) const IGNORE_SIGNATURES: Flag = switch(
    "ignore-signatures",
    "Take packages from repositories whoever signed them",
);
pub(super) const INCLUDE_PATHS: Flag = list(
    "include-paths",
    "Folders in which files are looked for that are not here",
);
pub(super) const KEYRING_APPEND: Flag = list(
    "keyring-append",
    "Public keys that repositories are trusted by",
)
.short('k');
pub(super) const LOCKFILE: Flag = text(
    "lockfile",
    "A lock file: the packages in it are taken, and no others",
);
pub(super) const OFFLINE: Flag = switch("offline", "Fetch nothing: take what was fetched before");
pub(super) const PACKAGE_APPEND: Flag =
    list("package-append", "Packages beside those of the file").short('p');
pub(super) const REPOSITORY_APPEND: Flag =
    list("repository-append", "Repositories to take packages from").short('r');
pub(super) const SBOM: Flag = switch("sbom", "Write SBOMs").on();
pub(super) const SBOM_FORMATS: Flag = list(
    "sbom-formats",
    "The forms of SBOMs: spdx, spdx3, cyclonedx [default: spdx]",
);
pub(super) const SBOM_PATH: Flag = text(
    "sbom-path",
    "The folder for SBOMs [default: the one that the image is in]",
);
pub(super) const VCS: Flag = switch("vcs", "Not looked up: write vcs-url into the file")
    .on()
    .told("no address of a repository is looked for either way: `vcs-url` in the file sets one");

/// What is said of limits that cannot be set.
const LIMITS: (&str, &str) = (
    "limits are fixed, and large enough for every package there is",
    "leave it out",
);
pub(super) const MAX_INDEX: Flag =
    size("max-apkindex-decompressed-size").refused(LIMITS.0, LIMITS.1);
pub(super) const MAX_CONTROL: Flag = size("max-apk-control-size").refused(LIMITS.0, LIMITS.1);
pub(super) const MAX_DATA: Flag = size("max-apk-data-size").refused(LIMITS.0, LIMITS.1);
pub(super) const MAX_RESPONSE: Flag = size("max-http-response-size").refused(LIMITS.0, LIMITS.1);

const fn size(name: &'static str) -> Flag {
    text(name, "Not taken")
}
