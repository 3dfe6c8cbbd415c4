//! A real server on a small real factory, asked by real clients.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "these tests run clients and damage files"
)]

mod apk;
mod client;
#[path = "../../../release/tests/it/fixture.rs"]
mod fixture;
mod hostile;
mod image;
mod state;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread::JoinHandle;

use boltworks_fsx::Root;
use boltworks_release::ReleasedStore;
use boltworks_serve::{Error, Limits, Options, run};
use boltworks_store::Store;
use tokio::sync::oneshot;

use crate::fixture::Factory;

/// A running server; ends with this value.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Server {
    fn of(factory: &Factory) -> Self {
        Self::start(factory.folder.path().to_owned(), Limits::default())
    }

    /// Serves the state in a folder.
    fn start(folder: PathBuf, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let released = move || {
            let root = Root::open(&folder).map_err(boltworks_store::Error::Disk)?;
            let store = Store::open_read_only(&root)?;
            ReleasedStore::open(&folder.join("records.db"), store)
        };
        let shutdown = async move { stopped.await.unwrap_or_default() };
        let options = Options {
            listener,
            released,
            shutdown,
            limits,
        };
        let thread = Some(std::thread::spawn(move || run(options)));
        Self {
            address,
            stop: Some(stop),
            thread,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks the server to end.
    fn ask_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for its end.
    fn wait(&mut self) {
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stop.is_some() {
            self.ask_to_stop();
        }
        if self.thread.is_some() {
            self.wait();
        }
    }
}
