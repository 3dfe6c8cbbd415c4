//! The recipe's steps, run one by one in the sandbox.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use boltworks_model::{Ambient, Clock, Event, visible_line};
use boltworks_recipe::resolved::Step;
use boltworks_sandbox::{End, Exit, GuestSpec, Limits, Local, Rescue, StepSpec};

use crate::Error;
use crate::log::Log;
use crate::rescue::{self, Attendant, Before};

/// The folder in the guest where steps start.
pub const HOME: &str = "/home/build";

/// What runs their scripts.
pub(crate) const SHELL: &str = "/bin/sh";

/// A step that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The step's full name.
    pub step: String,
    /// Which of all steps it is, counted from 1.
    pub number: usize,
    /// How many steps there are.
    pub of: usize,
    /// How it ended: `exit code 2`, `killed by signal 9`, `over its memory limit`.
    pub how: String,
    /// The exit code, where it is one.
    pub code: Option<i32>,
    /// Where its script ended, if the guest's shell tells.
    pub command: Option<Command>,
    /// Its script.
    pub script: String,
    /// The folder it ran in.
    pub directory: String,
    /// All its variables.
    pub environment: BTreeMap<String, String>,
}

/// The last command of a script that a shell ran itself: it failed, or something after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The line it begins in, counted from 1.
    pub line: usize,
    /// That line, and those it goes on in.
    pub text: String,
}

/// Where and how all steps of one job run.
pub struct Runner<'a> {
    /// What they do, for messages: `build of zlib`, `test of zlib`.
    pub what: String,
    /// Where the recipe lists the packages of their environment.
    pub listed: &'static str,
    /// The sandbox.
    pub sandbox: &'a Local,
    /// The guest they share.
    pub guest: &'a GuestSpec,
    /// Variables for every step; a step's own go over them.
    pub environment: BTreeMap<String, String>,
    /// What each may use.
    pub limits: Limits,
    /// Until when all of them must have ended.
    pub deadline: Option<Deadline>,
    /// Who gets a shell where one fails.
    pub attendant: Option<Attendant<'a>>,
    /// How many there are, and how many were begun.
    pub count: Count,
    /// Whether one that failed was mended by hand.
    pub by_hand: bool,
    /// Highest memory and all processor time so far.
    pub used: Used,
}

/// The time that all steps of a job have together: `package.timeout`.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// All of it.
    pub whole: Duration,
    /// What the clock will say at its end.
    end: Duration,
}

impl Deadline {
    /// The time begins now.
    pub fn from_now(whole: Duration, clock: &dyn Clock) -> Self {
        let end = clock.elapsed().saturating_add(whole);
        Self { whole, end }
    }

    /// What is left of it.
    fn left(&self, clock: &dyn Clock) -> Duration {
        self.end.saturating_sub(clock.elapsed())
    }
}

/// How far the steps of a job are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many were begun.
    pub begun: usize,
    /// How many there are.
    pub of: usize,
}

impl Count {
    /// Before the first of these.
    pub fn of<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Self {
        let scripts = steps.into_iter().flat_map(Step::scripts);
        let of = scripts.filter(|step| script_of(step).is_some()).count();
        Self { begun: 0, of }
    }
}

/// What a step is called, in one line of a message: a recipe may write it over several.
fn own_name(step: &Step) -> Option<String> {
    let name = step.name.as_deref().map(str::trim);
    let name = name.filter(|name| !name.is_empty())?;
    Some(visible_line(name).into_owned())
}

/// What a step runs itself, if anything.
fn script_of(step: &Step) -> Option<&str> {
    let script = step.runs.as_deref();
    script.filter(|script| !script.trim().is_empty())
}

/// Resources that steps used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// The highest resident memory of any step, in bytes, where it could be measured.
    pub peak_memory: u64,
    /// Processor time, in milliseconds.
    pub cpu_milliseconds: u64,
}

