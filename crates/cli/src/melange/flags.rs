//! Flags that several commands take, under melange's names and with melange's defaults.

use super::flag::{Flag, list, switch, text};

/// The flag that every command takes.
pub(crate) const LOG_LEVEL: Flag =
    text("log-level", "How much is said: debug, info, warn or error").or("INFO");

pub(super) const APK_CACHE_DIR: Flag =
    text("apk-cache-dir", "Packages are kept with the state").idle();
pub(super) const ARCH: Flag = list(
    "arch",
    "The architectures to build for, `host` and `all` among them",
);
pub(super) const BUILD_DATE: Flag = text(
    "build-date",
    "The time in packages, like 2026-11-26T10:25:20Z",
);
pub(super) const BUILD_OPTION: Flag = list("build-option", "Options of the recipe to switch on");
pub(super) const CACHE_DIR: Flag = text(
    "cache-dir",
    "A folder of sources that were fetched before, as `update-cache` fills it",
);
pub(super) const CACHE_SOURCE: Flag = text("cache-source", "A second such folder");
pub(super) const CPU: Flag = text("cpu", "Every step may use all processors").idle();
pub(super) const CPUMODEL: Flag = text("cpumodel", "There is one model: this machine's").idle();
pub(super) const CREATE_BUILD_LOG: Flag = switch(
    "create-build-log",
    "Add a line for each package to the file packages.log",
);
pub(super) const DEBUG: Flag = switch("debug", "Print every line that steps print");
pub(super) const DEBUG_RUNNER: Flag =
    switch("debug-runner", "A failed guest's folders stay in any case").idle();
pub(super) const DEPENDENCY_LOG: Flag = text("dependency-log", "Not taken").refused(
    "what was found in files is not kept apart from what the recipe says",
    "read both off a package: boltworks apk info PACKAGE",
);
pub(super) const DISK: Flag = text("disk", "A guest's disk is this machine's").idle();
pub(super) const EMPTY_WORKSPACE: Flag =
    switch("empty-workspace", "Lay no files into the workspace");
pub(super) const ENV_FILE: Flag = list(
    "env-file",
    "Files of variables that steps see; what the recipe sets wins",
);
pub(super) const FAIL_ON_LINT_WARNING: Flag = switch("fail-on-lint-warning", "Not taken").refused(
    "melange gave it up too",
    "name the linters that must pass with --lint-require",
);
pub(super) const GENERATE_INDEX: Flag = switch(
    "generate-index",
    "Bring the index in the out-dir up to date",
)
.on();
pub(super) const GENERATE_PROVENANCE: Flag = switch("generate-provenance", "Not taken").refused(
    "melange's document names no materials, and no program could check it",
    "build in a factory's folder (boltworks init): it records what went into each package, \
     and `boltworks explain PACKAGE` shows it",
);
pub(super) const GIT_COMMIT: Flag = text(
    "git-commit",
    "The recipe's commit, for packages of which it names none",
);
pub(super) const GIT_REPO_URL: Flag =
    text("git-repo-url", "The SBOM names the recipe by its digest").idle();
pub(super) const IGNORE_SIGNATURES: Flag = switch(
    "ignore-signatures",
    "Take packages and indexes whoever signed them",
);
pub(super) const INTERACTIVE: Flag = switch(
    "interactive",
    "Open a shell in the guest where a step fails",
)
.short('i');
pub(super) const KEYRING_APPEND: Flag = list(
    "keyring-append",
    "Public keys that repositories are signed with",
)
.short('k');
pub(super) const LICENSE: Flag = text(
    "license",
    "The SBOM says nothing of the recipe's own licence",
)
.or("NOASSERTION")
.idle();
pub(super) const LINT_REQUIRE: Flag = list(
    "lint-require",
    "Linters that must pass [default: those that boltworks has at that level]",
);
pub(super) const LINT_WARN: Flag = list(
    "lint-warn",
    "Linters that only warn [default: those that boltworks has at that level]",
);
pub(super) const PERSIST_LINT_RESULTS: Flag = switch(
    "persist-lint-results",
    "Write what linters found to OUT-DIR/ARCH/lint-PACKAGE-VERSION.json",
);
pub(super) const MEMORY: Flag = text(
    "memory",
    "The most memory a step may use, like 8Gi [default: the factory's limit, else none]",
);
pub(super) const NAMESPACE: Flag = text(
    "namespace",
    "The namespace of packages' addresses in the SBOM",
)
.or("unknown");
pub(super) const OUT_DIR: Flag = text(
    "out-dir",
    "Where packages and index go: into ARCH/ beneath it",
)
.or("./packages/");
pub(super) const LIBC: Flag = text(
    "override-host-triplet-libc-substitution-flavor",
    "The C library that ${{host.triplet.*}} names: gnu or musl",
)
.or("gnu");
pub(super) const PACKAGE_APPEND: Flag = list(
    "package-append",
    "Packages in the environment beside those the recipe names",
);
pub(super) const PIPELINE_DIR: Flag = text(
    "pipeline-dir",
    "A folder of pipelines; it goes before the others",
);
pub(super) const PIPELINE_DIRS: Flag = list("pipeline-dirs", "Folders of pipelines");
pub(super) const REPOSITORY_APPEND: Flag = list(
    "repository-append",
    "Repositories to take packages from: folders that hold ARCH/APKINDEX.tar.gz",
)
.short('r');
pub(super) const RM: Flag = switch("rm", "What a finished build leaves is removed in any case")
    .on()
    .idle();
pub(super) const RUNNER: Flag = text("runner", "Steps run in the program's own sandbox");
pub(super) const SIGNING_KEY: Flag = text(
    "signing-key",
    "The private key to sign packages and index with",
);
pub(super) const SOURCE_DIR: Flag = text(
    "source-dir",
    "The folder whose files are laid into the workspace",
);
pub(super) const STRIP_ORIGIN_NAME: Flag = switch("strip-origin-name", "Not taken").refused(
    "a package always names the recipe it comes from",
    "leave it out: apk installs a package whatever its origin",
);
pub(super) const TEST_OPTION: Flag = list("test-option", "Options of the recipe to switch on");
pub(super) const TEST_PACKAGE_APPEND: Flag = list(
    "test-package-append",
    "Packages in every test's environment",
);
pub(super) const TIMEOUT: Flag = text(
    "timeout",
    "The longest a step may take, like 90s or 1h30m [default, and 0: the factory's limit, else 2h]",
);
pub(super) const TRACE: Flag = text("trace", "No trace is written").told("no trace is written");
pub(super) const VARS_FILE: Flag = text(
    "vars-file",
    "A YAML file of values for `vars`; they win over the recipe's",
);
pub(super) const WORKSPACE_DIR: Flag = text(
    "workspace-dir",
    "A folder that must be empty: the workspace is elsewhere",
);
