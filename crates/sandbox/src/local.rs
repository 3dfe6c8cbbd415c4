//! The guest on this machine.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use boltworks_fsx::{RelPath, Root};
use boltworks_model::{Ambient, Cancel};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::cgroup::{Counted, Group, Hierarchy};
use crate::conclusion::{self, conclude};
use crate::identity::Identity;
use crate::launch::{Ended, Guest, SealedProgram, Visit};
use crate::terminal::Seat;
use crate::wire::{Ceilings, GuestRoot, Order, Outcome, Program, Stage, Terminal};
use crate::{
    Beside, Bind, End, Error, Exit, GuestSpec, Ids, Limits, Refused, Rescue, StepSpec, Stream,
    host, refusal, spec,
};

/// The host's uid and gid that steps run as when the factory runs as root, unless told otherwise.
///
/// High enough to be nobody's, and mapped where the factory is root of a container only.
pub const DEFAULT_BUILD_UID: u32 = 64_999;

/// What holds the limits where no control group can.
const RLIMITS: &str = "rlimits";

/// Guests on this machine.
///
/// A guest's first process runs from the program's file as it was opened when the machine was
/// probed: a program that is replaced meanwhile changes nothing, and no guest can change it.
#[derive(Debug)]
pub struct Local {
    program: SealedProgram,
    identity: Identity,
    hierarchy: Option<Hierarchy>,
    landlock: u32,
}

impl Local {
    /// Runs a trivial guest, with `exe` (a program whose `main` calls [`crate::helper()`]) as its
    /// first process, and refuses if it cannot be confined.
    pub fn probe(exe: &Path) -> Result<Self, Refused> {
        Self::probe_as(exe, DEFAULT_BUILD_UID)
    }

    /// As [`Local::probe`], with another uid for steps when running as root.
    pub fn probe_as(exe: &Path, build_uid: u32) -> Result<Self, Refused> {
        let identity = Identity::choose(build_uid)?;
        let program = SealedProgram::new(exe).map_err(|error| refusal::no_program(exe, &error))?;
        let mut local = Self {
            program,
            identity,
            hierarchy: None,
            landlock: 0,
        };
        local.landlock = local.check()?;
        Ok(local)
    }

    /// Runs a guest that looks around, in a group of the best hierarchy whose group it can enter;
    /// answers the version of Landlock's interface.
    fn check(&mut self) -> Result<u32, Refused> {
        for (hierarchy, group) in Hierarchy::usable() {
            let outcome = self.look_around(group.doors())?;
            let is_outside = matches!(&outcome, Outcome::Failed(why) if why.stage == Stage::Group);
            if group.remove().is_ok() && !is_outside {
                self.hierarchy = Some(hierarchy);
                return judged(outcome);
            }
        }
        judged(self.look_around(Vec::new())?)
    }

    fn look_around(&self, groups: Vec<PathBuf>) -> Result<Outcome, Refused> {
        let limits = Limits {
            wall: Some(refusal::PATIENCE),
            ..Limits::default()
        };
        let order = Order {
            groups,
            root: GuestRoot::Empty,
            binds: Vec::new(),
            hostname: "probe".into(),
            // Whom the kernel would give the most.
            ids: Ids::ROOT,
            program: Program::SelfCheck,
            beside: None,
            limits: self.ceilings(&limits),
            become_uid: self.identity.become_uid,
        };
        let mut said = Vec::new();
        let ended = Guest::start(&self.program).and_then(|guest| {
            guest.order(&order, None)?;
            let mut nobody = Visit {
                relay: None,
                opened: &mut |_| {},
            };
            guest.listen(&Cancel::default(), &mut nobody, &mut |_, bytes| {
                said.extend(bytes.iter().take(1000_usize.saturating_sub(said.len())));
            })
        });
        match ended {
            Ok(Ended {
                report: Some(report),
                ..
            }) => Ok(report.outcome),
            Ok(Ended {
                report: None,
                status,
            }) => Err(refusal::no_helper(status, &said)),
            Err(error) => Err(refusal::no_start(&error)),
        }
    }

    /// One line on how steps are confined and what holds their limits.
    pub fn describe(&self) -> String {
        let landlock = match self.landlock {
            0 => "no Landlock".into(),
            version => format!("Landlock ABI {version}"),
        };
        format!(
            "local: user, mount, pid, ipc, uts, cgroup and network namespaces; seccomp; {landlock}; \
             uid {}; limits: {}",
            self.identity.build_uid,
            self.limits_word()
        )
    }

    /// The host's uid, and gid, that trees, scratch folders and writable binds must belong to.
    pub const fn build_uid(&self) -> u32 {
        self.identity.build_uid
    }

