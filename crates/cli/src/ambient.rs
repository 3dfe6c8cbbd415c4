//! The real clock, the real entropy, the real stop button.

use std::io::Read;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use boltworks_model::{Ambient, Cancel, Clock, Entropy, Sink, Timestamp};

/// The machine's clock.
pub(crate) struct MachineClock(Instant);

impl MachineClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that others are given"
    )]
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MachineClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that others are given"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// The kernel's random numbers.
pub(crate) struct MachineEntropy;

impl Entropy for MachineEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "a device, not a file of the user's"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(buffer));
        if read.is_err() {
            // Only jitter and temporary names are drawn from here; keys are the crypto library's.
            buffer.fill(0x5a);
        }
    }
}

/// Everything ambient, owned.
pub(crate) struct Machine {
    clock: MachineClock,
    entropy: MachineEntropy,
    cancel: Cancel,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            clock: MachineClock::new(),
            entropy: MachineEntropy,
            cancel: Cancel::default(),
        }
    }

    /// The stop button, for signal handlers.
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// As an argument for everybody else.
    pub(crate) fn ambient<'a>(&'a self, sink: &'a dyn Sink) -> Ambient<'a> {
        Ambient {
            clock: &self.clock,
            entropy: &self.entropy,
            sink,
            cancel: &self.cancel,
        }
    }
}
