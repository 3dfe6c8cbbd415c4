//! What people and machines read: text on a terminal, or one JSON document with `--json`.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use boltworks_model::{is_unseen, visible};
use serde::Serialize;

use crate::host;

/// Where results go.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether the result is wanted as JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints lines for people. A reader that has gone away is no error.
    pub(crate) fn text(&self, text: &str) {
        if !self.json {
            // It may come to a terminal in the end, through a pipe or out of a file.
            print(&mut std::io::stdout().lock(), &visible(text));
        }
    }

    /// Prints the result for machines.
    pub(crate) fn json(&self, value: &impl Serialize) {
        if self.json {
            let text = serde_json::to_string_pretty(value).unwrap_or_default();
            print(&mut std::io::stdout().lock(), &escaped(&text));
        }
    }

    /// Prints a text as it is for machines, in either form. A terminal is none.
    #[expect(
        clippy::unused_self,
        reason = "what is printed goes through the output"
    )]
    pub(crate) fn raw(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        if stdout.is_terminal() {
            print(&mut stdout, &visible(text));
        } else {
            print(&mut stdout, text);
        }
    }

    /// Prints lines for people, if there are any.
    pub(crate) fn text_if_any(&self, text: &str) {
        if !text.is_empty() {
            self.text(text);
        }
    }

    /// Prints a line beside the result for people; machines have it in their document.
    pub(crate) fn text_note(&self, text: &str) {
        if !self.json {
            self.note(text);
        }
    }

    /// Prints a line beside the result: warnings, advice.
    #[expect(
        clippy::unused_self,
        reason = "what is printed goes through the output"
    )]
    pub(crate) fn note(&self, text: &str) {
        say(&visible(text));
    }

    /// The same of what has colours of ours, and is visible without them.
    #[expect(
        clippy::unused_self,
        reason = "what is printed goes through the output"
    )]
    pub(crate) fn coloured_note(&self, text: &str) {
        say(text);
    }
}

/// JSON that says the same, with what people would not see written as `\u…`: only texts hold it.
fn escaped(json: &str) -> Cow<'_, str> {
    let is_odd = |c: char| is_unseen(c) && c != '\n';
    if !json.contains(is_odd) {
        return json.into();
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_odd(c) {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units).iter();
            text.extend(units.map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    text.into()
}

/// A path in a document: JSON holds text only, so what is no UTF-8 in a name is replaced.
pub(crate) fn shown(path: &Path) -> Cow<'_, str> {
    path.to_string_lossy()
}

/// Whether a command line that cannot be read asks for JSON.
pub(crate) fn is_json_wanted(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    words.any(|word| word == "--json")
}

/// Prints lines on standard error. That its reader has gone away, or its disk is full, stops no work.
pub(crate) fn say(text: &str) {
    drop(write_all(&mut std::io::stderr().lock(), text));
}

/// Why a part of the result is lost: it could not be written, though somebody wanted to read it.
static LOST: OnceLock<String> = OnceLock::new();

/// Prints a part of the result. That its reader has gone away is no error.
fn print(stdout: &mut impl Write, text: &str) {
    if let Err(reason) = write_all(stdout, text)
        && reason.kind() != ErrorKind::BrokenPipe
    {
        LOST.get_or_init(|| reason.to_string());
    }
}

/// How the program ends: never well where a part of its result is lost.
pub(crate) fn ended(code: ExitCode) -> ExitCode {
    let Some(reason) = LOST.get() else {
        return code;
    };
    say(&format!(
        "error: write to standard output: {reason}\nhelp: make room where it is written to, and run the same \
         command again"
    ));
    ExitCode::FAILURE
}

fn write_all(stream: &mut impl Write, text: &str) -> std::io::Result<()> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    stream.write_all(text.as_bytes())?;
    stream.write_all(end.as_bytes())?;
    stream.flush()
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether standard error may be coloured: a person watches, and does not ask for none
/// (`NO_COLOR`).
pub(crate) fn is_coloured() -> bool {
    let unwanted = || {
        host::environment()
            .get("NO_COLOR")
            .is_some_and(|value| !value.is_empty())
    };
    is_watched() && !unwanted()
}

/// Sends log lines to standard error: warnings, more with each `-v`, or what `BOLTWORKS_LOG` says.
pub(crate) fn start_tracing(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("BOLTWORKS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_coloured())
        // It would say with a panic that it cannot say anything.
        .log_internal_errors(false)
        .without_time()
        .with_target(false)
        .finish();
    // Only the first subscriber of a process can be set, and this is the first.
    drop(tracing::subscriber::set_global_default(subscriber));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_show_what_they_say() {
        let said = "a\n\u{1b}\u{9b}\u{7f}\u{202e}\u{e0041}ü\"\\";
        let json = serde_json::to_string_pretty(&[said]).unwrap();
        let shown = escaped(&json);
        assert_eq!(
            shown,
            r#"[
  "a\n\u001b\u009b\u007f\u202e\udb40\udc41ü\"\\"
]"#
        );
        assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [said]);
    }
}