    fn limits_word(&self) -> &'static str {
        self.hierarchy.as_ref().map_or(RLIMITS, Hierarchy::word)
    }

    /// Runs one step in a guest and hands its output on as it comes, in chunks of at most 64 KiB.
    /// The step is held up while `output` works.
    pub fn run(
        &self,
        guest: &GuestSpec,
        step: &StepSpec,
        output: &mut dyn FnMut(Stream, &[u8]),
        ambient: &Ambient<'_>,
    ) -> Result<Exit, Error> {
        let run = Run::new(guest, step);
        Ok(self.carry_out(run, &mut |_| {}, output, ambient)?.0)
    }

    /// Runs one step as [`Local::run`] does, with a program beside it that is ready first. A step without
    /// a program ends well when that is ready. Where it does not come to be ready, what is printed last
    /// says why, and the step ends with a code other than 0.
    pub fn run_beside(
        &self,
        guest: &GuestSpec,
        (beside, step): (&Beside, &StepSpec),
        output: &mut dyn FnMut(Stream, &[u8]),
        ambient: &Ambient<'_>,
    ) -> Result<Exit, Error> {
        let run = Run {
            beside: Some(beside),
            ..Run::new(guest, step)
        };
        Ok(self.carry_out(run, &mut |_| {}, output, ambient)?.0)
    }

    /// Runs one step as [`Local::run`] does; and where it fails, a person gets a shell in the guest
    /// as it is then, with what the step left running and in `/tmp`. The limit of time is the step's
    /// alone. Answers how the shell ended too, if there was one.
    pub fn run_with_rescue(
        &self,
        guest: &GuestSpec,
        rescue: &mut Rescue<'_>,
        output: &mut dyn FnMut(Stream, &[u8]),
        ambient: &Ambient<'_>,
    ) -> Result<(Exit, Option<End>), Error> {
        let run = Run {
            terminal: Terminal::Shell {
                argv: rescue.argv.clone(),
                environment: rescue.environment.clone(),
            },
            seat: Some(rescue.seat),
            ..Run::new(guest, rescue.step)
        };
        self.carry_out(run, rescue.opened, output, ambient)
    }

    /// Runs one step at a person's terminal: all it prints goes there.
    pub fn run_at(
        &self,
        seat: Seat<'_>,
        guest: &GuestSpec,
        step: &StepSpec,
        ambient: &Ambient<'_>,
    ) -> Result<Exit, Error> {
        let run = Run {
            terminal: Terminal::Step,
            seat: Some(seat),
            ..Run::new(guest, step)
        };
        let nothing_else = &mut |_, _: &[u8]| {};
        Ok(self.carry_out(run, &mut |_| {}, nothing_else, ambient)?.0)
    }

    fn carry_out(
        &self,
        run: Run<'_>,
        opened: &mut dyn FnMut(End),
        output: &mut dyn FnMut(Stream, &[u8]),
        ambient: &Ambient<'_>,
    ) -> Result<(Exit, Option<End>), Error> {
        let Run {
            guest,
            step,
            beside,
            terminal,
            seat,
        } = run;
        spec::check(guest, step, beside)?;
        ambient.cancel.check()?;
        let began = ambient.clock.elapsed();
        for bind in guest.binds.iter().filter(|bind| bind.writable) {
            self.check_owner(bind)?;
        }
        self.prepare(&guest.scratch)?;
        if let Some(beside) = beside {
            self.prepare(&beside.scratch)?;
        }
        let order = Order {
            groups: Vec::new(),
            root: GuestRoot::Tree {
                lowers: guest.lowers.clone(),
                scratch: guest.scratch.clone(),
            },
            binds: guest.binds.clone(),
            hostname: guest.hostname.clone(),
            ids: guest.ids,
            program: Program::Step {
                argv: step.argv.clone(),
                environment: step.environment.clone(),
                cwd: step.cwd.clone(),
                terminal,
            },
            beside: beside.cloned(),
            limits: self.ceilings(&step.limits),
            become_uid: self.identity.become_uid,
        };
        let mut visit = Visit {
            relay: None,
            opened,
        };
        let theirs = seat
            .map(|seat| visit.seat(seat, matches!(order.terminal(), Terminal::Step)))
            .transpose()
            .map_err(failed("open a terminal for the guest"))?;
        let attended = Attended {
            order,
            terminal: theirs,
            limits: &step.limits,
        };
        let (ended, counted) = self.attend(attended, &mut visit, output, ambient.cancel)?;
        drop(visit);
        clear(&guest.scratch)?;
        if let Some(beside) = beside {
            clear(&beside.scratch)?;
        }
        ambient.cancel.check()?;
        let shell = ended
            .report
            .as_ref()
            .and_then(|report| Some(conclusion::end(report.shell.as_ref()?)));
        let (end, used) = conclude(ended, counted.out_of_memory, step)?;
        let exit = Exit {
            end,
            peak_memory: counted.peak_memory.unwrap_or(used.peak_memory),
            cpu: counted.cpu.unwrap_or(used.cpu),
            wall: ambient.clock.elapsed().saturating_sub(began),
            limits: self.limits_word(),
        };
        Ok((exit, shell))
    }

    /// Starts the first process and gives the order, to which it adds the group: the first process
    /// enters that before it does anything else.
    fn attend(
        &self,
        attended: Attended<'_>,
        visit: &mut Visit<'_>,
        output: &mut dyn FnMut(Stream, &[u8]),
        cancel: &Cancel,
    ) -> Result<(Ended, Counted), Error> {
        let Attended {
            mut order,
            terminal,
            limits,
        } = attended;
        let group = self
            .hierarchy
            .as_ref()
            .map(|hierarchy| hierarchy.group(limits))
            .transpose();
        let group = group.map_err(failed("make the guest's control group"))?;
        let guest =
            Guest::start(&self.program).map_err(failed("start the guest's first process"))?;
        order.groups = group.as_ref().map(Group::doors).unwrap_or_default();
        guest
            .order(&order, terminal)
            .map_err(failed("tell the guest's first process what to do"))?;
        let ended = guest
            .listen(cancel, visit, output)
            .map_err(failed("listen to the guest"))?;
        let counted = group.as_ref().map(Group::counted).unwrap_or_default();
        if let Some(group) = group {
            group
                .remove()
                .map_err(failed("remove the guest's control group"))?;
        }
        Ok((ended, counted))
    }

    fn ceilings(&self, limits: &Limits) -> Ceilings {
        Ceilings {
            wall: limits.wall,
            temporary: limits.memory,
            address_space: if self.hierarchy.is_some() {
                None
            } else {
                limits.memory
            },
            processes: limits.processes,
            file_size: limits.file_size,
        }
    }

    fn check_owner(&self, bind: &Bind) -> Result<(), Error> {
        let path = &bind.source;
        let stat = host::open(path, OFlags::PATH)
            .and_then(rustix::fs::fstat)
            .map_err(path_failed(path, "look at it"))?;
        if stat.st_uid == self.identity.build_uid {
            return Ok(());
        }
        let (owner, needed) = (stat.st_uid, self.identity.build_uid);
        Err(Error::Owner {
            path: path.clone(),
            owner,
            needed,
        })
    }

    /// Makes the folders of the overlay that are not there, empty `work`, all of the build user.
    fn prepare(&self, scratch: &Path) -> Result<(), Error> {
        let failed = || path_failed(scratch, "make the folders for what changes");
        let folder = host::open(scratch, FOLDER).map_err(failed())?;
        clear(scratch)?;
        let id = self.identity.become_uid;
        let (uid, gid) = (id.map(Uid::from_raw), id.map(Gid::from_raw));
        let make = |name: &str| {
            // The guest sees the mode of its root: whoever runs this may have another umask.
            let mode = Mode::from_raw_mode(0o755);
            let is_new = match rustix::fs::mkdirat(&folder, name, mode) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(error),
            };
            let made = rustix::fs::openat(&folder, name, FOLDER, Mode::empty())?;
            if is_new {
                rustix::fs::fchmod(&made, mode)?;
            }
            rustix::fs::fchown(made, uid, gid)
        };
        rustix::fs::fchown(&folder, uid, gid)
            .and_then(|()| make("upper"))
            .and_then(|()| make("work"))
            .map_err(failed())
    }
}

