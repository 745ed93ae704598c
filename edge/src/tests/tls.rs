//! TLS, with clients that check the certificate.

use std::{fs, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject as _},
        version::{TLS12, TLS13},
    },
};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use super::{
    door::{Answer, Door, Setting},
    probe::{self, json_of, wire},
};
use crate::{TlsFiles, grpc::frame};

/// A certificate on disk, and what a client must trust to accept it.
struct Issued {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl Issued {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = issue(&folder);
        Self { folder, certificate }
    }

    fn renew(&mut self) {
        self.certificate = issue(&self.folder);
    }

    fn setting(&self) -> Setting {
        let mut setting = Setting::new();
        setting.config.tls = Some(files(&self.folder));
        setting
    }

    fn connector(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        offer: &[u8],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols.extend((!offer.is_empty()).then(|| offer.to_vec()));
        Arc::new(config).into()
    }

    async fn dial(&self, door: &Door, offer: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        self.dial_as(door, &[&TLS13], offer).await
    }

    async fn dial_as(
        &self,
        door: &Door,
        versions: &[&'static SupportedProtocolVersion],
        offer: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(door.address).await.unwrap();
        let name = "loop.test".try_into().unwrap();
        self.connector(versions, offer).connect(name, stream).await
    }
}

fn files(folder: &TempDir) -> TlsFiles {
    TlsFiles { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") }
}

fn issue(folder: &TempDir) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["loop.test".to_owned()]).unwrap();
    let files = files(folder);
    fs::write(files.certificate, cert.pem()).unwrap();
    fs::write(files.key, signing_key.serialize_pem()).unwrap();
    CertificateDer::from_pem_slice(cert.pem().as_bytes()).unwrap()
}

async fn health(stream: TlsStream<TcpStream>) -> Answer {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/healthz").header("host", "loop.test");
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await;
    Answer::read(answer.unwrap()).await
}

/// Reads until the gateway closes, and gets nothing.
async fn closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
    let _ = read.await.expect("closed");
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn both_versions_of_tls_carry_http() {
    let issued = Issued::new();
    let door = issued.setting().open().await;
    for (version, offer) in [(&TLS12, &b""[..]), (&TLS13, b""), (&TLS13, b"http/1.1")] {
        let stream = issued.dial_as(&door, &[version], offer).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol().unwrap_or_default(), offer);
        assert_eq!(health(stream).await.status, 200);
    }
    assert!(issued.dial(&door, b"spdy/3").await.is_err(), "a protocol that nobody speaks");
    assert_eq!(TLS13.version, ProtocolVersion::TLSv1_3);
}

#[tokio::test]
async fn http_2_is_negotiated_and_carries_grpc() {
    let issued = Issued::new();
    let (door, _) = probe::open_with(issued.setting()).await;
    let stream = issued.dial(&door, b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let message = frame(&wire("EchoRequest", &json!({"text": "hi"})));
    let request = Request::post("https://loop.test/loop.probe.v1.ProbeService/Echo")
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(message));
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(json_of("EchoResponse", &body.to_bytes()[5..])["text"], "hi");
}

#[tokio::test]
async fn a_websocket_is_one_inside() {
    let issued = Issued::new();
    let (door, _) = probe::open_with(issued.setting()).await;
    let mut request = "wss://loop.test/v1/probe/rooms/red/chat".into_client_request().unwrap();
    let protocols = format!("loop.v1, bearer.{}", door.prober()).parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    let stream = issued.dial(&door, b"http/1.1").await.unwrap();
    let (mut client, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    client.send(Message::text(r#"{"text":"a"}"#)).await.unwrap();
    let heard = client.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(heard.contains(r#""text":"a""#), "{heard}");
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_no_connection_is_lost() {
    let mut issued = Issued::new();
    let door = issued.setting().open().await;
    let stream = issued.dial(&door, b"").await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async || {
        let request = Request::get("/healthz").header("host", "loop.test");
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let answer = Answer::read(sender.send_request(request).await.unwrap()).await;
        assert_eq!(answer.status, 200);
    };
    ask().await;
    issued.renew();
    let renewed = kit_test::eventually("the new certificate", || async {
        issued.dial(&door, b"").await.ok()
    });
    assert_eq!(health(renewed.await).await.status, 200);
    ask().await;
}

#[tokio::test]
async fn a_pair_that_cannot_be_used_opens_no_door() {
    let issued = Issued::new();
    fs::write(files(&issued.folder).key, "nothing").unwrap();
    let setting = issued.setting();
    let parts = setting.parts();
    let edge = crate::Edge::new(
        setting.config,
        &[&identity_contract::v1::PACKAGE],
        parts.mesh.clone(),
        parts.introspector.clone(),
        kit::OriginCheck::new(tower::service_fn(|_| std::future::ready(Ok(false)))),
        parts.cache.clone(),
        Bytes::new(),
    );
    let error = edge.err().unwrap().to_string();
    assert!(error.contains("tls.key: holds no private key; put it here"), "{error}");
}

#[tokio::test]
async fn whoever_speaks_plain_http_is_told() {
    let issued = Issued::new();
    let door = issued.setting().open().await;
    for request in ["GET / HTTP/1.1\r\nhost: loop.test\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let answer = door.raw(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\nThis port speaks HTTPS, not HTTP\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_slow_handshake_ends_and_takes_its_room_until_then() {
    let issued = Issued::new();
    let mut setting = issued.setting();
    setting.config.limits.head_timeout = Duration::from_millis(300);
    setting.config.limits.connections = 1;
    let door = setting.open().await;
    // Nothing, and the beginning of a handshake that never goes on.
    for bytes in [&b""[..], &[22, 3, 1, 2, 0]] {
        let mut slow = TcpStream::connect(door.address).await.unwrap();
        slow.write_all(bytes).await.unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(health(issued.dial(&door, b"").await.unwrap()).await.status, 200);
        assert!(began.elapsed() > Duration::from_millis(100), "it waited for room");
        closed(&mut slow).await;
    }
    // A handshake and then nothing.
    let mut silent = issued.dial(&door, b"").await.unwrap();
    closed(&mut silent).await;
}

#[tokio::test]
async fn the_end_of_the_gateway_ends_idle_connections() {
    let issued = Issued::new();
    let door = issued.setting().open().await;
    let mut idle = issued.dial(&door, b"http/1.1").await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: loop.test\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
    door.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), door.serving);
    ended.await.expect("it ends").unwrap();
}
