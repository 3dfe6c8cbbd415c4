//! Real guests on this machine: what they may do, and that they cannot do anything else.
//!
//! The program is at once the tests, the guest's first process, and a few victims that the tests
//! start. As root, all tests run twice: as root, and as an ordinary user by a copy of the program.

mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.next_if(|word| word == boltworks_sandbox::HELPER_WORD).is_some() {
        return boltworks_sandbox::helper(args);
    }
    println!("{}", world::local().describe());
    let w = world::World::new();
    println!("{:?}", w.script("id; ls -la / /dev /proc; hostname; mount; ls -l /proc/self/fd; cat /proc/cmdline; exit 3"));
    let t = std::time::Instant::now();
    for _ in 0..20 { w.run(&["/bin/true"]).unwrap(); }
    println!("{:?} per run", t.elapsed()/20);
    ExitCode::SUCCESS
}
