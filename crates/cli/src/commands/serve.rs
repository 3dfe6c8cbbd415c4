//! `boltworks serve`: what is released, over HTTP.

use std::net::TcpListener;
use std::process::ExitCode;

use boltworks_factory::files::Place;
use boltworks_factory::home::ReleasedState;
use boltworks_serve::{Limits, Options};
use serde_json::json;

use crate::arguments::{Arguments, Serve};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(
    arguments: &Arguments,
    serve: &Serve,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let released = ReleasedState::new(&arguments.factory)?;
    let listener = TcpListener::bind(serve.listen).map_err(|error| Failure::Usage {
        what: format!("cannot listen on {}: {error}", serve.listen),
        help: "choose another address with `--listen`".to_owned(),
    })?;
    let address = listener.local_addr()?;
    if let Some(file) = &serve.address_file {
        Place::of(file)?.write(address.to_string().as_bytes(), 0o644)?;
    }
    output.json(&json!({"address": address.to_string(), "url": format!("http://{address}/")}));
    output.note(&format!(
        "serving what is released at http://{address}/ (stop with Ctrl-C)"
    ));
    boltworks_serve::run(Options {
        listener,
        released: move || released.open(),
        shutdown: boltworks_serve::until_signal(),
        limits: Limits::default(),
    })?;
    Ok(ExitCode::SUCCESS)
}
