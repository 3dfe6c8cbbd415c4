//! The rules, in order: each turns what one file shows into needs and offers.

use boltworks_version::apk::Version;

use super::{FileFacts, Findings, Subject};

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
        apply: elf_needed,
    },
    Rule {
        name: "elf-interpreter",
        apply: elf_interpreter,
    },
    Rule {
        name: "elf-soname",
        apply: elf_soname,
    },
    Rule {
        name: "command",
        apply: command,
    },
    Rule {
        name: "pkg-config",
        apply: pkg_config,
    },
    Rule {
        name: "shebang",
        apply: shebang,
    },
];

/// Folders the dynamic loader searches.
const LIBRARY_FOLDERS: &[&[u8]] = &[b"lib", b"usr/lib", b"lib64", b"usr/lib64"];
/// Folders whose programs are commands.
const COMMAND_FOLDERS: &[&[u8]] = &[
    b"bin",
    b"sbin",
    b"usr/bin",
    b"usr/sbin",
    b"usr/local/bin",
    b"usr/local/sbin",
];
/// Folders pkg-config searches.
const PKG_CONFIG_FOLDERS: &[&[u8]] = &[
    b"usr/lib/pkgconfig",
    b"usr/share/pkgconfig",
    b"usr/lib64/pkgconfig",
];
/// Interpreters that no dependency is made of: the shell is everywhere, and the others are
/// found by rules of their own.
const FREE_INTERPRETERS: &[&str] = &["sh", "awk", "luajit"];

fn folder<'a>(facts: &FileFacts<'a>) -> &'a [u8] {
    let bytes = facts.path.as_bytes();
    bytes
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(&[], |end| &bytes[..end])
}

fn file_name(facts: &FileFacts<'_>) -> String {
    String::from_utf8_lossy(facts.path.file_name()).into_owned()
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `NEEDED libz.so.1` → `so:libz.so.1`. A name without a version (`libc.so`) names no package.
fn elf_needed(_: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let Some(elf) = facts.elf.as_ref().filter(|_| facts.is_regular) else {
        return;
    };
    for library in elf.needed.iter().filter(|library| library.contains(".so.")) {
        findings.need(format!("so:{}", base_name(library)), facts.path);
    }
}

/// `PT_INTERP /lib/ld-musl-x86_64.so.1` → `so:ld-musl-x86_64.so.1`.
fn elf_interpreter(_: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let Some(elf) = facts.elf.as_ref().filter(|_| facts.is_regular) else {
        return;
    };
    if let Some(interpreter) = &elf.interpreter {
        findings.need(format!("so:{}", base_name(interpreter)), facts.path);
    }
}

/// A library in the loader's folders offers its soname, versioned by what follows `.so.`, and
/// `so-ver:` with the package's version; elsewhere it is the package's own. A link that bears
/// another package's soname needs that package.
fn elf_soname(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let Some(elf) = facts.elf.as_ref().filter(|elf| elf.is_dynamic) else {
        return;
    };
    let Some(soname) = elf.soname.as_deref() else {
        return;
    };
    let in_reach = LIBRARY_FOLDERS.contains(&folder(facts));
    if facts.link_leaves && in_reach {
        findings.need(format!("so:{soname}"), facts.path);
    }
    if !facts.is_regular {
        return;
    }
    let version = soname
        .split_once(".so.")
        .and_then(|(_, version)| version.parse::<Version>().ok())
        .or_else(|| "0".parse().ok());
    if !in_reach {
        findings.vendor(format!("so:{soname}"), version, facts.path);
        return;
    }
    findings.offer(format!("so:{soname}"), version, facts.path);
    findings.offer(
        format!("so-ver:{soname}"),
        Some(subject.version.clone()),
        facts.path,
    );
}

/// An executable in a command folder offers `cmd:NAME`.
fn command(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let is_command =
        COMMAND_FOLDERS.contains(&folder(facts)) && facts.is_regular && facts.mode & 0o555 == 0o555;
    if is_command && !subject.no_commands {
        let name = format!("cmd:{}", file_name(facts));
        findings.offer(name, Some(subject.version.clone()), facts.path);
    }
}

/// `zlib.pc` offers `pc:zlib`; what its `Requires:` lists is needed.
fn pkg_config(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let Some(config) = &facts.pkg_config else {
        return;
    };
    if !PKG_CONFIG_FOLDERS.contains(&folder(facts)) {
        return;
    }
    let name = file_name(facts);
    let name = name.trim_end_matches(".pc");
    findings.offer(
        format!("pc:{name}"),
        Some(subject.version.clone()),
        facts.path,
    );
    for required in &config.requires {
        findings.need(format!("pc:{required}"), facts.path);
    }
}

/// A script in a command folder needs its interpreter.
fn shebang(_: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let folder = folder(facts);
    let is_in_reach = folder.starts_with(b"usr/bin") || folder.starts_with(b"usr/local");
    let Some(words) = facts.shebang.as_ref().filter(|_| is_in_reach) else {
        return;
    };
    let Some(interpreter) = words.first().map(|word| base_name(word)) else {
        return;
    };
    if !FREE_INTERPRETERS.contains(&interpreter) && !interpreter.starts_with("python") {
        findings.need(format!("cmd:{interpreter}"), facts.path);
    }
}
