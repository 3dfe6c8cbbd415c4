//! The commands and their flags, under apko's names and with apko's defaults.

use super::flags::{
    ANNOTATIONS, ARCH, BUILD_ARCH, BUILD_DATE, BUILD_REPOSITORY_APPEND, CACHE_DIR, FORMAT,
    IGNORE_SIGNATURES, INCLUDE_PATHS, KEYRING_APPEND, LOCKFILE, MAX_CONTROL, MAX_DATA, MAX_INDEX,
    MAX_RESPONSE, OFFLINE, PACKAGE_APPEND, REPOSITORY_APPEND, SBOM, SBOM_FORMATS, SBOM_PATH, VCS,
};
use crate::dialect::flag::{Flag, switch, text};
use crate::dialect::{COMPLETION, Command, VERSION, command};

const BUILD: &[Flag] = &[
    ANNOTATIONS,
    ARCH,
    BUILD_DATE,
    BUILD_REPOSITORY_APPEND,
    CACHE_DIR,
    FORMAT,
    IGNORE_SIGNATURES,
    INCLUDE_PATHS,
    KEYRING_APPEND,
    LOCKFILE,
    MAX_CONTROL,
    MAX_DATA,
    MAX_INDEX,
    MAX_RESPONSE,
    OFFLINE,
    PACKAGE_APPEND,
    REPOSITORY_APPEND,
    SBOM,
    SBOM_FORMATS,
    SBOM_PATH,
    VCS,
];

const PUBLISH: &[Flag] = &[
    ANNOTATIONS,
    ARCH,
    BUILD_DATE,
    BUILD_REPOSITORY_APPEND,
    CACHE_DIR,
    FORMAT,
    IGNORE_SIGNATURES,
    text(
        "image-refs",
        "A file for the references of what was published",
    ),
    KEYRING_APPEND,
    switch("local", "Not taken").refused(
        "no daemon is spoken to",
        "load an archive: apko build IMAGE.yaml TAG OUT.tar && docker load -i OUT.tar",
    ),
    LOCKFILE,
    MAX_CONTROL,
    MAX_DATA,
    MAX_INDEX,
    MAX_RESPONSE,
    OFFLINE,
    PACKAGE_APPEND,
    REPOSITORY_APPEND,
    SBOM,
    SBOM_FORMATS,
    SBOM_PATH,
    VCS,
];

const LOCK: &[Flag] = &[
    ARCH,
    BUILD_REPOSITORY_APPEND,
    CACHE_DIR,
    IGNORE_SIGNATURES,
    INCLUDE_PATHS,
    KEYRING_APPEND,
    text(
        "output",
        "The lock file [default: beside the image file, IMAGE.lock.json]",
    ),
    REPOSITORY_APPEND,
];

const SHOW_CONFIG: &[Flag] = &[
    BUILD_REPOSITORY_APPEND.idle(),
    CACHE_DIR,
    KEYRING_APPEND.idle(),
    OFFLINE.idle(),
    REPOSITORY_APPEND.idle(),
];

const SHOW_PACKAGES: &[Flag] = &[
    ARCH,
    BUILD_REPOSITORY_APPEND,
    CACHE_DIR,
    text("format", "The name of a format, or a template of Go's").or("{{ .Name }} {{ .Version }}"),
    KEYRING_APPEND,
    OFFLINE,
    REPOSITORY_APPEND,
];

const DOT: &[Flag] = &[
    ARCH,
    BUILD_REPOSITORY_APPEND,
    CACHE_DIR,
    KEYRING_APPEND,
    OFFLINE,
    text("registry-explorer", "Nodes of the graph link nowhere")
        .short('e')
        .or("apk.dag.dev")
        .told("nodes of the graph link nowhere"),
    REPOSITORY_APPEND,
    switch(
        "spanning-tree",
        "One edge to each package, the first that leads there",
    )
    .short('S'),
    switch("web", "Not taken").refused(
        "no browser is opened",
        "draw it: apko dot IMAGE.yaml | dot -Tsvg > graph.svg",
    ),
];

