//! What was acknowledged is there after the process was killed.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use boltworks_fsx::Root;
use boltworks_model::Sha256;
use boltworks_store::Store;

use crate::{fresh, names, reopened};

const VARIABLE: &str = "BOLTWORKS_TEST_STORE";

/// Not a test of its own: what the other one kills. Says each digest once it is acknowledged.
#[test]
fn writer() {
    let Some(path) = env::var_os(VARIABLE) else {
        return;
    };
    let store = Store::open(&Root::open(path.as_ref()).unwrap()).unwrap();
    for number in u64::from(std::process::id()) << 32.. {
        let say = |digest: Sha256| {
            let mut out = std::io::stdout().lock();
            writeln!(out, "stored {digest}").unwrap();
            out.flush().unwrap();
        };
        say(store
            .put_bytes(&number.to_le_bytes().repeat(20_000))
            .unwrap()
            .digest);
        let mut batch = store.batch();
        for part in 0..12_u64 {
            batch
                .put_bytes(&(number ^ (part << 20)).to_be_bytes().repeat(1000))
                .unwrap();
        }
        for stored in batch.commit().unwrap() {
            say(stored.digest);
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let (folder, _store) = fresh();
    let mut acknowledged: Vec<Sha256> = Vec::new();
    for round in 0..12 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crash::writer", "--nocapture"])
            .env(VARIABLE, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut seen = 0;
        for line in lines {
            let Some((_, digest)) = line.rsplit_once("stored ") else {
                continue;
            };
            acknowledged.push(digest.parse().unwrap());
            seen += 1;
            if seen == 1 + 3 * round {
                child.kill().unwrap();
            }
        }
        assert!(
            !child.wait().unwrap().success(),
            "the writer was not killed in round {round}"
        );
        let store = reopened(&folder);
        assert!(
            names(&folder).iter().all(|name| name.len() == 64),
            "a draft was left behind"
        );
        for digest in &acknowledged {
            store.open_blob(digest).unwrap();
        }
        assert!(store.verify(&mut |_, _| Ok(())).unwrap().is_good());
    }
}
