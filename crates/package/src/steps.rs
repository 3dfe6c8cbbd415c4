//! The recipe's steps, run one by one in the sandbox.

use std::collections::BTreeMap;

use boltworks_model::Ambient;
use boltworks_recipe::resolved::Step;
use boltworks_sandbox::{End, Exit, GuestSpec, Limits, Local, StepSpec};

use crate::Error;
use crate::log::Log;

/// The folder in the guest where steps start.
pub const HOME: &str = "/home/build";

/// What runs their scripts.
const SHELL: &str = "/bin/sh";

/// How a step ended that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The step's full name.
    pub step: String,
    /// How it ended.
    pub how: String,
}

/// Where and how all steps of one job run.
pub struct Runner<'a> {
    /// What they do, for messages: `build of zlib`, `test of zlib`.
    pub what: String,
    /// Where the recipe lists the packages of their environment.
    pub listed: &'static str,
    /// The sandbox.
    pub sandbox: &'a Local,
    /// The guest they share.
    pub guest: &'a GuestSpec,
    /// Variables for every step; a step's own go over them.
    pub environment: BTreeMap<String, String>,
    /// What each may use.
    pub limits: Limits,
    /// Highest memory and all processor time so far.
    pub used: Used,
}

/// Resources that steps used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// The highest resident memory of any step, in bytes, where it could be measured.
    pub peak_memory: u64,
    /// Processor time, in milliseconds.
    pub cpu_milliseconds: u64,
}

impl Runner<'_> {
    /// Runs the steps in order; ends at the first that fails.
    pub fn run(
        &mut self,
        steps: &[Step],
        log: &mut Log<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<Option<Stopped>, Error> {
        for (index, step) in steps.iter().enumerate() {
            let name = step
                .name
                .clone()
                .unwrap_or_else(|| format!("step {}", index + 1));
            if let Some(stopped) = self.run_one(step, &name, log, ambient)? {
                return Ok(Some(stopped));
            }
        }
        Ok(None)
    }

    fn run_one(
        &mut self,
        step: &Step,
        name: &str,
        log: &mut Log<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<Option<Stopped>, Error> {
        ambient.cancel.check()?;
        if let Some(script) = step
            .runs
            .as_deref()
            .filter(|script| !script.trim().is_empty())
        {
            log.step(name)?;
            let exit = self
                .run_script(step, script, log, ambient)
                .map_err(|error| self.named(error, name))?;
            if let Some(how) = failure(&exit) {
                return Ok(Some(Stopped {
                    step: name.to_owned(),
                    how,
                }));
            }
        }
        for (index, inner) in step.pipeline.iter().enumerate() {
            let inner_name = match &inner.name {
                Some(inner_name) => format!("{name} / {inner_name}"),
                None => format!("{name} / {}", index + 1),
            };
            if let Some(stopped) = self.run_one(inner, &inner_name, log, ambient)? {
                return Ok(Some(stopped));
            }
        }
        Ok(None)
    }

    /// That a step could not be started, with what it takes to mend it.
    fn named(&self, error: Error, step: &str) -> Error {
        match error {
            Error::Sandbox(source @ boltworks_sandbox::Error::Start { .. }) => Error::NotStarted {
                what: self.what.clone(),
                step: step.to_owned(),
                program: SHELL.to_owned(),
                listed: self.listed,
                source,
            },
            other => other,
        }
    }

    fn run_script(
        &mut self,
        step: &Step,
        script: &str,
        log: &mut Log<'_>,
        ambient: &Ambient<'_>,
    ) -> Result<Exit, Error> {
        let mut environment = self.environment.clone();
        environment.extend(step.environment.clone());
        let spec = StepSpec {
            argv: vec![
                SHELL.into(),
                "-c".into(),
                wrapped(script, &step.working_directory),
            ],
            environment,
            cwd: HOME.to_owned(),
            limits: self.limits.clone(),
        };
        let mut kept = Ok(());
        let exit = self.sandbox.run(
            self.guest,
            &spec,
            &mut |_, bytes| {
                if kept.is_ok() {
                    kept = log.bytes(bytes);
                }
            },
            ambient,
        )?;
        kept?;
        log.flush()?;
        self.used.peak_memory = self.used.peak_memory.max(exit.peak_memory);
        let milliseconds = u64::try_from(exit.cpu.as_millis()).unwrap_or(u64::MAX);
        self.used.cpu_milliseconds = self.used.cpu_milliseconds.saturating_add(milliseconds);
        Ok(exit)
    }
}

/// The script as the shell gets it: it stops at the first failing command, also in a pipe, and
/// starts in its working directory, which is made where it is missing.
fn wrapped(script: &str, directory: &str) -> String {
    let directory = quoted(directory);
    format!("set -eo pipefail\nmkdir -p {directory}\ncd {directory}\n{script}\nexit 0\n")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn failure(exit: &Exit) -> Option<String> {
    match exit.end {
        End::Code(0) => None,
        End::Code(code) => Some(format!("exit code {code}")),
        End::Signal(signal) => Some(format!("killed by signal {signal}")),
        End::Timeout => Some("over its time limit".to_owned()),
        End::OutOfMemory => Some(format!("over its memory limit ({})", exit.limits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_a_quote_stays_one_word() {
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert!(wrapped("true", HOME).contains("cd '/home/build'"));
    }
}
