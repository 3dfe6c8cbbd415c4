//! What other files need and offer.

use super::{FileFacts, Findings, Subject};
use crate::survey::{KernelFacts, Shape, base_name};

/// Folders whose programs are commands.
const COMMAND_FOLDERS: [&[u8]; 4] = [b"bin", b"sbin", b"usr/bin", b"usr/sbin"];
/// Folders pkg-config searches.
const PKG_CONFIG_FOLDERS: [&[u8]; 5] = [
    b"usr/lib/pkgconfig",
    b"usr/share/pkgconfig",
    b"usr/lib64/pkgconfig",
    b"usr/local/lib/pkgconfig",
    b"usr/local/share/pkgconfig",
];
/// Folders whose scripts are looked into, at any depth.
const SCRIPT_FOLDERS: [&str; 3] = ["usr/bin", "usr/local/bin", "usr/local/sbin"];
/// Interpreters that no dependency is made of: they are links to one of several programs, and a
/// link offers no command.
const FREE_INTERPRETERS: [&str; 5] = ["sh", "awk", "luajit", "python", "python3"];

/// An executable in a command folder offers `cmd:NAME`.
pub(super) fn command(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let is_command = COMMAND_FOLDERS.contains(&facts.folder())
        && facts.is_regular()
        && facts.mode & 0o555 == 0o555;
    if is_command && !subject.options.no_commands {
        let name = format!("cmd:{}", String::from_utf8_lossy(facts.name()));
        findings.offer(name, Some(subject.version.clone()), facts.path);
    }
}

/// `zlib.pc` offers `pc:zlib`; what its `Requires:` and `Requires.private:` list is needed. Where
/// pkg-config does not search, it serves this package alone.
pub(super) fn pkg_config(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let Some(config) = &facts.pkg_config else {
        return;
    };
    let name = String::from_utf8_lossy(facts.name());
    let name = format!("pc:{}", name.strip_suffix(".pc").unwrap_or(&name));
    let version = Some(subject.version.clone());
    if !PKG_CONFIG_FOLDERS.contains(&facts.folder()) {
        findings.vendor(name, version, facts.path);
        return;
    }
    findings.offer(name, version, facts.path);
    for required in &config.requires {
        findings.need(format!("pc:{required}"), facts.path);
    }
}

/// A script in a command folder needs its interpreter.
pub(super) fn shebang(_: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let Some(words) = &facts.shebang else {
        return;
    };
    let interpreter = words.first().map_or("", |word| base_name(word));
    let is_in_reach = SCRIPT_FOLDERS.iter().any(|folder| facts.is_beneath(folder));
    if is_in_reach && !FREE_INTERPRETERS.contains(&interpreter) {
        findings.need(format!("cmd:{interpreter}"), facts.path);
    }
}

/// Pages in a documentation package need the program that shows them.
pub(super) fn documentation(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    if facts.shape == Shape::Dir || !subject.name.as_str().ends_with("-doc") {
        return;
    }
    for (folder, reader) in [("usr/share/man", "man-db"), ("usr/share/info", "texinfo")] {
        if facts.is_beneath(folder) {
            findings.need(reader, facts.path);
        }
    }
}

/// A kernel offers `linux:VERSION`, a module needs it.
pub(super) fn kernel(_: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    match &facts.kernel {
        Some(KernelFacts::Image(version)) => {
            findings.offer(format!("linux:{version}"), None, facts.path);
        }
        Some(KernelFacts::Module(version)) => {
            findings.need(format!("linux:{version}"), facts.path);
        }
        None => {}
    }
}
