//! `melange index`, `sign`, `sign-index` and `keygen`: packages, indexes and keys as files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use boltworks_factory::keys::{self, Keys};
use boltworks_factory::packages::{self, Listing};
use boltworks_model::visible_path;

use super::flag::Words;
use super::usage;
use crate::commands::apk;
use crate::dialect;
use crate::failure::Failure;
use crate::output::Output;

/// The key that `keygen` makes where none is named.
const KEY: &str = "melange.rsa";

pub(super) fn index(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let files = words.operands();
    let keys = words.path("signing-key");
    let keys = keys.as_deref().map(Keys::from_file).transpose()?;
    let arch = words.text("arch");
    let arch = arch.as_deref().map(dialect::architecture).transpose()?;
    let source = words.path("source").unwrap_or_default();
    let listing = Listing {
        files: &files,
        arch: arch.map(boltworks_model::Architecture::apk),
        keys: keys.as_ref(),
        merge: words.is_on("merge").then_some(source.as_path()),
        mtime: apk::mtime()?,
    };
    let path = words.path("output").unwrap_or_default();
    apk::index(&path, &listing, output)
}

pub(super) fn sign(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    apk::sign(&key(words)?, &words.operands(), output)
}

pub(super) fn sign_index(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let mut unsigned = Vec::new();
    for file in words.operands() {
        if !words.is_on("force") && packages::is_signed(&file)? {
            output.note(&format!(
                "{} is signed already and stays as it is; --force signs it anew",
                visible_path(&file)
            ));
        } else {
            unsigned.push(file);
        }
    }
    if unsigned.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    apk::sign(&key(words)?, &unsigned, output)
}

fn key(words: &Words<'_>) -> Result<PathBuf, Failure> {
    let key = words.path("signing-key");
    key.ok_or_else(|| {
        usage(
            "the signing key has no name",
            "name it: --signing-key FILE.rsa; `melange keygen FILE.rsa` makes one",
        )
    })
}

pub(super) fn keygen(words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    let bits = match words.text("key-size").as_deref() {
        Some("4096") => keys::Bits::Long,
        Some("2048") => keys::Bits::Short,
        other => {
            return Err(usage(
                format!("keys of {} bits are not made", other.unwrap_or_default()),
                "say --key-size 4096, or 2048 for a key that need not last",
            ));
        }
    };
    let file = words.operands().into_iter().next();
    apk::keygen(
        &file.unwrap_or_else(|| Path::new(KEY).to_owned()),
        bits,
        output,
    )
}