impl Runner<'_> {
    /// Runs the steps in order; ends at the first that fails. Their names follow `above`.
    pub fn run(
        &mut self,
        above: &str,
        steps: &[Step],
        log: &mut Log<'_, '_>,
        ambient: &Ambient<'_>,
    ) -> Result<Option<Stopped>, Error> {
        for (index, step) in steps.iter().enumerate() {
            let name = own_name(step).unwrap_or_else(|| format!("step {}", index + 1));
            let name = format!("{above}{name}");
            if let Some(stopped) = self.run_one(step, &name, log, ambient)? {
                return Ok(Some(stopped));
            }
        }
        Ok(None)
    }

    fn run_one(
        &mut self,
        step: &Step,
        name: &str,
        log: &mut Log<'_, '_>,
        ambient: &Ambient<'_>,
    ) -> Result<Option<Stopped>, Error> {
        ambient.cancel.check()?;
        if let Some(script) = script_of(step) {
            self.count.begun += 1;
            log.step(name, self.count)?;
            let mut environment = self.environment.clone();
            environment.extend(step.environment.clone());
            let scripted = Scripted {
                name,
                script,
                directory: &step.working_directory,
                environment: &environment,
            };
            let (exit, is_mended) = self
                .run_script(scripted, log, ambient)
                .map_err(|error| self.named(error, name))?;
            if is_mended {
                self.by_hand = true;
            } else if let Some(how) = self.failure(&exit, ambient) {
                let Count { begun: number, of } = self.count;
                return Ok(Some(Stopped {
                    step: name.to_owned(),
                    number,
                    of,
                    how,
                    code: match exit.end {
                        End::Code(code) => Some(code),
                        _ => None,
                    },
                    command: log.told().and_then(|told| command(told, script)),
                    script: script.to_owned(),
                    directory: step.working_directory.clone(),
                    environment,
                }));
            }
        }
        for (index, inner) in step.pipeline.iter().enumerate() {
            let inner_name = own_name(inner).unwrap_or_else(|| (index + 1).to_string());
            let inner_name = format!("{name} / {inner_name}");
            if let Some(stopped) = self.run_one(inner, &inner_name, log, ambient)? {
                return Ok(Some(stopped));
            }
        }
        Ok(None)
    }

    /// That a step could not be started, with what it takes to mend it.
    fn named(&self, error: Error, step: &str) -> Error {
        match error {
            Error::Sandbox(source @ boltworks_sandbox::Error::Start { .. }) => Error::NotStarted {
                what: self.what.clone(),
                step: step.to_owned(),
                program: SHELL.to_owned(),
                listed: self.listed,
                source,
            },
            other => other,
        }
    }

    /// What the next step may use.
    fn limits_now(&self, ambient: &Ambient<'_>) -> Limits {
        let left = self.deadline.map(|deadline| deadline.left(ambient.clock));
        Limits {
            wall: self.limits.wall.into_iter().chain(left).min(),
            ..self.limits.clone()
        }
    }

    /// How a step failed, in words.
    fn failure(&self, exit: &Exit, ambient: &Ambient<'_>) -> Option<String> {
        match (exit.end, &self.deadline) {
            (End::OutOfMemory, _) => Some(format!("over its memory limit ({})", exit.limits)),
            (End::Timeout, Some(deadline)) if deadline.left(ambient.clock).is_zero() => {
                let whole = deadline.whole.as_secs_f64();
                Some(format!(
                    "the build is over its time limit, {whole} s (`package.timeout`)"
                ))
            }
            (end, _) => worded(end),
        }
    }

    /// Runs one script; how it ended, and whether a person mended what it left undone.
    fn run_script(
        &mut self,
        scripted: Scripted<'_>,
        log: &mut Log<'_, '_>,
        ambient: &Ambient<'_>,
    ) -> Result<(Exit, bool), Error> {
        let Scripted {
            name,
            script,
            directory,
            environment,
        } = scripted;
        let spec = StepSpec {
            argv: vec![SHELL.into(), "-c".into(), wrapped(script, directory)],
            environment: environment.clone(),
            cwd: HOME.to_owned(),
            limits: self.limits_now(ambient),
        };
        let printed = RefCell::new((log, Ok(())));
        let mut output = |_, bytes: &[u8]| {
            let (log, kept) = &mut *printed.borrow_mut();
            if kept.is_ok() {
                *kept = log.bytes(bytes);
            }
        };
        let (exit, shell) = match self.attendant {
            None => {
                let exit = self.sandbox.run(self.guest, &spec, &mut output, ambient)?;
                (exit, None)
            }
            Some(attendant) => {
                let at = (attendant.terminal, Before::Failed);
                let shell = rescue::shell(directory, environment, script, at);
                let (argv, environment) = shell.clone();
                let mut rescue = Rescue {
                    step: &spec,
                    seat: attendant.seat,
                    argv,
                    environment,
                    opened: &mut |end| {
                        let (log, kept) = &mut *printed.borrow_mut();
                        if kept.is_ok() {
                            *kept = log.flush();
                        }
                        let command = log.told().and_then(|told| command(told, script));
                        self.offer(name, end, (command.as_ref(), AS_IT_STANDS), ambient);
                    },
                };
                let sandbox = self.sandbox;
                let ended =
                    sandbox.run_with_rescue(self.guest, &mut rescue, &mut output, ambient)?;
                match ended {
                    // What was over a limit is gone with all its processes; its files are there.
                    (exit, None) if exit.end != End::Code(0) => {
                        self.offer(name, exit.end, (None, AS_IT_WAS_LEFT), ambient);
                        let shell = rescue::words(shell);
                        let left = sandbox.run_at(attendant.seat, self.guest, &shell, ambient)?;
                        (exit, Some(left.end))
                    }
                    ended => ended,
                }
            }
        };
        let (log, kept) = printed.into_inner();
        kept?;
        log.flush()?;
        let is_mended = shell == Some(End::Code(0));
        if is_mended {
            log.line("== it failed, and a person went on from there in a shell")?;
            let what = &self.what;
            let text = format!("the {what} goes on by hand: step '{name}' was finished in a shell");
            ambient.sink.event(Event::Warning { text: &text });
        }
        self.used.peak_memory = self.used.peak_memory.max(exit.peak_memory);
        let milliseconds = u64::try_from(exit.cpu.as_millis()).unwrap_or(u64::MAX);
        self.used.cpu_milliseconds = self.used.cpu_milliseconds.saturating_add(milliseconds);
        Ok((exit, is_mended))
    }

    /// Says to a person how the step ended, and what they have before them. What it printed they have
    /// seen.
    fn offer(
        &self,
        step: &str,
        end: End,
        (command, how_it_stands): (Option<&Command>, &str),
        ambient: &Ambient<'_>,
    ) {
        let Self { what, count, .. } = self;
        let Count { begun, of } = count;
        let how = worded(end).unwrap_or_default();
        let at = command.map(|Command { line, text }| {
            format!(", at or after line {line} of its script: {text}")
        });
        let at = at.unwrap_or_default();
        let failed = format!("the {what} failed at step '{step}' ({begun} of {of}): {how}{at}");
        let offered = format!(
            "this is a shell in its guest {how_it_stands}. `exit 0` goes on with the next step, \
             `exit 1` ends it; $STEP is the step's script"
        );
        for text in [&failed, &offered] {
            ambient.sink.event(Event::Warning { text });
        }
    }
}

