//! Actions, evidence and failures.

use boltworks_model::{
    ActionId, ArtifactKind, Evidence, EvidenceKind, Gaps, Material, SourceKind, Timestamp, Verdict,
};
use boltworks_records::{FailureRecord, Recorded, Records, Results};
use proptest::prelude::*;

use crate::{artifact, digest, fresh, run};

fn materials() -> Vec<Material> {
    vec![
        Material::Source {
            uri: "https://example.org/zlib.tar.gz".into(),
            fetched_from: Some("https://mirror.example/zlib.orig.tar.gz".into()),
            kind: SourceKind::DebianOrigRepacked,
            sha256: digest(1),
            recipe_digest: Some("sha256:ff".into()),
        },
        Material::Package {
            name: "gcc-14-r0".into(),
            sha256: digest(2),
            repository: "stage0".into(),
        },
        Material::Recipe {
            path: "recipes/zlib.yaml".into(),
            sha256: digest(3),
        },
        Material::Pipeline {
            name: "autoconf/make".into(),
            sha256: digest(4),
            builtin: true,
        },
        Material::Builder {
            name: "boltworks 0.1.0".into(),
            sandbox: "local: user, mount".into(),
        },
    ]
}

#[test]
fn a_run_comes_back_as_it_was_recorded() {
    let (_folder, mut records) = fresh();
    let mut record = run(1, "zlib", 7);
    record.materials = materials();
    record.log = Some(digest(8));
    record.limits = "cgroup v1: memory 4 GiB".into();
    assert_eq!(records.record_action(&record, &[]).unwrap(), Recorded::New);
    assert_eq!(records.action(&record.id).unwrap(), Some(record.clone()));
    assert_eq!(
        records.latest_for("recipe zlib").unwrap(),
        Some(record.clone())
    );
    assert_eq!(
        records.actions_for("recipe zlib").unwrap(),
        [record.clone()]
    );
    let results = Some(Results {
        artifacts: record.artifacts.clone(),
        documents: record.documents.clone(),
    });
    assert_eq!(records.results_of(&record.id).unwrap(), results);
    assert_eq!(records.latest_results_for("recipe zlib").unwrap(), results);
    assert_eq!(records.actions_with_material(&digest(2)).unwrap(), [record]);
    assert_eq!(records.subjects().unwrap(), ["recipe zlib"]);
    assert_eq!(records.action(&ActionId(digest(2))).unwrap(), None);
    assert_eq!(records.latest_for("recipe").unwrap(), None);
}

#[test]
fn the_first_good_run_is_the_result() {
    let (_folder, mut records) = fresh();
    let mut failed = run(1, "zlib", 7);
    failed.ok = false;
    failed.artifacts.clear();
    let good = run(1, "zlib", 7);
    assert_eq!(records.record_action(&failed, &[]).unwrap(), Recorded::New);
    assert_eq!(records.results_of(&good.id).unwrap(), None);
    assert_eq!(records.latest_results_for("recipe zlib").unwrap(), None);
    assert_eq!(records.record_action(&good, &[]).unwrap(), Recorded::New);
    assert_eq!(records.record_action(&good, &[]).unwrap(), Recorded::Again);
    assert_eq!(records.record_action(&failed, &[]).unwrap(), Recorded::New);
    assert_eq!(records.action(&good.id).unwrap(), Some(good.clone()));
    assert_eq!(
        records.latest_for("recipe zlib").unwrap(),
        Some(failed.clone())
    );
    assert_eq!(
        records.latest_good_for("recipe zlib").unwrap(),
        Some(good.clone())
    );
    assert_eq!(
        records.actions_for("recipe zlib").unwrap(),
        [failed.clone(), good, failed]
    );
}

