//! What the image says of itself: `/etc/apko.json`, and for apk `/etc/apk/{repositories,keys}`.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_crypto::Keyring;
use boltworks_fsx::{Meta, Tree};
use boltworks_model::Architecture;
use boltworks_recipe::resolved::{EntrypointKind, Image};
use serde_json::{Map, Value, json};

use crate::Error;
use crate::place::{put_file, read_file};
use crate::skeleton::MTIME;

/// Where apk is told of where packages are.
const REPOSITORIES: &str = "etc/apk/repositories";

/// Writes the image file as understood, as apko does, readable and not writable.
pub fn add_configuration(
    tree: &mut Tree,
    image: &Image,
    architecture: Architecture,
) -> Result<(), Error> {
    let mut text = configuration(image, architecture).to_string();
    text.push('\n');
    put_file(tree, "etc/apko.json", Meta::new(0o444, MTIME), text)
}

/// Writes the repositories apk is to use in the image, and the keys to trust there.
///
/// A repository that is a path on the machine that builds stays out: it leads nowhere in the
/// image, and tells of that machine.
pub fn add_repositories(tree: &mut Tree, image: &Image, keyring: &Keyring) -> Result<(), Error> {
    let mut text = String::new();
    for repository in repositories(image) {
        text.push_str(&repository);
        text.push('\n');
    }
    put_file(tree, REPOSITORIES, Meta::new(0o644, MTIME), text)?;
    for (name, key) in keyring.iter() {
        add_key(tree, "keyring", name, &key.to_pem().map_err(Error::Key)?)?;
    }
    for key in &image.runtime_keyring {
        add_key(tree, "contents.runtime_keyring", &key.name, &key.content)?;
    }
    Ok(())
}

/// Puts the repositories of the image below before those of this one, each once.
pub fn add_repositories_below(tree: &mut Tree, below: &str) -> Result<(), Error> {
    let own = repositories_of(tree)?;
    let mut text = String::new();
    let mut seen = BTreeSet::new();
    for line in below.lines().chain(own.lines()) {
        if !line.trim().is_empty() && seen.insert(line) {
            text.push_str(line);
            text.push('\n');
        }
    }
    put_file(tree, REPOSITORIES, Meta::new(0o644, MTIME), text)
}

