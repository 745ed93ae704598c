//! Messages that are compressed one by one, as gRPC, gRPC-Web and Connect streams have them.
//!
//! Services see and send plain messages: what a caller compressed is restored here, within the
//! limit of what it may send, and answers are compressed for callers who accept it.

use bytes::{Bytes, BytesMut};
use futures::stream::unfold;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use kit::Error;
use tonic::{Code, Status, body::Body, metadata::MetadataValue};

use super::uplink::Source;
use crate::{
    grpc::{self, Deframer},
    layers::{
        body_too_large,
        coding::{Coding, WORTHWHILE},
    },
};

/// The flag of a message that is compressed.
const COMPRESSED: u8 = 1;

/// The codings of messages, the one that costs least first.
const CODINGS: [Coding; 2] = [Coding::Zstd, Coding::Gzip];
const NAMES: &str = "identity,gzip,zstd";

/// The headers by which a protocol tells how messages are compressed.
pub(super) struct Headers {
    /// Of a request's and of an answer's messages.
    coding: &'static str,
    /// What whoever says it can read.
    accepted: &'static str,
}

/// gRPC over HTTP/2, "Message-Encoding".
pub(super) const GRPC: Headers =
    Headers { coding: "grpc-encoding", accepted: "grpc-accept-encoding" };

/// <https://connectrpc.com/docs/protocol#streaming-request>
pub(super) const CONNECT: Headers =
    Headers { coding: "connect-content-encoding", accepted: "connect-accept-encoding" };

impl Headers {
    /// How the messages of a request are compressed; none if they are not.
    ///
    /// Fails with UNIMPLEMENTED for a coding that is not read here, and tells those that are
    /// (<https://github.com/grpc/grpc/blob/master/doc/compression.md>).
    pub(super) fn sent(&self, headers: &HeaderMap) -> Result<Option<Coding>, Status> {
        let Some(name) = headers.get(self.coding).filter(|it| *it != "identity") else {
            return Ok(None);
        };
        let coding = CODINGS.into_iter().find(|it| it.name() == name);
        coding.map(Some).ok_or_else(|| {
            let message = format!("{} must be one of {NAMES}", self.coding);
            let mut status: Status =
                Error::new(Code::Unimplemented, "CONTENT_ENCODING", message).into();
            status.metadata_mut().insert(self.accepted, MetadataValue::from_static(NAMES));
            status
        })
    }

    /// The coding that answers have for a caller; none if it reads none of them.
    pub(super) fn accepted(&self, headers: &HeaderMap) -> Option<Coding> {
        let value = headers.get(self.accepted)?.to_str().ok()?;
        let named = |it: &Coding| value.split(',').any(|name| name.trim() == it.name());
        CODINGS.into_iter().find(named)
    }

    /// Tells how an answer's messages may be compressed.
    pub(super) fn tell(&self, coding: Coding, headers: &mut HeaderMap) {
        headers.insert(self.coding, HeaderValue::from_static(coding.name()));
    }
}

/// The message of a frame, restored if it is compressed, of at most `most` bytes.
pub(super) fn restored(
    coding: Option<Coding>,
    frame: grpc::Frame,
    most: usize,
) -> Result<Bytes, Error> {
    match (frame.flags, coding) {
        (0, _) if most < frame.message.len() => Err(body_too_large(most)),
        (0, _) => Ok(frame.message),
        (COMPRESSED, Some(coding)) => coding.decode(&frame.message, most),
        _ => {
            let rule = "must have no flags but that of its compression, and name its coding";
            Err(Error::invalid("BODY_ENCODING", "body", rule))
        }
    }
}

/// The frames of a body that is here as a whole, all of them plain. Together they have at most
/// `most` bytes.
pub(super) fn plain(frames: Bytes, coding: Coding, most: usize) -> Result<Bytes, Error> {
    let mut deframer = Deframer::new(most);
    deframer.feed(frames);
    let mut plain = BytesMut::new();
    while let Some(frame) = deframer.next().map_err(|_| body_too_large(most))? {
        let left = most.saturating_sub(plain.len());
        let message = restored(Some(coding), frame, left);
        let message = message.map_err(|it| match it.reason() {
            "BODY_TOO_LARGE" => body_too_large(most),
            _ => it,
        })?;
        plain.extend_from_slice(&grpc::frame(&message));
    }
    match deframer.is_empty() {
        true => Ok(plain.freeze()),
        false => Err(Error::invalid("BODY_INCOMPLETE", "body", "must be sent whole")),
    }
}

/// A message behind its prefix, compressed if that pays.
pub(super) async fn framed(coding: Option<Coding>, message: Bytes) -> Bytes {
    let Some(coding) = coding.filter(|_| WORTHWHILE <= message.len() as u64) else {
        return grpc::frame(&message);
    };
    match coding.encoded(message.clone()).await {
        Ok(coded) if coded.len() < message.len() => grpc::flagged(COMPRESSED, &coded),
        _ => grpc::frame(&message),
    }
}

/// The messages of a caller's stream of frames.
pub(super) struct Restoring {
    body: Body,
    deframer: Deframer,
    coding: Coding,
    largest: usize,
}

impl Restoring {
    pub(super) fn new(body: Body, coding: Coding, largest: usize) -> Self {
        Self { body, deframer: Deframer::new(largest), coding, largest }
    }
}

impl Source for Restoring {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let frame = next_frame(&mut self.body, &mut self.deframer, self.largest).await?;
        let restored = frame.map(|it| restored(Some(self.coding), it, self.largest));
        Ok(restored.transpose()?)
    }
}

/// The next frame that a caller sends.
pub(super) async fn next_frame(
    body: &mut Body,
    deframer: &mut Deframer,
    largest: usize,
) -> Result<Option<grpc::Frame>, Status> {
    loop {
        if let Some(frame) = deframer.next().map_err(|_| body_too_large(largest))? {
            return Ok(Some(frame));
        }
        match body.frame().await {
            Some(Ok(frame)) => deframer.feed(frame.into_data().unwrap_or_default()),
            None if deframer.is_empty() => return Ok(None),
            Some(Err(_)) | None => {
                let rule = "must be sent whole";
                return Err(Error::invalid("BODY_INCOMPLETE", "body", rule).into());
            }
        }
    }
}

/// The frames of an answer, compressed where that pays, and its trailers.
pub(super) fn shrunk(body: Body, coding: Coding) -> Body {
    let state = (body, Deframer::new(grpc::LARGEST_MESSAGE));
    Body::new(StreamBody::new(unfold(state, move |(mut body, mut deframer)| async move {
        let next = shrunk_frame(&mut body, &mut deframer, coding).await?;
        Some((next, (body, deframer)))
    })))
}

async fn shrunk_frame(
    body: &mut Body,
    deframer: &mut Deframer,
    coding: Coding,
) -> Option<Result<Frame<Bytes>, Status>> {
    loop {
        match deframer.next() {
            Ok(Some(frame)) if frame.flags == 0 => {
                return Some(Ok(Frame::data(framed(Some(coding), frame.message).await)));
            }
            Ok(None) => {}
            _ => return Some(Err(grpc::foreign("no plain message".into()))),
        }
        match body.frame().await? {
            Ok(frame) => match frame.into_data() {
                Ok(data) => deframer.feed(data),
                Err(trailers) => return Some(Ok(trailers)),
            },
            Err(cause) => return Some(Err(cause)),
        }
    }
}