/// What a shell finds of a step that failed by itself.
const AS_IT_STANDS: &str = "as it stands";
/// What it finds of one that was ended with all that ran in its guest.
const AS_IT_WAS_LEFT: &str = "as it was left: what ran there and /tmp are gone";

/// A script that is about to run.
#[derive(Clone, Copy)]
struct Scripted<'a> {
    name: &'a str,
    script: &'a str,
    directory: &'a str,
    environment: &'a BTreeMap<String, String>,
}

/// How the lines begin in which a shell tells where a script ended: by a line, or by a command.
const TOLD: [&str; 2] = [
    "== the step ends at or after line ",
    "== the step ends at or after: ",
];

/// The script as the shell gets it: it stops at the first failing command, also in a pipe, and
/// starts in its working directory, which is made where it is missing.
///
/// Where it stops, a trap on `EXIT` tells of the last command that ran in the shell itself: bash
/// what it was, others in which line. A trap on `ERR` would know it better, and would change what
/// scripts with traps do. A script that sets one on `EXIT` keeps its own; nothing else shows this
/// one: not `set -x`, no closed output, no exit code.
fn wrapped(script: &str, directory: &str) -> String {
    let directory = quoted(directory);
    let [at_line, at_command] = TOLD;
    // From the line with the trap to the one before the script. Shells count from 0 or from 1.
    let between = 3 * directory.lines().count() - 1;
    let line = format!("$((LINENO-'\"${{LINENO:-0}}\"'-{between}))");
    format!(
        "set -eo pipefail\n\
         trap '{{ test $? = 0; }} 2>/dev/null || {{ if test \"${{BASH_VERSION-}}\"; then \
         printf \"%s\\n\" \"$BASH_COMMAND\" | {{ IFS= read -r said; echo \"{at_command}$said\" >&3; }}; \
         else test {line} -lt 1 || echo \"{at_line}\"{line} >&3; fi; }} 3>&2 2>/dev/null || :' EXIT\n\
         test -d {directory} || mkdir -p {directory}\ncd {directory}\n{script}\nexit 0\n"
    )
}

/// The command that a shell tells of, in a line that it printed.
fn command(told: &str, script: &str) -> Option<Command> {
    let [at_line, at_command] = TOLD;
    let after = |words: &str| Some(told.rsplit_once(words)?.1);
    let commands = commands(script);
    let (line, text) = if let Some(said) = after(at_command) {
        only_one(&commands, said)?
    } else {
        let line: usize = after(at_line)?.trim().parse().ok()?;
        let before = commands.iter().take_while(|(first, _)| *first <= line);
        before.last().filter(|_| line <= script.lines().count())?
    };
    Some(Command {
        line: *line,
        text: text.clone(),
    })
}

