//! The guest on this machine.

use std::path::Path;

use boltworks_model::Ambient;

use crate::{Error, Exit, GuestSpec, Refused, StepSpec, Stream};

/// The host's uid and gid that steps run as when the factory runs as root, unless told otherwise.
pub const DEFAULT_BUILD_UID: u32 = 64_999;

/// Guests on this machine.
#[derive(Debug)]
pub struct Local {}

impl Local {
    /// Runs a trivial guest, with `exe` (a program whose `main` calls [`crate::helper`]) as its
    /// first process, and refuses if it cannot be confined.
    pub fn probe(exe: &Path) -> Result<Self, Refused> {
        Self::probe_as(exe, DEFAULT_BUILD_UID)
    }

    /// As [`Local::probe`], with another uid for steps when running as root.
    pub fn probe_as(_exe: &Path, _build_uid: u32) -> Result<Self, Refused> {
        todo!()
    }

    /// One line on how steps are confined and what holds their limits.
    pub fn describe(&self) -> String {
        todo!()
    }

    /// The host's uid, and gid, that trees, scratch folders and writable binds must belong to.
    pub fn build_uid(&self) -> u32 {
        todo!()
    }

    /// Runs one step in a guest and hands its output on as it comes.
    pub fn run(
        &self,
        _guest: &GuestSpec,
        _step: &StepSpec,
        _output: &mut dyn FnMut(Stream, &[u8]),
        _ambient: &Ambient<'_>,
    ) -> Result<Exit, Error> {
        todo!()
    }
}
