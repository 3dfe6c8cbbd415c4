//! The records through their public methods, on real files.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod actions;
mod crash;
mod files;
mod releases;

use boltworks_model::{
    ActionId, Architecture, Artifact, ArtifactKind, Coordinate, Sha256, Timestamp,
};
use boltworks_records::{ActionRecord, Records};
use tempfile::TempDir;

/// A folder that goes away, and fresh records in it.
fn fresh() -> (TempDir, Records) {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::open(&folder.path().join("records.db")).unwrap();
    (folder, records)
}

fn digest(byte: u8) -> Sha256 {
    Sha256::new([byte; 32])
}

fn artifact(kind: ArtifactKind, name: &str, byte: u8) -> Artifact {
    let coordinate = Coordinate {
        kind,
        name: name.to_owned(),
        version: "1.4".to_owned(),
        architecture: Architecture::X86_64,
    };
    Artifact {
        coordinate,
        digest: digest(byte),
        size: u64::from(byte),
    }
}

/// A good run that gave one package.
fn run(id: u8, name: &str, byte: u8) -> ActionRecord {
    ActionRecord {
        id: ActionId(digest(id)),
        subject: format!("recipe {name}"),
        artifacts: vec![artifact(ArtifactKind::Apk, name, byte)],
        materials: Vec::new(),
        log: None,
        started: Timestamp(10),
        finished: Timestamp(20),
        limits: String::new(),
        ok: true,
        documents: [("sbom".to_owned(), digest(99))].into(),
    }
}
