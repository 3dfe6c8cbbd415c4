//! Waiting and trying again, only where that can help.

use std::time::Duration;

use boltworks_model::{Ambient, Cancelled};

use crate::{Error, Transience};

/// How often and after how long something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often at most, the first time included.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles from then on.
    pub first: Duration,
    /// The longest wait, and the longest that a server may ask for.
    pub longest: Duration,
    /// Whether a host that cannot be reached is waited for.
    pub patient: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(500),
            longest: Duration::from_mins(1),
            patient: true,
        }
    }
}

impl Retry {
    /// For when another server can be asked instead: a host that cannot be reached is given up
    /// at once, and one that answers with an error after a second attempt.
    pub const IMPATIENT: Self = Self {
        attempts: 2,
        first: Duration::from_millis(500),
        longest: Duration::from_secs(5),
        patient: false,
    };

    /// Does something until it succeeds, until trying again is of no use, or until the attempts
    /// are used up. The last error is returned.
    pub fn run<T>(
        &self,
        ambient: &Ambient<'_>,
        mut work: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut failures = 0;
        loop {
            ambient.cancel.check()?;
            let error = match work() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failures += 1;
            self.wait(error, failures, ambient)?;
        }
    }

    /// Waits before the next attempt, or gives the error back if there is to be none.
    /// `failures` counts the failed attempts so far.
    pub(crate) fn wait(
        &self,
        error: Error,
        failures: u32,
        ambient: &Ambient<'_>,
    ) -> Result<(), Error> {
        tracing::debug!(%error, failures, "a failure");
        if self.pause(error.transience(), failures, ambient)? {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Waits before the next attempt after a failure of this kind; whether there is to be one.
    /// `failures` counts the failed attempts so far.
    pub fn pause(
        &self,
        transience: Transience,
        failures: u32,
        ambient: &Ambient<'_>,
    ) -> Result<bool, Cancelled> {
        let mut random = [0; 8];
        ambient.entropy.fill(&mut random);
        let Some(delay) = self.delay(transience, failures, u64::from_le_bytes(random)) else {
            return Ok(false);
        };
        tracing::debug!(?delay, failures, "trying again");
        sleep(delay, ambient)?;
        Ok(true)
    }

    /// The wait before the next attempt: exponential, with the random half taken off, or what the
    /// server asks for. `None` if there is to be none.
    fn delay(&self, transience: Transience, failures: u32, random: u64) -> Option<Duration> {
        let wanted = match transience {
            Transience::Permanent => return None,
            Transience::Once if failures > 1 => return None,
            Transience::Once => None,
            Transience::Transient(wanted) => wanted,
        };
        if failures >= self.attempts {
            return None;
        }
        match wanted {
            Some(wanted) if wanted > self.longest => None,
            Some(wanted) => Some(wanted),
            None => {
                let doubled = self.first.saturating_mul(1 << (failures - 1).min(16));
                let full = doubled.min(self.longest);
                let half = u64::try_from(full.as_millis() / 2).unwrap_or(u64::MAX);
                Some(full.saturating_sub(Duration::from_millis(random % (half + 1))))
            }
        }
    }
}

/// Sleeps in short pieces, so that the button is felt.
fn sleep(duration: Duration, ambient: &Ambient<'_>) -> Result<(), Cancelled> {
    let mut left = duration;
    while !left.is_zero() {
        ambient.cancel.check()?;
        let piece = left.min(Duration::from_millis(100));
        ambient.clock.sleep(piece);
        left -= piece;
    }
    ambient.cancel.check()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_server_is_obeyed_within_reason() {
        let retry = Retry::default();
        let asked = |seconds| Transience::Transient(Some(Duration::from_secs(seconds)));
        assert_eq!(retry.delay(asked(7), 1, 0), Some(Duration::from_secs(7)));
        assert_eq!(retry.delay(asked(3600), 1, 0), None);
        assert_eq!(retry.delay(Transience::Permanent, 1, 0), None);
        assert!(retry.delay(Transience::Once, 1, 0).is_some());
        assert_eq!(retry.delay(Transience::Once, 2, 0), None);
    }

    proptest! {
        #[test]
        fn waits_grow_and_end(failures in 1_u32..200, random: u64) {
            let retry = Retry::default();
            match retry.delay(Transience::Transient(None), failures, random) {
                None => prop_assert!(failures >= retry.attempts),
                Some(delay) => {
                    prop_assert!(delay <= retry.longest);
                    prop_assert!(delay >= retry.first / 2);
                }
            }
        }
    }
}