/// What the self-check found.
fn judged(outcome: Outcome) -> Result<u32, Refused> {
    match outcome {
        Outcome::Sound { landlock } => Ok(landlock),
        outcome => Err(refusal::explain(&outcome, &refusal::Facts::gather())),
    }
}

/// A step as it is to be run.
struct Run<'a> {
    guest: &'a GuestSpec,
    step: &'a StepSpec,
    beside: Option<&'a Beside>,
    terminal: Terminal,
    /// Who gets the terminal.
    seat: Option<Seat<'a>>,
}

impl<'a> Run<'a> {
    /// A step alone, with nobody at it.
    const fn new(guest: &'a GuestSpec, step: &'a StepSpec) -> Self {
        Self {
            guest,
            step,
            beside: None,
            terminal: Terminal::None,
            seat: None,
        }
    }
}

/// An order with what it needs on the way.
struct Attended<'a> {
    order: Order,
    /// The guest's end of a terminal.
    terminal: Option<OwnedFd>,
    limits: &'a Limits,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Removes what an overlay kept for itself: it may not be used twice.
fn clear(scratch: &Path) -> Result<(), Error> {
    let remove = || Root::open(scratch)?.remove_tree(&RelPath::try_from("work")?);
    remove().map_err(|source| Error::Io {
        what: "clear the scratch folder",
        source: io::Error::other(source),
    })
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what, source }
}

fn path_failed(path: &Path, what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |source| Error::Path {
        path: path.into(),
        what,
        source: source.into(),
    }
}
