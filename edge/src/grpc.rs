//! gRPC as HTTP/2 carries it: length-prefixed messages, and a status in headers or trailers.

use base64::{Engine as _, alphabet, engine, engine::DecodePaddingMode};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Response};
use http_body_util::BodyExt as _;
use kit::Error;
use tonic::{Code, Status, body::Body};

/// The largest message of a service, in bytes.
pub(crate) const LARGEST_MESSAGE: usize = 16 << 20;

/// The bytes before a message: whether it is compressed, and its length.
pub(crate) const PREFIX: usize = 5;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Senders may leave out the padding (gRPC over HTTP/2, "Custom-Metadata").
pub(crate) const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a successful call came back with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    /// The wire bytes of the response message.
    pub(crate) message: Bytes,
}

impl Answer {
    /// Reads a response of one message to its end. Fails with what the service failed with.
    pub(crate) async fn read(response: Response<Body>) -> Result<Self, Status> {
        let mut messages = Messages::open(response)?;
        let first = messages.next().await?;
        // The status stands after the message, so a failure may follow it.
        let (Some(message), None) = (first, messages.next().await?) else {
            return Err(foreign("no one message".into()));
        };
        Ok(Self { headers: messages.headers, trailers: messages.trailers, message })
    }
}

/// The messages of a response, in the order that the service sends them.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) headers: HeaderMap,
    /// Those of the end, when it has come.
    pub(crate) trailers: HeaderMap,
    body: Body,
    deframer: Deframer,
}

impl Messages {
    /// Begins to read a response. Fails with what the service failed with before any message.
    pub(crate) fn open(response: Response<Body>) -> Result<Self, Status> {
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            return Err(foreign(format!("HTTP status {}", head.status.as_u16())));
        }
        if let Some(failure) = failure(&head.headers) {
            return Err(failure);
        }
        let deframer = Deframer::new(LARGEST_MESSAGE);
        Ok(Self { headers: head.headers, trailers: HeaderMap::new(), body, deframer })
    }

    /// The wire bytes of the next message; none when the service has said that all is well.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            if let Some(frame) = self.deframer.next().map_err(|_| too_large())? {
                return match frame.flags {
                    0 => Ok(Some(frame.message)),
                    _ => Err(foreign("a compressed message that nobody asked for".into())),
                };
            }
            match self.body.frame().await {
                Some(frame) => match frame.map_err(broken_off)?.into_data() {
                    Ok(data) => self.deframer.feed(data),
                    Err(trailers) => {
                        self.trailers = trailers.into_trailers().unwrap_or_default();
                        return self.end();
                    }
                },
                None => return self.end(),
            }
        }
    }

    fn end(&self) -> Result<Option<Bytes>, Status> {
        // A response without trailers may have told its status at the start.
        let at_the_end = self.trailers.contains_key(STATUS);
        let told = if at_the_end { &self.trailers } else { &self.headers };
        if let Some(failure) = failure(told) {
            return Err(failure);
        }
        if !told.contains_key(STATUS) {
            return Err(foreign("no grpc-status".to_owned()));
        }
        if !self.deframer.is_empty() {
            return Err(foreign("a message is cut off".to_owned()));
        }
        Ok(None)
    }
}

/// Finds the messages in a stream of bytes, without copying those that come in one piece.
#[derive(Debug)]
pub(crate) struct Deframer {
    /// What came and is not yet a message. Grows no further than one message.
    buffer: BytesMut,
    /// The last piece, as it came.
    piece: Bytes,
    largest: usize,
}

/// A message and what its sender said of it: bit 0, it is compressed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) flags: u8,
    pub(crate) message: Bytes,
}

/// A message is longer than anybody may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Deframer {
    /// Takes messages of at most `largest` bytes.
    pub(crate) fn new(largest: usize) -> Self {
        Self { buffer: BytesMut::new(), piece: Bytes::new(), largest }
    }

    /// Takes what came. Every message of an earlier piece has been taken out before.
    pub(crate) fn feed(&mut self, piece: Bytes) {
        if self.buffer.is_empty() && self.piece.is_empty() {
            self.piece = piece;
        } else {
            self.buffer.extend_from_slice(&std::mem::take(&mut self.piece));
            self.buffer.extend_from_slice(&piece);
        }
    }

    /// The next message, if it is here as a whole.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, TooLarge> {
        let bytes = if self.buffer.is_empty() { &self.piece[..] } else { &self.buffer[..] };
        let Some(prefix) = bytes.first_chunk::<PREFIX>() else { return Ok(None) };
        let [flags, length @ ..] = *prefix;
        let length = u32::from_be_bytes(length) as usize;
        if self.largest < length {
            return Err(TooLarge);
        }
        if bytes.len() < PREFIX + length {
            return Ok(None);
        }
        let message = if self.buffer.is_empty() {
            self.piece.advance(PREFIX);
            self.piece.split_to(length)
        } else {
            self.buffer.advance(PREFIX);
            self.buffer.split_to(length).freeze()
        };
        Ok(Some(Frame { flags, message }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.piece.is_empty()
    }
}

