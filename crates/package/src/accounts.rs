//! Who the steps of a job are in their guest, which other accounts there are, and what else the recipe
//! changes in it: melange's rules.
//!
//! `run-as` names one user, and the guest has that one and no other, whatever else stands in
//! `/etc/passwd`; see [`Ids`]. Nobody named is `build`.

use std::path::PathBuf;

use boltworks_fsx::Tree;
use boltworks_recipe::resolved::{Accounts, Image, PathMutation};
use boltworks_rootfs::{self as rootfs, accounts::numbers};
use boltworks_sandbox::Ids;

use crate::{Error, Shop};

/// How the files of a guest are changed as `paths` of its environment say: this crate does not know how.
pub type Change =
    fn(&mut Tree, &[PathMutation]) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A job's guest before there are accounts in it.
pub(crate) struct Ground<'a> {
    /// What is to be done there, for messages: `build of zlib`.
    pub(crate) what: &'a str,
    /// Where the recipe lists the accounts: `environment.accounts`.
    pub(crate) listed: &'static str,
    /// Its trees, the topmost first.
    pub(crate) trees: &'a [PathBuf],
}

impl Ground<'_> {
    /// The trees of the guest with the accounts and paths of its environment in it, and who its steps are.
    pub(crate) fn settle(
        &self,
        environment: &Image,
        shop: &Shop<'_>,
    ) -> Result<(Vec<PathBuf>, Ids), Error> {
        let (trees, ids) = self.peopled(&environment.accounts, shop)?;
        let paths = environment.paths.as_slice();
        if paths.is_empty() {
            return Ok((trees, ids));
        }
        let change = |tree: &mut Tree| {
            (shop.change)(tree, paths).map_err(|source| Error::Paths {
                what: self.what.to_owned(),
                source,
            })
        };
        let uid = shop.sandbox.build_uid();
        let trees = shop.environments.with_changes(&trees, uid, change)?;
        Ok((trees, ids))
    }

    fn peopled(&self, accounts: &Accounts, shop: &Shop<'_>) -> Result<(Vec<PathBuf>, Ids), Error> {
        let failed = |source| match source {
            rootfs::Error::Accounts(_) | rootfs::Error::Unusable { .. } => Error::Accounts {
                what: self.what.to_owned(),
                listed: self.listed,
                source,
            },
            other => Error::Rootfs(other),
        };
        let uid = shop.sandbox.build_uid();
        let trees = shop
            .environments
            .with_accounts(self.trees, accounts, uid)
            .map_err(failed)?;
        let Some(name) = &accounts.run_as else {
            return Ok((trees, Ids::default()));
        };
        let ids = if let Some(ids) = written(accounts, name) {
            Some(ids)
        } else {
            let found = numbers(&trees, name).map_err(failed)?;
            found.map(|(uid, gid)| Ids { uid, gid })
        };
        match ids {
            Some(ids) if ids.uid.max(ids.gid) < u32::MAX => Ok((trees, ids)),
            _ => Err(Error::NoAccount {
                what: self.what.to_owned(),
                listed: self.listed,
                name: name.clone(),
            }),
        }
    }
}

/// Whom `run-as` means, as far as that stands in the recipe. A number without a user's group is the
/// group's too.
fn written(accounts: &Accounts, name: &str) -> Option<Ids> {
    if name == "root" {
        return Some(Ids::ROOT);
    }
    let number: Option<u32> = name.parse().ok();
    let mut users = accounts.users.iter();
    let user = users.find(|user| match number {
        Some(uid) => user.uid == uid,
        None => user.username == name,
    });
    match (user, number) {
        (Some(user), _) => Some(Ids {
            uid: user.uid,
            gid: user.gid,
        }),
        (None, Some(uid)) => Some(Ids { uid, gid: uid }),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use boltworks_recipe::resolved::User;

    use super::*;

    #[test]
    fn run_as_is_a_name_or_a_number() {
        let user = |username: &str, uid, gid| User {
            username: username.to_owned(),
            uid,
            gid,
            shell: "/bin/sh".to_owned(),
            homedir: "/".to_owned(),
        };
        let accounts = Accounts {
            users: vec![user("web", 33, 44), user("5", 6, 7)],
            ..Accounts::default()
        };
        let check = |name: &str, expected: Option<(u32, u32)>| {
            let found = written(&accounts, name).map(|ids| (ids.uid, ids.gid));
            assert_eq!(found, expected, "{name}");
        };
        check("root", Some((0, 0)));
        check("0", Some((0, 0)));
        check("web", Some((33, 44)));
        check("33", Some((33, 44)));
        check("65532", Some((65_532, 65_532)));
        check("5", Some((5, 5)));
        check("nobody", None);
        check("-1", None);
        check("4294967296", None);
    }
}
