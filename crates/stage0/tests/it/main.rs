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

/// A folder with everything that stage 0 is made with.
struct Bench {
    _folder: tempfile::TempDir,
    root: Root,
    store: Store,
    archive: DebianArchive,
    signer: Signer,
    clock: Real,
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
            signer: Signer {
                name: "test.rsa.pub".into(),
                key: RsaPrivateKey::generate().unwrap(),
            },
            cancel: Cancel::default(),
            _folder: folder,
            root,
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

    fn ambient(&self) -> Ambient<'_> {
        Ambient {
            clock: &self.clock,
            entropy: &NoEntropy,
            sink: &(),
            cancel: &self.cancel,
        }
    }
}
