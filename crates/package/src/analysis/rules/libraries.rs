//! What ELF files need and offer.

use boltworks_version::apk::Version;

use super::{FileFacts, Findings, Subject};
use crate::survey::{ElfFacts, ElfKind, Mark, base_name};

/// Libraries of NVIDIA's driver. Whoever runs a container brings those that fit the machine's
/// kernel, so no package may need or offer them.
const HOST_LIBRARIES: &[&str] = &[
    "libEGL_nvidia.so.1",
    "libGLESv1_CM_nvidia.so.1",
    "libGLESv2_nvidia.so.1",
    "libGLX_nvidia.so.1",
    "libcuda.so.1",
    "libcudadebugger.so.1",
    "libnvcuvid.so.1",
    "libnvidia-allocator.so.1",
    "libnvidia-cfg.so.1",
    "libnvidia-eglcore.so.1",
    "libnvidia-encode.so.1",
    "libnvidia-fbc.so.1",
    "libnvidia-glcore.so.1",
    "libnvidia-glsi.so.1",
    "libnvidia-glvkspirv.so.1",
    "libnvidia-gpucomp.so.1",
    "libnvidia-ml.so.1",
    "libnvidia-ngx.so.1",
    "libnvidia-nvvm.so.1",
    "libnvidia-opencl.so.1",
    "libnvidia-opticalflow.so.1",
    "libnvidia-pkcs11-openssl3.so.1",
    "libnvidia-pkcs11.so.1",
    "libnvidia-ptxjitcompiler.so.1",
    "libnvidia-rtcore.so.1",
    "libnvidia-tls.so.1",
    "libnvoptix.so.1",
];
/// glibc's loaders. They are not bound to a version, or a new glibc would rebuild everything.
const UNBOUND: [&str; 2] = ["ld-linux-x86-64.so", "ld-linux-aarch64.so"];

fn regular<'f>(facts: &'f FileFacts<'_>) -> Option<&'f ElfFacts> {
    facts.elf.as_deref().filter(|_| facts.is_regular())
}

/// Notes the library and, where one is known, the version that it must at least have.
fn need(subject: &Subject<'_>, library: &str, facts: &FileFacts<'_>, findings: &mut Findings) {
    if HOST_LIBRARIES.contains(&library) {
        return;
    }
    findings.need(format!("so:{library}"), facts.path);
    let is_bound = !subject.options.no_versioned_shlib_deps
        && !UNBOUND.iter().any(|loader| library.starts_with(loader));
    if let Some(version) = subject.libraries.get(library).filter(|_| is_bound) {
        findings.need(format!("so-ver:{library}>={version}"), facts.path);
    }
}

/// `NEEDED libz.so.1` → `so:libz.so.1`. A name without a version (`libc.so`) names no package.
pub(super) fn needed(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let libraries = regular(facts).into_iter().flat_map(|elf| &elf.needed);
    for library in libraries.filter(|library| library.contains(".so.")) {
        need(subject, base_name(library), facts, findings);
    }
}

/// `PT_INTERP /lib64/ld-linux-x86-64.so.2` → `so:ld-linux-x86-64.so.2`. musl's loader is its C
/// library under another name: `/lib/ld-musl-x86_64.so.1` → `so:libc.musl-x86_64.so.1`.
pub(super) fn interpreter(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let Some(interpreter) = regular(facts).and_then(|elf| elf.interpreter.as_deref()) else {
        return;
    };
    let interpreter = base_name(interpreter);
    match interpreter.strip_prefix("ld-musl-") {
        Some(rest) => need(subject, &format!("libc.musl-{rest}"), facts, findings),
        None => need(subject, interpreter, facts, findings),
    }
}

/// A library in the loader's folders offers its soname, versioned by what follows `.so.`, and
/// `so-ver:` with the package's version; elsewhere both are the package's own. A link to a library
/// of the package is one, too.
///
/// Some programs bear a soname; they are told from libraries that can be run by their file names.
pub(super) fn soname(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let elf = regular(facts).filter(|elf| elf.kind == ElfKind::Shared);
    let itself = elf.and_then(|elf| Some((elf.soname.as_deref()?, elf.interpreter.is_some())));
    let linked = facts.linked.as_ref();
    let linked = linked.map(|library| (library.soname.as_str(), library.is_program));
    let Some((soname, is_program)) = itself.or(linked) else {
        return;
    };
    let file = String::from_utf8_lossy(facts.name());
    let is_library = !is_program || file.contains(".so.") || file.ends_with(".so");
    if !is_library || HOST_LIBRARIES.contains(&soname) {
        return;
    }
    let note = if facts.in_library_folder {
        Findings::offer
    } else {
        Findings::vendor
    };
    let name = format!("so:{soname}");
    note(findings, name, library_version(soname), facts.path);
    let version = Some(subject.version.clone());
    note(findings, format!("so-ver:{soname}"), version, facts.path);
}

/// The numbers behind `.so.`, or 0 where something else is there: `libaws.so.0unstable`.
fn library_version(soname: &str) -> Option<Version> {
    let behind = soname.split_once(".so.").map_or("", |(_, behind)| behind);
    let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let numbers = Some(behind).filter(|behind| behind.chars().all(is_number));
    numbers
        .and_then(|numbers| numbers.parse().ok())
        .or_else(|| "0".parse().ok())
}

/// A link for a library that a package of the build has needs it, wherever the link lies.
pub(super) fn linked_soname(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    if let Some(soname) = &facts.leads_to {
        need(subject, soname, facts, findings);
    }
}

/// A Go program with OpenSSL's cryptography loads it once it runs, with the certified settings.
pub(super) fn go_fips(_: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    if regular(facts).is_some_and(|elf| elf.is(Mark::GoFips)) {
        findings.need("openssl-config-fipshardened", facts.path);
        findings.need("so:libcrypto.so.3", facts.path);
    }
}

#[cfg(test)]
mod tests {
    use super::library_version;

    #[test]
    fn versions_of_libraries() {
        let check = |soname: &str, expect: &str| {
            let version = library_version(soname).unwrap();
            assert_eq!(version.to_string(), expect, "{soname}");
        };
        check("libz.so.1", "1");
        check("libLLVM.so.19.1", "19.1");
        check("libaws-c-s3.so.0unstable", "0");
        check("libaws-c-auth.so.1.0.0", "1.0.0");
        check("libX-1.2.so", "0");
        check("libX.so.", "0");
        check("libX.so.1.-2", "0");
        check("libX.so.1.0unstable", "0");
        check("libX.so.1..2", "0");
    }
}
