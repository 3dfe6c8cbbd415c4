//! End to end on a factory that is made in a second: kills, full disks, two at once, failures.

mod accounts;
mod apko;
mod beside;
mod checking;
mod crash;
mod disk;
mod durable;
mod failing;
mod forms;
mod healing;
mod honest;
mod interactive;
mod licences;
mod melange;
mod mountable;
mod naming;
mod offline;
mod publishing;
mod rebuilding;
mod standing;
mod stopping;
mod touching;
#[path = "../../../crates/source/tests/it/upstream.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod upstream;
mod worktree;
mod wrong;
