//! An image file as apko shows it: what `apko show-config` prints, key for key.
//!
//! Nothing is understood here that apko does not: empty texts stand where it has them, lists that it
//! leaves out when they are empty are left out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::is_empty;
use crate::parsed::{Accounts, BaseImage, Certificates, Contents, Image, PathMutation, Text};

/// What s6 is started with where services are asked for, and the package that brings it.
pub(super) const SCANNER: (&str, &str) = ("/bin/s6-svscan /sv", "s6");

/// Names of architectures that apko takes for those of OCI.
const ALIASES: [(&str, &str); 8] = [
    ("x86", "386"),
    ("x86_64", "amd64"),
    ("aarch64", "arm64"),
    ("armhf", "arm/v6"),
    ("armv7", "arm/v7"),
    ("loongarch64", "loong64"),
    ("amd64", "amd64"),
    ("arm64", "arm64"),
];

impl Image {
    /// The configuration that apko derives from the file and shows. It must have been
    /// [checked](crate::check_image).
    pub fn shown(&self) -> Value {
        let mut out = Map::new();
        let has_services = self.has_services();
        put(&mut out, "contents", contents(&self.contents, has_services));
        put(&mut out, "entrypoint", self.shown_entrypoint(has_services));
        put(&mut out, "cmd", json!(text(self.cmd.as_ref())));
        let stop_signal = text(self.stop_signal.as_ref());
        put(&mut out, "stop-signal", json!(stop_signal));
        put(&mut out, "work-dir", json!(text(self.work_dir.as_ref())));
        put(&mut out, "accounts", accounts(&self.accounts));
        let archs = self.archs.iter().map(|arch| json!(architecture(arch)));
        put(&mut out, "archs", archs.collect());
        put(&mut out, "environment", map(&self.environment));
        put(&mut out, "paths", self.paths.iter().map(path).collect());
        put(&mut out, "vcs-url", json!(text(self.vcs_url.as_ref())));
        put(&mut out, "annotations", map(&self.annotations));
        put(&mut out, "include", json!(text(self.include.as_ref())));
        put(&mut out, "volumes", list(&self.volumes));
        if let Some(layering) = &self.layering {
            let mut shown = Map::new();
            let strategy = text(layering.strategy.as_ref());
            put(&mut shown, "strategy", json!(strategy));
            let budget = layering.budget.map_or(0, |budget| budget.value);
            if budget != 0 {
                shown.insert("budget".to_owned(), json!(budget));
            }
            out.insert("layering".to_owned(), Value::Object(shown));
        }
        put(&mut out, "format", json!(text(self.format.as_ref())));
        if let Some(all) = &self.certificates {
            out.insert("certificates".to_owned(), certificates(all));
        }
        Value::Object(out)
    }

    /// Whether it is a bundle of services that runs.
    pub(super) fn has_services(&self) -> bool {
        text(self.entrypoint.kind.as_ref()) == "service-bundle"
    }

    fn shown_entrypoint(&self, has_services: bool) -> Value {
        let entry = &self.entrypoint;
        let command = if has_services {
            SCANNER.0
        } else {
            text(entry.command.as_ref())
        };
        let kind = text(entry.kind.as_ref());
        let fragment = text(entry.shell_fragment.as_ref());
        if [command, kind, fragment].concat().is_empty() && entry.services.is_empty() {
            return Value::Null;
        }
        json!({
            "type": kind,
            "command": command,
            "shell-fragment": fragment,
            "services": map(&entry.services),
        })
    }
}

/// Adds a field that says something.
pub(super) fn put(out: &mut Map<String, Value>, key: &str, value: Value) {
    if !is_empty(&value) {
        out.insert(key.to_owned(), value);
    }
}

fn text(text: Option<&Text>) -> &str {
    text.map(Text::as_str).unwrap_or_default()
}

fn list(texts: &[Text]) -> Value {
    texts.iter().map(|text| json!(text.as_str())).collect()
}

fn map(map: &BTreeMap<String, Text>) -> Value {
    let entries = map.iter();
    let entries = entries.map(|(name, text)| (name.clone(), json!(text.as_str())));
    Value::Object(entries.collect())
}

