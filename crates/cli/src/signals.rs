//! Ctrl-C and SIGTERM press the stop button; a second one ends the program at once.

use std::io;

use boltworks_model::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit code of a program ended by the second signal, as shells count it.
const INTERRUPTED: i32 = 130;

/// Arranges for both signals to press the button.
pub(crate) fn press_on_interrupt(cancel: &Cancel) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED, cancel.flag())?;
        flag::register(signal, cancel.flag())?;
    }
    Ok(())
}
