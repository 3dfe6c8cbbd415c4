//! What a server is given.

use std::net::TcpListener;
use std::time::Duration;

/// What to serve, where, and until when.
pub struct Options<Open, Until> {
    /// The socket that connections come to.
    pub listener: TcpListener,
    /// Opens what was released: called at the start of serving, and again whenever the state was
    /// made anew.
    pub released: Open,
    /// Serving ends, and running requests are finished, once this is ready.
    pub shutdown: Until,
    /// What clients may cost.
    pub limits: Limits,
}

/// What clients may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Threads that move bytes.
    pub workers: usize,
    /// Threads that wait for the disk, at most.
    pub readers: usize,
    /// Connections at a time; more wait in the system's queue.
    pub connections: usize,
    /// The time a client has for the head of a request, and to begin the next one.
    pub head: Duration,
    /// The time a client may take no byte of an answer.
    pub stall: Duration,
    /// The bytes of a request's head.
    pub head_size: usize,
    /// The lines of a request's head.
    pub head_lines: usize,
    /// The time running requests have once serving is to end.
    pub grace: Duration,
}

impl Default for Limits {
    /// For a small machine: 2 and 16 threads, 512 connections, 15 s for a head of 16 KiB and 64
    /// lines, 60 s of stalling, 10 s of grace.
    fn default() -> Self {
        Self {
            workers: 2,
            readers: 16,
            connections: 512,
            head: Duration::from_secs(15),
            stall: Duration::from_mins(1),
            head_size: 16 * 1024,
            head_lines: 64,
            grace: Duration::from_secs(10),
        }
    }
}
