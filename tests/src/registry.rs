//! Debian's docker-registry on a port of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::tools::need;
use crate::{Command, Folder, Running};

/// A registry starts within this time.
const STARTING: Duration = Duration::from_secs(10);
/// `me` and `hunter2`, as htpasswd writes them.
const LOGIN: &str = "me:$2b$04$uHqvxsejmexIJ.5OzsBRAuOB1q69bLFUMaia3HlYbG.2sxVgnaxEK\n";

/// A registry; stopped when dropped.
#[derive(Debug)]
pub struct Registry {
    running: Running,
    /// Host and port.
    pub address: String,
    _folder: Folder,
}

impl Registry {
    /// One that lets everybody in.
    pub fn open() -> Result<Self> {
        Self::start("")
    }

    /// One that lets in `me` with the password `hunter2`.
    pub fn closed() -> Result<Self> {
        Self::start("auth: {htpasswd: {realm: tests, path: login}}\n")
    }

    fn start(more: &str) -> Result<Self> {
        let folder = Folder::new()?;
        std::fs::write(folder.path().join("login"), LOGIN)?;
        // It takes no port 0: one is found that was free a moment ago.
        let address = TcpListener::bind(("127.0.0.1", 0))?
            .local_addr()?
            .to_string();
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: data}}}}\n\
             http: {{addr: \"{address}\"}}\n{more}"
        );
        std::fs::write(folder.path().join("config.yml"), config)?;
        let mut running = Command::new(need("docker-registry")?)
            .args(["serve", "config.yml"])
            .dir(folder.path())
            .start()?;
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            ensure!(
                running.is_running()?,
                "the registry ended: {}",
                running.said()?
            );
            ensure!(started.elapsed() < STARTING, "the registry does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self {
            running,
            address,
            _folder: folder,
        })
    }

    /// What it has told of requests.
    pub fn said(&self) -> Result<String> {
        self.running.said()
    }
}
