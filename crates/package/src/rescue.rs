//! A shell in a guest whose step has failed: at once, or later in the workspace that was kept.

use std::collections::BTreeMap;

use boltworks_fsx::{Limit, RelPath, Root};
use boltworks_model::Ambient;
use boltworks_sandbox::{Exit, GuestSpec, Limits, Local, Seat, StepSpec};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::steps::{HOME, SHELL, quoted};

/// The file in a workspace that says how to be in it again. No guest sees it.
const FILE: &str = "guest.json";
/// Its format.
const VERSION: u32 = 1;
/// What the shell shows when it waits.
const PROMPT: &str = "guest$ ";
/// A variable is no longer, for Linux.
const MOST_SCRIPT: usize = 100_000;
/// The largest such file: trees, variables and a script.
const LIMIT: Limit = Limit::mib(16);

/// A person who gets a shell where a step fails.
#[derive(Debug, Clone, Copy)]
pub struct Attendant<'a> {
    /// Where they sit.
    pub seat: Seat<'a>,
    /// What sort of terminal that is: `TERM`.
    pub terminal: &'a str,
}

/// What a shell takes for the end of the command before its first one: who leaves it then without a
/// code leaves with that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing was.
    Nothing,
    /// The step that failed: it is mended only by somebody who does something.
    Failed,
}

/// The shell's command line and variables: those of the step; what sort of terminal it has; the
/// script that failed, as `STEP`; no file to keep a history in, which would stay in the workspace.
pub(crate) fn shell(
    directory: &str,
    environment: &BTreeMap<String, String>,
    script: &str,
    (terminal, before): (&str, Before),
) -> (Vec<String>, BTreeMap<String, String>) {
    // A shell that is not a person's forgets the prompt it is given.
    let begins = format!("cd {}; export PS1={}", quoted(directory), quoted(PROMPT));
    // What a person's shell reads first is named by ENV: here what comes on this descriptor.
    let own = match environment.get("ENV") {
        Some(own) => format!("export ENV={}", quoted(own)),
        None => "unset ENV".to_owned(),
    };
    let starts = match before {
        Before::Nothing => format!("{begins}; exec {SHELL} -i"),
        Before::Failed => {
            format!(
                "{begins} ENV=/dev/fd/9; exec {SHELL} -i 9<<'END'\nexec 9<&-\n{own}\nfalse\nEND\n"
            )
        }
    };
    let argv = [SHELL, "-c", &starts].map(str::to_owned).into();
    let mut environment = environment.clone();
    for (name, value) in [("TERM", terminal), ("HISTFILE", "")] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    if script.len() <= MOST_SCRIPT && !script.contains('\0') {
        environment.insert("STEP".to_owned(), script.to_owned());
    }
    (argv, environment)
}

/// The shell as a step of its own, without the limits of others.
pub(crate) fn words((argv, environment): (Vec<String>, BTreeMap<String, String>)) -> StepSpec {
    StepSpec {
        argv,
        environment,
        cwd: HOME.to_owned(),
        limits: Limits::default(),
    }
}

/// What is known of a workspace that a failed job left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    version: u32,
    /// What failed: `build of zlib`.
    pub what: String,
    /// At which step.
    pub step: String,
    /// How that ended.
    pub how: String,
    /// The step's script.
    pub script: String,
    /// The folder in the guest it ran in.
    pub directory: String,
    /// Its variables.
    pub environment: BTreeMap<String, String>,
    /// The guest.
    pub guest: GuestSpec,
}

impl Kept {
    pub(crate) fn new(what: &str, stopped: &crate::steps::Stopped, guest: &GuestSpec) -> Self {
        Self {
            version: VERSION,
            what: what.to_owned(),
            step: stopped.step.clone(),
            how: stopped.how.clone(),
            script: stopped.script.clone(),
            directory: stopped.directory.clone(),
            environment: stopped.environment.clone(),
            guest: guest.clone(),
        }
    }

    /// Writes it into a workspace's folder.
    pub(crate) fn write(&self, folder: &Root) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from)?;
        folder.write(&RelPath::try_from(FILE)?, &text, 0o600)?;
        Ok(())
    }

    /// Reads it from a workspace's folder; nothing, where no failed job left that.
    pub fn read(folder: &Root) -> Result<Option<Self>, Error> {
        let bytes = match folder.read_vec(&RelPath::try_from(FILE)?, LIMIT) {
            Err(error) if error.is_not_found() => return Ok(None),
            other => other?,
        };
        // One of another version of the program is none.
        let kept: Option<Self> = serde_json::from_slice(&bytes).ok();
        Ok(kept.filter(|kept| kept.version == VERSION))
    }

    /// Gives a person a shell in the workspace as the failed step left it: what was in memory is
    /// gone, `/tmp` and running programs.
    pub fn shell(
        &self,
        sandbox: &Local,
        attendant: Attendant<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<Exit, Error> {
        let at = (attendant.terminal, Before::Nothing);
        let step = words(shell(&self.directory, &self.environment, &self.script, at));
        Ok(sandbox.run_at(attendant.seat, &self.guest, &step, ambient)?)
    }
}
