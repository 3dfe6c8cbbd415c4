//! The package note of what a build makes: which package a program belongs to, in the program itself
//! (uapi-group.org, *Package Metadata for Executable Files*).
//!
//! Compilers that ask for it find it in the workspace, where melange's recipes and compilers expect it:
//!
//! ```text
//! .melange.gcc.spec     a specification of gcc's: its linker is told the note
//! .melange.clang.cfg    the same for clang; .config/clang-N/… read it and then what /etc/clang-N has
//! .melange.fdo.h        a header for what no linker is told of, such as libraries that are linked in
//! ```

use std::path::Path;

use boltworks_fsx::{FileKind, Meta, Node, RelPath, Root, Tree};
use boltworks_recipe::resolved::{Cpe, Recipe};

use crate::workspace::HOME_FOLDER;
use crate::{Error, Order};

/// The end of the files in which a system says how its clang works, and of those that stand for them.
const CLANG_ENDS: [&[u8]; 2] = [
    b"-unknown-linux-gnu-clang.cfg",
    b"-unknown-linux-gnu-clang++.cfg",
];

/// What the note says, as JSON.
fn note(recipe: &Recipe, vendor: &str) -> String {
    let package = &recipe.package;
    let name = package.name.as_str();
    let version = package.full_version.to_string();
    let fields = [
        ("type", "apk"),
        ("os", vendor),
        ("name", name),
        ("version", &version),
        ("architecture", recipe.architecture.apk()),
    ];
    let fields = fields.map(|(field, value)| (field, value.to_owned()));
    let cpe = identity(&package.cpe, &package.version.to_string());
    let fields = fields.into_iter().chain(cpe.map(|cpe| ("appCpe", cpe)));
    let fields = fields.map(|(field, value)| format!("\"{field}\":\"{}\"", plain(&value)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// The name of a program in lists of vulnerabilities (NIST IR 7695, formatted string), where the
/// recipe says whose it is and what it is called there.
fn identity(cpe: &Cpe, version: &str) -> Option<String> {
    let any = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
    let parts = [
        cpe.part.clone().unwrap_or_else(|| "a".to_owned()),
        cpe.vendor.clone()?,
        cpe.product.clone()?,
        version.to_owned(),
        "*".to_owned(),
        any(&cpe.edition),
        any(&cpe.language),
        any(&cpe.sw_edition),
        any(&cpe.target_sw),
        any(&cpe.target_hw),
        any(&cpe.other),
    ];
    Some(format!("cpe:2.3:{}", parts.join(":")))
}

/// Without what means something to a compiler's specification, a shell, C or JSON.
fn plain(value: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._~@/()!*:+-".contains(letter);
    let plain = |letter| if is_plain(letter) { letter } else { '_' };
    value.chars().map(plain).collect()
}

/// The header; nothing of it is in a program but the note, and that always.
fn header(note: &str) -> String {
    let text = note.replace('"', "\\\"");
    format!(
        r#"/* The package note of what is built here. Include it once in each program or library. */
#ifndef PACKAGE_NOTE_H
#define PACKAGE_NOTE_H
#ifdef __ELF__
#define PACKAGE_NOTE "{text}"
#if defined(__has_attribute)
#if __has_attribute(retain)
__attribute__((retain))
#endif
#endif
__attribute__((used, aligned(4), section(".note.package")))
static const struct {{
	unsigned int owner_size, note_size, kind;
	char owner[4], note[sizeof PACKAGE_NOTE];
}} package_note = {{ 4, sizeof PACKAGE_NOTE, 0xcafe1a7eu, "FDO", PACKAGE_NOTE }};
#endif
#endif
"#
    )
}

/// The files that hold for any compiler, by name.
fn files(note: &str) -> [(&'static str, String); 3] {
    [
        (
            ".melange.gcc.spec",
            format!("*link:\n+ %{{!r:--package-metadata={note}}}\n"),
        ),
        (
            ".melange.clang.cfg",
            format!("-Xlinker --package-metadata='{note}'\n"),
        ),
        (".melange.fdo.h", header(note)),
    ]
}

/// What a build's note is made from.
#[derive(Clone, Copy)]
pub struct Noted<'a> {
    /// What is built.
    pub recipe: &'a Recipe,
    /// The folder of its environment: which clang that has, it says itself.
    pub system: &'a Path,
}

impl<'a> Noted<'a> {
    /// Of what an order asks for.
    pub fn of(order: &Order<'a>) -> Self {
        Self {
            recipe: order.recipe,
            system: order.tree,
        }
    }
}

/// Puts the files into a workspace that is about to be laid out, beside those that are there.
pub(crate) fn add(workspace: &mut Tree, noted: Noted<'_>, vendor: &str) -> Result<(), Error> {
    let Noted { recipe, system } = noted;
    for (name, text) in files(&note(recipe, vendor)) {
        put(workspace, name.as_bytes(), text)?;
    }
    let folder = RelPath::try_from(format!("{HOME_FOLDER}/.config").as_str())?;
    let clangs = clangs(&Root::open(system)?)?;
    if clangs.is_empty() || workspace.contains(&folder) {
        return Ok(());
    }
    workspace.insert(folder, Node::dir(Meta::new(0o755, 0)))?;
    for (version, files) in clangs {
        let folder = [HOME_FOLDER.as_bytes(), b"/.config/", &version].concat();
        workspace.insert(RelPath::new(folder)?, Node::dir(Meta::new(0o755, 0)))?;
        for file in files {
            let path = [b"/etc/", version.as_slice(), b"/", &file].concat();
            let path = String::from_utf8_lossy(&path);
            let text = format!("@../../.melange.clang.cfg\n@{path}\n");
            put(
                workspace,
                &[b".config/", version.as_slice(), b"/", &file].concat(),
                text,
            )?;
        }
    }
    Ok(())
}

fn put(workspace: &mut Tree, name: &[u8], text: String) -> Result<(), Error> {
    let path = RelPath::try_from(HOME_FOLDER)?.push(name)?;
    // A file of that name beside the recipe is meant so.
    if !workspace.contains(&path) {
        workspace.insert(path, Node::file(Meta::new(0o644, 0), text.into_bytes()))?;
    }
    Ok(())
}

/// A folder in which a system says how one of its clangs works, `clang-N`, and the files that count.
type Clang = (Vec<u8>, Vec<Vec<u8>>);

fn clangs(system: &Root) -> Result<Vec<Clang>, Error> {
    let etc = RelPath::try_from("etc")?;
    let is_folder = |root: &Root, path: &RelPath| -> Result<bool, Error> {
        let stat = root.stat(path)?;
        Ok(stat.is_some_and(|stat| stat.kind == FileKind::Dir))
    };
    if !is_folder(system, &etc)? {
        return Ok(Vec::new());
    }
    let etc = system.dir(&etc)?;
    let mut clangs = Vec::new();
    for entry in etc.list()? {
        let folder = RelPath::new(entry.name.clone())?;
        if !entry.name.starts_with(b"clang-") || !is_folder(&etc, &folder)? {
            continue;
        }
        let names = etc.dir(&folder)?.list()?.into_iter().map(|file| file.name);
        let counts = |name: &Vec<u8>| CLANG_ENDS.iter().any(|end| name.ends_with(end));
        let files: Vec<_> = names.filter(counts).collect();
        if !files.is_empty() {
            clangs.push((entry.name, files));
        }
    }
    Ok(clangs)
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::Limit;

    use super::*;

    #[test]
    fn nothing_of_a_value_means_something_elsewhere() {
        assert_eq!(plain("g++-1.2~rc1_x"), "g++-1.2~rc1_x");
        assert_eq!(plain("a \"b\" %{c} 'd'\\\n,é"), "a__b____c___d_____");
    }

    #[test]
    fn compilers_write_the_note_into_programs() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let note = r#"{"type":"apk","os":"os","name":"g++","version":"1~rc1-r0"}"#;
        for (name, text) in files(note) {
            let path = RelPath::try_from(name).unwrap();
            root.write(&path, text.as_bytes(), 0o644).unwrap();
        }
        let main = RelPath::try_from("main.c").unwrap();
        let text = b"int main(void) { return 0; }\n";
        root.write(&main, text, 0o644).unwrap();
        let strict = "-Wall -Wextra -Wpedantic -Werror -std=c11";
        for told in [
            "-specs=.melange.gcc.spec",
            "-include .melange.fdo.h -flto -O2",
        ] {
            let script =
                format!("cd \"$0\" && gcc {strict} {told} -Wl,--gc-sections -o main main.c");
            #[expect(
                clippy::disallowed_methods,
                reason = "a compiler is what this is about"
            )]
            let status = std::process::Command::new("sh")
                .args(["-euc", &script])
                .arg(folder.path())
                .status()
                .unwrap();
            assert!(
                status.success(),
                "a compiler: apt-get install gcc libc6-dev"
            );
            let made = RelPath::try_from("main").unwrap();
            let made = root.read_vec(&made, Limit::mib(1)).unwrap();
            let note = [&b"\x7e\x1a\xfe\xcaFDO\0"[..], note.as_bytes()].concat();
            let is_there = made.windows(note.len()).any(|part| part == note);
            assert!(is_there, "{told}");
        }
    }

    #[test]
    fn a_system_says_which_clang_it_has() {
        let system = tempfile::tempdir().unwrap();
        let root = Root::open(system.path()).unwrap();
        assert_eq!(clangs(&root).unwrap(), []);
        let file = "x86_64-unknown-linux-gnu-clang++.cfg";
        for path in [
            &format!("etc/clang-21/{file}"),
            "etc/clang-21/other.cfg",
            "etc/clang-format/readme",
            "etc/clang-x",
        ] {
            let path = RelPath::try_from(path).unwrap();
            root.make_dir(&path.parent().unwrap()).unwrap();
            root.write(&path, b"", 0o644).unwrap();
        }
        let expect = (b"clang-21".to_vec(), vec![file.as_bytes().to_vec()]);
        assert_eq!(clangs(&root).unwrap(), [expect]);
    }

    #[test]
    fn a_file_beside_the_recipe_stays() {
        let mut tree = Tree::new();
        let home = RelPath::try_from(HOME_FOLDER).unwrap();
        tree.insert(home.clone(), Node::dir(Meta::new(0o755, 0)))
            .unwrap();
        put(&mut tree, b".melange.fdo.h", "one".to_owned()).unwrap();
        put(&mut tree, b".melange.fdo.h", "two".to_owned()).unwrap();
        let file = tree.file(&home.push(".melange.fdo.h").unwrap()).unwrap();
        assert_eq!(file.read_vec(Limit::mib(1)).unwrap(), b"one");
    }
}
