//! Users and groups: `/etc/passwd`, `/etc/group`, `/etc/shadow` and the homes.
//!
//! Packages may bring these files; what the image file adds goes behind their lines. A user
//! whose name is there already with other numbers is an error, not a second line.

use boltworks_fsx::{Meta, Node, RelPath, Tree};
use boltworks_recipe::resolved::{Accounts, User};
use boltworks_rootfs::accounts::{GROUP, PASSWD, SHADOW, Table, home};

use crate::Error;
use crate::place::{WHITEOUT_REASON, is_whiteout, put_file, read_file, resolved};
use crate::skeleton::MTIME;

/// Adds the accounts of the image file and checks that the user it runs as is one.
pub fn add(tree: &mut Tree, accounts: &Accounts) -> Result<(), Error> {
    if !accounts.groups.is_empty() {
        let (mut groups, meta) = read(tree, GROUP, 0o644)?;
        groups.add_groups(accounts)?;
        put_file(tree, GROUP, meta, groups.into_text())?;
    }
    if !accounts.users.is_empty() {
        let (mut users, meta) = read(tree, PASSWD, 0o644)?;
        let (mut shadow, shadow_meta) = read(tree, SHADOW, 0o640)?;
        users.add_users(&mut shadow, accounts)?;
        put_file(tree, PASSWD, meta, users.into_text())?;
        put_file(tree, SHADOW, shadow_meta, shadow.into_text())?;
    }
    for user in &accounts.users {
        add_home(tree, user)?;
    }
    match &accounts.run_as {
        Some(run_as) => verify_run_as(tree, run_as),
        None => Ok(()),
    }
}

/// The table at this path, or an empty one with this mode; and its attributes.
fn read(tree: &Tree, path: &'static str, mode: u32) -> Result<(Table, Meta), Error> {
    let Some((bytes, meta)) = read_file(tree, path)? else {
        return Ok((Table::new(path, ""), Meta::new(mode, MTIME)));
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(Error::Path {
            path: RelPath::try_from(path)?,
            reason: "it is not UTF-8",
        });
    };
    let meta = Meta {
        mtime: MTIME,
        ..meta
    };
    Ok((Table::new(path, &text), meta))
}

/// Makes the home, with mode 0700, unless something is there already or nothing is to be.
fn add_home(tree: &mut Tree, user: &User) -> Result<(), Error> {
    let Some(home) = home(user)? else {
        return Ok(());
    };
    let home = resolved(tree, &home)?;
    if is_whiteout(&home) {
        let reason = format!(
            "the home of '{}' is '/{home}': {WHITEOUT_REASON}",
            user.username
        );
        return Err(Error::refused("accounts", reason));
    }
    if !tree.contains(&home) {
        let meta = Meta {
            uid: user.uid,
            gid: user.gid,
            ..Meta::new(0o700, MTIME)
        };
        tree.insert(home, Node::dir(meta))?;
    }
    Ok(())
}

