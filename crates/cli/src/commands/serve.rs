//! `boltworks serve`: what is released, over HTTP.

use std::net::TcpListener;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use boltworks_fsx::{RelPath, Root};
use boltworks_model::Cancel;
use boltworks_release::ReleasedStore;
use boltworks_serve::{Limits, Options};

use crate::arguments::{Arguments, Serve};
use crate::commands::session;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;

/// How often a stop request is looked for.
const TICK: Duration = Duration::from_millis(100);

pub(crate) fn run(
    arguments: &Arguments,
    serve: &Serve,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let home = session::open_home(arguments, None)?;
    let listener = TcpListener::bind(serve.listen).map_err(|error| Failure::Usage {
        what: format!("cannot listen on {}: {error}", serve.listen),
        help: "choose another address with `--listen`".to_owned(),
    })?;
    let address = listener.local_addr()?;
    if let Some(file) = &serve.address_file {
        let file = host::absolute(file);
        let folder = Root::create(file.parent().unwrap_or(&file))?;
        let name = RelPath::new(file.file_name().unwrap_or_default().as_encoded_bytes())?;
        folder.write(&name, address.to_string().as_bytes(), 0o644)?;
    }
    output.note(&format!(
        "serving what is released at http://{address}/ (stop with Ctrl-C)"
    ));
    let machine = session::machine()?;
    let store = home.store.clone();
    let records = home.records_path();
    boltworks_serve::run(Options {
        listener,
        released: move || ReleasedStore::open(&records, store.clone()),
        shutdown: Pressed::watch(machine.cancel().clone()),
        limits: Limits::default(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Ready once the stop button is pressed.
struct Pressed {
    cancel: Cancel,
    waiting: Arc<Mutex<Option<Waker>>>,
}

impl Pressed {
    /// Starts a thread that looks at the button.
    fn watch(cancel: Cancel) -> Self {
        let waiting = Arc::new(Mutex::new(None::<Waker>));
        let pressed = Self {
            cancel: cancel.clone(),
            waiting: Arc::clone(&waiting),
        };
        std::thread::spawn(move || {
            while !cancel.is_pressed() {
                std::thread::sleep(TICK);
            }
            if let Some(waker) = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
            {
                waker.wake();
            }
        });
        pressed
    }
}

impl Future for Pressed {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(context.waker().clone());
        if self.cancel.is_pressed() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
