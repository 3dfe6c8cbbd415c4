//! Stage 0 from the real archive, as this machine's apt is configured to reach it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod real;

use std::thread;
use std::time::{Duration, Instant};

use boltworks_crypto::{RsaPrivateKey, Signer};
use boltworks_fsx::Root;
use boltworks_model::{Ambient, Cancel, Clock, Entropy, Timestamp};
use boltworks_source::debian::{KEYRING, Settings};
use boltworks_source::{DebianArchive, Machine};
use boltworks_stage0::Means;
use boltworks_store::Store;

/// The real time.
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
        thread::sleep(duration);
    }
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// Prints when jobs begin and end.
struct Timed(Instant);

impl boltworks_model::Sink for Timed {
    fn event(&self, event: boltworks_model::Event<'_>) {
        if !matches!(event, boltworks_model::Event::Progress { .. }) {
            self.say(&format!("{event:?}"));
        }
    }
}

impl Timed {
    #[expect(
        clippy::print_stdout,
        reason = "shown with --nocapture, or when a test fails"
    )]
    fn say(&self, what: &str) {
        println!("{:.1?} {what}", self.0.elapsed());
    }
}

/// A new key.
fn signer() -> Signer {
    Signer {
        name: "test.rsa.pub".into(),
        key: RsaPrivateKey::generate().unwrap(),
    }
}

/// A folder with everything that stage 0 is made with.
struct Bench {
    _folder: tempfile::TempDir,
    root: Root,
    store: Store,
    archive: DebianArchive,
    signer: Signer,
    clock: Real,
    sink: Timed,
    cancel: Cancel,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path()).unwrap();
        let machine = Machine::new(
            Root::open("/".as_ref()).unwrap(),
            std::collections::BTreeMap::new(),
        );
        let settings = Settings {
            suite: "trixie".into(),
            mirror: machine.debian_archive().unwrap(),
            keyring: KEYRING.into(),
            architecture: "amd64".into(),
            environment: machine.network_environment(),
        };
        let apt = root.make_dir(&"apt".try_into().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "tests have a real clock")]
        let clock = Real(Instant::now());
        Self {
            store: Store::open(&root).unwrap(),
            archive: DebianArchive::new(apt, settings).unwrap(),
            signer: signer(),
            cancel: Cancel::default(),
            _folder: folder,
            root,
            sink: Timed(clock.0),
            clock,
        }
    }

    fn means(&self) -> Means<'_> {
        Means {
            archive: &self.archive,
            store: &self.store,
            folder: &self.root,
            signer: &self.signer,
            workers: 2,
            offline: false,
        }
    }

    fn say(&self, what: &str) {
        self.sink.say(what);
    }

    fn ambient(&self) -> Ambient<'_> {
        Ambient {
            clock: &self.clock,
            entropy: &NoEntropy,
            sink: &self.sink,
            cancel: &self.cancel,
        }
    }
}
