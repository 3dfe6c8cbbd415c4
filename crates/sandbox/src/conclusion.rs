//! What the report of a guest's first process means for the step.

use std::io;
use std::os::unix::process::ExitStatusExt;

use crate::launch::Ended;
use crate::wire::Outcome;
use crate::{End, Error, StepSpec};

/// What a step's report says of its resources.
pub(crate) struct Used {
    pub(crate) peak_memory: u64,
    pub(crate) cpu: std::time::Duration,
}

/// What shells answer for a program that cannot be started.
const NOT_STARTED: i32 = 127;

/// How a program of a guest that is there ended.
pub(crate) const fn end(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Code(code) => End::Code(*code),
        Outcome::Signal(signal) => End::Signal(*signal),
        _ => End::Code(NOT_STARTED),
    }
}

/// What a report means.
pub(crate) fn conclude(
    ended: Ended,
    out_of_memory: bool,
    step: &StepSpec,
) -> Result<(End, Used), Error> {
    let Some(report) = ended.report else {
        if out_of_memory {
            return Ok((
                End::OutOfMemory,
                Used {
                    peak_memory: 0,
                    cpu: std::time::Duration::ZERO,
                },
            ));
        }
        let status = match (ended.status.code(), ended.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        return Err(Error::Lost { status });
    };
    let used = Used {
        peak_memory: report.peak_memory,
        cpu: report.cpu,
    };
    let end = match report.outcome {
        _ if out_of_memory => End::OutOfMemory,
        _ if report.timed_out => End::Timeout,
        Outcome::Code(code) => End::Code(code),
        Outcome::Signal(signal) => End::Signal(signal),
        Outcome::NotStarted { errno } => {
            return Err(Error::Start {
                program: step.argv.first().cloned().unwrap_or_default(),
                source: io::Error::from_raw_os_error(errno),
            });
        }
        Outcome::Failed(failure) => {
            return Err(Error::Setup {
                step: failure.to_string(),
                source: io::Error::from_raw_os_error(failure.errno),
            });
        }
        Outcome::Killed { status } => return Err(Error::Lost { status }),
        Outcome::Sound { .. } => {
            return Err(Error::Lost {
                status: "a self-check".into(),
            });
        }
    };
    Ok((end, used))
}