const ROOTFS: &[Flag] = &[
    BUILD_ARCH,
    BUILD_DATE,
    BUILD_REPOSITORY_APPEND,
    IGNORE_SIGNATURES,
    KEYRING_APPEND,
    MAX_CONTROL,
    MAX_DATA,
    MAX_INDEX,
    MAX_RESPONSE,
    PACKAGE_APPEND,
    REPOSITORY_APPEND,
    SBOM_PATH,
];

const CPIO: &[Flag] = &[
    BUILD_ARCH,
    BUILD_DATE,
    BUILD_REPOSITORY_APPEND,
    KEYRING_APPEND,
    MAX_CONTROL,
    MAX_DATA,
    MAX_INDEX,
    MAX_RESPONSE,
    PACKAGE_APPEND,
    REPOSITORY_APPEND,
    SBOM_PATH,
];

const CLEAN: &[Flag] = &[
    text("cache-dir", "A cache folder of apko's"),
    switch("dry-run", "Remove nothing"),
];

const LOGIN: &[Flag] = &[
    text("password", "The password").short('p'),
    switch("password-stdin", "Read the password from standard input"),
    text("username", "The name").short('u'),
];

pub(super) const COMMANDS: &[Command] = &[
    command(
        "build",
        "IMAGE.yaml TAG OUT.tar|FOLDER",
        3,
        BUILD,
        "Build an image as an archive, or as an OCI layout in a folder that is there",
    ),
    command(
        "publish",
        "IMAGE.yaml TAG…",
        2,
        PUBLISH,
        "Build an image and bring it to registries",
    ),
    command(
        "lock",
        "IMAGE.yaml",
        1,
        LOCK,
        "Choose the packages of an image and write them into a lock file",
    ),
    command(
        "resolve",
        "IMAGE.yaml",
        1,
        LOCK,
        "The same as lock, into IMAGE.resolved.json",
    ),
    command(
        "show-config",
        "IMAGE.yaml",
        1,
        SHOW_CONFIG,
        "Show the configuration that an image file and what it includes give",
    ),
    command(
        "show-packages",
        "IMAGE.yaml",
        1,
        SHOW_PACKAGES,
        "Show the packages that an image would have",
    ),
    command(
        "dot",
        "IMAGE.yaml",
        1,
        DOT,
        "Print the packages of an image and what they need as a graph",
    ),
    command(
        "build-minirootfs",
        "IMAGE.yaml OUT.tar.gz",
        2,
        ROOTFS,
        "Build the files of an image as one archive",
    ),
    command(
        "build-cpio",
        "IMAGE.yaml OUT.cpio",
        2,
        CPIO,
        "Build the files of an image as a cpio archive",
    ),
    command("install-keys", "", 0, &[], "Not taken").refused(
        "whom to trust is nothing to take from a server",
        "download the key, see that it is the right one, and put it into /etc/apk/keys",
    ),
    command("clean", "", 0, CLEAN, "Not taken").refused(
        "no cache of apko's is kept",
        "remove `boltworks` in your cache folder, which is made again: rm -r ~/.cache/boltworks",
    ),
    command(
        "login",
        "REGISTRY",
        1,
        LOGIN,
        "Keep a login for a registry where docker keeps them",
    ),
    command(
        "erofs mount",
        "IMAGE FOLDER",
        2,
        &[EROFS_ARCH, EROFS_MODE, EROFS_RW],
        "Mount an image of EROFS, or a file that is one layer of it",
    ),
    command(
        "erofs umount",
        "FOLDER",
        1,
        &[EROFS_ARCH.idle(), EROFS_MODE.idle(), EROFS_RW.idle()],
        "Take down what is mounted at a folder",
    ),
    command(
        "erofs ls",
        "IMAGE",
        1,
        &[EROFS_ARCH, EROFS_MODE.idle(), EROFS_RW.idle()],
        "List what is in an image of EROFS, without mounting it",
    ),
    VERSION,
    COMPLETION,
];

const EROFS_ARCH: Flag = text("arch", "The architecture of the image").or("host");
const EROFS_MODE: Flag = text("mode", "How it is mounted: auto, kernel or fuse").or("auto");
const EROFS_RW: Flag = switch("rw", "Write to it: what is written lies beside it");
