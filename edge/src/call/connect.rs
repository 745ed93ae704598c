//! The Connect protocol: unary calls as plain HTTP, streams as enveloped messages.
//! <https://connectrpc.com/docs/protocol>

mod failure;

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use futures::stream::unfold;
use http::{HeaderValue, Response, header};
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use kit::Error;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status, body::Body};
use transcode::{Message, Style, Unknown};

use super::{
    Ongoing,
    compression::{CONNECT, framed, next_frame, restored},
    metadata, pass_back, shutting_down, too_late,
    uplink::{self, Fault, Source},
};
use crate::{
    grpc::{self, Deframer, Messages},
    layers::coding::Coding,
    protocol::{Codec, Connect, Kind},
};

pub(crate) use failure::failure;

/// The flag of the envelope that ends a stream.
const END: u8 = 0x02;

/// The message of a GET may be padded or not.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) async fn call(
    ongoing: Ongoing,
    body: Body,
    how: Connect,
) -> Result<Response<Body>, Status> {
    let plan = ongoing.called().plan;
    let streams = plan.is_client_streaming() || plan.is_server_streaming();
    if streams != (how.kind == Kind::Stream) {
        return Err(wrong_kind(streams).into());
    }
    match how.kind {
        Kind::Stream => stream(ongoing, body, how.codec).await,
        Kind::Post => {
            let body = ongoing.read(body).await?;
            unary(ongoing, body, how.codec).await
        }
        Kind::Get if ongoing.called().method.writes() => {
            Err(Error::invalid("HTTP_METHOD", "method", "must be POST for what changes something")
                .into())
        }
        Kind::Get => {
            let most = ongoing.largest_body();
            let body = in_query(ongoing.head.uri.query().unwrap_or_default(), most)?;
            unary(ongoing, body, how.codec).await
        }
    }
}

fn wrong_kind(streams: bool) -> Error {
    let rule = match streams {
        true => "must be application/connect+json or application/connect+proto for a stream",
        false => "must be application/json or application/proto for a single message",
    };
    Error::invalid("CONTENT_TYPE", "content-type", rule)
        .with("http_status", "415")
        .with("error", "unsupported_media_type")
}

async fn unary(ongoing: Ongoing, body: Bytes, codec: Codec) -> Result<Response<Body>, Status> {
    let plan = ongoing.called().plan;
    let message = to_wire(plan.input(), codec, &body)?;
    let answer = grpc::Answer::read(ongoing.send(&message).await?).await?;
    let body = from_wire(plan.output(), codec, answer.message)?;
    let mut response = Response::new(Body::new(Full::new(body)));
    let content_type = HeaderValue::from_static(codec.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    let metadata = plan.metadata();
    pass_back(metadata, &answer.headers, &mut response);
    metadata::prefixed(metadata, &answer.trailers, response.headers_mut());
    Ok(response)
}

/// The message of a GET, of at most `most` bytes.
fn in_query(query: &str, most: usize) -> Result<Bytes, Error> {
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(it, _)| it == name).map(|(_, value)| value)
    };
    let message = value("message").unwrap_or_default();
    let message = match value("base64").as_deref() {
        Some("1") => URL_SAFE
            .decode(&*message)
            .map_err(|_| Error::invalid("BODY_ENCODING", "message", "must be base64url"))?,
        _ => message.into_owned().into_bytes(),
    };
    match value("compression").as_deref() {
        None | Some("" | "identity") => Ok(message.into()),
        Some(name) => Coding::named(name).ok_or_else(unspoken)?.decode(&message, most),
    }
}

fn unspoken() -> Error {
    let message = "compression must be gzip, br, zstd or identity";
    Error::new(Code::Unimplemented, "CONTENT_ENCODING", message)
}

fn to_wire<'b>(
    message: Message<'_>,
    codec: Codec,
    body: &'b [u8],
) -> Result<Cow<'b, [u8]>, Status> {
    match codec {
        // The service reads the wire as strictly as anybody could here.
        Codec::Proto => Ok(body.into()),
        Codec::Json => message
            .to_wire(body, Style::Canonical, Unknown::Ignore)
            .map(Cow::from)
            .map_err(|error| grpc::status(&(&error).into())),
    }
}

fn from_wire(message: Message<'_>, codec: Codec, wire: Bytes) -> Result<Bytes, Status> {
    match codec {
        Codec::Proto => Ok(wire),
        Codec::Json => message.to_json(&wire, Style::Canonical).map(Bytes::from).map_err(|error| {
            tracing::error!(message = message.full_name(), cause = %error, "no JSON");
            grpc::status(&(&error).into())
        }),
    }
}

