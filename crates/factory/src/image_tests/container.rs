//! A container of an image, in a guest: its own files as its root, its user, its entry point, and a
//! loopback that it shares with nobody but the script beside it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use boltworks_fsx::{Ownership, RelPath, Root, WriteOptions};
use boltworks_model::Ambient;
use boltworks_plan::Unchosen;
use boltworks_recipe::image_test::{How, Run};
use boltworks_sandbox::{Beside, End, Exit, GuestSpec, Limits, Local, StepSpec, Stream};
use boltworks_solver::Options;

use super::user::{User, as_seen, user};
use super::{Fault, Running, path};
use crate::Error;
use crate::recipes::locked;
use crate::tested::Used;

/// What running an image is called.
const STEP: &str = "run";
/// Where the script finds what others expect to be set.
const SCRIPT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Who hears what is printed.
type Hear<'a> = dyn FnMut(Stream, &[u8]) + 'a;

/// What is started of an image.
struct Start {
    argv: Vec<String>,
    environment: BTreeMap<String, String>,
    cwd: String,
    user: User,
}

impl Running<'_, '_> {
    /// Runs the image.
    pub(super) fn run(&mut self, run: &Run, ambient: &Ambient<'_>) -> Result<Option<Fault>, Error> {
        self.say("== run")?;
        let start = match self.start()? {
            Ok(start) => start,
            Err(how) => return Ok(Some(fault(how, None, ""))),
        };
        let folder = self.lay_out(&start)?;
        let guest = guest(&folder, &start, "container")?;
        let found = match &run.how {
            How::Ends { code, prints } => {
                self.ends(run, (&guest, &start), (*code, prints), ambient)?
            }
            How::Beside { ports, script, .. } => {
                let beside = Beside {
                    lowers: guest.lowers.clone(),
                    scratch: guest.scratch.clone(),
                    argv: start.argv.clone(),
                    environment: start.environment.clone(),
                    cwd: start.cwd.clone(),
                    ports: ports.clone(),
                    patience: run.patience,
                };
                let script = script.as_deref();
                self.beside((run, script), &beside, (&folder, &start), ambient)?
            }
        };
        if found.is_none() {
            self.forget()?;
        }
        Ok(found)
    }

