//! Requests that two readers may read differently, on raw connections: refused, or read in the one
//! way that leaves nothing behind for another request.

use std::time::Duration;

use http::Request;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    door::{Door, Setting},
    pages,
};

/// Answers of a connection that is written to once and stays open for more.
async fn answers(door: &Door, bytes: &[u8]) -> (Vec<u16>, bool) {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut heard = Vec::new();
    let closed = loop {
        let mut piece = [0; 4096];
        match timeout(Duration::from_millis(300), stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(read)) => heard.extend_from_slice(&piece[..read]),
            Err(_) => break false,
        }
    };
    let text = String::from_utf8_lossy(&heard).into_owned();
    let lines = text.split("HTTP/1.").skip(1);
    (lines.map(|it| it[2..5].parse().unwrap()).collect(), closed)
}

/// A request with `headers` for what answers 200, and a second one that must not be reached
/// unless the first is well-formed.
fn twice(headers: &str, body: &str) -> String {
    let second = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    format!(
        "POST /loop.clinical.v1.ClinicalService/GetBiomarker HTTP/1.1\r\n{headers}\r\n{body}{second}"
    )
}

#[tokio::test]
async fn a_framing_that_can_be_doubted_is_refused_and_the_connection_with_it() {
    let door = Door::open().await;
    let host = "host: a\r\n";
    for (name, headers, body) in [
        ("two lengths", "content-length: 5\r\ncontent-length: 6\r\n", "hello"),
        ("a list of lengths", "content-length: 5, 5\r\n", "hello"),
        ("a negative length", "content-length: -1\r\n", ""),
        ("a signed length", "content-length: +5\r\n", "hello"),
        ("a length in hexadecimal", "content-length: 0x5\r\n", "hello"),
        ("an empty length", "content-length:\r\n", ""),
        ("a length beyond all", "content-length: 99999999999999999999\r\n", ""),
        ("a coding that is not chunked", "transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("chunked and not last", "transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"),
        ("identity", "transfer-encoding: identity\r\n", "0\r\n\r\n"),
        ("a folded line", "transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ("a folded line with a tab", "x: a\r\n\tb\r\n", ""),
        ("a space before the colon", "transfer-encoding : chunked\r\n", "0\r\n\r\n"),
        ("a tab before the colon", "content-length\t: 5\r\n", "hello"),
        ("a space before the name", " content-length: 5\r\n", "hello"),
        ("a line without a colon", "content-length\r\n", ""),
        ("an empty name", ": 5\r\n", ""),
        ("NUL in a value", "x: a\0b\r\n", ""),
        ("NUL in a name", "x\0y: a\r\n", ""),
        ("a bare CR in a value", "x: a\rtransfer-encoding: chunked\r\n", ""),
        ("a control character", "x: a\x01b\r\n", ""),
        ("a quoted coding", "transfer-encoding: \"chunked\"\r\n", "0\r\n\r\n"),
        ("a vertical tab", "transfer-encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    ] {
        let request = twice(&format!("{host}{headers}"), body);
        assert_eq!(answers(&door, request.as_bytes()).await, (vec![400], true), "{name}");
    }
    let old = "POST /healthz HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(answers(&door, old.as_bytes()).await, (vec![400], true), "chunks in HTTP/1.0");
}

#[tokio::test]
async fn codings_beside_chunked_are_refused() {
    let door = Door::open().await;
    for headers in [
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: identity, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: , chunked\r\n",
    ] {
        let request = twice(&format!("host: a\r\n{headers}"), "0\r\n\r\n");
        let (statuses, _) = answers(&door, request.as_bytes()).await;
        assert_eq!(statuses.first(), Some(&400), "{headers}");
    }
}

#[tokio::test]
async fn a_length_beside_chunks_counts_for_nothing_and_ends_the_connection() {
    let door = Door::open().await;
    for headers in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\ncontent-length: 6\r\n",
    ] {
        let request = twice(&format!("host: a\r\n{headers}"), "0\r\n\r\n");
        let (statuses, closed) = answers(&door, request.as_bytes()).await;
        assert_eq!((statuses.len(), closed), (1, true), "{headers}: what follows is not heard");
    }
}

#[tokio::test]
async fn chunks_are_read_by_the_letter() {
    let door = Door::open().await;
    let head = "POST /v1/oauth/token HTTP/1.1\r\nhost: a\r\n\
                content-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n\r\n";
    for (name, chunks) in [
        ("a size beyond all", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("a size of a word and a half", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
        ("a size that ends in LF", "5\nhello\r\n0\r\n\r\n"),
        ("a chunk that ends in LF", "5\r\nhello\n0\r\n\r\n"),
        ("a chunk that is longer than it says", "4\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        ("an extension with LF", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("an end without CR", "5\r\nhello\r\n0\n\n"),
    ] {
        let second = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
        let request = format!("{head}{chunks}{second}");
        let (statuses, closed) = answers(&door, request.as_bytes()).await;
        assert!(!statuses.contains(&200) && closed, "{name}: {statuses:?} {closed}");
        assert!(statuses.len() <= 1, "{name}: {statuses:?}");
    }
}

#[tokio::test]
async fn one_host_is_named_and_it_is_one() {
    let door = Door::open().await;
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n", 200),
        ("GET http://a/healthz HTTP/1.1\r\nhost: A\r\n\r\n", 200),
        ("GET http://a/healthz HTTP/1.1\r\nhost: b\r\n\r\n", 400),
        ("GET http://a:81/healthz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET http://a/healthz HTTP/1.1\r\n\r\n", 400),
        ("GET http://u@a/healthz HTTP/1.1\r\nhost: u@a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a, b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a/b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: u@a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a?b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a#b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: \u{e4}\r\n\r\n", 400),
        ("GET healthz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET  /healthz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1 \r\nhost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/1.2\r\nhost: a\r\n\r\n", 400),
        ("GET /healthz HTTP/2.0\r\nhost: a\r\n\r\n", 400),
        ("GET /healthz\r\nhost: a\r\n\r\n", 400),
        ("GET /heal\0thz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("G@T /healthz HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 404),
    ] {
        let answer = door.raw(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
}

/// RFC 9112 section 2.2 allows it. What it separates is seen, by these rules, for what it is.
#[tokio::test]
async fn a_bare_line_feed_ends_a_line_and_hides_none() {
    let door = Door::open().await;
    for (request, status) in [
        ("GET /healthz HTTP/1.1\nhost: a\n\n", 200),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\nhost: b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\ntransfer-encoding: x\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\n b\r\n\r\n", 400),
    ] {
        let answer = door.raw(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
}

#[tokio::test]
async fn nothing_is_upgraded_but_a_websocket() {
    let door = Door::open().await;
    let request = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\n\
                   upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    assert_eq!(answers(&door, request.as_bytes()).await.0, [200]);
}

#[tokio::test]
async fn a_name_that_another_reader_may_take_for_ours_does_not_go_on() {
    let (door, seen) = pages::door_of(Setting::new()).await;
    let request = Request::get("/sign-in")
        .header("x_forwarded_for", "203.0.113.9")
        .header("X_Real_Ip", "203.0.113.9")
        .header("accept", "text/html");
    assert_eq!(door.send(request, "").await.status, 200);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen["accept"], "text/html");
    assert!(!seen.keys().any(|it| it.as_str().contains('_')), "{seen:?}");
}

/// One frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A literal field that is not indexed (RFC 7541 section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |it: &str| [&[u8::try_from(it.len()).unwrap()], it.as_bytes()].concat();
    [&[0], &*text(name), &*text(value)].concat()
}

/// What comes of one request by HTTP/2: its status, or none if it was reset.
async fn over_http2(door: &Door, fields: &[(&str, &str)]) -> Option<u16> {
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let bytes = [preface, frame(4, 0, 0, &[]), frame(1, 5, 1, &block)].concat();
    stream.write_all(&bytes).await.unwrap();
    loop {
        let mut head = [0; 9];
        let read = timeout(Duration::from_secs(5), stream.read_exact(&mut head));
        read.await.expect("an answer").ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.ok()?;
        match (head[3], payload.first()) {
            // The status stands first: one of the static table, or a literal.
            (1, Some(0x88)) => return Some(200),
            (1, Some(0x8c)) => return Some(400),
            (1, Some(0x8d)) => return Some(404),
            (1, Some(other)) => return Some(u16::from(*other)),
            (3 | 7, _) => return None,
            _ => {}
        }
    }
}

#[tokio::test]
async fn http_2_has_the_same_rules_in_its_own_words() {
    let door = Door::open().await;
    let get = [(":method", "GET"), (":scheme", "http"), (":path", "/healthz"), (":authority", "a")];
    let with = |more: &[(&'static str, &'static str)]| [&get[..], more].concat();
    let instead = |name: &str, value: &'static str| {
        get.map(|it| if it.0 == name { (it.0, value) } else { it }).to_vec()
    };
    assert_eq!(over_http2(&door, &get).await, Some(200));
    assert_eq!(over_http2(&door, &with(&[("host", "a"), ("te", "trailers")])).await, Some(200));
    for (name, fields) in [
        ("connection", with(&[("connection", "close")])),
        ("keep-alive", with(&[("keep-alive", "timeout=5")])),
        ("proxy-connection", with(&[("proxy-connection", "close")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("upgrade", with(&[("upgrade", "h2c")])),
        ("te", with(&[("te", "gzip")])),
        ("another host", with(&[("host", "b")])),
        ("two hosts", with(&[("host", "a"), ("host", "a")])),
        ("upper case", with(&[("X-Upper", "a")])),
        ("a space in a name", with(&[("a b", "c")])),
        ("a colon in a name", with(&[("a:b", "c")])),
        ("a line break", with(&[("x", "a\r\nb: c")])),
        ("NUL", with(&[("x", "a\0b")])),
        ("a pseudo-header after the others", with(&[("x", "a"), (":path", "/v1")])),
        ("a pseudo-header twice", with(&[(":path", "/v1")])),
        ("an unknown pseudo-header", with(&[(":status", "200")])),
        ("a length that is not that of the body", with(&[("content-length", "5")])),
        ("two lengths", with(&[("content-length", "0"), ("content-length", "1")])),
        ("a path without a slash", instead(":path", "healthz")),
        ("an empty path", instead(":path", "")),
        ("a path with a space", instead(":path", "/heal thz")),
        ("a person in the authority", instead(":authority", "u@a")),
        ("a path in the authority", instead(":authority", "a/b")),
        ("a method that is none", instead(":method", "G@T")),
        ("no path", get.into_iter().filter(|it| it.0 != ":path").collect()),
        ("no method", get.into_iter().filter(|it| it.0 != ":method").collect()),
        ("no host", get.into_iter().filter(|it| it.0 != ":authority").collect()),
    ] {
        let status = over_http2(&door, &fields).await;
        assert!(matches!(status, None | Some(400)), "{name}: {status:?}");
    }
}
