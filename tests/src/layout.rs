//! What a pulled image is, read by `tar` and `sha256sum`.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Command;
use crate::tools::need;

/// An OCI layout on disk, with one image.
#[derive(Debug, Clone)]
pub struct Layout {
    path: PathBuf,
    /// The manifest's digest: `sha256:…`.
    pub digest: String,
    /// The manifest.
    pub manifest: Value,
    /// The configuration.
    pub config: Value,
}

impl Layout {
    /// Reads a layout. Every blob on the way is hashed by `sha256sum`.
    pub fn read(path: &Path) -> Result<Self> {
        let index: Value = serde_json::from_slice(&std::fs::read(path.join("index.json"))?)?;
        let digest = index["manifests"][0]["digest"]
            .as_str()
            .context("no manifest")?
            .to_owned();
        let mut layout = Self {
            path: path.to_owned(),
            digest: digest.clone(),
            manifest: Value::Null,
            config: Value::Null,
        };
        layout.manifest = serde_json::from_slice(&std::fs::read(layout.blob(&digest)?)?)?;
        let config = layout.manifest["config"]["digest"]
            .as_str()
            .context("no configuration")?;
        layout.config = serde_json::from_slice(&std::fs::read(layout.blob(config)?)?)?;
        Ok(layout)
    }

    /// The file of a blob that is what its name says.
    pub fn blob(&self, digest: &str) -> Result<PathBuf> {
        let hex = digest.strip_prefix("sha256:").context("no SHA-256")?;
        let path = self.path.join("blobs/sha256").join(hex);
        let found = hash(&path)?;
        ensure!(found == hex, "{} holds {found}", path.display());
        Ok(path)
    }

    /// The files of its layers.
    pub fn layers(&self) -> Result<Vec<PathBuf>> {
        let layers = self.manifest["layers"].as_array().context("no layers")?;
        let digest = |layer: &Value| layer["digest"].as_str().map(str::to_owned);
        layers
            .iter()
            .map(|layer| self.blob(&digest(layer).context("no digest")?))
            .collect()
    }
}

/// The SHA-256 of one file.
pub fn hash(path: &Path) -> Result<String> {
    let output = Command::new(need("sha256sum")?).arg(path).ok()?;
    let line = output.stdout.split(' ').next().unwrap_or_default();
    Ok(line.trim_start_matches('\\').to_owned())
}

/// Unpacks an archive, or apk package, into a folder with `tar`.
pub fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    // Ordinary users may not make owners and devices; content is what is compared.
    Command::new(need("tar")?)
        .args([
            "--extract",
            "--gzip",
            "--no-same-owner",
            "--keep-directory-symlink",
        ])
        .args([
            "--delay-directory-restore",
            "--warning=no-unknown-keyword",
            "--file",
        ])
        .arg(archive)
        .arg("--directory")
        .arg(folder)
        .ok()?;
    Ok(())
}

/// Every regular file beneath a folder with its SHA-256.
pub fn hashes(folder: &Path) -> Result<BTreeMap<String, String>> {
    let find = Command::new(need("find")?)
        .args([".", "-type", "f", "-exec", "sha256sum", "--zero", "{}", "+"])
        .dir(folder)
        .ok()?;
    let mut hashes = BTreeMap::new();
    for line in find.stdout.split('\0').filter(|line| !line.is_empty()) {
        let (hash, name) = line.split_once("  ./").context("not a line of sha256sum")?;
        hashes.insert(name.to_owned(), hash.to_owned());
    }
    Ok(hashes)
}

/// The names in an archive, in its order, as `tar` lists them, folders without the last slash.
pub fn listing(archive: &Path) -> Result<Vec<String>> {
    let list = Command::new(need("tar")?)
        .args(["--list", "--gzip", "--warning=no-unknown-keyword", "--file"])
        .arg(archive)
        .ok()?;
    let clean = |line: &str| {
        line.trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned()
    };
    Ok(list
        .stdout
        .lines()
        .map(clean)
        .filter(|name| !name.is_empty())
        .collect())
}
