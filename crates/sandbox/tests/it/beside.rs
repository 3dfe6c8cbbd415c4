//! What runs beside a step, at a root of its own.

use std::time::Duration;

use boltworks_sandbox::{End, NOT_READY};

use crate::world::World;

/// Long enough for any of them.
const PATIENCE: Duration = Duration::from_secs(8);
/// Says what it sees to who connects first.
const LISTENS: &str = "touch /tmp/other; \
    (hostname; id -u; ls /proc/self/fd | wc -l; cat) </dev/null | nc -l -p 8080; sleep 60";

pub(crate) fn a_program_beside_a_step_is_ready_first() {
    let world = World::new();
    // Whoever has nothing more to say is hung up on: `nc` must not come to an end of its input.
    let script = "mkfifo hold; nc 127.0.0.1 8080 <>hold; ls /tmp; touch /home/build/mark";
    let done = world.run_beside(LISTENS, (8080, PATIENCE), script);
    // Name, user and open files are those of a step; `ls` has the folder open too.
    let uid = world.ids.uid;
    assert_eq!(done.stdout, format!("guest\n{uid}\n4\n"), "{done:?}");
    assert!(done.exit.is_success());
    assert!(world.path("workspace/mark").exists());

    // No more is asked for.
    let done = world.run_beside(LISTENS, (8080, PATIENCE), "");
    assert!(done.exit.is_success(), "{done:?}");
}

pub(crate) fn what_does_not_come_to_be_ready_is_told() {
    let world = World::new();
    let check = |other: &str, patience, told: &str| {
        let done = world.run_beside(other, (8080, patience), "echo started");
        assert_eq!(done.exit.end, End::Code(NOT_READY), "{done:?}");
        assert!(done.stdout.is_empty(), "{done:?}");
        assert!(done.stderr.ends_with(told), "{done:?}");
    };
    let ended = "the container ended (exit code 3) before it listened at port 8080\n";
    check("exit 3", PATIENCE, ended);
    let late = "the container does not listen at port 8080 after 1 s\n";
    check("nc -l -p 8081", Duration::from_secs(1), late);
}

pub(crate) fn all_of_it_ends_with_the_step() {
    let world = World::new();
    let other = format!("(trap '' TERM HUP; setsid sleep 60) & {LISTENS}");
    let done = world.run_beside(&other, (8080, PATIENCE), "exit 4");
    assert_eq!(done.exit.end, End::Code(4), "{done:?}");
    assert!(done.exit.wall < Duration::from_secs(8), "{done:?}");
    // The time that a step has is all that there is.
    let mut world = World::new();
    world.limits.wall = Some(Duration::from_secs(1));
    let done = world.run_beside("sleep 60", (8080, PATIENCE), "");
    assert_eq!(done.exit.end, End::Timeout, "{done:?}");
}
