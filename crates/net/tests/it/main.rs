//! The client and resumable downloads against a real server that fails, stalls, resets and lies.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[expect(dead_code, reason = "each test program uses a part of it")]
mod server;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use boltworks_model::{Ambient, Cancel, Clock, Entropy, Secret, Timestamp};
use boltworks_net::{
    Address, Client, Download, Error, Have, OriginBoundCredential, Part, Proxies, Request, Retry,
    Settings, Transience, download, download_unless,
};
use server::{Act, Server};

/// A clock that only notes how long was slept.
#[derive(Default)]
struct Sleepless(Mutex<Vec<Duration>>);

impl Clock for Sleepless {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// What one download gave.
struct Outcome {
    result: Result<Address, Error>,
    bytes: Vec<u8>,
    slept: Duration,
}

fn client() -> Client {
    Client::new(Settings {
        stall: Duration::from_millis(300),
        ..Settings::default()
    })
}

fn fetch(server: &Server, have: &[u8], validator: Option<&str>, retry: Retry) -> Outcome {
    let clock = Sleepless::default();
    let cancel = Cancel::default();
    let ambient = Ambient {
        clock: &clock,
        entropy: &NoEntropy,
        sink: &(),
        cancel: &cancel,
    };
    let mut bytes = have.to_vec();
    let address = server.url("/file").parse().unwrap();
    let what = Download {
        address: &address,
        have: Have {
            length: have.len() as u64,
            validator: validator.map(str::to_owned),
        },
        max: 1 << 20,
        credential: None,
        retry,
    };
    let result = download(
        &client(),
        &what,
        &mut |part| {
            match part {
                Part::Begin { offset, .. } => bytes.truncate(usize::try_from(offset).unwrap()),
                Part::Bytes(more) => bytes.extend_from_slice(more),
            }
            Ok(())
        },
        &ambient,
    );
    let slept = clock.0.lock().unwrap().iter().sum();
    Outcome {
        result,
        bytes,
        slept,
    }
}

fn body() -> Vec<u8> {
    (0..200_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(300_000)
        .collect()
}

#[test]
fn a_broken_transfer_goes_on_where_it_broke_off() {
    let script = [
        Act::CloseAfter(70_000),
        Act::Reset,
        Act::CloseAfter(100),
        Act::Serve,
    ];
    let server = Server::start(&body(), script);
    let outcome = fetch(&server, b"", None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, body());
    let requests = server.requests();
    assert!(!requests[0].contains("range:"));
    assert!(
        requests[2].contains("range: bytes=70000-") && requests[2].contains("if-range: \"one\"")
    );
    assert!(requests[3].contains("range: bytes=70100-"));
}

#[test]
fn silence_ends_and_the_transfer_goes_on() {
    let server = Server::start(&body(), [Act::StallAfter(1000), Act::Serve]);
    let outcome = fetch(&server, b"", None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, body());
}

#[test]
fn a_file_that_changed_begins_again() {
    let server = Server::start(&body(), [Act::Serve]);
    server.replace(b"other", "\"two\"");
    let outcome = fetch(&server, &body()[..10], Some("\"one\""), Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, b"other");
}

#[test]
fn a_server_without_ranges_begins_again() {
    let server = Server::start(&body(), [Act::CloseAfter(5000), Act::ServeWhole]);
    let outcome = fetch(&server, b"", None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, body());
}

#[test]
fn what_is_whole_is_not_sent_again() {
    let server = Server::start(&body(), [Act::Serve]);
    let outcome = fetch(&server, &body(), None, Retry::default());
    outcome.result.unwrap();
    assert_eq!((outcome.bytes, server.requests().len()), (body(), 1));
}

#[test]
fn what_is_known_is_sent_only_if_it_changed() {
    let clock = Sleepless::default();
    let cancel = Cancel::default();
    let ambient = Ambient {
        clock: &clock,
        entropy: &NoEntropy,
        sink: &(),
        cancel: &cancel,
    };
    let script = [
        Act::Reset,
        Act::Status(304, String::new()),
        Act::Status(304, String::new()),
        Act::CloseAfter(1000),
        Act::Serve,
    ];
    let server = Server::start(&body(), script);
    let address = server.url("/file").parse().unwrap();
    let what = Download {
        address: &address,
        have: Have::default(),
        max: 1 << 20,
        credential: None,
        retry: Retry::default(),
    };
    let mut bytes = Vec::new();
    let mut ask = |known: &str| {
        let mut keep = |part: Part<'_>| {
            match part {
                Part::Begin { offset, .. } => bytes.truncate(usize::try_from(offset).unwrap()),
                Part::Bytes(more) => bytes.extend_from_slice(more),
            }
            Ok(())
        };
        download_unless(&client(), (&what, known), &mut keep, &ambient).unwrap()
    };
    assert!(!ask("\"one\""));
    assert!(!ask("Thu, 01 Jan 2026 00:00:00 GMT"));
    // Once something was received, the rest of it is asked for, and nothing else.
    assert!(ask("\"old\""));
    assert_eq!(bytes, body());
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests[1].contains("if-none-match: \"one\""));
    assert!(requests[2].contains("if-modified-since: thu, 01 jan 2026"));
    assert!(requests[3].contains("if-none-match: \"old\""));
    assert!(!requests[4].contains("if-none-match") && requests[4].contains("range: bytes="));
}