/// What apk is told of where packages are.
pub fn repositories_of(tree: &Tree) -> Result<String, Error> {
    let text = read_file(tree, REPOSITORIES)?.map(|(bytes, _)| bytes);
    Ok(String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
}

fn add_key(tree: &mut Tree, what: &str, name: &str, pem: &str) -> Result<(), Error> {
    let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0', '\n']);
    if !is_name {
        let reason = format!("'{}' is no file name", name.escape_debug());
        return Err(Error::refused(what, reason));
    }
    put_file(
        tree,
        &format!("etc/apk/keys/{name}"),
        Meta::new(0o644, MTIME),
        pem,
    )
}

/// The repositories of the image, each once, in their order.
fn repositories(image: &Image) -> Vec<String> {
    let mut repositories: Vec<String> = Vec::new();
    for repository in image.repositories.iter().chain(&image.runtime_repositories) {
        let address = repository.rsplit(' ').next().unwrap_or_default();
        if is_remote(address) && !repositories.contains(repository) {
            repositories.push(repository.clone());
        }
    }
    repositories
}

fn is_remote(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

/// The image as apko's schema has it, without what only the building machine knows.
fn configuration(image: &Image, architecture: Architecture) -> Value {
    let mut out = Map::new();
    let packages: Vec<String> = image.packages.iter().map(ToString::to_string).collect();
    let mut contents = Map::new();
    add(&mut contents, "repositories", json!(repositories(image)));
    add(&mut contents, "packages", json!(packages));
    add(&mut out, "contents", Value::Object(contents));
    add(&mut out, "entrypoint", entrypoint(image));
    add(&mut out, "cmd", json!(image.cmd.join(" ")));
    add(&mut out, "stop-signal", json!(image.stop_signal));
    add(&mut out, "work-dir", json!(image.work_dir));
    add(&mut out, "accounts", accounts(image));
    add(&mut out, "archs", json!([architecture.oci()]));
    add(&mut out, "environment", json!(image.environment));
    add(&mut out, "paths", paths(image));
    add(&mut out, "vcs-url", json!(image.vcs_url));
    add(&mut out, "annotations", json!(image.annotations));
    add(&mut out, "volumes", json!(image.volumes));
    Value::Object(out)
}

/// Adds a field unless it says nothing.
fn add(out: &mut Map<String, Value>, key: &str, value: Value) {
    let says_nothing = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    if !says_nothing {
        out.insert(key.to_owned(), value);
    }
}

fn entrypoint(image: &Image) -> Value {
    let mut out = Map::new();
    if image.entrypoint_kind == EntrypointKind::ServiceBundle {
        add(&mut out, "type", json!("service-bundle"));
        add(&mut out, "services", json!(image.services));
    } else {
        add(&mut out, "command", json!(image.entrypoint.join(" ")));
    }
    Value::Object(out)
}

fn accounts(image: &Image) -> Value {
    let mut out = Map::new();
    let user = |user: &boltworks_recipe::resolved::User| {
        json!({
            "username": user.username, "uid": user.uid, "gid": user.gid,
            "shell": user.shell, "homedir": user.homedir,
        })
    };
    let group = |group: &boltworks_recipe::resolved::Group| {
        let mut out = Map::new();
        add(&mut out, "groupname", json!(group.groupname));
        add(&mut out, "gid", json!(group.gid));
        add(&mut out, "members", json!(group.members));
        Value::Object(out)
    };
    add(&mut out, "run-as", json!(image.accounts.run_as));
    add(
        &mut out,
        "users",
        image.accounts.users.iter().map(user).collect(),
    );
    add(
        &mut out,
        "groups",
        image.accounts.groups.iter().map(group).collect(),
    );
    Value::Object(out)
}

fn paths(image: &Image) -> Value {
    let path = |path: &boltworks_recipe::resolved::PathMutation| {
        let mut out = Map::new();
        add(&mut out, "path", json!(path.path));
        add(&mut out, "type", json!(path.kind.word()));
        add(&mut out, "uid", json!(path.uid));
        add(&mut out, "gid", json!(path.gid));
        add(&mut out, "permissions", json!(path.permissions));
        add(&mut out, "source", json!(path.source));
        if path.recursive {
            add(&mut out, "recursive", json!(true));
        }
        Value::Object(out)
    };
    image.paths.iter().map(path).collect()
}

/// What an `os-release` file says, by key, quotes removed (os-release(5)).
pub fn os_release(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
    {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let quote = |c: char| c == '"' || c == '\'';
        let value = match value
            .strip_prefix(quote)
            .and_then(|value| value.strip_suffix(quote))
        {
            Some(inner) => inner
                .replace("\\\"", "\"")
                .replace("\\$", "$")
                .replace("\\\\", "\\"),
            None => value.to_owned(),
        };
        fields.insert(key.to_owned(), value);
    }
    fields
}

#[cfg(test)]
mod tests {
    use boltworks_recipe::resolved::RuntimeKey;

    use super::*;
    use crate::place::{exists, read_file};

    fn text(tree: &Tree, path: &str) -> String {
        String::from_utf8(read_file(tree, path).unwrap().unwrap().0).unwrap()
    }

    #[test]
    fn what_only_the_builder_knows_stays_out() {
        let image = Image {
            packages: vec!["b>=2".parse().unwrap(), "a".parse().unwrap()],
            repositories: vec![
                "./packages".into(),
                "https://os.example/x".into(),
                "@local /tmp/x".into(),
            ],
            build_repositories: vec!["https://build.example/".into()],
            runtime_repositories: vec!["@edge https://edge.example/x".into()],
            keyring: vec!["keys/local.rsa.pub".into()],
            runtime_keyring: vec![RuntimeKey {
                name: "edge.rsa.pub".into(),
                content: "PEM\n".into(),
            }],
            ..Image::default()
        };
        let mut tree = Tree::new();
        add_repositories(&mut tree, &image, &Keyring::new()).unwrap();
        add_configuration(&mut tree, &image, Architecture::X86_64).unwrap();
        assert_eq!(
            text(&tree, "etc/apk/repositories"),
            "https://os.example/x\n@edge https://edge.example/x\n"
        );
        assert_eq!(text(&tree, "etc/apk/keys/edge.rsa.pub"), "PEM\n");
        insta::assert_snapshot!(text(&tree, "etc/apko.json"), @r#"{"contents":{"repositories":["https://os.example/x","@edge https://edge.example/x"],"packages":["b>=2","a"]},"archs":["amd64"]}"#);
        let bad = Image {
            runtime_keyring: vec![RuntimeKey {
                name: "../x".into(),
                content: String::new(),
            }],
            ..Image::default()
        };
        assert!(add_repositories(&mut tree, &bad, &Keyring::new()).is_err());
        assert!(!exists(&tree, "etc/apk/x"));
    }

    #[test]
    fn os_release_is_read_without_its_quotes() {
        let fields = os_release(
            "# c\nID=boltworks\nPRETTY_NAME=\"Boltworks \\\"OS\\\"\"\nVERSION_ID='1'\nno\n",
        );
        assert_eq!(fields["ID"], "boltworks");
        assert_eq!(fields["PRETTY_NAME"], "Boltworks \"OS\"");
        assert_eq!(fields["VERSION_ID"], "1");
        assert_eq!(fields.len(), 3);
    }
}
