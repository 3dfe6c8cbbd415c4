//! One attempt at a recipe or image: announced to whoever watches, and described where it failed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use boltworks_model::{ActionId, Ambient, Event, Timestamp, chain};
use boltworks_package::Failed;
use boltworks_records::FailureRecord;

use crate::Error;
use crate::testing::Tested;

/// Does a job of many between its announcement and the word that it is over; `note` says how it ended.
pub fn announced<T>(
    job: &str,
    ambient: &Ambient<'_>,
    note: impl FnOnce(&T) -> &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let why = |error: &Error| format!("failed: {}", chain(error));
    between(job, ambient, (note, why), work)
}

/// The same for the job that a command is about: why it failed is the command's own last word.
pub fn announced_alone<T>(
    job: &str,
    ambient: &Ambient<'_>,
    note: impl FnOnce(&T) -> &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    between(job, ambient, (note, |_| "failed".to_owned()), work)
}

/// A job that was done among others failed.
pub fn failed(job: &str, note: &str, ambient: &Ambient<'_>) {
    ambient.sink.event(Event::Started { job, total: None });
    ambient.sink.event(Event::Finished {
        job,
        ok: false,
        note,
        took: None,
    });
}

fn between<T>(
    job: &str,
    ambient: &Ambient<'_>,
    (note, why): (
        impl FnOnce(&T) -> &'static str,
        impl FnOnce(&Error) -> String,
    ),
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    ambient.sink.event(Event::Started { job, total: None });
    let result = work();
    let note = match &result {
        Ok(made) => note(made).to_owned(),
        Err(_) if ambient.cancel.is_pressed() => "stopped".to_owned(),
        Err(error) => why(error),
    };
    ambient.sink.event(Event::Finished {
        job,
        ok: result.is_ok(),
        note: &note,
        took: None,
    });
    result
}

/// Does work that others wait for: if this program has a fault that ends it, that is its error, and
/// nobody waits for ever.
pub fn caught<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::Fault {
            said: text.unwrap_or_default(),
        })
    })
}

/// What the records keep of a failed attempt.
pub fn failure(subject: String, action: ActionId, error: &Error, at: Timestamp) -> FailureRecord {
    FailureRecord {
        subject,
        action: Some(action),
        reason: chain(error),
        log: step(error).map(|failed| failed.log),
        at,
    }
}

/// The step that failed, where it was one; of several the first.
pub fn step(error: &Error) -> Option<&Failed> {
    match error.cause() {
        Error::Package(boltworks_package::Error::Step(failed)) => Some(failed),
        error => tests(error).iter().find_map(|test| test.failed.as_ref()),
    }
}

/// The tests that failed, where it were some of several.
pub fn tests(error: &Error) -> &[Tested] {
    match error.cause() {
        Error::Tests { failed, .. } => failed,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_program_is_an_error() {
        let error = caught::<()>(|| panic!("at {}", 7)).unwrap_err();
        assert_eq!(error.to_string(), "this program has a fault: at 7");
        let error = caught::<()>(|| panic!("plain")).unwrap_err();
        assert_eq!(error.to_string(), "this program has a fault: plain");
        assert_eq!(caught(|| Ok(1)).unwrap(), 1);
    }
}
