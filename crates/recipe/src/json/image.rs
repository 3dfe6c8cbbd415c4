//! Images: as a file for people, and as what decides their bytes.

use boltworks_version::apk::Dependency;
use serde_json::{Map, Value, json};

use super::{FORM, Object, View, map, sorted, texts};
use crate::resolved::{EntrypointKind, Format, Image, PathMutation};
use crate::words;

impl Image {
    /// Everything that decides the bytes of the image, as one canonical JSON document.
    pub fn canonical_json(&self) -> Vec<u8> {
        let mut object = Object::default();
        object.put("form", FORM);
        object.put("packages", sorted(&self.packages));
        object.put("repositories", self.repositories.as_slice());
        object.put("runtime_repositories", self.runtime_repositories.as_slice());
        object.put("image", whole_image(self, View::Action));
        object.into_bytes()
    }

    /// The resolved image as one line of JSON that is an image file again and means the same:
    /// what `image show-config` prints.
    pub fn config_json(&self) -> String {
        let mut object = Object::default();
        object.put("contents", contents(self, &self.packages));
        object.0.extend(whole_image(self, View::Compile));
        object.into_text()
    }
}

pub(super) fn contents(image: &Image, packages: &[Dependency]) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("build_repositories", image.build_repositories.as_slice());
    object.put(
        "runtime_repositories",
        image.runtime_repositories.as_slice(),
    );
    object.put("repositories", image.repositories.as_slice());
    object.put("keyring", image.keyring.as_slice());
    object.put("runtime_keyring", runtime_keyring(image));
    object.put("packages", texts(packages));
    if let Some(base) = &image.base {
        let mut written = Object::default();
        written.put("image", base.image.as_str());
        written.put("apkindex", base.apkindex.as_str());
        object.put("baseimage", written.0);
    }
    object.0
}

/// The parts of an environment that a guest shows: accounts, variables, paths. Which
/// repositories packages came from is known by the lock.
pub(super) fn image(image: &Image, view: View) -> Map<String, Value> {
    match view {
        View::Compile => {
            let mut whole = whole_image(image, view);
            // All architectures is what none written means.
            if image.archs == boltworks_model::Architecture::ALL {
                whole.shift_remove("archs");
            }
            whole
        }
        View::Action => {
            let mut object = Object::default();
            object.put("accounts", accounts(image));
            object.put("environment", map(&image.environment));
            object.put("paths", paths(image, view));
            object.0
        }
    }
}

/// All of an image but where its packages come from. For people it has the form of the file:
/// commands are lines that a shell would part, and keys of the runtime stand with the contents.
fn whole_image(image: &Image, view: View) -> Map<String, Value> {
    let mut object = Object::default();
    object.put("entrypoint", entrypoint(image, view));
    object.put("cmd", command(&image.cmd, view));
    object.put("stop-signal", image.stop_signal.as_deref());
    object.put("work-dir", image.work_dir.as_deref());
    object.put("accounts", accounts(image));
    object.put(
        "archs",
        image.archs.iter().map(|arch| arch.apk()).collect::<Value>(),
    );
    object.put("environment", map(&image.environment));
    object.put("paths", paths(image, view));
    object.put("vcs-url", image.vcs_url.as_deref());
    object.put("annotations", map(&image.annotations));
    object.put("volumes", image.volumes.as_slice());
    object.put(
        "layering",
        image
            .layering
            .as_ref()
            .map(|layering| json!({ "strategy": layering.strategy, "budget": layering.budget })),
    );
    object.put("format", (image.format == Format::Erofs).then_some("erofs"));
    let certificates = image.certificates.iter();
    let certificates: Value = certificates
        .map(|certificate| json!({ "name": certificate.name, "content": certificate.content }))
        .collect();
    match view {
        View::Action => {
            object.put("certificates", certificates);
            let providers = image.certificate_providers.as_slice();
            object.put("certificate_providers", providers);
            object.put("runtime_keyring", runtime_keyring(image));
        }
        View::Compile => {
            let mut all = Object::default();
            all.put("additional", certificates);
            all.put("providers", image.certificate_providers.as_slice());
            object.put("certificates", all.0);
        }
    }
    object.0
}

fn runtime_keyring(image: &Image) -> Value {
    let keys = image.runtime_keyring.iter();
    keys.map(|key| json!({ "name": key.name, "content": key.content }))
        .collect()
}

fn entrypoint(image: &Image, view: View) -> Map<String, Value> {
    let mut object = Object::default();
    if image.entrypoint_kind == EntrypointKind::ServiceBundle {
        object.put("type", "service-bundle");
    }
    object.put("command", command(&image.entrypoint, view));
    object.put("services", map(&image.services));
    object.0
}

fn command(words: &[String], view: View) -> Value {
    match view {
        View::Action => words.into(),
        View::Compile => words::join(words).into(),
    }
}

fn accounts(image: &Image) -> Map<String, Value> {
    let accounts = &image.accounts;
    let users = accounts.users.iter().map(|user| {
        json!({
            "username": user.username,
            "uid": user.uid,
            "gid": user.gid,
            "shell": user.shell,
            "homedir": user.homedir,
        })
    });
    let groups = accounts.groups.iter().map(
        |group| json!({ "groupname": group.groupname, "gid": group.gid, "members": group.members }),
    );
    let mut object = Object::default();
    object.put("run-as", accounts.run_as.as_deref());
    object.put("users", users.collect::<Value>());
    object.put("groups", groups.collect::<Value>());
    object.0
}

fn paths(image: &Image, view: View) -> Value {
    // A bare number that looks octal is refused in a file.
    let mode = |bits: u32| match view {
        View::Action => Value::from(bits),
        View::Compile => Value::from(format!("0o{bits:o}")),
    };
    let one = |path: &PathMutation| {
        json!({
            "path": path.path,
            "type": path.kind.word(),
            "uid": path.uid,
            "gid": path.gid,
            "permissions": path.permissions.map(mode),
            "source": path.source,
            "recursive": path.recursive,
        })
    };
    image.paths.iter().map(one).collect()
}