/// A user or group the image runs as is a number, or has a line.
fn verify_run_as(tree: &Tree, run_as: &str) -> Result<(), Error> {
    let (user, group) = match run_as.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (run_as, None),
    };
    for (name, path) in [(Some(user), PASSWD), (group, GROUP)] {
        let Some(name) = name.filter(|name| name.parse::<u32>().is_err()) else {
            continue;
        };
        let (table, _) = read(tree, path, 0o644)?;
        if !table.names(name) {
            let reason = format!("'{name}' has no line in /{path}: add it under accounts");
            return Err(Error::refused("accounts.run-as", reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use boltworks_recipe::resolved::Group;

    use super::*;

    fn user(username: &str, uid: u32) -> User {
        User {
            username: username.into(),
            uid,
            gid: uid,
            shell: "/sbin/nologin".into(),
            homedir: format!("/home/{username}"),
        }
    }

    fn group(groupname: &str, gid: u32, members: &[&str]) -> Group {
        let members = members.iter().map(|&member| member.to_owned()).collect();
        Group {
            groupname: groupname.into(),
            gid,
            members,
        }
    }

    fn text(tree: &Tree, path: &str) -> String {
        String::from_utf8(read_file(tree, path).unwrap().unwrap().0).unwrap()
    }

    fn with_files() -> Tree {
        let mut tree = Tree::new();
        let root = "root:x:0:0:root:/root:/bin/sh\nold:x:7:7::/:/bin/sh";
        put_file(&mut tree, PASSWD, Meta::new(0o644, 5), root).unwrap();
        put_file(&mut tree, GROUP, Meta::new(0o644, 5), "root:x:0:\n").unwrap();
        tree
    }

    #[test]
    fn lines_go_behind_those_of_packages() {
        let mut tree = with_files();
        let accounts = Accounts {
            run_as: Some("web:www".into()),
            users: vec![user("web", 1000), user("old", 7)],
            groups: vec![group("www", 1000, &["web", "old"])],
        };
        add(&mut tree, &accounts).unwrap();
        insta::assert_snapshot!(text(&tree, PASSWD), @r"
root:x:0:0:root:/root:/bin/sh
old:x:7:7:Account created by boltworks:/home/old:/sbin/nologin
web:x:1000:1000:Account created by boltworks:/home/web:/sbin/nologin
");
        insta::assert_snapshot!(text(&tree, GROUP), @r"
root:x:0:
www:x:1000:web,old
");
        insta::assert_snapshot!(text(&tree, SHADOW), @r"
web:!::0:99999:7:::
old:!::0:99999:7:::
");
        let home = tree.get(&RelPath::try_from("home/web").unwrap()).unwrap();
        assert_eq!(
            (home.meta.mode, home.meta.uid, home.meta.gid),
            (0o700, 1000, 1000)
        );
    }

    #[test]
    fn who_has_no_home_gets_no_folder() {
        let mut tree = with_files();
        let homes = [
            "/dev/null",
            "//dev/null/",
            "/nonexistent",
            "/dev/null/x",
            "/",
        ];
        let user = |(uid, home): (u32, &str)| User {
            homedir: home.to_owned(),
            ..user(&format!("user{uid}"), uid)
        };
        let accounts = Accounts {
            users: (1000..).zip(homes).map(user).collect(),
            ..Accounts::default()
        };
        add(&mut tree, &accounts).unwrap();
        let found: Vec<String> = tree.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(found, [GROUP, PASSWD, SHADOW]);
        assert!(text(&tree, PASSWD).contains(":/dev/null:"));
    }

    #[test]
    fn what_would_be_another_account_is_refused() {
        let refused = |change: fn(&mut Accounts)| {
            let mut accounts = Accounts {
                users: vec![user("web", 1000)],
                ..Accounts::default()
            };
            change(&mut accounts);
            add(&mut with_files(), &accounts).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(|all| all.users[0].shell = "/bin/sh\nevil:x:0:0".into()), @r"accounts: '/bin/sh\nevil:x:0:0' cannot be a shell");
        insta::assert_snapshot!(refused(|all| all.users[0].username = "a:b".into()), @"accounts: 'a:b' cannot be a username");
        insta::assert_snapshot!(refused(|all| all.users[0].username = "old".into()), @"accounts: 'old' is in /etc/passwd already, as 'old:x:7:7::/:/bin/sh'");
        insta::assert_snapshot!(refused(|all| all.users[0].homedir = "/home/../..".into()), @"accounts: '/home/../..' cannot be the homedir of 'web': use 'home/../..' as a relative path: a component is '..'");
        insta::assert_snapshot!(refused(|all| all.users[0].homedir = "home/web".into()), @"accounts: 'home/web' cannot be the homedir of 'web': write a path from /");
        insta::assert_snapshot!(refused(|all| all.users[0].homedir = "/home/.wh.x".into()), @"accounts: the home of 'web' is '/home/.wh.x': no name may begin with '.wh.': image layers take it for a removal");
        insta::assert_snapshot!(refused(|all| all.run_as = Some("nobody".into())), @"accounts.run-as: 'nobody' has no line in /etc/passwd: add it under accounts");
        insta::assert_snapshot!(refused(|all| all.run_as = Some("web:nobody".into())), @"accounts.run-as: 'nobody' has no line in /etc/group: add it under accounts");
    }
}
