//! From listening to the last answered request.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, header};
use boltworks_model::chain;
use boltworks_release::ReleasedStore;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use crate::answer::{Answer, Document, find};
use crate::refusal::Refusal;
use crate::route::Route;
use crate::shelf::Shelf;
use crate::task::Tasks;
use crate::{Error, Limits, Options, connection, page};

/// The pause after the system refused a connection: it is short of something.
const BREATH: Duration = Duration::from_millis(50);

/// Serves until the shutdown future is ready and running requests are finished, or the grace
/// period is over.
pub fn run<Open, Until>(options: Options<Open, Until>) -> Result<(), Error>
where
    Open: Fn() -> Result<ReleasedStore, boltworks_release::Error> + Send + Sync + 'static,
    Until: Future<Output = ()>,
{
    let Options {
        listener,
        released,
        shutdown,
        limits,
    } = options;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(limits.workers.max(1))
        .max_blocking_threads(limits.readers.max(1))
        .thread_name("serve")
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::Threads)?;
    let shelf = Shelf::new(Box::new(released));
    let ended = runtime.block_on(async {
        listener.set_nonblocking(true).map_err(Error::Listen)?;
        let listener = TcpListener::from_std(listener).map_err(Error::Listen)?;
        accept(listener, shelf, limits, shutdown).await;
        Ok(())
    });
    // A thread that waits for a disk is not waited for.
    runtime.shutdown_timeout(BREATH);
    ended
}

/// Ready on the first SIGINT or SIGTERM. To be called inside of [`run`]'s runtime, so as its
/// `shutdown`.
pub async fn until_signal() {
    let listen = || -> Result<_, Error> {
        let interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
        let terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
        Ok((interrupt, terminate))
    };
    match listen() {
        Ok((mut interrupt, mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(reason) => {
            tracing::warn!(error = chain(&reason), "signals end the server at once");
            std::future::pending::<()>().await;
        }
    }
}

async fn accept(
    listener: TcpListener,
    shelf: Shelf,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let state = Arc::new(Server {
        shelf,
        failures: AtomicU64::new(1),
    });
    let router = Router::new().fallback(answer).with_state(state);
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let (end, ending) = watch::channel(false);
    let mut tasks = Tasks::default();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let next = async {
            // Never closed, so there is always a permit to come.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = shutdown.as_mut() => break,
            next = next => next,
        };
        tasks.sweep();
        match accepted {
            Ok((stream, peer)) => {
                tracing::debug!(%peer, "connected");
                let work =
                    connection::serve(stream, router.clone(), limits.clone(), ending.clone());
                tasks.spawn("connection", async move {
                    work.await;
                    drop(place);
                });
            }
            Err(reason) => {
                tracing::warn!(%reason, "a connection was refused");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    end.send_replace(true);
    tracing::info!(connections = tasks.len(), "finishing");
    if tokio::time::timeout(limits.grace, tasks.finish())
        .await
        .is_err()
    {
        tracing::warn!(connections = tasks.len(), "connections are cut off");
    }
}

/// What all requests share.
struct Server {
    shelf: Shelf,
    /// The number of the next failure, by which a stranger's report is found in the log.
    failures: AtomicU64,
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (parts, _body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let found = if matches!(parts.method, Method::GET | Method::HEAD) {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default().to_owned();
        look_up(server, path.clone(), query, host).await
    } else {
        Answer::Refused(Refusal::ReadOnly)
    };
    let mut response = found.respond(&parts.method, &parts.headers);
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'",
        ),
        (
            HeaderName::from_static("docker-distribution-api-version"),
            "registry/2.0",
        ),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    // The path is a stranger's text: shown escaped.
    tracing::info!(method = %parts.method, ?path, status = response.status().as_u16(), "answered");
    response
}

/// Looks up where waiting for a disk harms nobody.
async fn look_up(server: Arc<Server>, path: String, query: String, host: String) -> Answer {
    let route = match Route::parse(&path) {
        Ok(route) => route,
        Err(refusal) => return Answer::Refused(refusal),
    };
    if route == Route::Registry {
        return Answer::Document(Document::new("{}", "application/json"));
    }
    let asked = Arc::clone(&server);
    let found = tokio::task::spawn_blocking(move || {
        asked.shelf.with(|released| match &route {
            Route::Page => {
                let page = page::render(released, &host)?;
                Ok(Answer::Document(Document::new(
                    page,
                    "text/html; charset=utf-8",
                )))
            }
            route => find(released, route, &query),
        })
    });
    match found.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(reason)) => server.failed(&path, &reason, reason.is_passing()),
        Err(reason) => server.failed(&path, &reason, false),
    }
}

impl Server {
    fn failed(&self, path: &str, reason: &dyn StdError, is_passing: bool) -> Answer {
        let number = self.failures.fetch_add(1, Ordering::Relaxed);
        let error = chain(reason);
        if is_passing {
            tracing::warn!(number, ?path, error, "nothing can be read at this moment");
            return Answer::Refused(Refusal::Unavailable);
        }
        tracing::error!(number, ?path, error, "a request failed");
        Answer::Refused(Refusal::Broken(number))
    }
}
