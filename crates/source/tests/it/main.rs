//! Fetching against real servers on loopback, and against the real archives.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../../../net/tests/it/server.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod server;

mod chain;
mod debian;
mod git;
#[expect(dead_code, reason = "each test program uses a part of it")]
mod upstream;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use boltworks_fsx::Root;
use boltworks_model::{Ambient, Cancel, Clock, Entropy, Timestamp};
use boltworks_net::{Client, Settings};
use boltworks_source::{Fetcher, GitLimits, Machine};
use boltworks_store::Store;

/// The real time, with short waits.
struct Real(Instant);

impl Clock for Real {
    #[expect(clippy::disallowed_methods, reason = "tests have a real clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Timestamp(i64::try_from(since.as_secs()).unwrap())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration.min(Duration::from_millis(5)));
    }
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// A folder with a store, and what a fetcher needs.
struct Bench {
    folder: tempfile::TempDir,
    root: Root,
    store: Store,
    client: Client,
    machine: Machine,
    clock: Real,
    cancel: Cancel,
}

impl Bench {
    fn new(environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let environment: BTreeMap<_, _> = environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        #[expect(clippy::disallowed_methods, reason = "tests have a real clock")]
        let clock = Real(Instant::now());
        Self {
            store: Store::open(&root).unwrap(),
            client: Client::new(Settings {
                stall: Duration::from_millis(500),
                ..Settings::default()
            }),
            machine: Machine::new(Root::open("/".as_ref()).unwrap(), environment),
            cancel: Cancel::default(),
            folder,
            root,
            clock,
        }
    }

    fn fetcher(&self) -> Fetcher<'_> {
        Fetcher {
            store: &self.store,
            folder: &self.root,
            client: &self.client,
            mirrors: Vec::new(),
            overrides: Vec::new(),
            debian: Err("no archive here".to_owned()),
            machine: &self.machine,
            caches: &[],
            git: GitLimits::default(),
            offline: false,
        }
    }

    fn ambient(&self) -> Ambient<'_> {
        Ambient {
            clock: &self.clock,
            entropy: &NoEntropy,
            sink: &(),
            cancel: &self.cancel,
        }
    }

    /// Names of broken-off transfers.
    fn parts(&self) -> Vec<String> {
        let parts = self.root.dir(&"parts".try_into().unwrap());
        let names = parts.map(|parts| parts.list().unwrap()).unwrap_or_default();
        names
            .into_iter()
            .map(|entry| String::from_utf8(entry.name).unwrap())
            .filter(|name| name.strip_suffix(".part").is_some())
            .collect()
    }
}
