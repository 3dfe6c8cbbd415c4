//! The canonical document as JSON has it.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) form: u32,
    pub(super) architecture: String,
    pub(super) package: WrittenPackage,
    #[serde(default)]
    pub(super) packages: Vec<String>,
    #[serde(default)]
    pub(super) environment: Surroundings,
    #[serde(default, rename = "capabilities-add")]
    pub(super) capabilities_add: Vec<String>,
    #[serde(default, rename = "capabilities-drop")]
    pub(super) capabilities_drop: Vec<String>,
    #[serde(default)]
    pub(super) pipeline: Vec<WrittenStep>,
    #[serde(default)]
    pub(super) subpackages: Vec<WrittenSubpackage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPackage {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) epoch: u64,
    #[serde(default)]
    pub(super) description: String,
    pub(super) url: Option<String>,
    pub(super) commit: Option<String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) copyright: Vec<WrittenCopyright>,
    #[serde(default)]
    pub(super) dependencies: WrittenDependencies,
    #[serde(default)]
    pub(super) options: WrittenOptions,
    #[serde(default)]
    pub(super) scriptlets: WrittenScriptlets,
    #[serde(default)]
    pub(super) cpe: WrittenCpe,
    #[serde(default)]
    pub(super) setcap: Vec<WrittenCapability>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSubpackage {
    pub(super) name: String,
    #[serde(default)]
    pub(super) pipeline: Vec<WrittenStep>,
    #[serde(default)]
    pub(super) dependencies: WrittenDependencies,
    #[serde(default)]
    pub(super) options: WrittenOptions,
    #[serde(default)]
    pub(super) scriptlets: WrittenScriptlets,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) url: Option<String>,
    pub(super) commit: Option<String>,
    #[serde(default)]
    pub(super) copyright: Vec<WrittenCopyright>,
    #[serde(default)]
    pub(super) setcap: Vec<WrittenCapability>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WrittenStep {
    pub(super) fetch: Option<WrittenFetch>,
    pub(super) checkout: Option<WrittenCheckout>,
    pub(super) runs: Option<String>,
    #[serde(default)]
    pub(super) pipeline: Vec<Self>,
    #[serde(default)]
    pub(super) working_directory: String,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WrittenFetch {
    pub(super) key: String,
    pub(super) uri: String,
    pub(super) sha256: Option<String>,
    pub(super) sha512: Option<String>,
    pub(super) strip_components: u32,
    pub(super) extract: bool,
    pub(super) delete: bool,
    pub(super) directory: String,
    pub(super) purl_name: String,
    pub(super) purl_version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WrittenCheckout {
    pub(super) key: String,
    pub(super) repository: String,
    pub(super) commit: String,
    pub(super) branch: Option<String>,
    pub(super) is_tip: bool,
    pub(super) tag: Option<String>,
    pub(super) depth: String,
    pub(super) submodules: bool,
    pub(super) picks: Vec<WrittenPick>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPick {
    pub(super) branch: Option<String>,
    pub(super) commit: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct WrittenDependencies {
    pub(super) runtime: Vec<String>,
    pub(super) provides: Vec<String>,
    pub(super) replaces: Vec<String>,
    pub(super) provider_priority: Option<String>,
    pub(super) replaces_priority: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the document has these switches"
)]
pub(super) struct WrittenOptions {
    pub(super) no_provides: bool,
    pub(super) no_depends: bool,
    pub(super) no_commands: bool,
    pub(super) no_versioned_shlib_deps: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct WrittenScriptlets {
    pub(super) trigger: Option<WrittenTrigger>,
    pub(super) pre_install: Option<String>,
    pub(super) post_install: Option<String>,
    pub(super) pre_deinstall: Option<String>,
    pub(super) post_deinstall: Option<String>,
    pub(super) pre_upgrade: Option<String>,
    pub(super) post_upgrade: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenTrigger {
    pub(super) script: String,
    pub(super) paths: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct WrittenCopyright {
    pub(super) paths: Vec<String>,
    pub(super) attestation: Option<String>,
    pub(super) license: String,
    pub(super) license_path: Option<String>,
    pub(super) detection_override: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenCapability {
    pub(super) path: String,
    pub(super) add: BTreeMap<String, String>,
    pub(super) reason: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenCpe {
    pub(super) part: Option<String>,
    pub(super) vendor: Option<String>,
    pub(super) product: Option<String>,
    pub(super) edition: Option<String>,
    pub(super) language: Option<String>,
    pub(super) sw_edition: Option<String>,
    pub(super) target_sw: Option<String>,
    pub(super) target_hw: Option<String>,
    pub(super) other: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Surroundings {
    pub(super) accounts: WrittenAccounts,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) paths: Vec<WrittenPath>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct WrittenAccounts {
    pub(super) run_as: Option<String>,
    pub(super) users: Vec<WrittenUser>,
    pub(super) groups: Vec<WrittenGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenUser {
    pub(super) username: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) shell: String,
    pub(super) homedir: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenGroup {
    pub(super) groupname: String,
    pub(super) gid: u32,
    pub(super) members: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPath {
    pub(super) path: String,
    pub(super) r#type: String,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) permissions: Option<u32>,
    pub(super) source: Option<String>,
    pub(super) recursive: bool,
}
