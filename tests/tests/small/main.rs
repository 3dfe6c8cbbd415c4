//! End to end on a factory that is made in a second: kills, full disks, two at once, failures.

mod checking;
mod crash;
mod disk;
mod durable;
mod failing;
mod healing;
mod honest;
mod interactive;
mod melange;
mod offline;
mod rebuilding;
mod stopping;
mod touching;
mod wrong;
