//! What starts in the image: s6's services, and busybox's commands.

use boltworks_fsx::{Kind, Meta, Node, RelPath, Tree};
use boltworks_recipe::resolved::{EntrypointKind, Image};

use crate::Error;
use crate::place::{beneath_root, exists, parent_resolved, put_file, read_file, verify_name};
use crate::skeleton::MTIME;

/// What a service bundle needs, and the command that brings it.
const NEEDED: [&str; 2] = ["bin/s6-svscan", "bin/execlineb"];
const BUSYBOX: &str = "bin/busybox";
const BUSYBOX_PATHS: &str = "etc/busybox-paths.d";

/// Writes the run script of each service of a service bundle.
pub fn add_services(tree: &mut Tree, image: &Image) -> Result<(), Error> {
    if image.entrypoint_kind != EntrypointKind::ServiceBundle {
        return Ok(());
    }
    if let Some(missing) = NEEDED.iter().find(|path| !exists(tree, path)) {
        let reason = format!(
            "a service bundle is run by s6, and no package brings /{missing}: \
             add s6 to contents.packages"
        );
        return Err(Error::refused("entrypoint", reason));
    }
    if image.services.is_empty() {
        return Err(Error::refused(
            "entrypoint.services",
            "a service bundle needs a service",
        ));
    }
    for (name, command) in &image.services {
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        if !is_name || command.contains(['\n', '\0']) {
            let what = format!("entrypoint.services '{}'", name.escape_debug());
            return Err(Error::refused(
                what,
                "a name is no path, and a command is one line",
            ));
        }
        let script = format!("#!/bin/execlineb\n{command}\n");
        put_file(
            tree,
            &format!("sv/{name}/run"),
            Meta::new(0o755, MTIME),
            script,
        )?;
    }
    Ok(())
}

/// Links the commands that busybox packages list in `/etc/busybox-paths.d` to busybox, where
/// nothing else has the name.
pub fn add_busybox_links(tree: &mut Tree) -> Result<(), Error> {
    if !exists(tree, BUSYBOX) {
        return Ok(());
    }
    let folder = RelPath::try_from(BUSYBOX_PATHS)?;
    let lists: Vec<RelPath> = tree
        .beneath(&folder)
        .filter(|(_, node)| matches!(node.kind, Kind::File(_)))
        .map(|(path, _)| path.clone())
        .collect();
    for list in lists {
        let Some(path) = list.as_str() else { continue };
        let Some((bytes, _)) = read_file(tree, path)? else {
            continue;
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(Error::Path {
                path: list,
                reason: "it is not UTF-8",
            });
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let Some(command) = beneath_root(line)? else {
                continue;
            };
            let real = parent_resolved(tree, &command)?;
            if !tree.contains(&real) {
                verify_name(&real)?;
                let target = format!("/{BUSYBOX}");
                tree.insert(real, Node::symlink(Meta::new(0o777, MTIME), target))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(tree: &mut Tree, path: &str, text: &str) {
        put_file(tree, path, Meta::new(0o755, 1), text).unwrap();
    }

    fn bundle(name: &str, command: &str) -> Image {
        Image {
            entrypoint_kind: EntrypointKind::ServiceBundle,
            services: [(name.to_owned(), command.to_owned())].into(),
            ..Image::default()
        }
    }

    #[test]
    fn services_need_s6() {
        let mut tree = Tree::new();
        let refused = add_services(&mut tree, &bundle("web", "lighttpd -D")).unwrap_err();
        insta::assert_snapshot!(refused, @"entrypoint: a service bundle is run by s6, and no package brings /bin/s6-svscan: add s6 to contents.packages");
        put(&mut tree, "bin/s6-svscan", "");
        put(&mut tree, "bin/execlineb", "");
        add_services(&mut tree, &bundle("web", "lighttpd -D")).unwrap();
        let (script, meta) = read_file(&tree, "sv/web/run").unwrap().unwrap();
        assert_eq!(script, b"#!/bin/execlineb\nlighttpd -D\n");
        assert_eq!(meta.mode, 0o755);
        for (name, command) in [("../x", "a"), ("", "a"), (".s6", "a"), ("a", "b\nc")] {
            assert!(
                add_services(&mut tree, &bundle(name, command)).is_err(),
                "{name}"
            );
        }
        assert!(add_services(&mut Tree::new(), &Image::default()).is_ok());
    }

    #[test]
    fn busybox_has_no_command_that_removes_another() {
        let mut tree = Tree::new();
        put(&mut tree, "bin/busybox", "");
        put(&mut tree, "etc/busybox-paths.d/busybox", "/bin/.wh.ls\n");
        let refused = add_busybox_links(&mut tree).unwrap_err();
        insta::assert_snapshot!(refused, @"'/bin/.wh.ls': no name may begin with '.wh.': image layers take it for a removal");
    }

    #[test]
    fn busybox_takes_only_free_names() {
        let mut tree = Tree::new();
        put(
            &mut tree,
            "etc/busybox-paths.d/busybox",
            "/bin/ls\n/bin/sh\n\n",
        );
        add_busybox_links(&mut tree).unwrap();
        assert!(!exists(&tree, "bin/ls"));
        put(&mut tree, "bin/busybox", "");
        put(&mut tree, "bin/sh", "another");
        add_busybox_links(&mut tree).unwrap();
        let kind = |path: &str| {
            tree.get(&RelPath::try_from(path).unwrap())
                .unwrap()
                .kind
                .clone()
        };
        assert!(matches!(kind("bin/ls"), Kind::Symlink(target) if target == b"/bin/busybox"));
        assert!(matches!(kind("bin/sh"), Kind::File(_)));
    }
}
