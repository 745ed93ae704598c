//! The messages that come over a socket, merged with what the path and the query say.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tonic::Status;
use transcode::Style;

use crate::{
    call::{Ongoing, uplink::Source},
    grpc,
    protocol::Protocol,
    record::Record,
};

/// The text frames of a caller, as messages.
pub(super) struct Received {
    frames: mpsc::Receiver<Utf8Bytes>,
    record: Arc<Record>,
    query: Option<String>,
    style: Style,
    began: bool,
    expects: Expects,
}

/// How many frames make the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// Path and query say all.
    None,
    One,
    Many,
}

const JSON: Option<&str> = Some("application/json");

impl Received {
    pub(super) fn new(ongoing: &Ongoing, frames: mpsc::Receiver<Utf8Bytes>) -> Self {
        let called = ongoing.called();
        let expects = match &called.protocol {
            _ if called.plan.is_client_streaming() => Expects::Many,
            Protocol::Socket { takes_body: true, .. } => Expects::One,
            _ => Expects::None,
        };
        Self {
            frames,
            record: ongoing.record.clone(),
            query: ongoing.head.uri.query().map(str::to_owned),
            style: ongoing.parts.config.style,
            began: false,
            expects,
        }
    }

    /// The message of one frame. Path and query belong to the first.
    fn message(&mut self, text: &str) -> Result<Bytes, Status> {
        let query = self.query.as_deref();
        let route = self.record.route().expect("sockets have a route");
        let message = match std::mem::replace(&mut self.began, true) {
            false => route.request(query, JSON, text.as_bytes(), self.style),
            true => route.later_request(JSON, text.as_bytes(), self.style),
        };
        message.map(Bytes::from).map_err(|error| grpc::status(&(&error).into()))
    }
}

impl Source for Received {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if self.expects == Expects::None {
            return if self.began { Ok(None) } else { self.message("").map(Some) };
        }
        let Some(text) = self.frames.recv().await else { return Ok(None) };
        if self.expects == Expects::One {
            self.frames.close();
        }
        self.message(&text).map(Some)
    }
}