/// The lines of a script, each with those it goes on in behind a backslash and with its number.
fn commands(script: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in script.lines().enumerate() {
        let words = line.trim_end_matches('\\').trim();
        match commands.last_mut().filter(|_| goes_on) {
            Some((_, text)) => {
                text.push(' ');
                text.push_str(words);
            }
            None => commands.push((index + 1, words.to_owned())),
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// The only line that is what bash says, or that has it within; it prints blanks its own way.
fn only_one<'c>(commands: &'c [(usize, String)], said: &str) -> Option<&'c (usize, String)> {
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    let said = dense(said);
    let only = |is_it: &dyn Fn(&str) -> bool| {
        let mut found = commands.iter().filter(|(_, text)| is_it(&dense(text)));
        found.next().filter(|_| found.next().is_none())
    };
    only(&|text| text == said).or_else(|| only(&|text| text.contains(&said)))
}

pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// How a step failed, in words.
fn worded(end: End) -> Option<String> {
    match end {
        End::Code(0) => None,
        End::Code(code) => Some(format!("exit code {code}")),
        End::Signal(signal) => Some(format!("killed by signal {signal}")),
        End::Timeout => Some("over its time limit".to_owned()),
        End::OutOfMemory => Some("over its memory limit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steps_name_is_one_line() {
        let named = |name: &str| {
            own_name(&Step {
                name: Some(name.to_owned()),
                ..Step::default()
            })
        };
        let name = named("make\nerror: forged\u{1b}\n");
        assert_eq!(name.as_deref(), Some("make\\nerror: forged\u{fffd}"));
        assert_eq!(named("\n"), None);
    }

    #[test]
    fn a_directory_with_a_quote_stays_one_word() {
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert!(wrapped("true", HOME).contains("cd '/home/build'"));
    }

    fn run(shell: &[&str], script: &str) -> std::process::Output {
        #[expect(clippy::disallowed_methods, reason = "a shell is what this is about")]
        let mut shell = {
            let mut command = std::process::Command::new(shell[0]);
            command.args(&shell[1..]);
            command
        };
        let output = shell.arg("-c").arg(script);
        let output = output.env_clear().env("PATH", "/usr/bin:/bin").output();
        output.expect("bash and busybox are needed: apt-get install bash busybox-static")
    }

    /// What a real shell tells of a script.
    fn told(shell: &[&str], script: &str, directory: &str) -> Option<(usize, String)> {
        let output = run(shell, &wrapped(script, directory));
        let said = String::from_utf8(output.stderr).unwrap();
        let found = said.lines().find_map(|line| command(line, script));
        found.map(|command| (command.line, command.text))
    }

    #[test]
    fn shells_tell_where_a_script_ended() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let bash: &[&str] = &["bash", "--posix"];
        let busybox: &[&str] = &["busybox", "sh"];
        let check = |shell: &[&str], script: &str, expected: Option<(usize, &str)>| {
            for directory in [folder, &format!("{folder}/a\nb")] {
                let found = told(shell, script, directory);
                let found = found.as_ref().map(|(line, text)| (*line, text.as_str()));
                assert_eq!(found, expected, "{shell:?}: {script}");
            }
        };
        for shell in [bash, busybox] {
            check(shell, "true\n  false x\ntrue", Some((2, "false x")));
            check(shell, "if true; then\n  false\nfi", Some((2, "false")));
            check(shell, "true\nmissing", Some((2, "missing")));
            check(shell, "true\nexit 3", Some((2, "exit 3")));
            check(
                shell,
                "true \\\n  a\nfalse \\\n  b \\\n  c\ntrue",
                Some((3, "false b c")),
            );
            check(shell, "false || true\nif false; then :; fi", None);
            check(shell, "exec 2>&-\nfalse", None);
            check(shell, "trap : EXIT\nfalse", None);
        }
        check(bash, "true\nfalse | cat", Some((2, "false | cat")));
        check(bash, "f() {\n  false>x\n}\nf", Some((2, "false>x")));
        check(bash, "false \"a\nb\"\ntrue", Some((1, "false \"a")));
        // Which of the two, bash does not say.
        check(
            bash,
            "true || false\nfalse x || true\nfalse y\n false y",
            None,
        );
    }

    #[test]
    fn a_script_runs_as_under_set_e_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let script = "trap 'echo cleanup' ERR\n\
                      probe() { set +e; grep -q nope /dev/null; r=$?; set -e; echo \"probe $r\"; }\n\
                      probe\nv=$(set +e; false; echo ok)\necho \"v $v\"\necho $-\n\
                      exec 2>&-\nset -x";
        for shell in [&["bash", "--posix"][..], &["busybox", "sh"]] {
            let script = match shell {
                ["bash", ..] => script,
                // It has no such trap.
                _ => script.split_once('\n').unwrap().1,
            };
            let bare = format!("set -eo pipefail\ncd {folder}\n{script}\nexit 0\n");
            let [ours, alone] = [wrapped(script, folder), bare].map(|script| run(shell, &script));
            assert_eq!(ours, alone, "{shell:?}");
            assert!(ours.status.success(), "{ours:?}");
        }
    }
}
