//! Clients that are slow, greedy, or leave.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use boltworks_serve::Limits;

use crate::Server;
use crate::client::get;
use crate::fixture::Factory;

/// A factory with an image of one layer of this size, and the path of that layer.
fn with_layer(size: usize) -> (Factory, String) {
    let mut factory = Factory::new();
    let image = factory.image("web", &vec![7; size]);
    factory.release_image("web:1", &image);
    let path = format!("/v2/web/blobs/{}", image.parts.layers[0].digest.prefixed());
    (factory, path)
}

fn start(factory: &Factory, limits: Limits) -> Server {
    Server::start(factory.folder.path().to_owned(), limits)
}

/// A connection that gives up after half a minute.
fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}

fn request(stream: &mut TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
}

/// Everything until the server ends the connection, even by force.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return bytes,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(reason) if reason.kind() == std::io::ErrorKind::ConnectionReset => return bytes,
            Err(reason) => panic!("the server does not end the connection: {reason}"),
        }
    }
}

#[test]
fn who_is_slow_with_the_head_is_left() {
    let (factory, _) = with_layer(10);
    let head = Duration::from_millis(300);
    let server = start(
        &factory,
        Limits {
            head,
            ..Limits::default()
        },
    );
    for beginning in [
        "",
        "GET /v2/ HTTP/1.1\r\n",
        "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut stream = connect(&server);
        stream.write_all(beginning.as_bytes()).unwrap();
        let answer = String::from_utf8(rest(&mut stream)).unwrap();
        assert_eq!(
            answer.starts_with("HTTP/1.1 200"),
            beginning.ends_with("\r\n\r\n"),
            "{answer}"
        );
    }
    // One byte at a time buys no time.
    let mut stream = connect(&server);
    let mut sent = 0;
    for byte in b"GET /v2/ HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        .iter()
        .cycle()
    {
        if stream.write_all(&[*byte]).is_err() || sent > 200 {
            break;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(sent < 100, "{sent} bytes");
}

#[test]
fn who_still_sends_gets_the_whole_answer() {
    let (factory, _) = with_layer(10);
    let server = Server::of(&factory);
    let size = 20_000_000;
    let mut stream = connect(&server);
    write!(
        stream,
        "POST /v2/web/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    )
    .unwrap();
    // The answer is there before the body is.
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(&vec![b'x'; size]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert!(answer.contains("UNSUPPORTED"), "{answer}");
}

#[test]
fn who_sends_for_ever_is_left() {
    let (factory, _) = with_layer(10);
    let server = Server::of(&factory);
    let mut stream = connect(&server);
    write!(
        stream,
        "POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"
    )
    .unwrap();
    let begin = std::time::Instant::now();
    while stream.write_all(&[b'x'; 4096]).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_head_has_a_size() {
    let (factory, _) = with_layer(10);
    let server = Server::of(&factory);
    let many = "a: b\r\n".repeat(1000);
    let long = format!("a: {}\r\n", "b".repeat(100_000));
    for lines in [many, long] {
        let mut stream = connect(&server);
        write!(stream, "GET /v2/ HTTP/1.1\r\n{lines}\r\n").unwrap_or_default();
        let answer = String::from_utf8(rest(&mut stream)).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 431") || answer.is_empty(),
            "{answer}"
        );
    }
    let mut stream = connect(&server);
    stream
        .write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        .unwrap();
    assert!(
        String::from_utf8(rest(&mut stream))
            .unwrap()
            .starts_with("HTTP/1.1 400")
    );
    assert_eq!(get(&server, "/v2/").status, 200);
}

#[test]
fn who_takes_nothing_is_left() {
    let (factory, path) = with_layer(40_000_000);
    let stall = Duration::from_millis(300);
    let server = start(
        &factory,
        Limits {
            stall,
            connections: 1,
            ..Limits::default()
        },
    );
    let mut stalled = connect(&server);
    request(&mut stalled, &path);
    std::thread::sleep(stall * 2);
    // There is one place, so this is answered only after the other was left.
    assert_eq!(get(&server, "/v2/").status, 200);
    assert!(rest(&mut stalled).len() < 40_000_000);
}

#[test]
fn more_connections_than_places_wait() {
    let (factory, _) = with_layer(10);
    let server = start(
        &factory,
        Limits {
            connections: 2,
            ..Limits::default()
        },
    );
    let first = connect(&server);
    let second = connect(&server);
    let mut third = connect(&server);
    request(&mut third, "/v2/");
    third
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(third.read(&mut [0; 10]).is_err());
    drop((first, second));
    third
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut answer = [0; 12];
    third.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[test]
fn who_leaves_early_harms_nobody() {
    let (factory, path) = with_layer(5_000_000);
    let server = Server::of(&factory);
    for number in 0..50 {
        let mut stream = connect(&server);
        request(&mut stream, &path);
        if number % 2 == 0 {
            stream.read_exact(&mut [0; 1000]).unwrap();
        }
        stream.shutdown(Shutdown::Both).unwrap();
    }
    assert_eq!(get(&server, &path).status, 200);
}

#[test]
fn a_server_that_ends_finishes_what_it_began() {
    let (factory, path) = with_layer(30_000_000);
    let mut server = Server::of(&factory);
    let mut idle = connect(&server);
    request(&mut idle, "/v2/");
    idle.read_exact(&mut [0; 12]).unwrap();
    let mut running = connect(&server);
    request(&mut running, &path);
    running.read_exact(&mut [0; 1000]).unwrap();
    server.ask_to_stop();
    rest(&mut idle);
    std::thread::sleep(Duration::from_millis(100));
    assert!(
        TcpStream::connect(server.address).is_err(),
        "the server still listens"
    );
    let taken = rest(&mut running).len();
    assert!(taken > 30_000_000 - 1000, "{taken} bytes");
    server.wait();
}

#[test]
fn a_server_that_ends_does_not_wait_for_ever() {
    let (factory, path) = with_layer(30_000_000);
    let grace = Duration::from_millis(200);
    let mut server = start(
        &factory,
        Limits {
            grace,
            ..Limits::default()
        },
    );
    let mut stalled = connect(&server);
    request(&mut stalled, &path);
    stalled.read_exact(&mut [0; 1000]).unwrap();
    server.ask_to_stop();
    server.wait();
    assert!(rest(&mut stalled).len() < 30_000_000);
}
