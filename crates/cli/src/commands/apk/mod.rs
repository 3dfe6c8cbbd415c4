//! `boltworks apk`: packages, indexes and keys as files.

mod show;

pub(crate) use self::show::difference_text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use boltworks_apk::Signed;
use boltworks_factory::keys::{Bits, Keys};
use boltworks_factory::packages::{self, Listing, Sound};
use boltworks_factory::{Error, keys};
use boltworks_model::visible_path;
use serde_json::{Value, json};

use crate::arguments::{Apk, Arguments};
use crate::commands::image::source_date_epoch;
use crate::failure::{Failure, exit};
use crate::output::{Output, shown};
use crate::table::count;

pub(crate) fn run(arguments: &Arguments, apk: &Apk, output: &Output) -> Result<ExitCode, Failure> {
    match apk {
        Apk::Keygen { file } => keygen(file, Bits::Long, output),
        Apk::Sign { signing_key, files } => sign(signing_key, files, output),
        Apk::Index {
            output: path,
            signing_key,
            arch,
            merge,
            files,
        } => {
            let keys = signing_key.as_deref().map(Keys::from_file).transpose()?;
            let listing = Listing {
                files,
                arch: arch.map(boltworks_model::Architecture::apk),
                keys: keys.as_ref(),
                merge: merge.then_some(path),
                mtime: mtime()?,
            };
            index(path, &listing, output)
        }
        Apk::Verify {
            keyring_append,
            ignore_signatures,
            files,
        } => {
            let mut trusted = keyring_append.clone();
            if trusted.is_empty() && !ignore_signatures {
                trusted.extend(packages::factory_key(&arguments.factory)?);
            }
            verify(&trusted, *ignore_signatures, files, output)
        }
        Apk::Info { file, files } => show::info(file, *files, output),
        Apk::Diff { before, after } => show::diff(before, after, output),
        Apk::Scan(scan) => crate::commands::scan::run(scan, output),
        Apk::Rebuild(rebuild) => crate::commands::rebuild::run(arguments, rebuild, output),
    }
}

/// The time of signatures and indexes: what the environment asks for, else 1970.
pub(crate) fn mtime() -> Result<i64, Failure> {
    Ok(source_date_epoch()?.unwrap_or_default().0)
}

pub(crate) fn keygen(file: &Path, bits: Bits, output: &Output) -> Result<ExitCode, Failure> {
    let pair = keys::make(file, bits)?;
    output.text(&format!(
        "private key: {} (keep it secret)\npublic key:  {} (give it to everybody)",
        visible_path(&pair.private),
        visible_path(&pair.public)
    ));
    output.json(&json!({"private": shown(&pair.private), "public": shown(&pair.public)}));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn sign(key: &Path, files: &[PathBuf], output: &Output) -> Result<ExitCode, Failure> {
    let keys = Keys::from_file(key)?;
    let mtime = mtime()?;
    let mut signed = Vec::new();
    for file in files {
        let what = match packages::sign(file, &keys, mtime)? {
            Signed::Package => "package",
            Signed::Index => "index",
        };
        output.text(&format!("signed {what} {}", visible_path(file)));
        signed.push(json!({"file": shown(file), "kind": what}));
    }
    output.json(&json!({"key": keys.signer.name, "signed": signed}));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn index(
    path: &Path,
    listing: &Listing<'_>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    if listing.files.is_empty() && listing.merge.is_none() {
        return Err(Failure::Usage {
            what: "no package is named".to_owned(),
            help: "name packages, or say --merge to write the index anew".to_owned(),
        });
    }
    let listed = packages::list(path, listing)?;
    for skipped in &listed.skipped {
        output.note(&format!(
            "! {} is for another architecture",
            visible_path(skipped)
        ));
    }
    let signed = match listing.keys {
        Some(keys) => format!("signed by {}", keys.signer.name),
        None => "not signed".to_owned(),
    };
    output.text(&format!(
        "{}: {}, {} of them read now, {signed}",
        visible_path(path),
        count(listed.packages, "package"),
        listed.added
    ));
    output.json(&json!({
        "index": shown(path),
        "packages": listed.packages,
        "added": listed.added,
        "skipped": listed.skipped.iter().map(|file| shown(file)).collect::<Vec<_>>(),
        "signed-by": listing.keys.map(|keys| &keys.signer.name),
    }));
    Ok(ExitCode::SUCCESS)
}

fn verify(
    trusted: &[PathBuf],
    ignore_signatures: bool,
    files: &[PathBuf],
    output: &Output,
) -> Result<ExitCode, Failure> {
    if trusted.is_empty() && !ignore_signatures {
        return Err(Failure::Usage {
            what: "no key to verify signatures with".to_owned(),
            help:
                "give a public key with -k FILE, go to the folder of a factory that has made its \
                   key, or say --ignore-signatures"
                    .to_owned(),
        });
    }
    let keyring = keys::trusted(trusted)?;
    let keyring = (!ignore_signatures).then_some(&keyring);
    let mut all_good = true;
    let mut documents: Vec<Value> = Vec::new();
    for file in files {
        let result = packages::verify(file, keyring);
        all_good &= result.is_ok();
        output.text(&verified_text(file, &result));
        documents.push(verified_document(file, &result));
    }
    output.json(&json!({"good": all_good, "files": documents}));
    Ok(if all_good {
        ExitCode::SUCCESS
    } else {
        exit::FAILED
    })
}

fn verified_text(file: &Path, result: &Result<Sound, Error>) -> String {
    let file = visible_path(file);
    match result {
        Ok(Sound::Package { name, signed_by }) => {
            format!("OK {file}: {name}, {}", signers(signed_by))
        }
        Ok(Sound::Index {
            packages,
            signed_by,
        }) => {
            let packages = count(*packages, "package");
            format!("OK {file}: index of {packages}, {}", signers(signed_by))
        }
        Err(error) => format!("BAD {file}: {}", boltworks_model::chain(error.cause())),
    }
}

fn signers(keys: &[String]) -> String {
    if keys.is_empty() {
        return "signatures not judged".to_owned();
    }
    format!("signed by {}", keys.join(", "))
}

fn verified_document(file: &Path, result: &Result<Sound, Error>) -> Value {
    let file = shown(file);
    match result {
        Ok(Sound::Package { name, signed_by }) => json!({
            "file": file, "good": true, "kind": "package", "package": name, "signed-by": signed_by,
        }),
        Ok(Sound::Index {
            packages,
            signed_by,
        }) => json!({
            "file": file, "good": true, "kind": "index", "packages": packages, "signed-by": signed_by,
        }),
        Err(error) => {
            json!({"file": file, "good": false, "error": boltworks_model::chain(error.cause())})
        }
    }
}
