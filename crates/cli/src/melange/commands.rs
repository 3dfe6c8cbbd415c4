//! The commands and their flags, under melange's names and with melange's defaults.

use super::flag::{Flag, list, switch, text};
use super::flags::{
    APK_CACHE_DIR, ARCH, BUILD_DATE, BUILD_OPTION, CACHE_DIR, CACHE_SOURCE, CPU, CPUMODEL,
    CREATE_BUILD_LOG, DEBUG, DEBUG_RUNNER, DEPENDENCY_LOG, DISK, EMPTY_WORKSPACE, ENV_FILE,
    FAIL_ON_LINT_WARNING, GENERATE_INDEX, GENERATE_PROVENANCE, GIT_COMMIT, GIT_REPO_URL,
    IGNORE_SIGNATURES, INTERACTIVE, KEYRING_APPEND, LIBC, LICENSE, LINT_REQUIRE, LINT_WARN, MEMORY,
    NAMESPACE, OUT_DIR, PACKAGE_APPEND, PERSIST_LINT_RESULTS, PIPELINE_DIR, PIPELINE_DIRS,
    REPOSITORY_APPEND, RM, RUNNER, SIGNING_KEY, SOURCE_DIR, STRIP_ORIGIN_NAME, TEST_OPTION,
    TEST_PACKAGE_APPEND, TIMEOUT, TRACE, VARS_FILE, WORKSPACE_DIR,
};
use crate::dialect::{COMPLETION, Command, VERSION, command};

const BUILD: &[Flag] = &[
    APK_CACHE_DIR,
    ARCH,
    BUILD_DATE,
    BUILD_OPTION,
    CACHE_DIR.or("./melange-cache/"),
    CACHE_SOURCE,
    switch(
        "cleanup",
        "What a finished build leaves is removed in any case",
    )
    .on()
    .idle(),
    CPU,
    CPUMODEL,
    CREATE_BUILD_LOG,
    DEBUG,
    DEBUG_RUNNER,
    DEPENDENCY_LOG,
    DISK,
    EMPTY_WORKSPACE,
    ENV_FILE,
    FAIL_ON_LINT_WARNING,
    GENERATE_INDEX,
    GENERATE_PROVENANCE,
    GIT_COMMIT,
    GIT_REPO_URL,
    IGNORE_SIGNATURES,
    INTERACTIVE,
    KEYRING_APPEND,
    LICENSE,
    LINT_REQUIRE,
    LINT_WARN,
    MEMORY,
    NAMESPACE,
    OUT_DIR,
    LIBC,
    PACKAGE_APPEND,
    PERSIST_LINT_RESULTS,
    PIPELINE_DIR,
    PIPELINE_DIRS,
    REPOSITORY_APPEND,
    RM,
    RUNNER,
    SIGNING_KEY,
    SOURCE_DIR,
    STRIP_ORIGIN_NAME,
    TIMEOUT,
    TRACE,
    VARS_FILE,
    WORKSPACE_DIR,
];

const TEST: &[Flag] = &[
    APK_CACHE_DIR,
    ARCH,
    CACHE_DIR,
    CACHE_SOURCE,
    CPU,
    CPUMODEL,
    DEBUG,
    DEBUG_RUNNER,
    DISK,
    ENV_FILE,
    IGNORE_SIGNATURES,
    INTERACTIVE,
    KEYRING_APPEND,
    MEMORY,
    PIPELINE_DIRS,
    REPOSITORY_APPEND,
    RM,
    RUNNER,
    SOURCE_DIR,
    TEST_OPTION,
    TEST_PACKAGE_APPEND,
    TIMEOUT,
    WORKSPACE_DIR,
];

/// `compile` takes most flags of `build`, and only what says how a recipe is read can matter to it.
const COMPILE: &[Flag] = &[
    APK_CACHE_DIR,
    text("arch", "The architecture to compile for"),
    BUILD_DATE.idle(),
    BUILD_OPTION,
    CACHE_DIR.or("./melange-cache/").idle(),
    CACHE_SOURCE.idle(),
    CPU,
    CREATE_BUILD_LOG.idle(),
    DEBUG.idle(),
    DEBUG_RUNNER,
    text("dependency-log", "Nothing is built").idle(),
    EMPTY_WORKSPACE.idle(),
    ENV_FILE,
    switch("fail-on-lint-warning", "Nothing is built").idle(),
    GENERATE_INDEX.idle(),
    switch("generate-provenance", "Nothing is built").idle(),
    GIT_COMMIT,
    GIT_REPO_URL,
    switch("interactive", "Nothing is built").short('i').idle(),
    KEYRING_APPEND.idle(),
    LICENSE,
    list("log-policy", "Messages go to standard error").idle(),
    MEMORY.idle(),
    NAMESPACE.idle(),
    OUT_DIR.idle(),
    PACKAGE_APPEND,
    PIPELINE_DIR,
    REPOSITORY_APPEND.idle(),
    switch("rm", "Nothing is built").idle(),
    text("runner", "Nothing is built").idle(),
    SIGNING_KEY.idle(),
    SOURCE_DIR.idle(),
    switch("strip-origin-name", "Nothing is built").idle(),
    TIMEOUT.idle(),
    VARS_FILE,
    text("workspace-dir", "Nothing is built").idle(),
];

const INDEX: &[Flag] = &[
    text("arch", "Only packages for this architecture").short('a'),
    switch("merge", "Keep what the source index has already").short('m'),
    text("output", "The index to write")
        .short('o')
        .or("APKINDEX.tar.gz"),
    text("signing-key", "The private key to sign the index with"),
    text("source", "The index that --merge keeps")
        .short('s')
        .or("APKINDEX.tar.gz"),
];

