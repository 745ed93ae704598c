//! A stream over a WebSocket (RFC 6455): each text frame is the JSON of one message.
//!
//! An empty text frame ends the caller's messages; closing the socket ends the call. A failure is
//! one last text frame, then a close frame whose code is 4000 plus the HTTP status.

mod source;

use std::{future::Future, pin::Pin, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use kit::{
    Error,
    layers::{Receipt, owes_receipt},
};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, interval_at, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tonic::{Status, body::Body};
use transcode::PrintOptions;

use super::{Ongoing, pass_back, rest, shutting_down, too_late, uplink};
use crate::{grpc::Messages, layers::wording};
use source::Received;

/// The subprotocol that is spoken, for clients that name one.
const SUBPROTOCOL: &str = "loop.v1";

/// Browsers cannot set headers of a WebSocket: they send their token as a subprotocol.
const BEARER: &str = "bearer.";

/// How often the other side is asked for a sign of life; without one in between the socket ends.
const PING: Duration = Duration::from_secs(20);

/// How long one frame may take to be sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the switch of protocols waits for the service, so that a call that fails at once
/// gets the status of its failure.
const HELD: Duration = Duration::from_millis(250);

/// Messages that wait to be sent to the service.
const WAITING: usize = 16;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What a service answers, begun or not.
enum Answer {
    Awaited(Pin<Box<dyn Future<Output = Result<Messages, Status>> + Send>>),
    Begun(Box<Messages>),
}

/// A socket and the call that it carries.
struct Conversation {
    ongoing: Ongoing,
    print: PrintOptions,
    answer: Answer,
    /// None when the caller has said all.
    messages: Option<mpsc::Sender<Utf8Bytes>>,
    fault: uplink::Fault,
    /// Whether the audit receipt is still to come.
    owes_receipt: bool,
}

/// How a conversation ends.
enum End {
    /// The other side is gone, or says so.
    Gone,
    /// The service has said all.
    Done,
    Failed(Status),
}

/// The bearer token among the subprotocols that a request offers.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<HeaderValue> {
    let token = subprotocols(headers).find_map(|it| it.strip_prefix(BEARER))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    offered.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(',')).map(str::trim)
}

/// Begins the call, then switches protocols: a refusal still has a status of its own.
pub(crate) async fn call(mut ongoing: Ongoing) -> Result<Response<Body>, Status> {
    let mut response = switching(&ongoing.head.headers)?;
    let preference = ongoing.preference()?;
    preference.tell(response.headers_mut());
    let upgrade = ongoing.head.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade.ok_or_else(|| malformed("upgrade", "must come over HTTP/1.1"))?;
    let (messages, received) = mpsc::channel(WAITING);
    let (body, fault) = uplink::body(Received::new(&ongoing, received));
    let sent = ongoing.sending(body);
    let mut answer = Answer::Awaited(Box::pin(async move { Messages::open(sent.await?) }));
    let mut owes_receipt = true;
    // A service that reads before it answers answers later, when the socket is open.
    if let Ok(begun) = timeout(HELD, answer.begin()).await {
        let begun = begun.map_err(|it| fault.or(it))?;
        pass_back(ongoing.metadata(), &begun.headers, &mut response);
        owes_receipt = false;
    } else {
        response.extensions_mut().insert(Receipt::Due);
    }
    let print = preference.print;
    let conversation =
        Conversation { ongoing, print, answer, messages: Some(messages), fault, owes_receipt };
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => conversation.run(upgraded).await,
            Err(cause) => tracing::debug!(%cause, "a socket was not opened"),
        }
    });
    Ok(response)
}

