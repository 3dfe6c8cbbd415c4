//! ELF files, read as a loader reads them.

use boltworks_package::survey::{ElfFacts, ElfKind, Family, Mark, survey};

use crate::analysis::{LIBRARY, analysis, depends, provides};
use crate::{built, scanned};

#[test]
fn section_headers_decide_nothing() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/usr/bin
         echo 'int one(void); int main(void) {{ return one(); }}' > main.c
         cc -o $D/usr/bin/main main.c -L$D/usr/lib -l:libone.so.1.2"
    );
    let (folder, tree) = built(&script);
    let expected = analysis("main", &tree, &[]);
    assert!(depends(&expected).contains(&"so:libc.so.6".to_owned()));
    assert!(provides(&expected).contains(&"so:libone.so.1=1".to_owned()));
    // `e_shoff`, `e_shnum` and `e_shstrndx` of a 64-bit file.
    let without = |bytes: &mut Vec<u8>| {
        bytes[0x28..0x30].fill(0);
        bytes[0x3c..0x40].fill(0);
    };
    // Everything there says that it is nothing.
    let lying = |bytes: &mut Vec<u8>| {
        let at = usize::from_le_bytes(bytes[0x28..0x30].try_into().unwrap());
        bytes[at..].fill(0);
    };
    // The program headers at an odd place, which every loader takes.
    let odd = |bytes: &mut Vec<u8>| {
        let count = usize::from(bytes[0x38]);
        let headers = bytes[0x40..0x40 + 56 * count].to_vec();
        bytes.resize(bytes.len() | 1, 0);
        let place = bytes.len() as u64;
        bytes[0x20..0x28].copy_from_slice(&place.to_le_bytes());
        bytes.extend(headers);
    };
    for change in [lying as fn(&mut Vec<u8>), without, odd] {
        for path in ["usr/bin/main", "usr/lib/libone.so.1.2"] {
            let path = folder.path().join(path);
            let mut bytes = std::fs::read(&path).unwrap();
            change(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
        }
        assert_eq!(analysis("main", &scanned(folder.path()), &[]), expected);
    }
}

#[test]
fn an_elf_file_with_an_endless_name_is_an_error() {
    let script = "cd $(mktemp -d) && mkdir -p $D/usr/lib
        echo 'int one(void) { return 1; }' > one.c
        cc -shared -fPIC -nostdlib -o $D/usr/lib/libone.so.1 \
          -Wl,-soname,$(head -c 5000 /dev/zero | tr '\\0' x) one.c";
    let (_folder, tree) = built(script);
    let family = Family::new(&[&tree]).unwrap();
    let error = survey(&tree, &family).err().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        cause,
        "an ELF file names a library with more than 4095 bytes"
    );
}

/// The facts of a file that a real compiler made.
fn facts(script: &str, path: &str) -> ElfFacts {
    let (_folder, tree) = built(&format!("cd $(mktemp -d)\n{script}"));
    let family = Family::new(&[&tree]).unwrap();
    let survey = survey(&tree, &family).unwrap();
    let mut files = survey.files.into_iter();
    let file = files.find(|file| file.path.as_bytes() == path.as_bytes());
    *file.unwrap().elf.unwrap()
}

const PROGRAM: &str = r#"
mkdir -p $D/usr/bin
cat > main.c <<'END'
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  char name[64];
  strcpy(name, argv[argc - 1]);
  return printf("%s\n", name) < 0;
}
END
"#;

#[test]
fn marks_of_a_hardened_program() {
    let build = "cc -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
        -fcf-protection=full -fPIE -pie -Wl,-z,relro,-z,now -o $D/usr/bin/main main.c";
    let facts = facts(&format!("{PROGRAM}{build}"), "usr/bin/main");
    assert_eq!(facts.kind, ElfKind::Shared);
    for mark in [
        Mark::Pie,
        Mark::Relro,
        Mark::BindNow,
        Mark::Imports,
        Mark::Fortified,
        Mark::StackProtector,
    ] {
        assert!(facts.is(mark), "{mark:?}");
    }
    assert!(!facts.is(Mark::DebugInfo) && !facts.is(Mark::Go));
}

