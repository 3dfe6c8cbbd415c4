//! Whom a container runs as, and what of its files is open to them.

use boltworks_fsx::{Kind, Node, RelPath, Tree};
use boltworks_image::place::read_file;
use boltworks_rootfs::accounts::{GROUP, PASSWD};
use boltworks_sandbox::Ids;

use crate::Error;

/// Who a container's first process is.
pub(super) struct User {
    pub(super) ids: Ids,
    pub(super) home: String,
}

/// The user of a configuration: `name`, `uid`, and a group behind a colon; root where none is named.
/// Nothing where the image knows no such name.
pub(super) fn user(tree: &Tree, text: &str) -> Result<Option<User>, Error> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let users = lines(tree, PASSWD)?;
    let entry = users.iter().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entry.into_iter().find(|fields| {
        let is_name = fields.first() == Some(&user);
        is_name || fields.get(2) == Some(&user)
    });
    let field = |at: usize| entry.as_ref().and_then(|fields| fields.get(at).copied());
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    let Some(uid) = number(Some(user)).or_else(|| number(field(2))) else {
        return Ok(None);
    };
    let gid = match group {
        None => number(field(3)).unwrap_or(0),
        Some(group) => {
            let groups = lines(tree, GROUP)?;
            let named = groups.iter().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                (fields.first() == Some(&group)).then(|| number(fields.get(2).copied()))?
            });
            let Some(gid) = number(Some(group)).or(named) else {
                return Ok(None);
            };
            gid
        }
    };
    Ok(Some(User {
        ids: Ids { uid, gid },
        home: field(5)
            .filter(|home| !home.is_empty())
            .unwrap_or("/")
            .to_owned(),
    }))
}

/// The lines of a file; none where there is no such file.
fn lines(tree: &Tree, path: &str) -> Result<Vec<String>, Error> {
    let Some((bytes, _)) = read_file(tree, path)? else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(str::to_owned).collect())
}

/// The tree as that user finds it. In a guest there is one user, whose all files are: what the image's
/// owners and groups leave them is what they have as an owner there.
pub(super) fn as_seen(tree: &Tree, ids: Ids) -> Tree {
    let mut seen = tree.clone();
    let is_device = |node: &Node| {
        matches!(
            node.kind,
            Kind::CharDevice { .. } | Kind::BlockDevice { .. }
        )
    };
    let devices = seen.iter().filter(|(_, node)| is_device(node));
    let devices: Vec<RelPath> = devices.map(|(path, _)| path.clone()).collect();
    for path in &devices {
        seen.remove(path);
    }
    for (_, node) in seen.iter_mut() {
        let is_dir = node.is_dir();
        let meta = &mut node.meta;
        meta.xattrs.clear();
        meta.mode &= if is_dir { 0o3777 } else { 0o1777 };
        let own = open_to(meta.mode, (meta.uid, meta.gid), ids);
        meta.mode = (meta.mode & !0o700) | (own << 6);
    }
    seen
}

/// What a mode leaves a user: root may read and write everything.
fn open_to(mode: u32, (uid, gid): (u32, u32), ids: Ids) -> u32 {
    if ids.uid == 0 {
        let can_run = u32::from(mode & 0o111 != 0);
        return 6 | can_run;
    }
    if uid == ids.uid {
        return mode >> 6 & 7;
    }
    if gid == ids.gid {
        return mode >> 3 & 7;
    }
    mode & 7
}

#[cfg(test)]
mod tests {
    use boltworks_fsx::Meta;

    use super::*;

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        let mut tree = Tree::new();
        let file = |text: &str| Node::file(Meta::new(0o644, 0), text.as_bytes());
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:7:8::/srv:/sbin/nologin\n";
        tree.insert("etc/passwd".parse().unwrap(), file(passwd))
            .unwrap();
        tree.insert("etc/group".parse().unwrap(), file("www:x:9:\n"))
            .unwrap();
        let told = |text: &str| {
            let user = user(&tree, text).unwrap();
            user.map(|user| (user.ids.uid, user.ids.gid, user.home))
        };
        let some = |uid, gid, home: &str| Some((uid, gid, home.to_owned()));
        assert_eq!(told(""), some(0, 0, "/root"));
        assert_eq!(told("web"), some(7, 8, "/srv"));
        assert_eq!(told("7"), some(7, 8, "/srv"));
        assert_eq!(told("web:www"), some(7, 9, "/srv"));
        assert_eq!(told("65532"), some(65532, 0, "/"));
        assert_eq!(told("nobody"), None);
        assert_eq!(told("web:nobody"), None);
        let mut linked = Tree::new();
        let link = Node::symlink(Meta::new(0o777, 0), "../usr/share/passwd");
        linked.insert("etc/passwd".parse().unwrap(), link).unwrap();
        let table = "usr/share/passwd".parse().unwrap();
        linked.insert(table, file(passwd)).unwrap();
        assert_eq!(
            user(&linked, "web").unwrap().unwrap().ids,
            Ids { uid: 7, gid: 8 }
        );
    }

    #[test]
    fn what_is_closed_to_a_user_is_closed() {
        let ids = Ids { uid: 7, gid: 8 };
        assert_eq!(open_to(0o640, (7, 0), ids), 6);
        assert_eq!(open_to(0o640, (0, 8), ids), 4);
        assert_eq!(open_to(0o640, (0, 0), ids), 0);
        assert_eq!(open_to(0o000, (7, 0), Ids::ROOT), 6);
        assert_eq!(open_to(0o755, (7, 0), Ids::ROOT), 7);
    }
}
