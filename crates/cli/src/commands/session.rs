//! What commands on a factory share: opening it, watching it, stopping it.

use boltworks_factory::{Home, Line};
use boltworks_model::Sink;

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

/// The machine, whose stop button Ctrl-C and SIGTERM press.
pub(crate) fn machine() -> Result<Machine, Failure> {
    let machine = Machine::new();
    crate::signals::press_on_interrupt(machine.cancel())?;
    Ok(machine)
}
