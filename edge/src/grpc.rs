//! One unary gRPC call as HTTP/2 carries it: a length-prefixed message and a status.

use base64::{Engine as _, alphabet, engine, engine::DecodePaddingMode};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt as _, Limited};
use kit::Error;
use tonic::{Code, Status, body::Body};

/// The largest answer of a service, in bytes.
const LARGEST_ANSWER: usize = 16 << 20;

/// The bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

const DETAILS: &str = "grpc-status-details-bin";

/// Senders may leave out the padding (gRPC over HTTP/2, "Custom-Metadata").
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a successful call came back with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    /// The wire bytes of the response message.
    pub(crate) message: Bytes,
}

impl Answer {
    /// Reads a response to its end. Fails with what the service failed with.
    pub(crate) async fn read(response: Response<Body>) -> Result<Self, Status> {
        let (head, body) = response.into_parts();
        if !head.status.is_success() {
            return Err(foreign(format!("HTTP status {}", head.status.as_u16())));
        }
        if let Some(failure) = failure(&head.headers) {
            return Err(failure);
        }
        let body = Limited::new(body, LARGEST_ANSWER).collect().await.map_err(broken_off)?;
        let trailers = body.trailers().unwrap_or(&head.headers);
        if let Some(failure) = failure(trailers) {
            return Err(failure);
        }
        if !trailers.contains_key("grpc-status") {
            return Err(foreign("no grpc-status".to_owned()));
        }
        let message = unframe(body.to_bytes()).ok_or_else(|| foreign("no one message".into()))?;
        Ok(Self { headers: head.headers, message })
    }
}

/// Puts a message behind its prefix.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a body's limit is far below 4 GiB"));
    frame.put_slice(message);
    frame.freeze()
}

/// The one message of a body; none if it is compressed, cut off or not the only one.
fn unframe(mut body: Bytes) -> Option<Bytes> {
    let length = u32::from_be_bytes(body.get(1..PREFIX)?.try_into().ok()?);
    let is_whole = body[0] == 0 && body.len() - PREFIX == length as usize;
    is_whole.then(|| body.split_off(PREFIX))
}

/// The failure that headers or trailers tell, if they do.
pub(crate) fn failure(headers: &HeaderMap) -> Option<Status> {
    let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
    if code == Code::Ok {
        return None;
    }
    let mut told = HeaderMap::with_capacity(3);
    for name in ["grpc-status", "grpc-message"] {
        told.extend(headers.get(name).map(|it| (http::HeaderName::from_static(name), it.clone())));
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
fn foreign(what: String) -> Status {
    Error::internal(anyhow::anyhow!("a service answered what is not gRPC: {what}")).into()
}

fn broken_off(cause: Box<dyn std::error::Error + Send + Sync>) -> Status {
    match cause.downcast::<http_body_util::LengthLimitError>() {
        Ok(cause) => Error::internal(anyhow::Error::new(*cause)).into(),
        Err(cause) => Error::unavailable("PEER_LOST", "a service broke off")
            .caused_by(anyhow::anyhow!(cause))
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_framed_is_unframed(message in proptest::collection::vec(any::<u8>(), 0..99)) {
            prop_assert_eq!(unframe(frame(&message)).unwrap(), message);
        }

        #[test]
        fn any_bytes_are_a_frame_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Some(message) = unframe(Bytes::from(bytes.clone())) {
                prop_assert_eq!(frame(&message), bytes);
            }
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
        let body = Body::new(http_body_util::Full::new(frame(b"x")));
        let failure = Answer::read(Response::new(body)).await.unwrap_err();
        assert_eq!(failure.code(), Code::Internal);
    }
}