/// The answer that switches protocols, by RFC 6455 section 4.2.2.
fn switching(headers: &HeaderMap) -> Result<Response<Body>, Error> {
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|it| it != "13") {
        return Err(malformed("sec-websocket-version", "must be 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| malformed("sec-websocket-key", "must be sent"))?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::SEC_WEBSOCKET_ACCEPT, accept.expect("base64 is ASCII"));
    if subprotocols(headers).any(|it| it == SUBPROTOCOL) {
        let spoken = HeaderValue::from_static(SUBPROTOCOL);
        answer.insert(header::SEC_WEBSOCKET_PROTOCOL, spoken);
    }
    Ok(response)
}

fn malformed(header: &str, rule: &str) -> Error {
    Error::invalid("MALFORMED_REQUEST", header, rule)
}

impl Answer {
    async fn begin(&mut self) -> Result<&mut Messages, Status> {
        if let Self::Awaited(answer) = self {
            *self = Self::Begun(Box::new(answer.as_mut().await?));
        }
        match self {
            Self::Begun(messages) => Ok(messages),
            Self::Awaited(_) => unreachable!("it has just begun"),
        }
    }
}

impl Conversation {
    async fn run(mut self, upgraded: Upgraded) {
        let largest = self.ongoing.largest_body();
        let config = WebSocketConfig::default()
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest))
            .max_write_buffer_size(2 * largest.max(1 << 20));
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        let end = self.converse(&mut socket).await;
        if timeout(PATIENCE, self.close(&mut socket, end)).await.is_err() {
            tracing::debug!("a socket was not closed in time");
        }
    }

    async fn converse(&mut self, socket: &mut Socket) -> End {
        let until = self.ongoing.deadline();
        let closing = self.ongoing.parts.closing.clone();
        let mut pings: Interval = interval_at(Instant::now() + PING, PING);
        let mut is_alive = true;
        loop {
            let step = tokio::select! {
                () = closing.cancelled() => Err(End::Failed(shutting_down())),
                () = sleep_until(until) => Err(End::Failed(too_late())),
                _ = pings.tick() => match std::mem::take(&mut is_alive) {
                    true => send(socket, Message::Ping(Default::default())).await,
                    false => Err(End::Gone),
                },
                answer = next(&mut self.answer, &mut self.owes_receipt, self.ongoing.called().method) => {
                    match answer {
                        Ok(Some(message)) => match self.worded(&message) {
                            Ok(text) => send(socket, Message::Text(text)).await,
                            Err(failure) => Err(End::Failed(failure)),
                        },
                        Ok(None) => Err(End::Done),
                        Err(failure) => Err(End::Failed(self.fault.or(failure))),
                    }
                }
                received = receive(socket, &self.messages) => match received {
                    Some(message) => {
                        is_alive = true;
                        self.take(message)
                    }
                    None => Err(End::Gone),
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// What the caller sent goes to the service.
    fn take(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::Text(text) if text.is_empty() => self.messages = None,
            Message::Text(text) => {
                let Some(messages) = &self.messages else {
                    let rule = "must not be sent after the empty one that ends them";
                    return Err(End::Failed(malformed("messages", rule).into()));
                };
                // There is room: `receive` waited for it. A service that reads no more has closed.
                let _ = messages.try_send(text);
            }
            Message::Binary(_) => {
                let error =
                    Error::invalid("CONTENT_TYPE", "messages", "must be text frames of JSON");
                return Err(End::Failed(error.into()));
            }
            Message::Close(_) => return Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    fn worded(&self, message: &[u8]) -> Result<Utf8Bytes, Status> {
        let route = rest::route(&self.ongoing);
        let mut out = Vec::with_capacity(2 * message.len());
        route.element(message, self.print, &mut out).map_err(|it| rest::no_json(route, &it))?;
        let text = String::from_utf8(out);
        Ok(text.map_err(|it| Status::from(Error::internal(it)))?.into())
    }

    async fn close(self, socket: &mut Socket, end: End) {
        drop((self.answer, self.messages)); // Ends the call at the service, whoever stays here.
        let frame = match end {
            End::Gone => None,
            End::Done => Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }),
            End::Failed(failure) => {
                let Ongoing { parts, record, .. } = &self.ongoing;
                let worded = wording::platform(parts, record, &failure);
                let text = String::from_utf8_lossy(&worded.body).into_owned();
                let _ = socket.send(Message::Text(text.into())).await;
                let code = CloseCode::from(4000 + worded.status.as_u16());
                Some(CloseFrame { code, reason: "".into() })
            }
        };
        let _ = socket.close(frame).await;
        // Until the other side has closed as well: what is in flight would be lost to a reset.
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// The next answer of the service. A future that is dropped has lost nothing.
async fn next(
    answer: &mut Answer,
    owes: &mut bool,
    method: &'static contract::Method,
) -> Result<Option<bytes::Bytes>, Status> {
    let messages = answer.begin().await?;
    if std::mem::take(owes) && owes_receipt(method, &messages.headers) {
        return Err(Error::internal(anyhow::anyhow!("{} left no audit entry", method.path)).into());
    }
    messages.next().await
}

/// The next frame of the caller, when there is room for what it may hold.
async fn receive(socket: &mut Socket, room: &Option<mpsc::Sender<Utf8Bytes>>) -> Option<Message> {
    if let Some(messages) = room {
        let _ = messages.reserve().await;
    }
    socket.next().await?.ok()
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), End> {
    match timeout(PATIENCE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(protocols: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols.parse().unwrap());
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
        headers
    }

    #[test]
    fn a_token_may_come_as_a_subprotocol_and_is_not_repeated() {
        let headers = offering("loop.v1, bearer.lat_1");
        assert_eq!(bearer(&headers).unwrap(), "Bearer lat_1");
        let response = switching(&headers).unwrap();
        assert_eq!(response.headers()[header::SEC_WEBSOCKET_PROTOCOL], "loop.v1");
        assert_eq!(bearer(&offering("graphql-ws")), None);
    }

    #[test]
    fn the_accept_key_is_that_of_the_rfc() {
        let response = switching(&offering("x")).unwrap();
        assert_eq!(
            response.headers()[header::SEC_WEBSOCKET_ACCEPT],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert!(!response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn another_version_is_refused() {
        let mut headers = offering("x");
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("8"));
        assert!(switching(&headers).is_err());
    }
}
