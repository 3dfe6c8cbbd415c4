//! The repositories within a repository: `.gitmodules`, read as what somebody wrote.

use std::collections::BTreeMap;

use boltworks_model::{ObjectId, Remote};

use crate::Error;

/// A repository that is checked out within another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Its name in the configuration.
    pub(super) name: String,
    /// Where it is checked out, beneath the repository that it is in.
    pub(super) path: String,
    /// Where it is.
    pub(super) remote: Remote,
    /// The commit.
    pub(super) commit: ObjectId,
}

/// Paths with commits of other repositories, and the object of `.gitmodules`.
type Links = (Vec<(String, ObjectId)>, Option<ObjectId>);

/// The commits of other repositories in a listing by `git ls-tree -r -z`, with their paths; and the
/// object of `.gitmodules`.
pub(super) fn links(listing: &[u8]) -> Result<Links, Error> {
    let (mut links, mut modules) = (Vec::new(), None);
    for line in listing
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
    {
        let is_link = line.starts_with(b"160000 ");
        if !is_link && !line.ends_with(b"\t.gitmodules") {
            continue;
        }
        let parsed = std::str::from_utf8(line).ok().and_then(|line| {
            let (about, path) = line.split_once('\t')?;
            let mut words = about.split(' ');
            let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
            Some((mode, id.parse().ok()?, path))
        });
        let Some((mode, id, path)) = parsed else {
            return Err(refused(
                &String::from_utf8_lossy(line),
                "its path is no text, or there is no commit",
            ));
        };
        match (is_link, path) {
            (true, path) => links.push((path.to_owned(), id)),
            (false, ".gitmodules") if mode == "120000" => {
                return Err(refused(path, "it is a symbolic link"));
            }
            (false, ".gitmodules") => modules = Some(id),
            _ => {}
        }
    }
    Ok((links, modules))
}

/// The submodules of a repository: what is linked, with what the configuration says of it (a listing by
/// `git config --list -z`).
pub(super) fn submodules(
    links: Vec<(String, ObjectId)>,
    configuration: &[u8],
    base: &Remote,
) -> Result<Vec<Submodule>, Error> {
    let configured = configured(configuration);
    let mut found = Vec::new();
    for (path, commit) in links {
        let about = configured.iter().find(|(_, values)| {
            values
                .get("path")
                .is_some_and(|at| at.trim_end_matches('/') == path)
        });
        let Some((name, values)) = about else {
            return Err(refused(&path, ".gitmodules does not say where it is"));
        };
        if values.get("update").is_some_and(|update| update == "none") {
            continue;
        }
        let Some(url) = values.get("url") else {
            return Err(refused(&path, ".gitmodules gives no url for it"));
        };
        if !is_path(&path) || !is_path(name) {
            return Err(refused(&path, "its path or name may lead elsewhere"));
        }
        // The one would keep its own files among the other's: git refuses that too.
        if configured.keys().any(|other| is_beneath(name, other)) {
            return Err(refused(&path, "its name lies beneath another one's"));
        }
        found.push(Submodule {
            name: name.clone(),
            remote: base
                .join(url)
                .map_err(|error| Error::unusable(url, error))?,
            path,
            commit,
        });
    }
    Ok(found)
}

/// The values of each submodule; the last of a name counts.
fn configured(listing: &[u8]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut configured: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for entry in listing.split(|byte| *byte == 0) {
        let Some((key, value)) = std::str::from_utf8(entry)
            .ok()
            .and_then(|entry| entry.split_once('\n'))
        else {
            continue;
        };
        let named = key
            .strip_prefix("submodule.")
            .and_then(|key| key.rsplit_once('.'));
        if let Some((name, field)) = named {
            let values = configured.entry(name.to_owned()).or_default();
            values.insert(field.to_owned(), value.to_owned());
        }
    }
    configured
}

/// Whether a text is a path that stays beneath where it is used, in a guest's shell too.
fn is_path(text: &str) -> bool {
    let is_good = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.eq_ignore_ascii_case(".git")
            && !part.starts_with('-')
    };
    text.len() <= 1024 && !text.contains(char::is_control) && text.split('/').all(is_good)
}

fn is_beneath(name: &str, other: &str) -> bool {
    let rest = name.strip_prefix(other);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// A submodule that is not taken.
pub(super) fn refused(path: &str, reason: &'static str) -> Error {
    Error::Submodule {
        path: path.chars().take(240).collect(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn read(path: &str, configuration: &str) -> Result<Vec<Submodule>, Error> {
        let base = Remote::parse("https://git.example/a/x.git").unwrap();
        let links = vec![(path.to_owned(), ID.parse().unwrap())];
        submodules(links, configuration.replace('|', "\0").as_bytes(), &base)
    }

    #[test]
    fn links_and_configuration_are_found_in_a_listing() {
        let listing = format!(
            "100644 blob {ID}\t.gitmodules\0100644 blob {ID}\tx/.gitmodules\0160000 commit {ID}\tlib/a b\0"
        );
        let (links, modules) = links(listing.as_bytes()).unwrap();
        let id: ObjectId = ID.parse().unwrap();
        assert_eq!(
            (links, modules),
            (vec![("lib/a b".to_owned(), id)], Some(id))
        );
        let linked = format!("120000 blob {ID}\t.gitmodules\0");
        let error = super::links(linked.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
    }

    #[test]
    fn a_submodule_is_named_and_placed() {
        let found = read(
            "lib/z",
            "submodule.a.b.path\nlib/z|submodule.a.b.url\n../z.git|submodule.other.path\nx|",
        );
        let [found] = <[_; 1]>::try_from(found.unwrap()).unwrap();
        assert_eq!((found.name.as_str(), found.path.as_str()), ("a.b", "lib/z"));
        assert_eq!(found.remote.as_str(), "https://git.example/a/z.git");
        let none = "submodule.a.path\nz|submodule.a.url\n../z|submodule.a.update\nnone|";
        assert_eq!(read("z", none).unwrap(), []);
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let check = |path: &str, name: &str, url: &str, expected: &str| {
            let text = format!("submodule.{name}.path\n{path}|submodule.{name}.url\n{url}|");
            let error = read(path, &text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("../x", "a", "../z", "elsewhere");
        check("x", "../../hooks", "../z", "elsewhere");
        check("x", "a/../../b", "../z", "elsewhere");
        check(".git/hooks", "a", "../z", "elsewhere");
        check("-x", "a", "../z", "elsewhere");
        check("x\ry", "a", "../z", "elsewhere");
        check("x", "a", "ext::sh -c touch% x", "https://");
        check("x", "a", "file:///etc", "https://");
        check("x", "a", "/etc", "https://");
        check("x", "a", "-u./x", "https://");
        let nested = "submodule.a.path\na|submodule.a.url\n../a|\
                      submodule.a/modules/b.path\nx|submodule.a/modules/b.url\n../b|";
        let error = read("x", nested).unwrap_err().to_string();
        assert!(error.contains("beneath another"), "{error}");
        let error = read("x", "").unwrap_err().to_string();
        assert!(error.contains(".gitmodules"), "{error}");
    }
}