async fn stream(ongoing: Ongoing, body: Body, codec: Codec) -> Result<Response<Body>, Status> {
    let coding = CONNECT.sent(&ongoing.head.headers)?;
    let accepted = CONNECT.accepted(&ongoing.head.headers);
    let plan = ongoing.called().plan;
    let largest = ongoing.largest_body();
    let (deframer, input) = (Deframer::new(largest), plan.input());
    let source = Enveloped { body, deframer, coding, largest, codec, input };
    let (answer, fault) = if plan.is_client_streaming() {
        let (body, fault) = uplink::body(source);
        (ongoing.send_body(body).await, fault)
    } else {
        (ongoing.send_whole(only(source).await?).await, Fault::default())
    };
    let answer = answer.map_err(|it| fault.or(it))?;
    let messages = Messages::open(answer).map_err(|it| fault.or(it))?;
    let headers = messages.headers.clone();
    let until = ongoing.deadline();
    let sending = Sending { ongoing, messages, fault, codec, accepted, until, ended: false };
    let mut response = Response::new(sending.body());
    let content_type = HeaderValue::from_static(codec.stream_content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if let Some(coding) = accepted {
        CONNECT.tell(coding, response.headers_mut());
    }
    pass_back(plan.metadata(), &headers, &mut response);
    Ok(response)
}

/// The one message of a request that is no stream, framed.
async fn only(mut source: Enveloped) -> Result<Bytes, Status> {
    let rule = || Status::from(Error::invalid("BODY_INCOMPLETE", "body", "must be one message"));
    let message = source.next().await?.ok_or_else(rule)?;
    match source.next().await? {
        None => Ok(grpc::frame(&message)),
        Some(_) => Err(rule()),
    }
}

/// The messages of a caller's stream.
struct Enveloped {
    body: Body,
    deframer: Deframer,
    coding: Option<Coding>,
    largest: usize,
    codec: Codec,
    input: Message<'static>,
}

impl Source for Enveloped {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let frame = next_frame(&mut self.body, &mut self.deframer, self.largest).await?;
        let Some(frame) = frame else { return Ok(None) };
        let message = restored(self.coding, frame, self.largest)?;
        Ok(Some(to_wire(self.input, self.codec, &message)?.into_owned().into()))
    }
}

/// A stream that is being sent.
struct Sending {
    ongoing: Ongoing,
    messages: Messages,
    fault: Fault,
    codec: Codec,
    accepted: Option<Coding>,
    until: Instant,
    ended: bool,
}

impl Sending {
    fn body(self) -> Body {
        let pieces = unfold(self, |mut sending| async move {
            if sending.ended {
                return None;
            }
            let piece = sending.piece().await;
            Some((Ok::<_, Status>(Frame::data(piece)), sending))
        });
        Body::new(StreamBody::new(pieces))
    }

    async fn piece(&mut self) -> Bytes {
        let closing = self.ongoing.parts.closing.clone();
        let next = tokio::select! {
            () = closing.cancelled() => Err(shutting_down()),
            next = timeout_at(self.until, self.messages.next()) => {
                next.unwrap_or_else(|_| Err(too_late()))
            }
        };
        let output = self.ongoing.called().plan.output();
        let worded = match next {
            Ok(Some(message)) => from_wire(output, self.codec, message),
            Ok(None) => {
                self.ended = true;
                return failure::success(self.ongoing.metadata(), &self.messages.trailers);
            }
            Err(failure) => Err(self.fault.or(failure)),
        };
        match worded {
            Ok(message) => framed(self.accepted, message).await,
            Err(failure) => {
                self.ended = true;
                let Self { ongoing, messages, .. } = self;
                failure::broken(&ongoing.parts, &failure, ongoing.metadata(), &messages.trailers)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_get_is_text_or_base64() {
        let read = |query: &str| in_query(query, 10);
        assert_eq!(read("message=%7B%22a%22%3A1%7D").unwrap(), r#"{"a":1}"#);
        assert_eq!(read("base64=1&message=CgFh").unwrap(), b"\n\x01a"[..]);
        assert_eq!(read("base64=1&message=YQ").unwrap(), "a");
        assert_eq!(read("base64=1&message=YQ%3D%3D").unwrap(), "a");
        assert!(read("base64=1&message=*").is_err());
    }

    #[test]
    fn the_message_of_a_get_may_be_compressed() {
        let read = |coding: &str, length: usize| {
            let coded = zstd::encode_all(&vec![b'a'; length][..], 3).unwrap();
            let message = URL_SAFE.encode(coded);
            in_query(&format!("compression={coding}&base64=1&message={message}"), 10)
        };
        assert_eq!(read("zstd", 10).unwrap(), "aaaaaaaaaa");
        assert_eq!(read("zstd", 11).unwrap_err().reason(), "BODY_TOO_LARGE");
        assert_eq!(read("gzip", 10).unwrap_err().reason(), "BODY_ENCODING");
        assert_eq!(read("lzw", 10).unwrap_err().code(), Code::Unimplemented);
    }
}