    /// What the configuration says is started; or why nothing can be.
    fn start(&self) -> Result<Result<Start, String>, Error> {
        let process = &self.contents.config.process;
        let argv = [&process.entrypoint, &process.cmd];
        let argv: Vec<String> = argv.into_iter().flatten().flatten().cloned().collect();
        if argv.is_empty() {
            return Ok(Err("the image has no entry point".to_owned()));
        }
        let name = process.user.clone().unwrap_or_default();
        let Some(user) = user(&self.contents.tree, &name)? else {
            return Ok(Err(format!("the image has no user '{name}'")));
        };
        let pairs = process.env.iter().filter_map(|line| line.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut environment: BTreeMap<String, String> = pairs.collect();
        environment
            .entry("HOME".to_owned())
            .or_insert_with(|| user.home.clone());
        let cwd = process.working_dir.clone().filter(|cwd| !cwd.is_empty());
        Ok(Ok(Start {
            argv,
            environment,
            cwd: cwd.unwrap_or_else(|| "/".to_owned()),
            user,
        }))
    }

    /// Lays the image's files out in a folder that is made anew.
    fn lay_out(&self, start: &Start) -> Result<Root, Error> {
        self.forget()?;
        let (above, name) = self.place()?;
        let folder = above.make_dir(&name)?;
        let uid = self.workshop.means.sandbox.build_uid();
        let options = WriteOptions {
            ownership: Ownership::All { uid, gid: uid },
            skip_xattrs: true,
            ..WriteOptions::default()
        };
        let root = folder.make_dir(&path("root")?)?;
        as_seen(&self.contents.tree, start.user.ids).write_to(&root, options)?;
        Ok(folder)
    }

    fn place(&self) -> Result<(Root, RelPath), Error> {
        let above = self
            .workshop
            .means
            .home
            .state_folder(crate::home::WORKSPACES)?;
        Ok((above, path(&format!("image-{}", self.name))?))
    }

    fn forget(&self) -> Result<(), Error> {
        let (above, name) = self.place()?;
        above.remove_tree(&name)?;
        Ok(())
    }

    /// Runs a container that ends by itself.
    fn ends(
        &mut self,
        run: &Run,
        (guest, start): (&GuestSpec, &Start),
        (code, prints): (i32, &[String]),
        ambient: &Ambient<'_>,
    ) -> Result<Option<Fault>, Error> {
        let step = StepSpec {
            argv: start.argv.clone(),
            environment: start.environment.clone(),
            cwd: start.cwd.clone(),
            limits: Limits {
                wall: Some(run.patience),
                ..self.workshop.limits()
            },
        };
        let mut printed = Vec::new();
        let mut keep = |bytes: &[u8]| {
            printed.extend_from_slice(bytes.get(..KEPT.min(bytes.len())).unwrap_or_default());
            printed.truncate(KEPT);
        };
        let ran = self.heard(&mut keep, |sandbox, hear| {
            sandbox.run(guest, &step, hear, ambient)
        })?;
        let exit = match ran {
            Ok(exit) => exit,
            Err(fault) => return Ok(Some(fault)),
        };
        if exit.end != End::Code(code) {
            return Ok(Some(fault(told(&exit), code_of(&exit), "")));
        }
        let printed = String::from_utf8_lossy(&printed);
        let missing = prints.iter().find(|text| !printed.contains(text.as_str()));
        Ok(missing.map(|text| fault(format!("it does not print '{text}'"), None, "")))
    }

    /// Runs a script beside the container, or waits for its ports.
    fn beside(
        &mut self,
        (run, script): (&Run, Option<&str>),
        beside: &Beside,
        (folder, start): (&Root, &Start),
        ambient: &Ambient<'_>,
    ) -> Result<Option<Fault>, Error> {
        let mut guest = guest(folder, start, "script")?;
        if script.is_some() {
            guest.lowers = vec![self.packages_of(run)?];
        }
        let pairs = [("PATH", SCRIPT_PATH), ("HOME", "/tmp"), ("TZ", "UTC")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let argv = script.map(|script| vec!["/bin/sh".into(), "-ec".into(), script.to_owned()]);
        let step = StepSpec {
            argv: argv.unwrap_or_default(),
            environment: pairs.into(),
            cwd: "/tmp".to_owned(),
            limits: self.workshop.limits(),
        };
        let ran = self.heard(&mut |_| {}, |sandbox, hear| {
            sandbox.run_beside(&guest, (beside, &step), hear, ambient)
        })?;
        let exit = match ran {
            Ok(exit) => exit,
            Err(fault) => return Ok(Some(fault)),
        };
        if code_of(&exit) == Some(boltworks_sandbox::NOT_READY)
            && let Some(why) = self.log.told().map(str::to_owned)
        {
            return Ok(Some(fault(why, None, "")));
        }
        let script = script.unwrap_or_default();
        Ok((!exit.is_success()).then(|| fault(told(&exit), code_of(&exit), script)))
    }

    /// Runs something whose output goes into the log, and to who else wants it.
    fn heard(
        &mut self,
        keep: &mut dyn FnMut(&[u8]),
        run: impl FnOnce(&Local, &mut Hear<'_>) -> Result<Exit, boltworks_sandbox::Error>,
    ) -> Result<Result<Exit, Fault>, Error> {
        let mut heard = Ok(());
        let log = &mut self.log;
        let ran = run(self.workshop.means.sandbox, &mut |_, bytes| {
            keep(bytes);
            if heard.is_ok() {
                heard = log.bytes(bytes);
            }
        });
        heard?;
        started(ran)
    }

    /// The guest of the script.
    fn packages_of(&mut self, run: &Run) -> Result<PathBuf, Error> {
        let workshop = self.workshop;
        let home = workshop.means.home;
        let world = workshop.world()?;
        let options = Options::new(home.architecture());
        let picks = home.choose(&world, run.packages(), &options);
        let picks = picks.map_err(|unchosen| match unchosen {
            Unchosen::Unsolvable(why) => Error::Unsolvable {
                subject: format!("the test of image {}", self.name),
                why,
            },
            Unchosen::Unknown(what) => Error::Inconsistent { what },
        })?;
        let locked = locked(&picks, &world)?;
        self.packages = locked.packages.iter().map(Used::from).collect();
        workshop.lay_out(&locked)
    }
}

/// A guest of the image, with a folder of its own for what changes.
fn guest(folder: &Root, start: &Start, scratch: &str) -> Result<GuestSpec, Error> {
    let own = |name: &str| -> Result<PathBuf, Error> {
        Ok(folder.make_dir(&path(name)?)?.path_for_children()?)
    };
    Ok(GuestSpec {
        lowers: vec![own("root")?],
        scratch: own(scratch)?,
        binds: Vec::new(),
        hostname: "localhost".to_owned(),
        ids: start.user.ids,
    })
}

/// How much of what a container prints is looked at.
const KEPT: usize = 1 << 20;

fn fault(how: String, code: Option<i32>, script: &str) -> Fault {
    Fault {
        step: STEP,
        how,
        code,
        script: script.to_owned(),
    }
}

/// What came of a run; a program that could not be started is the image's fault, or the test's.
fn started(ran: Result<Exit, boltworks_sandbox::Error>) -> Result<Result<Exit, Fault>, Error> {
    match ran {
        Ok(exit) => Ok(Ok(exit)),
        Err(boltworks_sandbox::Error::Start { program, source }) => {
            let how = format!("'{program}' cannot be started: {source}");
            Ok(Err(fault(how, None, "")))
        }
        Err(error) => Err(boltworks_package::Error::from(error).into()),
    }
}

fn code_of(exit: &Exit) -> Option<i32> {
    match exit.end {
        End::Code(code) => Some(code),
        _ => None,
    }
}

fn told(exit: &Exit) -> String {
    match exit.end {
        End::Code(code) => format!("exit code {code}"),
        End::Signal(signal) => format!("killed by signal {signal}"),
        End::Timeout => "over its time limit".to_owned(),
        End::OutOfMemory => "over its memory limit".to_owned(),
    }
}