const SIGN: &[Flag] = &[text("signing-key", "The private key")
    .short('k')
    .or("local-melange.rsa")];

const SIGN_INDEX: &[Flag] = &[
    switch("force", "Sign anew what is signed already").short('f'),
    text("signing-key", "The private key").or("melange.rsa"),
];

const KEYGEN: &[Flag] = &[text("key-size", "4096 or 2048 bits").or("4096")];

const SOURCE: &[Flag] = &[
    text(
        "output",
        "The folder of repositories, one of each package's name",
    )
    .short('o')
    .or("./source"),
    text(
        "source-dir",
        "The folder of patches; that beside the recipe unless given",
    ),
];

const SCAN: &[Flag] = &[
    list(
        "arch",
        "The architectures of the packages [default: x86_64]",
    ),
    switch("comments", "What is a comment counts too"),
    switch(
        "diff",
        "Show how it differs from what they say; the exit code is 1 if it does",
    ),
    text(
        "keyring-append",
        "A public key that must have signed them [default: nobody is asked]",
    )
    .short('k')
    .or("local-melange.rsa.pub"),
    text("namespace", "The namespace [default: that of the packages]").or("unknown"),
    text("package", "Only this package").short('p'),
    text(
        "repository-append",
        "The folder that holds ARCH/NAME-VERSION.apk",
    )
    .short('r')
    .or("./packages"),
];

const LINT: &[Flag] = &[
    FAIL_ON_LINT_WARNING,
    LINT_REQUIRE,
    LINT_WARN,
    text(
        "out-dir",
        "Where --persist-lint-results writes: into ARCH/ beneath it",
    )
    .or("packages"),
    PERSIST_LINT_RESULTS,
];

const LICENSE_CHECK: &[Flag] = &[
    switch("fix", "Name in the recipe what is found and not declared"),
    text(
        "format",
        "flat: an entry for each licence; simple: one expression",
    )
    .or("flat"),
    text(
        "scan-type",
        "shallow: the top and the folders there; deep: everywhere",
    )
    .or("shallow"),
    text("workdir", "Nothing is unpacked").idle(),
];

const REBUILD: &[Flag] = &[
    switch(
        "diff",
        "Show how the packages differ; the exit code is 1 if they do",
    )
    .on(),
    IGNORE_SIGNATURES,
    KEYRING_APPEND,
    text("out-dir", "Where packages go: into ARCH/ beneath it").or("./rebuilt-packages/"),
    REPOSITORY_APPEND,
    RUNNER,
    SIGNING_KEY,
    SOURCE_DIR,
];

const INITRAMFS: &[Flag] = &[
    text("arch", "The architecture"),
    text("init-package", "The package that starts").or("microvm-init"),
    list("keyring", "Public keys").short('k'),
    text("output", "The file to write").short('o'),
    list("package", "More packages").short('p'),
    list("repository", "Repositories").short('r'),
];

/// Every command.
pub(crate) const COMMANDS: &[Command] = &[
    command(
        "build",
        "[RECIPE]",
        0,
        BUILD,
        "Build the packages of a recipe",
    ),
    command(
        "test",
        "RECIPE [PACKAGE]",
        1,
        TEST,
        "Run the tests of a recipe",
    ),
    command(
        "compile",
        "[RECIPE]",
        0,
        COMPILE,
        "Print a recipe as it is understood",
    ),
    command("index", "PACKAGE…", 1, INDEX, "Make an index of packages"),
    command("sign", "PACKAGE…", 1, SIGN, "Sign packages anew"),
    command("sign-index", "INDEX", 1, SIGN_INDEX, "Sign an index"),
    command("keygen", "[KEY.rsa]", 0, KEYGEN, "Make a key pair"),
    command(
        "query",
        "RECIPE TEMPLATE",
        2,
        &[],
        "Print what a template asks of a recipe",
    ),
    command(
        "package-version",
        "RECIPE",
        1,
        &[],
        "Print name, version and epoch of a recipe's package",
    ),
    command(
        "update-cache",
        "RECIPE",
        1,
        &[text("cache-dir", "The folder that sources go to").or("/var/cache/melange")],
        "Fetch the sources of a recipe into a folder",
    ),
    VERSION,
    COMPLETION,
    command("lint", "PACKAGE…", 1, LINT, "Lint packages"),
    command(
        "scan",
        "[RECIPE]",
        0,
        SCAN,
        "Read what the packages of a recipe need and offer off their files again",
    ),
    command(
        "license-check",
        "RECIPE|PACKAGE|FOLDER",
        1,
        LICENSE_CHECK,
        "Compare the licences that a recipe declares with those that its sources show",
    ),
    command(
        "rebuild",
        "PACKAGE…",
        1,
        REBUILD,
        "Make packages again from the recipe inside them, and show how they differ",
    ),
    command(
        "bump",
        "RECIPE VERSION",
        2,
        &[text("expected-commit", "The commit of a git source")],
        "Move a recipe to another version",
    ),
    command(
        "source get",
        "RECIPE",
        1,
        SOURCE,
        "Lay out the commit of a recipe with its patches, to change it",
    ),
    command(
        "source pop",
        "RECIPE",
        1,
        SOURCE,
        "Write what was committed back as the recipe's patches",
    ),
    command("initramfs", "", 0, INITRAMFS, "Not taken").refused(
        "it is for the QEMU runner, and there is none here: steps run in the program's own sandbox",
        "leave it out: build needs none",
    ),
];
