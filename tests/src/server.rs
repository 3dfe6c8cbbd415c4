//! `boltworks serve` on a port of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;

use crate::tools::need;
use crate::{Command, Factory, Folder, Output, Running};

/// A server starts within this time.
const STARTING: Duration = Duration::from_secs(10);

/// A server; stopped when dropped.
#[derive(Debug)]
pub struct Server {
    running: Running,
    /// Host and port.
    pub address: String,
    _folder: Folder,
}

impl Server {
    /// Serves what a factory released.
    pub fn of(factory: &Factory) -> Result<Self> {
        let folder = Folder::new()?;
        let file = folder.path().join("address");
        let mut running = factory
            .command(["serve", "--listen", "127.0.0.1:0", "--address-file"])?
            .arg(&file)
            .start()?;
        let started = Instant::now();
        let address = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if !text.is_empty() {
                break text;
            }
            ensure!(
                running.is_running()?,
                "the server ended: {}",
                running.said()?
            );
            ensure!(started.elapsed() < STARTING, "the server does not start");
            std::thread::sleep(Duration::from_millis(5));
        };
        Ok(Self {
            running,
            address,
            _folder: folder,
        })
    }

    /// Asks for a path with curl; it must be there.
    pub fn get(&self, path: &str) -> Result<Output> {
        let url = format!("http://{}{path}", self.address);
        Command::new(need("curl")?)
            .args(["--silent", "--show-error", "--fail", &url])
            .ok()
            .with_context(|| format!("{url} is not served"))
    }

    /// Stops it as a person would; it must end well.
    pub fn stop(self) -> Result<()> {
        self.running.signal(Signal::INT)?;
        let output = self.running.finish()?;
        ensure!(
            output.status.success(),
            "the server should end well: {output}"
        );
        Ok(())
    }
}
