//! All linters, by name, with their levels.

use super::Level::{Error, Off, Warn};
use super::{Linter, contents, hardening, names, places, python};

/// All linters, in the order of their names. All but `hardening` are melange's, with its levels.
pub const LINTERS: &[Linter] = &[
    Linter {
        name: "binaryarch",
        level: Warn,
        advice: "the package holds programs of a machine that is neither x86_64 nor aarch64: leave them out",
        check: contents::binary_arch,
    },
    Linter {
        name: "cudaruntimelib",
        level: Warn,
        advice: "leave NVIDIA's driver libraries out: whoever runs a container brings those that fit the machine",
        check: places::cuda_runtime_lib,
    },
    Linter {
        name: "dev",
        level: Error,
        advice: "leave files in /dev out: device nodes are made by whoever runs the system",
        check: places::dev,
    },
    Linter {
        name: "dll",
        level: Warn,
        advice: "leave libraries for Windows out",
        check: names::dll,
    },
    Linter {
        name: "documentation",
        level: Off,
        advice: "move documentation into a package whose name ends in -doc, or remove it",
        check: names::documentation,
    },
    Linter {
        name: "duplicate",
        level: Warn,
        advice: "make one of the equal files a link to the other",
        check: contents::duplicate,
    },
    Linter {
        name: "dylib",
        level: Warn,
        advice: "leave libraries for macOS out",
        check: names::dylib,
    },
    Linter {
        name: "empty",
        level: Off,
        advice: "check the build; a package that is meant to be empty can list this in `checks.disabled`",
        check: contents::empty,
    },
    Linter {
        name: "hardening",
        level: Warn,
        advice: "build with -fPIE -pie, -D_FORTIFY_SOURCE=2, -fstack-protector-strong, -fcf-protection and -Wl,-z,relro,-z,now",
        check: hardening::hardening,
    },
    Linter {
        name: "infodir",
        level: Error,
        advice: "remove /usr/share/info/dir: it lists the pages of all packages, and each would bring its own (`split/infodir` does it)",
        check: places::info_dir,
    },
    Linter {
        name: "lddcheck",
        level: Warn,
        advice: "test the libraries with `test/tw/ldd-check`",
        check: contents::ldd_check,
    },
    Linter {
        name: "libtool/la-files",
        level: Error,
        advice: "remove libtool's .la files",
        check: names::libtool,
    },
    Linter {
        name: "maninfo",
        level: Warn,
        advice: "move manual and info pages into a package whose name ends in -doc (`split/manpages`, `split/infodir`), or remove them",
        check: places::man_info,
    },
    Linter {
        name: "nonlinux",
        level: Warn,
        advice: "leave files for other systems out",
        check: names::non_linux,
    },
    Linter {
        name: "object",
        level: Warn,
        advice: "leave object files (.o) out",
        check: names::object,
    },
    Linter {
        name: "opt",
        level: Warn,
        advice: "install beneath /usr, or name the package -compat",
        check: places::opt,
    },
    Linter {
        name: "pkgconf",
        level: Warn,
        advice: "test the pkg-config files with `test/pkgconf`",
        check: contents::pkg_conf,
    },
    Linter {
        name: "python/docs",
        level: Warn,
        advice: "leave the folders doc and docs in site-packages out: they are no modules",
        check: python::docs,
    },
    Linter {
        name: "python/multiple",
        level: Warn,
        advice: "make a package of each module, and see that pip installs nothing but what is built",
        check: python::multiple,
    },
    Linter {
        name: "python/test",
        level: Warn,
        advice: "leave the folders test and tests in site-packages out: every package would bring its own",
        check: python::tests,
    },
    Linter {
        name: "sbom",
        level: Warn,
        advice: "keep /var/lib/db/sbom for the SPDX documents that are made with each package",
        check: places::sbom,
    },
    Linter {
        name: "setuidgid",
        level: Error,
        advice: "take the setuid and setgid bits away",
        check: contents::set_id,
    },
    Linter {
        name: "srv",
        level: Warn,
        advice: "install beneath /usr, or name the package -compat",
        check: places::srv,
    },
    Linter {
        name: "staticarchive",
        level: Warn,
        advice: "move static libraries (.a) into a package whose name ends in -dev or -static (`split/static`), or remove them",
        check: names::static_archive,
    },
    Linter {
        name: "strip",
        level: Warn,
        advice: "strip the files (`uses: strip`), or split what debuggers need off (`split/debug`)",
        check: contents::strip,
    },
    Linter {
        name: "tempdir",
        level: Error,
        advice: "leave files in temporary folders out; let a file in /usr/lib/tmpfiles.d make a folder beneath /run",
        check: places::temp_dir,
    },
    Linter {
        name: "unsupportedarch",
        level: Warn,
        advice: "leave files for other machines than x86_64 and aarch64 out",
        check: names::unsupported_arch,
    },
    Linter {
        name: "usrlocal",
        level: Warn,
        advice: "install beneath /usr, or name the package -compat",
        check: places::usr_local,
    },
    Linter {
        name: "usrmerge",
        level: Error,
        advice: "move programs to /usr/bin and libraries to /usr/lib: /bin, /sbin, /usr/sbin, /lib and /lib64 are links to them",
        check: places::usr_merge,
    },
    Linter {
        name: "varempty",
        level: Error,
        advice: "leave files in /var/empty out",
        check: places::var_empty,
    },
    Linter {
        name: "worldwrite",
        level: Error,
        advice: "take the right to write away from others",
        check: contents::world_write,
    },
];
