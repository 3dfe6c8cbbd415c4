//! Real guests on this machine: what they may do, and that they cannot do anything else.
//!
//! The program is at once the tests, the guest's first process (which is why it has a `main` of
//! its own), and the victims that tests start. As root, all tests run twice: as root, and as an
//! ordinary user by a copy of the program. Either time the program holds secrets, in its
//! environment and in an open file, that no guest may see. What tries to escape tries it once more
//! as the guest's root.
//!
//! `cargo test -p boltworks-sandbox --test it -- measure` prints what a guest costs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program without libtest"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests set up and look at the host directly"
)]

mod beside;
mod ends;
mod escape;
mod exhaust;
mod guest;
mod ids;
mod person;
mod world;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::panic::catch_unwind;
use std::process::{Command, ExitCode};
use std::time::Instant;

/// An ordinary user that nobody is.
const ORDINARY: u32 = 65_533;

/// In the tests' environment, and in a file that is open at descriptor 9.
const CANARY: &str = "canary-5f1d9c7be2";

/// One test.
type Test = (&'static str, fn());

macro_rules! tests {
    ($($module:ident :: { $($name:ident),* $(,)? }),* $(,)?) => {
        &[$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*),*]
    };
}

const TESTS: &[Test] = tests![
    guest::{
        a_step_sees_what_it_was_given,
        outputs_come_apart_and_endings_are_told,
        what_cannot_be_started_is_an_error,
        what_changes_stays_out_of_the_tree,
        several_trees_are_one_root,
        binds_are_seen_where_they_were_asked_for,
        the_usual_devices_work,
        loopback_works,
        guests_run_side_by_side,
        wrong_descriptions_are_refused,
        another_program_is_no_helper,
        a_machine_that_cannot_confine_is_refused,
        a_hostile_tree_makes_no_guest,
    },
    beside::{
        a_program_beside_a_step_is_ready_first,
        what_does_not_come_to_be_ready_is_told,
        all_of_it_ends_with_the_step,
    },
    escape::{
        every_forbidden_call_is_refused,
        no_file_of_the_host_is_seen,
        no_link_leads_out,
        neither_the_network_nor_abstract_sockets_are_reached,
        the_secrets_of_the_factory_are_not_seen,
        only_binds_say_where_they_come_from,
        no_process_of_the_host_is_seen_or_killed,
        the_first_process_cannot_be_killed,
        the_helper_cannot_be_reached_by_a_script,
        a_folder_of_another_user_is_not_written,
    },
    ids::{
        a_step_has_the_numbers_that_it_was_given,
        no_number_gives_a_right,
        there_is_no_last_number,
    },
    person::{
        who_has_a_failed_guest_finds_it_as_it_stood,
        a_step_that_succeeds_opens_nothing,
        a_guest_types_nothing_for_the_person,
        a_step_runs_at_a_terminal,
    },
    exhaust::{
        processes_are_limited,
        memory_is_limited,
        temporary_files_count_as_memory,
        file_size_is_limited,
        endless_output_is_not_kept,
    },
    ends::{
        a_daemon_does_not_survive,
        time_is_limited,
        the_button_stops_a_step,
        a_factory_that_is_killed_takes_its_guests_along,
        nothing_is_left_behind,
    },
];

fn main() -> ExitCode {
    let mut args: Vec<_> = std::env::args_os().skip(1).collect();
    let word = args
        .first()
        .and_then(|word| word.to_str())
        .unwrap_or_default()
        .to_owned();
    match word.as_str() {
        boltworks_sandbox::HELPER_WORD => boltworks_sandbox::helper(args.drain(1..)),
        "run-here" => run_here(args.get(1)),
        "hold" => ends::hold(),
        "probe" => guest::probe(),
        "measure" => measure(),
        _ => everywhere(
            args.iter()
                .find(|word| !word.to_string_lossy().starts_with('-')),
        ),
    }
}

/// Runs the tests as whoever this is, and as an ordinary user if this is root.
fn everywhere(filter: Option<&OsString>) -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    open(folder.path());
    let secret = folder.path().join("secret");
    fs::write(&secret, CANARY).unwrap();
    let copy = folder.path().join("it");
    fs::copy(world::own_program(), &copy).unwrap();
    open(&copy);
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();

    let here = ["sh", "-c", "exec 9<\"$SECRET\"; exec \"$@\"", "sh"];
    let user = [
        "setpriv",
        &format!("--reuid={ORDINARY}"),
        &format!("--regid={ORDINARY}"),
        "--clear-groups",
    ]
    .map(str::to_owned);
    let run = |command: &[String]| {
        Command::new(here[0])
            .args(&here[1..])
            .args(command)
            .arg(&copy)
            .arg("run-here")
            .args(filter)
            .env("SECRET", &secret)
            .env("CANARY", CANARY)
            .env("TMPDIR", &temporary)
            .status()
            .unwrap()
            .success()
    };
    let mut sound = run(&[]);
    if rustix::process::geteuid().is_root() {
        chown(&temporary, Some(ORDINARY), Some(ORDINARY)).unwrap();
        sound &= run(&user);
    }
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the tests whose name contains the filter, one after the other.
fn run_here(filter: Option<&OsString>) -> ExitCode {
    let filter = filter.map_or_else(String::new, |text| text.to_string_lossy().into_owned());
    let chosen: Vec<_> = TESTS
        .iter()
        .filter(|(name, _)| name.contains(&filter))
        .collect();
    println!(
        "\nrunning {} tests ({})",
        chosen.len(),
        world::local().describe()
    );
    let began = Instant::now();
    let run = |name: &str, test: fn(), who: &str| {
        let failed = catch_unwind(test).is_err();
        let word = if failed { "FAILED" } else { "ok" };
        println!("test {name}{who} ... {word}");
        failed
    };
    let failed = chosen
        .iter()
        .filter(|(name, test)| {
            let mut failed = run(name, *test, "");
            if name.starts_with("escape::") {
                world::be_root(true);
                failed |= run(name, *test, " (the guest's root)");
                world::be_root(false);
            }
            failed
        })
        .count();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2?}\n",
        if failed == 0 { "ok" } else { "FAILED" },
        chosen.len() - failed,
        TESTS.len() - chosen.len(),
        began.elapsed()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints what a guest costs that does nothing.
fn measure() -> ExitCode {
    println!("{}", world::local().describe());
    let world = world::World::new();
    let mut times: Vec<_> = (0..40)
        .map(|_| world.run(&["/bin/true"]).unwrap().exit)
        .collect();
    times.sort_by_key(|exit| exit.wall);
    let cpu = times.iter().map(|exit| exit.cpu).min().unwrap();
    println!(
        "wall: least {:.1?}, median {:.1?}, most {:.1?}; processor time inside: least {cpu:.1?}",
        times[0].wall,
        times[times.len() / 2].wall,
        times[times.len() - 1].wall
    );
    ExitCode::SUCCESS
}