#[test]
fn other_bytes_of_the_same_action_never_take_the_place_of_the_first() {
    let (_folder, mut records) = fresh();
    let first = run(1, "zlib", 7);
    let second = run(1, "zlib", 8);
    assert_eq!(records.record_action(&first, &[]).unwrap(), Recorded::New);
    let recorded = records.record_action(&second, &[]).unwrap();
    assert_eq!(recorded, Recorded::Differs(Box::new(first.clone())));
    assert_eq!(records.action(&first.id).unwrap(), Some(first));
    let evidence = records.evidence_for(&digest(7)).unwrap();
    let [
        Evidence {
            kind: EvidenceKind::Reproduction,
            verdict: Verdict::Fail(reasons),
            ..
        },
    ] = evidence.as_slice()
    else {
        panic!("{evidence:?}");
    };
    assert!(reasons.to_string().ends_with(&digest(8).prefixed()));
    assert_eq!(records.failures_for("recipe zlib").unwrap().len(), 1);
}

#[test]
fn many_runs_are_recorded_each_for_itself_and_together() {
    let (folder, mut records) = fresh();
    let known = run(1, "zlib", 7);
    let _new = records.record_action(&known, &[]).unwrap();
    let (other, new) = (run(1, "zlib", 8), run(2, "web", 9));
    let passed = Evidence {
        subject: artifact(ArtifactKind::Apk, "web", 9),
        kind: EvidenceKind::Sbom,
        verdict: Verdict::Pass,
        document: None,
        at: Timestamp(3),
    };
    let statements = [passed.clone()];
    let runs = [
        (&known, &[][..]),
        (&other, &[]),
        (&new, &statements),
        (&new, &[]),
    ];
    let recorded = records.record_actions(&runs).unwrap();
    let differs = Recorded::Differs(Box::new(known.clone()));
    assert_eq!(
        recorded,
        [Recorded::Again, differs, Recorded::New, Recorded::Again]
    );
    assert_eq!(records.action(&known.id).unwrap(), Some(known));
    assert_eq!(records.action(&new.id).unwrap(), Some(new));
    assert_eq!(records.evidence_for(&digest(9)).unwrap(), [passed]);
    assert_eq!(records.evidence_for(&digest(7)).unwrap().len(), 1);
    // One that cannot be recorded keeps all of them out: size has no room in a column.
    let (good, mut bad) = (run(3, "good", 3), run(4, "bad", 4));
    bad.artifacts[0].size = u64::MAX;
    assert!(
        records
            .record_actions(&[(&good, &[]), (&bad, &[])])
            .is_err()
    );
    drop(records);
    let records = Records::open_read_only(&folder.path().join("records.db")).unwrap();
    assert_eq!(records.action(&good.id).unwrap(), None);
    assert_eq!(records.subjects().unwrap(), ["recipe web", "recipe zlib"]);
}

#[test]
fn artifacts_are_found_by_what_a_person_types() {
    let (_folder, mut records) = fresh();
    let _new = records.record_action(&run(1, "zlib", 0xab), &[]).unwrap();
    let _new = records.record_action(&run(2, "zlib", 0xac), &[]).unwrap();
    let found = |text: &str| -> Vec<u64> {
        records
            .find_artifact(text)
            .unwrap()
            .iter()
            .map(|(artifact, _)| artifact.size)
            .collect()
    };
    for text in [
        "zlib",
        "zlib-1.4",
        "zlib-1.4.apk",
        "zlib:1.4",
        "apk/zlib-1.4/x86_64",
    ] {
        assert_eq!(found(text), [0xac, 0xab], "{text}");
    }
    for text in [
        "ababab",
        "ABABABA",
        "sha256:ababab",
        &digest(0xab).to_string(),
    ] {
        assert_eq!(found(text), [0xab], "{text}");
    }
    for text in ["", "abab", "zli", "%", "zlib-", "x86_64"] {
        assert_eq!(found(text), [] as [u64; 0], "{text}");
    }
}

