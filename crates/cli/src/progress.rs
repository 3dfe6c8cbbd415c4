//! What is shown while long work goes on: moving lines on a terminal, plain lines elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use boltworks_model::{Event, Sink, visible, visible_line};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output;
use crate::signals;
use crate::terminal::{self, columns, cut, hung};

/// The columns of a moving line where the terminal does not say how many it has.
const WIDTH: usize = 80;
/// How far a program's output is put in beneath its job's line.
const BENEATH: &str = "    ";
/// What stands on a job's line beside its name and its step.
const MARKS: usize = 12;
/// So many of the last lines of a job are shown where few jobs run, and where many do.
const FEW: (usize, usize) = (4, 3);
const MANY: usize = 1;

/// A listener that shows a person what goes on.
pub(crate) struct Terminal {
    bars: MultiProgress,
    running: Mutex<BTreeMap<String, Running>>,
}

/// A job that runs.
struct Running {
    bar: ProgressBar,
    step: String,
    /// The last lines that its step printed.
    lines: VecDeque<String>,
}

impl Running {
    fn show(&self, lines: usize) {
        let skipped = self.lines.len().saturating_sub(lines);
        let width = width();
        let taken = columns(&self.bar.prefix()) + MARKS;
        let step = visible_line(&self.step);
        let mut text = cut(&step, width.saturating_sub(taken)).to_owned();
        for line in self.lines.iter().skip(skipped) {
            text.extend(["\n", cut(&format!("{BENEATH}{line}"), width)]);
        }
        self.bar.set_message(text);
    }
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            running: Mutex::new(BTreeMap::new()),
        }
    }

    fn with(&self, job: &str, act: impl FnOnce(&mut Running, usize)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (few, lines) = FEW;
        let lines = if running.len() > few { MANY } else { lines };
        if let Some(job) = running.get_mut(job) {
            act(job, lines);
        }
    }

    fn start(&self, job: &str, total: Option<u64>) {
        let bar = match total {
            Some(total) => ProgressBar::new(total)
                .with_style(style("{spinner} {prefix} {bytes}/{total_bytes} {wide_msg}")),
            // No wide message: it would be one line.
            None => {
                ProgressBar::new_spinner().with_style(style("{spinner} {prefix} {elapsed} {msg}"))
            }
        };
        let bar = self
            .bars
            .add(bar.with_prefix(cut(&visible_line(job), width() / 2).to_owned()));
        bar.enable_steady_tick(Duration::from_millis(200));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let job = job.to_owned();
        let running_job = Running {
            bar,
            step: String::new(),
            lines: VecDeque::new(),
        };
        running.insert(job, running_job);
    }

    fn finish(&self, job: &str, ok: bool, note: &str, took: Option<Duration>) {
        let is_told = is_told(ok);
        let running = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.remove(job)
        };
        let Some(Running { bar, .. }) = running else {
            return;
        };
        let seconds = took.unwrap_or_else(|| bar.elapsed()).as_secs_f64();
        bar.finish_and_clear();
        if !is_told {
            return;
        }
        let line = finished_line(job, ok, note, seconds);
        drop(self.bars.println(line));
    }
}

/// Whether the end of a job is worth a line: what a person stopped has not failed, and that it was
/// stopped is the command's own last word.
fn is_told(ok: bool) -> bool {
    ok || !signals::have_stopped_it()
}

fn width() -> usize {
    terminal::width().unwrap_or(WIDTH)
}

fn finished_line(job: &str, ok: bool, note: &str, seconds: f64) -> String {
    let mark = if ok { "✓" } else { "✗" };
    let note = note.lines().next().unwrap_or("");
    hung(&visible_line(&format!(
        "{mark} {job}: {note} ({seconds:.1} s)"
    )))
}

fn warning(text: &str) -> String {
    hung(&format!("! {text}"))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Sink for Terminal {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started { job, total } => self.start(job, total),
            Event::Progress { job, done } => self.with(job, |job, _| job.bar.set_position(done)),
            Event::Step { job, step } => self.with(job, |job, lines| {
                step.clone_into(&mut job.step);
                job.lines.clear();
                job.show(lines);
            }),
            Event::Line { job, line } => {
                let line: String = line.chars().take(width()).collect();
                let line = visible(&line).replace('\t', BENEATH);
                self.with(job, |job, lines| {
                    let (_, most) = FEW;
                    if job.lines.len() == most {
                        job.lines.pop_front();
                    }
                    job.lines.push_back(line);
                    job.show(lines);
                });
            }
            Event::Finished {
                job,
                ok,
                note,
                took,
            } => self.finish(job, ok, note, took),
            Event::Warning { text } => drop(self.bars.println(warning(text))),
        }
    }
}

/// A listener that writes a line when something begins or ends, and for every step; and every line
/// that programs print, where that is asked for.
pub(crate) struct Plain {
    every_line: bool,
    started: Mutex<BTreeMap<String, std::time::Instant>>,
}

impl Plain {
    pub(crate) fn new(every_line: bool) -> Self {
        Self {
            every_line,
            started: Mutex::new(BTreeMap::new()),
        }
    }
}

impl Sink for Plain {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started { job, .. } => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "how long a job took, for a person"
                )]
                let now = std::time::Instant::now();
                self.started
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(job.to_owned(), now);
                output::say(&hung(&format!("… {}", visible_line(job))));
            }
            Event::Finished {
                job,
                ok,
                note,
                took,
            } => {
                let started = self
                    .started
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(job);
                let took = took.or_else(|| Some(started?.elapsed()));
                let seconds = took.unwrap_or_default().as_secs_f64();
                if is_told(ok) {
                    output::say(&finished_line(job, ok, note, seconds));
                }
            }
            Event::Warning { text } => output::say(&warning(text)),
            Event::Line { line, .. } if self.every_line => {
                output::say(&hung(&format!("  {line}")));
            }
            Event::Step { job, step } => {
                output::say(&hung(&visible_line(&format!("= {job}: {step}"))));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_told_in_lines_of_our_own() {
        let line = finished_line("build a\nerror: b", false, "step '\u{202e}c'\nd", 1.0);
        assert_eq!(line, "✗ build a\\nerror: b: step '\u{fffd}c' (1.0 s)");
        assert_eq!(warning("a\nerror: \u{1b}b"), "! a\n    error: \u{fffd}b");
    }
}
