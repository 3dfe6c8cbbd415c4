//! Ctrl-C and SIGTERM press the stop button; a second one ends the program at once.

use std::io;
use std::sync::OnceLock;

use boltworks_model::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit code of a program ended by the second signal, as shells count it.
const INTERRUPTED: i32 = 130;

/// The button that the process's signals press.
static BUTTON: OnceLock<Cancel> = OnceLock::new();

/// Whether a signal has pressed the button: what fails after that failed because of it, whichever
/// program or file was in the midst.
pub(crate) fn have_stopped_it() -> bool {
    BUTTON.get().is_some_and(Cancel::is_pressed)
}

/// Arranges for both signals to press the button.
pub(crate) fn press_on_interrupt(cancel: &Cancel) -> io::Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED, cancel.flag())?;
        flag::register(signal, cancel.flag())?;
    }
    BUTTON.get_or_init(|| cancel.clone());
    Ok(())
}