/// A file has what all of its parts have, so it is made without the C library's.
#[test]
#[cfg(target_arch = "x86_64")]
fn what_the_processor_may_demand() {
    for (protection, expect) in [
        ("full", [true, true]),
        ("branch", [true, false]),
        ("return", [false, true]),
        ("none", [false, false]),
    ] {
        let build = format!(
            "mkdir -p $D/usr/lib; echo 'int one(void) {{ return 1; }}' > one.c
             cc -fcf-protection={protection} -shared -fPIC -nostdlib -o $D/usr/lib/x.so one.c"
        );
        let facts = facts(&build, "usr/lib/x.so");
        let found = [Mark::BranchTracking, Mark::ShadowStack].map(|mark| facts.is(mark));
        assert_eq!(found, expect, "{protection}");
    }
}

#[test]
fn marks_of_a_bare_program() {
    let build = "cc -g -O2 -U_FORTIFY_SOURCE -fno-stack-protector -fcf-protection=none \
        -fno-pie -no-pie -fno-builtin -Wl,-z,norelro,-z,lazy -o $D/usr/bin/main main.c";
    let facts = facts(&format!("{PROGRAM}{build}"), "usr/bin/main");
    assert_eq!(facts.kind, ElfKind::Executable);
    for mark in [
        Mark::Pie,
        Mark::Relro,
        Mark::BindNow,
        Mark::Fortified,
        Mark::StackProtector,
    ] {
        assert!(!facts.is(mark), "{mark:?}");
    }
    for mark in [Mark::LazyBinding, Mark::Imports, Mark::DebugInfo] {
        assert!(facts.is(mark), "{mark:?}");
    }
    assert_eq!(facts.unchecked, ["printf", "strcpy"]);
}

#[test]
fn a_folder_in_ld_so_conf_d_is_a_library_folder() {
    let script = format!(
        "cd $(mktemp -d)\n{LIBRARY}\nmkdir -p $D/my/lib $D/etc/ld.so.conf.d
         mv $D/usr/lib/libone.so.1.2 $D/my/lib/ && rm -r $D/usr
         echo /my/lib > $D/etc/ld.so.conf.d/one.conf"
    );
    let (folder, tree) = built(&script);
    let offers = ["so-ver:libone.so.1=1.2-r3", "so:libone.so.1=1"];
    assert_eq!(provides(&analysis("one", &tree, &[])), offers);
    // It may be in another package of the build.
    let (_conf, conf) =
        built("mkdir -p $D/etc/ld.so.conf.d; echo /my/lib/ > $D/etc/ld.so.conf.d/x.conf");
    std::fs::remove_dir_all(folder.path().join("etc")).unwrap();
    let tree = scanned(folder.path());
    assert!(provides(&analysis("one", &tree, &[])).is_empty());
    assert_eq!(provides(&analysis("one", &tree, &[&conf])), offers);
}

#[test]
fn a_program_with_a_soname_is_no_library() {
    let script = |name: &str| {
        format!(
            "cd $(mktemp -d); mkdir -p $D/usr/lib; echo 'int main(void) {{ return 0; }}' > m.c
             cc -fPIE -pie -Wl,-soname,libodd.so.1 -o $D/usr/lib/{name} m.c"
        )
    };
    let (_folder, tree) = built(&script("odd"));
    assert!(provides(&analysis("odd", &tree, &[])).is_empty());
    let (_folder, tree) = built(&script("libodd.so.1"));
    let offers = ["so-ver:libodd.so.1=1.2-r3", "so:libodd.so.1=1"];
    assert_eq!(provides(&analysis("odd", &tree, &[])), offers);
}

#[test]
fn libraries_of_the_host_are_neither_needed_nor_offered() {
    let script = "cd $(mktemp -d); mkdir -p $D/usr/lib $D/usr/bin
        echo 'int one(void) { return 1; }' > one.c
        cc -shared -fPIC -nostdlib -Wl,-soname,libcuda.so.1 -o $D/usr/lib/libcuda.so.550 one.c
        echo 'int one(void); int main(void) { return one(); }' > main.c
        cc -o $D/usr/bin/main main.c -L$D/usr/lib -l:libcuda.so.550";
    let (folder, tree) = built(script);
    let found = analysis("cuda", &tree, &[]);
    assert_eq!(provides(&found), ["cmd:main=1.2-r3"]);
    std::fs::remove_dir_all(folder.path().join("usr/lib")).unwrap();
    let needs = depends(&analysis("cuda", &scanned(folder.path()), &[]));
    assert!(!needs.iter().any(|need| need.contains("cuda")), "{needs:?}");
}

