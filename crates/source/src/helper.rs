//! docker's credential helpers: programs that know logins, `docker-credential-NAME get`.
//!
//! Unlike any other program they see the user's whole environment: it says where their keys are.

use std::io::{self, Write as _};
use std::time::Duration;

use boltworks_fsx::{Bounded, Limit};
use boltworks_model::{Clock, chain};

use crate::{Error, Machine, Program};

/// How long one may take, a person's answer included.
const PATIENCE: Duration = Duration::from_mins(1);
/// No login is longer.
const MAX_ANSWER: Limit = Limit::kib(64);

impl Machine {
    /// Asks a helper for the login of a server; what it printed, in the form of docker's protocol. Its
    /// name is put after `docker-credential-`: it must be none that leads elsewhere.
    ///
    /// # Errors
    /// What it says, in words.
    pub fn ask_credential_helper(
        &self,
        helper: &str,
        server: &str,
        clock: &dyn Clock,
    ) -> Result<String, String> {
        // A helper's name is known only now; the shell finds it, and says so if there is none.
        let program = Program::new("sh", "dash")
            .args(["-c", "exec \"docker-credential-$1\" get", "sh", helper])
            .envs(self.environment());
        let started = clock.elapsed();
        let mut look = |_: u64| {
            if clock.elapsed().saturating_sub(started) < PATIENCE {
                return Ok(());
            }
            Err(Error::Program {
                program: "the credential helper",
                source: io::Error::other("it gave no answer for a minute"),
            })
        };
        let mut printed = String::new();
        let outcome = program.talk_watched(clock, &mut look, |mut stdin, stdout| {
            // One that does not read its input has its answer all the same.
            if let Err(error) = stdin.write_all(server.as_bytes()) {
                tracing::debug!(%error, "a credential helper did not read its input");
            }
            drop(stdin);
            printed = Bounded::new(stdout, MAX_ANSWER)
                .read_text()
                .map_err(|error| Error::Malformed {
                    index: "the answer of a credential helper".to_owned(),
                    reason: error.to_string(),
                })?;
            Ok(())
        });
        match outcome {
            Ok(()) => Ok(printed),
            // They say on their output why they cannot help.
            Err(Error::Failed { .. }) if !printed.trim().is_empty() => {
                Err(printed.trim().to_owned())
            }
            Err(error) => Err(chain(&error)),
        }
    }
}
