//! WebSockets, with a client that nobody here wrote.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest as _},
};

use super::{
    door::{Door, Setting, until},
    probe,
};

type Client = WebSocketStream<TcpStream>;

async fn dial(door: &Door, path: &str) -> Result<Client, tungstenite::Error> {
    let token = door.prober();
    let mut request = format!("ws://loop.test{path}").into_client_request().unwrap();
    let protocols = format!("loop.v1, bearer.{token}").parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    let stream = TcpStream::connect(door.address).await.unwrap();
    let (client, response) = client_async(request, stream).await?;
    assert_eq!(response.headers()["sec-websocket-protocol"], "loop.v1");
    assert!(response.headers().get("loop-secret").is_none());
    Ok(client)
}

async fn say(client: &mut Client, text: &str) {
    client.send(Message::text(text)).await.unwrap();
}

async fn hear(client: &mut Client) -> Value {
    match client.next().await.unwrap().unwrap() {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("no text: {other:?}"),
    }
}

/// The code of the close frame that comes next.
async fn closed(client: &mut Client) -> u16 {
    match client.next().await.unwrap().unwrap() {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("not closed: {other:?}"),
    }
}

#[tokio::test]
async fn each_frame_is_a_message_and_an_empty_one_ends_them() {
    let (door, _) = probe::open().await;
    let mut client = dial(&door, "/v1/probe/rooms/red/chat").await.unwrap();
    for text in ["a", "b"] {
        say(&mut client, &json!({"text": text}).to_string()).await;
        let heard = hear(&mut client).await;
        assert_eq!(heard["text"], text);
        // The path belongs to the first message.
        assert_eq!(heard["room"] == "red", text == "a");
    }
    say(&mut client, "").await;
    assert_eq!(closed(&mut client).await, 1000);
}

#[tokio::test]
async fn a_stream_down_needs_no_message_up() {
    let (door, probe) = probe::open().await;
    let mut client = dial(&door, "/v1/probe/watch/hi?count=1").await.unwrap();
    assert_eq!(hear(&mut client).await["text"], "hi");
    assert_eq!(closed(&mut client).await, 1000);
    let mut client = dial(&door, "/v1/probe/watch/hi?hangs=true").await.unwrap();
    client.close(None).await.unwrap();
    until("the call to end", || probe.gone() == 1).await;
}

#[tokio::test]
async fn one_answer_follows_the_last_message() {
    let (door, _) = probe::open().await;
    let mut client = dial(&door, "/v1/probe/collect").await.unwrap();
    for text in ["a", "b"] {
        say(&mut client, &json!({"text": text}).to_string()).await;
    }
    say(&mut client, "").await;
    assert_eq!(hear(&mut client).await["text"], "ab");
    assert_eq!(closed(&mut client).await, 1000);
}

#[tokio::test]
async fn a_failure_is_a_message_and_a_code() {
    let (door, _) = probe::open().await;
    for (sent, error, code) in [
        (json!({"text": "missing"}), "not_found", 4404),
        (json!({"texd": "a"}), "validation_error", 4400),
    ] {
        let mut client = dial(&door, "/v1/probe/rooms/red/chat").await.unwrap();
        say(&mut client, &sent.to_string()).await;
        assert_eq!(hear(&mut client).await["error"], error);
        assert_eq!(closed(&mut client).await, code);
    }
    let mut client = dial(&door, "/v1/probe/rooms/red/chat").await.unwrap();
    client.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(hear(&mut client).await["error"], "validation_error");
    assert_eq!(closed(&mut client).await, 4400);
}

#[tokio::test]
async fn a_refusal_comes_before_the_switch() {
    let (door, _) = probe::open().await;
    // What does not stream is no socket, so the subprotocol is no token there.
    for (path, status) in [("/v1/probe/watch/refuse", 404), ("/v1/probe/echo/a", 401)] {
        match dial(&door, path).await {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), status),
            other => panic!("{path}: {:?}", other.err()),
        }
    }
    let request = "ws://loop.test/v1/probe/watch/hi".into_client_request().unwrap();
    let stream = TcpStream::connect(door.address).await.unwrap();
    match client_async(request, stream).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 401),
        other => panic!("{:?}", other.err()),
    }
}

#[tokio::test]
async fn a_socket_ends_at_its_limit_and_when_the_gateway_does() {
    let mut setting = Setting::new();
    setting.config.limits.stream = Duration::from_millis(500);
    let (door, probe) = probe::open_with(setting).await;
    let mut client = dial(&door, "/v1/probe/watch/hi?hangs=true").await.unwrap();
    assert_eq!(hear(&mut client).await["error"], "deadline_exceeded");
    assert_eq!(closed(&mut client).await, 4504);
    until("the call to end", || probe.gone() == 1).await;
    let (door, _) = probe::open().await;
    let mut client = dial(&door, "/v1/probe/watch/hi?hangs=true").await.unwrap();
    door.shutdown.cancel();
    assert_eq!(hear(&mut client).await["error"], "unavailable");
    assert_eq!(closed(&mut client).await, 4503);
}