#[test]
fn more_than_there_is_begins_again() {
    let server = Server::start(b"short", [Act::Serve]);
    let outcome = fetch(&server, &body(), None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, b"short");
}

#[test]
fn a_part_from_somewhere_else_is_not_taken() {
    let server = Server::start(&body(), [Act::WrongPart, Act::Serve]);
    let outcome = fetch(&server, &body()[..10], None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, body());
}

#[test]
fn a_length_that_is_too_large_is_an_error_in_the_end() {
    let honest_at_last = Server::start(&body(), [Act::LieBy(10), Act::Serve]);
    let outcome = fetch(&honest_at_last, b"", None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, body());
    let server = Server::start(&body(), [Act::LieBy(10)]);
    let outcome = fetch(
        &server,
        b"",
        None,
        Retry {
            attempts: 3,
            ..Retry::default()
        },
    );
    assert!(outcome.result.is_err());
    assert!(server.requests().len() <= 6, "{}", server.requests().len());
}

#[test]
fn a_length_that_is_too_small_cuts_the_body() {
    let server = Server::start(&body(), [Act::Understate(7)]);
    let outcome = fetch(&server, b"", None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.bytes, body()[..body().len() - 7]);
}

#[test]
fn a_server_that_asks_to_wait_is_obeyed() {
    let busy = Act::Status(503, "Retry-After: 7\r\n".to_owned());
    let server = Server::start(&body(), [busy, Act::Serve]);
    let outcome = fetch(&server, b"", None, Retry::default());
    outcome.result.unwrap();
    assert_eq!(outcome.slept, Duration::from_secs(7));
}

#[test]
fn waits_grow_and_end() {
    let server = Server::start(&body(), [Act::Status(500, String::new())]);
    let outcome = fetch(&server, b"", None, Retry::default());
    assert!(matches!(
        outcome.result,
        Err(Error::Status { status: 500, .. })
    ));
    assert_eq!(server.requests().len(), 5);
    assert_eq!(
        outcome.slept,
        Duration::from_millis(500 + 1000 + 2000 + 4000)
    );
}

