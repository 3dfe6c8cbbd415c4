//! Users and groups of an image or a guest.

use boltworks_yaml::Spanned;

use super::image::Reader;
use crate::error::Rule;
use crate::parsed::{self, Text};
use crate::resolved::{Accounts, Group, User};
use crate::{Error, Problem};

/// Of users and groups, the number that means none of them.
const NOBODY: u32 = u32::MAX;
const NO_NUMBER: Rule = [
    "is no user or group: it means none of them",
    "write a number from 1 to 4294967294",
];
pub(super) const ROOTS: &str = "is root's, which is there already";
pub(super) const UID: &str = "write a number that is not 0: `uid: 65532`";
pub(super) const NAME: &str = "write letters, digits and . _ -, 64 at most: `nonroot`";
const PATH: &str = "write an absolute path without ':', or leave it out";

impl Reader<'_> {
    pub(super) fn accounts(&self, accounts: &parsed::Accounts) -> Result<Accounts, Error> {
        if let Some(text) = &accounts.run_as {
            let filled = (self.fill)(text)?;
            let mut numbers = filled
                .split(':')
                .filter_map(|part| part.parse::<u64>().ok());
            if numbers.any(|number| number >= NOBODY.into()) {
                let problem = Problem::value("run-as", &filled, NO_NUMBER);
                return Err(Error::at(self.origin.place(text), problem));
            }
        }
        Ok(Accounts {
            run_as: self.optional(accounts.run_as.as_ref())?,
            users: accounts
                .users
                .iter()
                .map(|user| self.user(user))
                .collect::<Result<_, _>>()?,
            groups: accounts
                .groups
                .iter()
                .map(|group| self.group(group))
                .collect::<Result<_, _>>()?,
        })
    }

    fn user(&self, user: &parsed::User) -> Result<User, Error> {
        let username = self.account_name("the user's name", &user.username)?;
        let uid = user.uid.map_or(0, |uid| uid.value);
        if uid == 0 {
            let written = user.uid.map(|uid| self.origin.at(uid.line, uid.column));
            let place = written
                .clone()
                .unwrap_or_else(|| self.origin.place(&user.username));
            let problem = match written {
                Some(_) => Problem::value("the uid", "0", [ROOTS, UID]),
                None => Problem::value("the user", &username, ["has no uid", UID]),
            };
            return Err(Error::at(place, problem));
        }
        for number in [user.uid, user.gid].into_iter().flatten() {
            self.verify_number(number)?;
        }
        let shell = self.account_path("the shell", user.shell.as_ref())?;
        let homedir = self.account_path("the home folder", user.homedir.as_ref())?;
        Ok(User {
            uid,
            gid: user.gid.map_or(uid, |gid| gid.value),
            shell: shell.unwrap_or_else(|| "/bin/sh".to_owned()),
            homedir: homedir.unwrap_or_else(|| format!("/home/{username}")),
            username,
        })
    }

    /// The kernel has no such user or group.
    fn verify_number(&self, number: Spanned<u32>) -> Result<(), Error> {
        if number.value < NOBODY {
            return Ok(());
        }
        let place = self.origin.at(number.line, number.column);
        let written = number.value.to_string();
        Err(Error::at(
            place,
            Problem::value("the number", &written, NO_NUMBER),
        ))
    }

    fn group(&self, group: &parsed::Group) -> Result<Group, Error> {
        group.gid.map_or(Ok(()), |gid| self.verify_number(gid))?;
        Ok(Group {
            groupname: self.account_name("the group's name", &group.groupname)?,
            gid: group.gid.map_or(0, |gid| gid.value),
            members: group
                .members
                .iter()
                .map(|member| self.account_name("the member's name", member))
                .collect::<Result<_, _>>()?,
        })
    }

    /// A name that can stand in `/etc/passwd`.
    fn account_name(&self, what: &'static str, text: &Text) -> Result<String, Error> {
        let filled = (self.fill)(text)?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-$".contains(&byte);
        if (1..=64).contains(&filled.len())
            && filled.bytes().all(is_allowed)
            && !filled.starts_with(['-', '.'])
        {
            return Ok(filled);
        }
        let rule = match filled.len() {
            0 => "is missing",
            1..=64 => "is not of letters, digits and . _ -",
            _ => "is longer than 64 characters",
        };
        Err(self.bad(text, what, &filled, [rule, NAME]))
    }

    fn account_path(
        &self,
        what: &'static str,
        text: Option<&Text>,
    ) -> Result<Option<String>, Error> {
        let path = self.absolute_option(what, text);
        let path = path.map_err(|error| error.helped(PATH))?;
        match (text, &path) {
            (Some(text), Some(path)) if path.contains(':') => {
                Err(self.bad(text, what, path, ["has ':' in it", PATH]))
            }
            _ => Ok(path),
        }
    }
}
