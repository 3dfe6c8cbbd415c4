//! What was acknowledged is there after the process was killed, and nothing is there by half.
#![expect(
    clippy::disallowed_methods,
    reason = "this test starts and kills itself"
)]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use boltworks_records::Records;

use crate::run;

const VARIABLE: &str = "BOLTWORKS_TEST_RECORDS";

/// Not a test of its own: what the other one kills. Says each run's number once it is recorded.
#[test]
fn writer() {
    let Some(path) = env::var_os(VARIABLE) else {
        return;
    };
    let mut records = Records::open(path.as_ref()).unwrap();
    let already = records.actions_for("recipe zlib").unwrap().len();
    for number in already..200 {
        let id = u8::try_from(number).unwrap();
        let _new = records.record_action(&run(id, "zlib", id), &[]).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "recorded {number}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut acknowledged = None;
    for round in 0..12 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crash::writer", "--nocapture"])
            .env(VARIABLE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers = lines.map_while(Result::ok).filter_map(|line| {
            line.rsplit_once("recorded ")
                .and_then(|(_, number)| number.parse::<usize>().ok())
        });
        let mut seen = 0;
        for number in numbers {
            acknowledged = Some(number);
            seen += 1;
            if seen == 1 + round {
                child.kill().unwrap();
            }
        }
        assert!(
            !child.wait().unwrap().success(),
            "the writer was not killed in round {round}"
        );
        let records = Records::open(&path).unwrap();
        let runs = records.actions_for("recipe zlib").unwrap();
        assert!(runs.len() > acknowledged.unwrap(), "round {round}");
        assert!(
            runs.iter()
                .all(|run| run.artifacts.len() == 1 && run.documents.len() == 1)
        );
    }
    let reader = Records::open_read_only(&path).unwrap();
    assert!(reader.actions_for("recipe zlib").unwrap().len() > acknowledged.unwrap());
}