#[test]
fn what_will_not_change_is_not_repeated() {
    for status in [400, 401, 403, 404, 410] {
        let server = Server::start(&body(), [Act::Status(status, String::new())]);
        let outcome = fetch(&server, b"", None, Retry::default());
        assert!(matches!(outcome.result, Err(Error::Status { status: got, .. }) if got == status));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_host_without_a_name_fails_fast() {
    let address: Address = "http://no-such-host.invalid/x".parse().unwrap();
    let error = client().get(&address, &Request::all(10)).unwrap_err();
    assert!(matches!(error, Error::UnknownHost { .. }), "{error:?}");
    assert_eq!(error.transience(), Transience::Once);
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let address: Address = format!("http://{closed}/").parse().unwrap();
    let error = client().get(&address, &Request::all(10)).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[test]
fn a_body_is_bounded_whether_its_length_is_told_or_not() {
    let told = Server::start(&body(), [Act::Serve]);
    let endless = Server::start(b"", [Act::Endless]);
    for server in [told, endless] {
        let address = server.url("/").parse().unwrap();
        let result = client()
            .get(&address, &Request::all(1000))
            .and_then(boltworks_net::Response::read_all);
        assert!(
            matches!(result, Err(Error::TooLarge { max: 1000, .. })),
            "{result:?}"
        );
    }
    let endless = Server::start(b"", [Act::Endless]);
    let outcome = fetch(&endless, b"", None, Retry::default());
    assert!(
        matches!(outcome.result, Err(Error::TooLarge { .. })),
        "{:?}",
        outcome.result
    );
    assert!(outcome.bytes.len() <= 1 << 20);
}

#[test]
fn a_credential_stays_with_its_origin() {
    let other = Server::start(b"there", [Act::Serve]);
    let redirect = Act::Status(302, format!("Location: {}\r\n", other.url("/there")));
    let server = Server::start(b"here", [redirect]);
    let address: Address = server.url("/").parse().unwrap();
    let secret = Secret::new("Bearer hunter2".to_owned());
    let credential = OriginBoundCredential::new(address.origin().clone(), secret);
    let request = Request {
        credential: Some(&credential),
        ..Request::all(100)
    };
    let response = client().get(&address, &request).unwrap();
    assert_eq!(response.address.to_string(), other.url("/there"));
    assert_eq!(response.read_all().unwrap(), b"there");
    assert!(server.requests()[0].contains("authorization: bearer hunter2"));
    assert!(!other.requests()[0].contains("hunter2"));
    let foreign = client().get(&other.url("/").parse().unwrap(), &request);
    assert!(matches!(foreign, Err(Error::ForeignCredential { .. })));
}

#[test]
fn redirects_end() {
    let server = Server::start(b"", [Act::Status(301, "Location: /again\r\n".to_owned())]);
    let error = client()
        .get(&server.url("/").parse().unwrap(), &Request::all(10))
        .unwrap_err();
    assert!(matches!(error, Error::TooManyRedirects { .. }));
    assert_eq!(server.requests().len(), 11);
    let nowhere = Server::start(b"", [Act::Status(301, String::new())]);
    let error = client()
        .get(&nowhere.url("/").parse().unwrap(), &Request::all(10))
        .unwrap_err();
    assert!(matches!(error, Error::Nonsense { .. }));
}

#[test]
fn a_proxy_stands_before_what_it_is_set_for() {
    let proxy = Server::start(b"", [Act::Status(403, String::new())]);
    let server = Server::start(b"direct", [Act::Serve]);
    let environment = BTreeMap::from([("http_proxy".to_owned(), proxy.url(""))]);
    let through = Settings {
        proxies: Proxies::from_environment(&environment),
        ..Settings::default()
    };
    let address: Address = server.url("/").parse().unwrap();
    assert!(
        Client::new(through.clone())
            .get(&address, &Request::all(10))
            .is_err()
    );
    assert!(proxy.requests()[0].starts_with("connect 127.0.0.1:"));
    assert!(server.requests().is_empty());
    let mut around = through;
    around.proxies.except.push("127.0.0.1".to_owned());
    let response = Client::new(around)
        .get(&address, &Request::all(10))
        .unwrap();
    assert_eq!(response.read_all().unwrap(), b"direct");
}

#[test]
fn a_pressed_button_ends_the_waiting() {
    let server = Server::start(b"", [Act::Status(503, String::new())]);
    let clock = Sleepless::default();
    let cancel = Cancel::default();
    cancel.press();
    let ambient = Ambient {
        clock: &clock,
        entropy: &NoEntropy,
        sink: &(),
        cancel: &cancel,
    };
    let address = server.url("/").parse().unwrap();
    let result = Retry::default().run(&ambient, || {
        client().get(&address, &Request::all(10)).map(drop)
    });
    assert!(matches!(result, Err(Error::Cancelled(_))));
    assert!(server.requests().is_empty());
}
