//! How guests end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use boltworks_sandbox::{End, Error, Local};

use crate::world::{World, own_program};

/// A shell command that writes to a file of the workspace for ever.
const BEAT: &str = "while :; do echo x >> /home/build/beat; usleep 10000; done";

/// Whether a file stops growing at once.
fn is_quiet(beat: &Path) -> bool {
    let size = || fs::metadata(beat).unwrap().len();
    let before = size();
    thread::sleep(Duration::from_millis(300));
    before == size()
}

fn wait_for(beat: &Path) {
    let began = Instant::now();
    while fs::metadata(beat).map_or(0, |meta| meta.len()) < 4 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the guest does nothing"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn a_daemon_does_not_survive() {
    let world = World::new();
    // Twice forked, in a session of its own, without the step's descriptors.
    let done = world.script(&format!(
        "(setsid sh -c 'trap \"\" HUP TERM INT; {BEAT}' </dev/null >/dev/null 2>&1 &) & \
         (nohup sh -c '{BEAT}' >/dev/null 2>&1 &); (sh -c '{BEAT}' &); \
         while [ ! -s beat ]; do usleep 1000; done; exit 4"
    ));
    assert_eq!(done.exit.end, End::Code(4), "{done:?}");
    assert!(is_quiet(&world.path("workspace").join("beat")));
}

pub(crate) fn time_is_limited() {
    let mut world = World::new();
    world.limits.wall = Some(Duration::from_millis(700));
    let done = world.script(&format!("trap '' TERM INT HUP; echo begun; {BEAT}"));
    assert_eq!(done.exit.end, End::Timeout);
    assert_eq!(done.stdout, "begun\n");
    assert!(
        (700..5000).contains(&done.exit.wall.as_millis()),
        "{done:?}"
    );
    assert!(is_quiet(&world.path("workspace").join("beat")));
}

pub(crate) fn the_button_stops_a_step() {
    let world = World::new();
    let beat = world.path("workspace").join("beat");
    thread::scope(|scope| {
        let run = scope.spawn(|| world.run(&["/bin/sh", "-c", BEAT]));
        wait_for(&beat);
        world.cancel.press();
        let result = run.join().unwrap();
        assert!(matches!(result, Err(Error::Cancelled(_))), "{result:?}");
    });
    assert!(is_quiet(&beat));
    // Pressed before: nothing is started.
    fs::remove_file(&beat).unwrap();
    assert!(matches!(
        world.run(&["/bin/sh", "-c", BEAT]),
        Err(Error::Cancelled(_))
    ));
    assert!(!beat.exists());
}

/// The factory that is to be killed: says where its guest writes, and runs it.
pub(crate) fn hold() -> ExitCode {
    let mut world = World::new();
    world.limits.wall = Some(Duration::from_mins(1));
    println!("{}", world.path("workspace").join("beat").display());
    let done = world.script(&format!("trap '' TERM INT HUP; {BEAT}"));
    println!("{done:?}");
    ExitCode::FAILURE
}

pub(crate) fn a_factory_that_is_killed_takes_its_guests_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut factory = Command::new(own_program())
        .arg("hold")
        .env("TMPDIR", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(factory.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let beat = PathBuf::from(line.trim());
    wait_for(&beat);
    factory.kill().unwrap();
    factory.wait().unwrap();
    // The kernel needs a moment to pass the news on.
    let began = Instant::now();
    while !is_quiet(&beat) {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the guest lives on"
        );
    }
    // Its control groups, which it could not remove, the next factory does.
    Local::probe(&own_program()).unwrap();
    assert_eq!(groups_of(factory.id()), "");
}

/// The control groups of a factory.
fn groups_of(process: u32) -> String {
    let output = Command::new("find")
        .args(["/sys/fs/cgroup", "-name", &format!("boltworks-{process}-*")])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn nothing_is_left_behind() {
    let world = World::new();
    assert!(world.script("echo x > /etc/x").exit.is_success());
    let scratch: Vec<_> = fs::read_dir(world.path("scratch"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(scratch, ["upper"]);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(" - overlay guest "), "{mounts}");
    assert_eq!(groups_of(std::process::id()), "");
}
