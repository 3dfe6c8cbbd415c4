//! What is shown while long work goes on: moving lines on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use boltworks_model::{Event, Sink};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The longest line of a program's output that is shown on a moving line.
const SHOWN: usize = 60;

/// A listener that shows a person what goes on.
pub(crate) struct Terminal {
    bars: MultiProgress,
    running: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            running: Mutex::new(BTreeMap::new()),
        }
    }

    fn with_bar(&self, job: &str, act: impl FnOnce(&ProgressBar)) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = running.get(job) {
            act(bar);
        }
    }

    fn start(&self, job: &str, total: Option<u64>) {
        let bar = match total {
            Some(total) => ProgressBar::new(total)
                .with_style(style("{spinner} {prefix} {bytes}/{total_bytes} {wide_msg}")),
            None => ProgressBar::new_spinner()
                .with_style(style("{spinner} {prefix} {elapsed} {wide_msg}")),
        };
        let bar = self.bars.add(bar.with_prefix(job.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(200));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(job.to_owned(), bar);
    }

    fn finish(&self, job: &str, ok: bool, note: &str) {
        let bar = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.remove(job)
        };
        let Some(bar) = bar else { return };
        let seconds = bar.elapsed().as_secs_f64();
        bar.finish_and_clear();
        let line = finished_line(job, ok, note, seconds);
        drop(self.bars.println(line));
    }
}

fn finished_line(job: &str, ok: bool, note: &str, seconds: f64) -> String {
    let mark = if ok { "✓" } else { "✗" };
    let note = note.lines().next().unwrap_or("");
    format!("{mark} {job}: {note} ({seconds:.1} s)")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Sink for Terminal {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started { job, total } => self.start(job, total),
            Event::Progress { job, done } => self.with_bar(job, |bar| bar.set_position(done)),
            Event::Step { job, step } => self.with_bar(job, |bar| bar.set_message(step.to_owned())),
            Event::Line { job, line } => {
                let line: String = line
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(SHOWN)
                    .collect();
                self.with_bar(job, |bar| bar.set_message(line));
            }
            Event::Finished { job, ok, note, .. } => self.finish(job, ok, note),
            Event::Warning { text } => drop(self.bars.println(format!("! {text}"))),
        }
    }
}

/// A listener that writes a line when something begins or ends; and every line that programs
/// print, where that is asked for.
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
    #[expect(clippy::print_stderr, reason = "progress is for standard error")]
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
                eprintln!("… {job}");
            }
            Event::Finished { job, ok, note, .. } => {
                let started = self
                    .started
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(job);
                let seconds = started.map_or(0.0, |started| started.elapsed().as_secs_f64());
                eprintln!("{}", finished_line(job, ok, note, seconds));
            }
            Event::Warning { text } => eprintln!("! {text}"),
            Event::Line { line, .. } if self.every_line => eprintln!("  {line}"),
            Event::Step { job, step } if self.every_line => eprintln!("= {job}: {step}"),
            _ => {}
        }
    }
}