/// Puts a message behind its prefix.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    flagged(0, message)
}

/// The prefix and the beginning of a message whose last `rest` bytes come by themselves.
pub(crate) fn head(beginning: &[u8], rest: usize) -> Bytes {
    let mut head = BytesMut::with_capacity(PREFIX + beginning.len());
    put_prefix(&mut head, 0, beginning.len() + rest);
    head.put_slice(beginning);
    head.freeze()
}

/// Puts a message behind a prefix with these flags.
pub(crate) fn flagged(flags: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    put_prefix(&mut frame, flags, message.len());
    frame.put_slice(message);
    frame.freeze()
}

fn put_prefix(frame: &mut BytesMut, flags: u8, length: usize) {
    frame.put_u8(flags);
    frame.put_u32(u32::try_from(length).expect("a body's limit is far below 4 GiB"));
}

/// The failure that headers or trailers tell, if they do.
pub(crate) fn failure(headers: &HeaderMap) -> Option<Status> {
    let code = Code::from_bytes(headers.get(STATUS)?.as_bytes());
    if code == Code::Ok {
        return None;
    }
    let mut told = HeaderMap::with_capacity(3);
    for name in [STATUS, MESSAGE] {
        told.extend(headers.get(&name).map(|it| (name, it.clone())));
    }
    let message = Status::from_header_map(&told).map(|it| it.message().to_owned());
    // Decoded here, because tonic panics at what is not base64.
    let details = headers.get(DETAILS).and_then(|it| BASE64.decode(it).ok());
    let (message, details) = (message.unwrap_or_default(), details.unwrap_or_default());
    Some(Status::with_details(code, message, details.into()))
}

/// A status as the wording of errors takes it.
pub(crate) fn facts(status: &Status) -> transcode::Status {
    transcode::Status {
        code: transcode::Code::from_number(status.code() as i32),
        message: status.message().to_owned(),
        details: status.details().to_vec(),
    }
}

/// A status that transcoding made, as it travels inside the stack.
pub(crate) fn status(facts: &transcode::Status) -> Status {
    let code = Code::from_i32(facts.code as i32);
    Status::with_details(code, &facts.message, Bytes::copy_from_slice(&facts.details))
}

/// What answered is not a service of ours, or not well.
pub(crate) fn foreign(what: String) -> Status {
    Error::internal(anyhow::anyhow!("a service answered what is not gRPC: {what}")).into()
}

fn too_large() -> Status {
    let cause = anyhow::anyhow!("a service sent a message of more than {LARGEST_MESSAGE} bytes");
    Error::internal(cause).into()
}

fn broken_off(cause: Status) -> Status {
    let cause = anyhow::anyhow!("{:?}: {}", cause.code(), cause.message());
    Error::unavailable("PEER_LOST", "a service broke off").caused_by(cause).into()
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_the_bytes_are_cut(
            messages in vec(vec(any::<u8>(), 0..40), 0..6),
            cuts in vec(1..30usize, 1..20),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|it| frame(it)).collect();
            let mut deframer = Deframer::new(40);
            let mut found = Vec::new();
            let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, others) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                rest = others;
                deframer.feed(Bytes::copy_from_slice(piece));
                while let Some(frame) = deframer.next().unwrap() {
                    found.push(frame.message.to_vec());
                }
            }
            prop_assert_eq!(found, messages);
            prop_assert!(deframer.is_empty());
        }

        #[test]
        fn any_status_headers_are_read(code in "[0-9a-z]{0,3}", details in "[ -~]{0,20}") {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", code.parse().unwrap());
            headers.insert(DETAILS, details.parse().unwrap());
            prop_assert_eq!(failure(&headers).is_none(), code == "0");
        }
    }

    #[test]
    fn a_failure_keeps_its_message_and_details() {
        let sent = Status::with_details(Code::Aborted, "größer", Bytes::from_static(b"\x01\x02"));
        let response: Response<()> = sent.into_http();
        let failure = failure(response.headers()).unwrap();
        assert_eq!(failure.code(), Code::Aborted);
        assert_eq!(failure.message(), "größer");
        assert_eq!(failure.details(), b"\x01\x02");
    }

    #[tokio::test]
    async fn an_answer_without_a_status_is_no_success() {
        let body = Body::new(Full::new(frame(b"x")));
        let failure = Answer::read(Response::new(body)).await.unwrap_err();
        assert_eq!(failure.code(), Code::Internal);
    }

    #[test]
    fn a_message_longer_than_the_limit_is_refused_by_its_prefix() {
        let mut deframer = Deframer::new(3);
        deframer.feed(frame(b"1234").slice(..PREFIX));
        assert_eq!(deframer.next(), Err(TooLarge));
    }
}