#[test]
fn musls_loader_is_its_library() {
    let script = "cd $(mktemp -d); mkdir -p $D/usr/bin
        echo 'int main(void) { return 0; }' > m.c
        cc -o $D/usr/bin/m m.c -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    let (_folder, tree) = built(script);
    let needs = depends(&analysis("m", &tree, &[]));
    assert!(
        needs.contains(&"so:libc.musl-x86_64.so.1".to_owned()),
        "{needs:?}"
    );
}

#[test]
fn libraries_can_be_bound_to_versions() {
    use boltworks_package::analysis::{Subject, analyse};
    use boltworks_recipe::resolved::PackageOptions;

    let script = "cd $(mktemp -d); mkdir -p $D/usr/bin
        echo 'int main(void) { return 0; }' > m.c && cc -o $D/usr/bin/m m.c";
    let (_folder, tree) = built(script);
    let family = Family::new(&[&tree]).unwrap();
    let survey = survey(&tree, &family).unwrap();
    let (name, version) = ("m".parse().unwrap(), "1-r0".parse().unwrap());
    let known = ["libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
    let libraries = known
        .map(|library| (library.to_owned(), "2.43-r1".parse().unwrap()))
        .into();
    let mut subject = Subject {
        libraries: &libraries,
        ..Subject::new(&name, &version)
    };
    let bound = |subject: &Subject<'_>| {
        let needs = depends(&analyse(subject, &survey)).into_iter();
        needs
            .filter(|need| need.starts_with("so-ver:"))
            .collect::<Vec<_>>()
    };
    assert_eq!(bound(&subject), ["so-ver:libc.so.6>=2.43-r1"]);
    subject.options = PackageOptions {
        no_versioned_shlib_deps: true,
        ..PackageOptions::default()
    };
    assert!(bound(&subject).is_empty());
}

/// A Go program, as far as its toolchain's notes go, made by the C compiler.
#[test]
fn a_go_program_with_openssl_needs_it() {
    let program = |settings: &str| {
        let build = format!("path\tx\nbuild\tCGO_ENABLED=1\n{settings}\n");
        let text = format!("{}{build}{}", "a".repeat(16), "b".repeat(16));
        let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
        info.resize(32, 0);
        info.extend(b"\x06go1.25");
        let len = text.len();
        info.extend([
            u8::try_from(len & 0x7f).unwrap() | 0x80,
            u8::try_from(len >> 7).unwrap(),
        ]);
        info.extend(text.as_bytes());
        let bytes: Vec<String> = info.iter().map(ToString::to_string).collect();
        format!(
            r#"cd $(mktemp -d); mkdir -p $D/usr/bin; cat > m.c <<'END'
__attribute__((aligned(16))) unsigned char info[] = {{{}}};
__asm__(".section .note.go.buildid,\"a\",@note\n.long 4,4,4\n.ascii \"Go\\0\\0\"\n.ascii \"abcd\"\n.text");
int main(void) {{ return info[0]; }}
END
cc -o $D/usr/bin/m m.c"#,
            bytes.join(",")
        )
    };
    let needs = |settings: &str| {
        let (_folder, tree) = built(&program(settings));
        let needs = depends(&analysis("m", &tree, &[])).into_iter();
        needs
            .filter(|need| need.contains("ssl") || need.contains("crypto"))
            .collect::<Vec<_>>()
    };
    let openssl = ["openssl-config-fipshardened", "so:libcrypto.so.3"];
    assert_eq!(needs("build\tGOEXPERIMENT=systemcrypto"), openssl);
    assert_eq!(needs("build\tmicrosoft_systemcrypto=1"), openssl);
    assert!(needs("build\tGOEXPERIMENT=greenteagc").is_empty());
}
