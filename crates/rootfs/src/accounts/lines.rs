//! The lines of the three files, and what may stand in them.

use std::collections::BTreeSet;

use boltworks_fsx::RelPath;
use boltworks_recipe::resolved::{Accounts, Group, User};

/// The table of users, beneath a root.
pub const PASSWD: &str = "etc/passwd";
/// The table of groups.
pub const GROUP: &str = "etc/group";
/// The table of passwords.
pub const SHADOW: &str = "etc/shadow";

/// Homes of users who are to have none: no folder is made there, or beneath.
const NO_HOMES: [&str; 2] = ["dev/null", "nonexistent"];

/// The largest number a user or group has: the kernel takes the one after it for "no change".
const LAST_NUMBER: u32 = u32::MAX - 1;

/// Why accounts cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct Fault {
    /// The part of the file that asks for them: `accounts`, `accounts.users`.
    pub what: String,
    /// Why not, and what to do.
    pub reason: String,
}

impl Fault {
    fn accounts(reason: String) -> Self {
        Self {
            what: "accounts".to_owned(),
            reason,
        }
    }
}

/// Refuses numbers that no file's owner can have.
pub fn verify_numbers(what: &str, uid: u32, gid: u32) -> Result<(), Fault> {
    if uid.max(gid) <= LAST_NUMBER {
        return Ok(());
    }
    Err(Fault {
        what: what.to_owned(),
        reason: format!(
            "no user or group has the number {}: the largest is {LAST_NUMBER}",
            u32::MAX
        ),
    })
}

/// A file of lines with `:` between fields, the first of which is a name.
#[derive(Debug)]
pub struct Table {
    path: &'static str,
    lines: Vec<String>,
    /// The names that were added.
    added: BTreeSet<String>,
}

impl Table {
    /// The table that stands at this path.
    pub fn new(path: &'static str, text: &str) -> Self {
        Self {
            path,
            lines: text.lines().map(str::to_owned).collect(),
            added: BTreeSet::new(),
        }
    }

    /// The table as a file.
    pub fn into_text(self) -> String {
        let mut text = self.lines.join("\n");
        text.push('\n');
        text
    }

    /// Whether it has a line of this name.
    pub fn names(&self, name: &str) -> bool {
        self.line(name).is_some()
    }

    /// A user's number and the group's, from a table of users.
    pub fn numbers(&self, name: &str) -> Option<(u32, u32)> {
        let mut fields = self.line(name)?.split(':').skip(2);
        let mut number = || fields.next()?.parse().ok();
        Some((number()?, number()?))
    }

    fn line(&self, name: &str) -> Option<&String> {
        let mut lines = self.lines.iter();
        lines.find(|line| line.split(':').next() == Some(name))
    }

    /// Adds a line, or replaces the one that has this name, which must agree in these fields. Of those
    /// that are added of one name the first counts, as in melange and apko: the others follow it.
    fn add(&mut self, name: &str, line: String, must_agree: &[usize]) -> Result<(), Fault> {
        if !self.added.insert(name.to_owned()) {
            if !self.lines.contains(&line) {
                self.lines.push(line);
            }
            return Ok(());
        }
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
            return Err(Fault::accounts(reason));
        }
        *there = line;
        Ok(())
    }

    /// Adds the groups, to a table of groups.
    pub fn add_groups(&mut self, accounts: &Accounts) -> Result<(), Fault> {
        for group in &accounts.groups {
            verify_numbers("accounts.groups", 0, group.gid)?;
            self.add(&group.groupname, group_line(group)?, &[2])?;
        }
        Ok(())
    }

    /// Adds the users, to a table of users and one of passwords.
    pub fn add_users(&mut self, shadow: &mut Self, accounts: &Accounts) -> Result<(), Fault> {
        for user in &accounts.users {
            verify_numbers("accounts.users", user.uid, user.gid)?;
            self.add(&user.username, user_line(user)?, &[2, 3])?;
            // Locked: no password opens it.
            let locked = format!("{}:!::0:99999:7:::", user.username);
            shadow.add(&user.username, locked, &[])?;
        }
        Ok(())
    }
}

fn user_line(user: &User) -> Result<String, Fault> {
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
        return Err(Fault::accounts(reason));
    }
    Ok(format!(
        "{username}:x:{uid}:{gid}:Account created by boltworks:{homedir}:{shell}"
    ))
}

fn group_line(group: &Group) -> Result<String, Fault> {
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
fn verify_field(field: &str, value: &str, is_name: bool) -> Result<(), Fault> {
    let breaks = |c: char| c == ':' || c.is_control() || is_name && matches!(c, ',' | '/' | ' ');
    let is_good = !value.contains(breaks)
        && (!is_name || !value.is_empty() && !value.starts_with(['-', '+']));
    if is_good {
        return Ok(());
    }
    let value = value.escape_debug();
    Err(Fault::accounts(format!("'{value}' cannot be a {field}")))
}

/// Where a user's home is to be; nothing, where no folder is to be made.
pub fn home(user: &User) -> Result<Option<RelPath>, Fault> {
    let inside = user.homedir.trim_matches('/');
    let is_beneath = |above: &str| {
        let rest = inside.strip_prefix(above);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if inside.is_empty() || NO_HOMES.into_iter().any(is_beneath) {
        return Ok(None);
    }
    let home = RelPath::new(inside).map_err(|error| {
        let User {
            username, homedir, ..
        } = user;
        Fault::accounts(format!(
            "'{homedir}' cannot be the homedir of '{username}': {error}"
        ))
    });
    home.map(Some)
}
