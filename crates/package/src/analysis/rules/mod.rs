//! The rules, in order: each turns what one path shows into needs and offers.

mod files;
mod languages;
mod libraries;

use super::{Findings, Subject};
use crate::survey::FileFacts;

/// One rule and the name it goes by in documents and logs.
pub struct Rule {
    /// A short name.
    pub name: &'static str,
    /// The rule itself.
    pub apply: fn(&Subject<'_>, &FileFacts<'_>, &mut Findings),
}

/// All rules, in the order in which they are asked.
pub const RULES: &[Rule] = &[
    Rule {
        name: "elf-needed",
        apply: libraries::needed,
    },
    Rule {
        name: "elf-interpreter",
        apply: libraries::interpreter,
    },
    Rule {
        name: "elf-soname",
        apply: libraries::soname,
    },
    Rule {
        name: "linked-soname",
        apply: libraries::linked_soname,
    },
    Rule {
        name: "go-fips",
        apply: libraries::go_fips,
    },
    Rule {
        name: "command",
        apply: files::command,
    },
    Rule {
        name: "pkg-config",
        apply: files::pkg_config,
    },
    Rule {
        name: "shebang",
        apply: files::shebang,
    },
    Rule {
        name: "documentation",
        apply: files::documentation,
    },
    Rule {
        name: "kernel",
        apply: files::kernel,
    },
    Rule {
        name: "python",
        apply: languages::python,
    },
    Rule {
        name: "ruby",
        apply: languages::ruby,
    },
    Rule {
        name: "perl",
        apply: languages::perl,
    },
];