#[test]
fn evidence_comes_back_in_order_and_is_not_repeated() {
    let (_folder, mut records) = fresh();
    let subject = artifact(ArtifactKind::Image, "web", 7);
    let statement = |kind, verdict, at| Evidence {
        subject: subject.clone(),
        kind,
        verdict,
        document: Some(digest(1)),
        at: Timestamp(at),
    };
    let unknown = Verdict::Unknown(Gaps::one("the database is old"));
    let all = [
        statement(EvidenceKind::Vulnerabilities, unknown, 9),
        statement(EvidenceKind::Sbom, Verdict::Pass, 3),
        Evidence {
            document: None,
            ..statement(EvidenceKind::Sbom, Verdict::Pass, 3)
        },
    ];
    records.record_evidence(&all).unwrap();
    let _new = records.record_action(&run(1, "zlib", 5), &all).unwrap();
    assert_eq!(records.evidence_for(&digest(7)).unwrap(), all);
    assert_eq!(records.evidence_for(&digest(5)).unwrap(), []);
}

#[test]
fn every_blob_that_is_referred_to_is_named() {
    let (_folder, mut records) = fresh();
    let mut zlib = run(10, "zlib", 11);
    zlib.materials = materials();
    zlib.log = Some(digest(12));
    let _new = records.record_action(&zlib, &[]).unwrap();
    let references = records.references().unwrap();
    let words = |byte| references.get(&digest(byte)).cloned().unwrap_or_default();
    assert_eq!(words(11), ["artifact zlib-1.4 of recipe zlib"]);
    assert_eq!(words(12), ["log of recipe zlib"]);
    assert_eq!(words(99), ["document 'sbom' of recipe zlib"]);
    assert_eq!(
        words(1),
        ["source https://example.org/zlib.tar.gz, from which recipe zlib was made"]
    );
    assert_eq!(
        words(2),
        ["package gcc-14-r0, from which recipe zlib was made"]
    );
    // The recipe's text lies in the factory's folder.
    assert!(words(3).is_empty());
}

#[test]
fn a_failure_is_unresolved_until_a_later_good_run() {
    let (_folder, mut records) = fresh();
    let failure = |reason: &str, at| FailureRecord {
        subject: "recipe zlib".into(),
        action: None,
        reason: reason.into(),
        log: None,
        at: Timestamp(at),
    };
    records.record_failure(&failure("first", 5)).unwrap();
    records.record_failure(&failure("second", 7)).unwrap();
    assert_eq!(
        records.unresolved_failures().unwrap(),
        [failure("second", 7)]
    );
    let _new = records.record_action(&run(1, "zlib", 2), &[]).unwrap();
    assert_eq!(records.unresolved_failures().unwrap(), []);
    records.record_failure(&failure("third", 30)).unwrap();
    assert_eq!(
        records.unresolved_failures().unwrap(),
        [failure("third", 30)]
    );
}

#[test]
fn failures_and_small_texts_are_kept() {
    let (_folder, mut records) = fresh();
    let failure = |action, log| FailureRecord {
        subject: "recipe zlib".into(),
        action,
        reason: "line one\nline two".into(),
        log,
        at: Timestamp(-1),
    };
    let all = [
        failure(None, None),
        failure(Some(ActionId(digest(1))), Some(digest(2))),
    ];
    for failure in &all {
        records.record_failure(failure).unwrap();
    }
    assert_eq!(records.failures_for("recipe zlib").unwrap(), all);
    assert_eq!(records.meta("stage0").unwrap(), None);
    records.set_meta("stage0", "a").unwrap();
    records.set_meta("stage0", "b").unwrap();
    assert_eq!(records.meta("stage0").unwrap().as_deref(), Some("b"));
}

#[test]
fn no_text_is_too_strange_to_look_for() {
    let (_folder, records) = fresh();
    proptest!(|(text: String)| {
        prop_assert!(records.find_artifact(&text).unwrap().is_empty());
    });
}