fn contents(contents: &Contents, has_services: bool) -> Value {
    let addresses = |list: &[Text]| -> Value {
        let trimmed = list.iter().map(|text| text.trim_end_matches('/'));
        trimmed.map(|text| json!(redacted(text))).collect()
    };
    let keys = contents.keyring.iter().map(|key| json!(redacted(key)));
    let mut packages: Vec<&str> = contents.packages.iter().map(Text::as_str).collect();
    packages.extend(has_services.then_some(SCANNER.1));
    let runtime = contents.runtime_repositories.iter();
    let runtime = runtime.map(|text| json!(text.trim_end_matches('/')));
    let runtime_keys = contents.runtime_keyring.iter();
    let mut out = Map::new();
    put(
        &mut out,
        "build_repositories",
        addresses(&contents.build_repositories),
    );
    put(&mut out, "runtime_repositories", runtime.collect());
    put(&mut out, "repositories", addresses(&contents.repositories));
    put(&mut out, "keyring", keys.collect());
    put(
        &mut out,
        "runtime_keyring",
        runtime_keys
            .map(|key| json!({ "name": key.name.as_str(), "content": key.content.as_str() }))
            .collect(),
    );
    put(&mut out, "packages", json!(packages));
    if let Some(BaseImage { image, apkindex }) = &contents.baseimage {
        let mut base = Map::new();
        put(&mut base, "image", json!(image.as_str()));
        put(&mut base, "apkindex", json!(apkindex.as_str()));
        out.insert("baseimage".to_owned(), Value::Object(base));
    }
    Value::Object(out)
}

/// An address whose password is not shown.
pub(super) fn redacted(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:xxxxx@{host}{path}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    }
}

/// The name that apko calls an architecture; what it does not know stays.
fn architecture(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, own)| *own)
}

fn accounts(accounts: &Accounts) -> Value {
    let run_as = text(accounts.run_as.as_ref());
    if run_as.is_empty() && accounts.users.is_empty() && accounts.groups.is_empty() {
        return Value::Null;
    }
    let users = accounts.users.iter().map(|user| {
        let home = text(user.homedir.as_ref());
        let usual = format!("/home/{}", user.username.as_str());
        let mut out = Map::new();
        out.insert("username".to_owned(), json!(user.username.as_str()));
        out.insert("uid".to_owned(), json!(user.uid.map_or(0, |uid| uid.value)));
        if let Some(gid) = user.gid {
            out.insert("gid".to_owned(), json!(gid.value));
        }
        out.insert("shell".to_owned(), json!(text(user.shell.as_ref())));
        let home = if home.is_empty() { &usual } else { home };
        out.insert("homedir".to_owned(), json!(home));
        Value::Object(out)
    });
    let groups = accounts.groups.iter().map(|group| {
        json!({
            "groupname": group.groupname.as_str(),
            "gid": group.gid.map_or(0, |gid| gid.value),
            "members": list(&group.members),
        })
    });
    json!({
        "run-as": run_as,
        "users": users.collect::<Value>(),
        "groups": groups.collect::<Value>(),
    })
}

fn path(path: &PathMutation) -> Value {
    let mut out = Map::new();
    out.insert("path".to_owned(), json!(path.path.as_str()));
    out.insert("type".to_owned(), json!(path.kind.as_str()));
    for (name, id) in [("uid", path.uid), ("gid", path.gid)] {
        out.extend(id.map(|id| (name.to_owned(), json!(id))));
    }
    let mode = path.permissions.map_or(0, |mode| mode.value.bits);
    out.insert("permissions".to_owned(), json!(mode));
    out.insert("source".to_owned(), json!(text(path.source.as_ref())));
    out.insert("recursive".to_owned(), json!(path.recursive));
    Value::Object(out)
}

fn certificates(certificates: &Certificates) -> Value {
    let additional = certificates.additional.iter().map(|certificate| {
        let mut out = Map::new();
        put(&mut out, "name", json!(text(certificate.name.as_ref())));
        put(&mut out, "content", json!(certificate.content.as_str()));
        Value::Object(out)
    });
    let mut out = Map::new();
    put(&mut out, "additional", additional.collect());
    put(&mut out, "providers", list(&certificates.providers));
    Value::Object(out)
}
