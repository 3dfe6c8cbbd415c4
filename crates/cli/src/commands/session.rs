//! What commands on a factory share: opening it, watching it, stopping it.

use std::io::{Stderr, Stdin};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use boltworks_factory::graph::Memory;
use boltworks_factory::{Error, Home, Host, Line};
use boltworks_model::Sink;
use boltworks_package::rescue::Attendant;
use boltworks_sandbox::Seat;

use crate::ambient::Machine;
use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::host;
use crate::output;
use crate::progress::{Plain, Terminal};

/// Opens the factory that the command line names.
pub(crate) fn open_home(arguments: &Arguments, jobs: Option<usize>) -> Result<Home, Failure> {
    let host = host::host(jobs, arguments.offline);
    Ok(Home::open(&arguments.factory, host)?)
}

/// Opens the factory; where there is none, one whose state lies in the user's cache folder.
pub(crate) fn home_or_makeshift(arguments: &Arguments) -> Result<Home, Failure> {
    match open_home(arguments, None) {
        Err(Failure::Factory(error)) if matches!(*error, Error::NoFactory { .. }) => {
            makeshift(host::host(None, arguments.offline))
        }
        other => other,
    }
}

/// A factory for a command that runs where there is none: its state lies in the user's cache folder.
pub(crate) fn makeshift(host: Host) -> Result<Home, Failure> {
    Ok(Home::makeshift(&cache_folder()?, host)?)
}

/// `boltworks` in the user's cache folder.
pub(crate) fn cache_folder() -> Result<PathBuf, Failure> {
    let environment = host::environment();
    let folder = |name: &str| {
        let path = environment.get(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let caches = caches.ok_or_else(|| Failure::Usage {
        what: "there is no folder for what is kept between builds".to_owned(),
        help: "set XDG_CACHE_HOME or HOME to an absolute path, or make a factory: \
               boltworks init FOLDER"
            .to_owned(),
    })?;
    Ok(caches.join("boltworks"))
}

/// Where a command that needs no factory keeps what saves it time: in the state of the factory, if
/// there is one, else in the user's cache folder, else nowhere.
pub(crate) fn memory(arguments: &Arguments) -> Option<Memory> {
    let state = Home::state_of(&arguments.factory);
    let folder = state.ok().or_else(|| cache_folder().ok())?;
    let program = host::host(None, true).exe;
    Some(Memory { folder, program })
}

/// Opens the factory with its catalog and keys.
pub(crate) fn open(arguments: &Arguments, jobs: Option<usize>) -> Result<Line, Failure> {
    Ok(Line::new(open_home(arguments, jobs)?)?)
}

/// Who watches: moving lines on a terminal, plain lines elsewhere.
pub(crate) fn watcher(every_line: bool) -> Box<dyn Sink> {
    if output::is_watched() && !every_line {
        Box::new(Terminal::new())
    } else {
        Box::new(Plain::new(every_line))
    }
}

/// Who sits at this terminal.
pub(crate) struct Chair {
    input: Stdin,
    output: Stderr,
    terminal: String,
}

impl Chair {
    /// As whoever gets a shell.
    pub(crate) fn attendant(&self) -> Attendant<'_> {
        Attendant {
            seat: self.seat(),
            terminal: &self.terminal,
        }
    }

    fn seat(&self) -> Seat<'_> {
        Seat {
            input: self.input.as_fd(),
            output: self.output.as_fd(),
        }
    }
}

/// Who sits at this terminal, for `what` that needs somebody.
pub(crate) fn chair(what: &str) -> Result<Chair, Failure> {
    let terminal = host::environment().remove("TERM");
    let chair = Chair {
        input: std::io::stdin(),
        output: std::io::stderr(),
        terminal: terminal.unwrap_or_else(|| "dumb".to_owned()),
    };
    if chair.seat().is_terminal() {
        return Ok(chair);
    }
    Err(Failure::Usage {
        what: format!("{what} needs a terminal, and standard input and standard error are none"),
        help: "run it in a terminal. A build that fails without one leaves its workspace, and \
               `boltworks shell` opens a shell in it"
            .to_owned(),
    })
}

/// What a person wants to see of a build.
pub(crate) struct Shown {
    /// A shell where a step fails.
    pub interactive: bool,
    /// Every line that steps print.
    pub every_line: bool,
}

/// The same where a shell is asked for, and who watches then: whoever debugs sees every line, and
/// no moving ones.
pub(crate) fn attended(shown: &Shown) -> Result<(Option<Chair>, Box<dyn Sink>), Failure> {
    let wanted = shown.interactive.then(|| chair("--interactive"));
    let chair = wanted.transpose()?;
    Ok((chair, watcher(shown.every_line || shown.interactive)))
}

/// The machine, whose stop button Ctrl-C and SIGTERM press.
pub(crate) fn machine() -> Result<Machine, Failure> {
    let machine = Machine::new();
    crate::signals::press_on_interrupt(machine.cancel())?;
    Ok(machine)
}
