//! Users and groups: `/etc/passwd`, `/etc/group`, `/etc/shadow` and the homes.
//!
//! Packages may bring these files; what the image file adds goes behind their lines. A user
//! whose name is there already with other numbers is an error, not a second line.

use std::collections::BTreeSet;

use boltworks_fsx::{Meta, Node, RelPath, Tree};
use boltworks_recipe::resolved::{Accounts, Group, User};

use crate::Error;
use crate::place::{
    WHITEOUT_REASON, beneath_root, is_whiteout, put_file, read_file, resolved, verify_owner,
};
use crate::skeleton::MTIME;

const PASSWD: &str = "etc/passwd";
const GROUP: &str = "etc/group";
const SHADOW: &str = "etc/shadow";
/// Homes of users who are to have none: no folder is made there, or beneath.
const NO_HOMES: [&str; 2] = ["dev/null", "nonexistent"];

/// Adds the accounts of the image file and checks that the user it runs as is one.
pub fn add(tree: &mut Tree, accounts: &Accounts) -> Result<(), Error> {
    for group in &accounts.groups {
        verify_owner("accounts.groups", 0, group.gid)?;
    }
    for user in &accounts.users {
        verify_owner("accounts.users", user.uid, user.gid)?;
    }
    if !accounts.groups.is_empty() {
        let mut groups = Table::read(tree, GROUP, 0o644)?;
        for group in &accounts.groups {
            groups.add(&group.groupname, group_line(group)?, &[2])?;
        }
        groups.write(tree)?;
    }
    if !accounts.users.is_empty() {
        let mut users = Table::read(tree, PASSWD, 0o644)?;
        let mut shadow = Table::read(tree, SHADOW, 0o640)?;
        for user in &accounts.users {
            users.add(&user.username, user_line(user)?, &[2, 3])?;
            // Locked: no password opens it.
            shadow.add(
                &user.username,
                format!("{}:!::0:99999:7:::", user.username),
                &[],
            )?;
        }
        users.write(tree)?;
        shadow.write(tree)?;
    }
    for user in &accounts.users {
        add_home(tree, user)?;
    }
    match &accounts.run_as {
        Some(run_as) => verify_run_as(tree, run_as),
        None => Ok(()),
    }
}

/// A file of lines with `:` between fields, the first of which is a name.
struct Table {
    path: &'static str,
    meta: Meta,
    lines: Vec<String>,
}

impl Table {
    /// The table at this path, or an empty one with this mode.
    fn read(tree: &Tree, path: &'static str, mode: u32) -> Result<Self, Error> {
        let Some((bytes, meta)) = read_file(tree, path)? else {
            return Ok(Self {
                path,
                meta: Meta::new(mode, MTIME),
                lines: Vec::new(),
            });
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(Error::Path {
                path: RelPath::try_from(path)?,
                reason: "it is not UTF-8",
            });
        };
        Ok(Self {
            path,
            meta,
            lines: text.lines().map(str::to_owned).collect(),
        })
    }

    /// Adds a line, or replaces the one that has this name, which must agree in these fields.
    fn add(&mut self, name: &str, line: String, must_agree: &[usize]) -> Result<(), Error> {
        let is_it = |there: &&mut String| there.split(':').next() == Some(name);
        let Some(there) = self.lines.iter_mut().find(is_it) else {
            self.lines.push(line);
            return Ok(());
        };
        let field = |line: &str, at: &usize| line.split(':').nth(*at).map(str::to_owned);
        if must_agree
            .iter()
            .any(|at| field(there, at) != field(&line, at))
        {
            let reason = format!("'{name}' is in /{} already, as '{there}'", self.path);
            return Err(Error::refused("accounts", reason));
        }
        *there = line;
        Ok(())
    }

    fn write(self, tree: &mut Tree) -> Result<(), Error> {
        let mut text = self.lines.join("\n");
        text.push('\n');
        put_file(
            tree,
            self.path,
            Meta {
                mtime: MTIME,
                ..self.meta
            },
            text,
        )
    }
}

fn user_line(user: &User) -> Result<String, Error> {
    let User {
        username,
        uid,
        gid,
        shell,
        homedir,
    } = user;
    verify_field("username", username, true)?;
    verify_field("shell", shell, false)?;
    verify_field("homedir", homedir, false)?;
    if !homedir.starts_with('/') {
        let reason =
            format!("'{homedir}' cannot be the homedir of '{username}': write a path from /");
        return Err(Error::refused("accounts", reason));
    }
    Ok(format!(
        "{username}:x:{uid}:{gid}:Account created by boltworks:{homedir}:{shell}"
    ))
}

fn group_line(group: &Group) -> Result<String, Error> {
    verify_field("groupname", &group.groupname, true)?;
    for member in &group.members {
        verify_field("members", member, true)?;
    }
    Ok(format!(
        "{}:x:{}:{}",
        group.groupname,
        group.gid,
        group.members.join(",")
    ))
}

/// A value that would end its field, or its line, would be another account.
fn verify_field(field: &str, value: &str, is_name: bool) -> Result<(), Error> {
    let breaks = |c: char| c == ':' || c.is_control() || is_name && matches!(c, ',' | '/' | ' ');
    let is_good = !value.contains(breaks)
        && (!is_name || !value.is_empty() && !value.starts_with(['-', '+']));
    if is_good {
        return Ok(());
    }
    let value = value.escape_debug();
    Err(Error::refused(
        "accounts",
        format!("'{value}' cannot be a {field}"),
    ))
}

/// Makes the home, with mode 0700, unless something is there already or nothing is to be.
fn add_home(tree: &mut Tree, user: &User) -> Result<(), Error> {
    let Some(home) = beneath_root(&user.homedir)? else {
        return Ok(());
    };
    for nowhere in NO_HOMES {
        if home.starts_with(&RelPath::try_from(nowhere)?) {
            return Ok(());
        }
    }
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
    for (name, path, mode) in [(Some(user), PASSWD, 0o644), (group, GROUP, 0o644)] {
        let Some(name) = name.filter(|name| name.parse::<u32>().is_err()) else {
            continue;
        };
        let table = Table::read(tree, path, mode)?;
        let names: BTreeSet<&str> = table
            .lines
            .iter()
            .filter_map(|line| line.split(':').next())
            .collect();
        if !names.contains(name) {
            let reason = format!("'{name}' has no line in /{path}: add it under accounts");
            return Err(Error::refused("accounts.run-as", reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
        insta::assert_snapshot!(refused(|all| all.users[0].homedir = "/home/../..".into()), @"use 'home/../..' as a relative path: a component is '..'");
        insta::assert_snapshot!(refused(|all| all.users[0].homedir = "home/web".into()), @"accounts: 'home/web' cannot be the homedir of 'web': write a path from /");
        insta::assert_snapshot!(refused(|all| all.users[0].homedir = "/home/.wh.x".into()), @"accounts: the home of 'web' is '/home/.wh.x': no name may begin with '.wh.': image layers take it for a removal");
        insta::assert_snapshot!(refused(|all| all.run_as = Some("nobody".into())), @"accounts.run-as: 'nobody' has no line in /etc/passwd: add it under accounts");
        insta::assert_snapshot!(refused(|all| all.run_as = Some("web:nobody".into())), @"accounts.run-as: 'nobody' has no line in /etc/group: add it under accounts");
    }
}
