//! What the image writes in the place of a package's file changes nothing else, and is not
//! taken for the package's.

use boltworks_apk::installed;
use boltworks_fsx::{Kind, Limit, Meta, Node, Tree};
use boltworks_recipe::resolved::{Image, PathKind, PathMutation};

use crate::files::layer_of;
use crate::kit::{EPOCH, Package, Site, image, rel};

fn other() -> Package {
    Package::new("other", "1-r0")
}

/// An image with this package beside the others, and its warnings.
fn built(package: Package, image: &Image) -> (Tree, Vec<String>) {
    let mut site = Site::filled();
    site.add(package);
    let built = site.build(image, 2).unwrap();
    let warnings = built.warnings.iter().filter(|line| line.contains("other"));
    (layer_of(&site, &built), warnings.cloned().collect())
}

fn link(target: &str) -> Node {
    Node {
        meta: Meta::new(0o644, EPOCH),
        kind: Kind::Hardlink(rel(target)),
    }
}

fn text(tree: &Tree, path: &str) -> String {
    let bytes = tree.file(&rel(path)).unwrap().read_vec(Limit(1 << 20));
    String::from_utf8(bytes.unwrap()).unwrap()
}

/// Mode, owner and content of a path.
fn state(tree: &Tree, path: &str) -> (u32, u32, String) {
    let meta = &tree.get(&rel(path)).unwrap().meta;
    (meta.mode, meta.uid, text(tree, path))
}

/// What the database says of a package's files: each with the lines that follow its name.
fn listed(tree: &Tree, package: &str) -> Vec<String> {
    let database = text(tree, installed::DATABASE);
    let of = |entry: &&str| entry.starts_with(&format!("P:{package}\n"));
    let entry = database.split("\n\n").find(of).unwrap();
    let (mut folder, mut lines) = (String::new(), Vec::new());
    for line in entry.lines() {
        match line.split_at(2) {
            ("F:", path) => path.clone_into(&mut folder),
            ("R:", name) => lines.push(format!("{folder}/{name}")),
            ("a:" | "Z:", rest) if !lines.is_empty() => {
                let line = lines.last_mut().unwrap();
                line.push(' ');
                line.push_str(rest);
            }
            _ => {}
        }
    }
    lines.retain(|line| !line.contains("sbom"));
    lines
}

#[test]
fn other_names_of_what_is_replaced_keep_what_they_are() {
    let hello = || {
        Node::file(
            Meta {
                uid: 7,
                ..Meta::new(0o640, EPOCH)
            },
            *b"hello\n",
        )
    };
    // Either name may be the one that holds the content.
    for (file, others) in [
        ("etc/apk/world", ["opt/x", "usr/share/y"]),
        ("etc/a", ["etc/apk/world", "opt/x"]),
    ] {
        let package = other().node(file, hello());
        let package = package
            .node(others[0], link(file))
            .node(others[1], link(file));
        let (tree, warnings) = built(package, &image());
        assert_eq!(text(&tree, installed::WORLD), "baselayout\nweb\n");
        let mut kept = vec![file];
        kept.extend(others);
        kept.retain(|path| *path != installed::WORLD);
        for path in &kept {
            assert_eq!(state(&tree, path), (0o640, 7, "hello\n".into()), "{path}");
        }
        let second = &tree.get(&rel(kept[1])).unwrap().kind;
        assert!(matches!(second, Kind::Hardlink(file) if *file == rel(kept[0])));
        insta::allow_duplicates! {
            insta::assert_snapshot!(warnings.join("\n"), @"'/etc/apk/world' from other-1-r0 is replaced by the image's own, and no longer the package's");
        }
        let line = |path: &&str| format!("{path} 7:0:0640 Q19XLTlvrpIGYocU+yzgD3LpTyJY8=");
        assert_eq!(
            listed(&tree, "other"),
            kept.iter().map(line).collect::<Vec<_>>()
        );
    }
}

#[test]
fn accounts_do_not_reach_another_name_of_the_file() {
    let package = other()
        .file("etc/shadow", 0o644, "games:x:9:\n")
        .node("usr/share/base/group", link("etc/shadow"));
    let (tree, warnings) = built(package, &image());
    let kept = (0o644, 0, "games:x:9:\n".into());
    assert_eq!(state(&tree, "usr/share/base/group"), kept);
    assert_eq!(
        text(&tree, "etc/shadow"),
        "games:x:9:\nwww:!::0:99999:7:::\n"
    );
    assert_eq!(warnings, Vec::<String>::new());
    insta::assert_snapshot!(listed(&tree, "baselayout").join("\n"), @"
/bin 0:0:0777 Q1Qgf09u0AbJJEzNM1rvC/dcYhdBI=
/lib 0:0:0777 Q1dYdZNlBN9zgRDwf2iIAxbFovM1g=
usr/lib/os-release Q1tq4u5aJq1qdf6Goql05LNKoTJdA=
");
}

#[test]
fn what_is_still_the_packages_stays_so() {
    let path = |kind, path: &str| PathMutation {
        path: path.into(),
        kind,
        uid: None,
        gid: None,
        permissions: None,
        source: None,
        recursive: false,
    };
    let mut image = image();
    image.paths.extend([
        path(PathKind::EmptyFile, "/srv/gone"),
        path(PathKind::EmptyFile, "/srv/empty"),
        PathMutation {
            permissions: Some(0o600),
            uid: Some(5),
            ..path(PathKind::Permissions, "/srv/closed")
        },
        PathMutation {
            source: Some("/srv/kept".into()),
            ..path(PathKind::Symlink, "/srv/link")
        },
    ]);
    let package = other()
        .file("etc/apk/arch", 0o644, "x86_64\n")
        .file("etc/apko.json", 0o644, "{}")
        .file("srv/gone", 0o644, "gone")
        .file("srv/empty", 0o644, "")
        .file("srv/closed", 0o644, "closed")
        .file("srv/kept", 0o644, "kept")
        .symlink("srv/link", "/srv/gone");
    let (tree, warnings) = built(package, &image);
    insta::assert_snapshot!(warnings.join("\n"), @"
'/etc/apko.json' from other-1-r0 is replaced by the image's own, and no longer the package's
'/srv/gone' from other-1-r0 is replaced by the image's own, and no longer the package's
'/srv/link' from other-1-r0 is replaced by the image's own, and no longer the package's
");
    insta::assert_snapshot!(listed(&tree, "other").join("\n"), @"
etc/apk/arch Q1qPzL0qsy9KpiisXHcE6OR2fuoPs=
srv/closed 5:0:0600 Q16oj7qpm3MiV1Li72dZP3dYSBYK0=
srv/empty Q12jmj7l5rSw0yVb/vlWAYkK/YBwk=
srv/kept Q1HmH+HkdZPXgzRax47yE8wERv14w=
");
}

#[test]
fn nothing_is_written_into_the_database_through_a_link() {
    let mut site = Site::filled();
    site.add(other().symlink("etc/shadow", "../usr/lib/apk/db/scripts.tar"));
    let error = site.build(&image(), 1).unwrap_err();
    insta::assert_snapshot!(error, @"'/etc/shadow': it leads into apk's database");
}
