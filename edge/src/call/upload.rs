//! A stream of messages in one request body: JSON documents one after the other, or raw bytes.

use std::sync::Arc;

use bytes::Bytes;
use http::header;
use http_body_util::BodyExt as _;
use kit::Error;
use tonic::{Status, body::Body};
use transcode::{Documents, RequestError, Style};

use super::{Ongoing, rest, uplink::Source};
use crate::{
    grpc,
    layers::{body_too_large, coding::Coding},
    record::Record,
};

/// The messages that a body holds.
pub(super) struct Upload {
    record: Arc<Record>,
    query: Option<String>,
    style: Style,
    body: Body,
    reader: Reader,
    began: bool,
}

enum Reader {
    /// Each document is a message.
    Documents(Documents),
    /// Each piece that comes is a message: `google.api.HttpBody`.
    Raw { content_type: Option<String>, largest: usize },
}

impl Upload {
    pub(super) fn new(ongoing: &Ongoing, body: Body) -> Result<Self, Status> {
        let head = &ongoing.head;
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        if Coding::of(&head.headers)?.is_some() {
            let rule = "must be identity for a stream";
            return Err(Error::invalid("CONTENT_ENCODING", "content-encoding", rule).into());
        }
        let largest = ongoing.largest_body();
        let reader = match rest::route(ongoing).takes_http_body() {
            true => Reader::Raw { content_type: content_type.map(str::to_owned), largest },
            false if is_json(content_type) => Reader::Documents(Documents::new(largest)),
            false => return Err(not_json().into()),
        };
        Ok(Self {
            record: ongoing.record.clone(),
            query: head.uri.query().map(str::to_owned),
            style: ongoing.parts.config.style,
            body,
            reader,
            began: false,
        })
    }

    /// The message of one document or piece. Path and query belong to the first.
    fn message(&mut self, content_type: Option<&str>, bytes: &[u8]) -> Result<Bytes, Status> {
        let query = self.query.as_deref();
        let route = self.record.route().expect("REST calls have a route");
        let message = match std::mem::replace(&mut self.began, true) {
            false => route.request(query, content_type, bytes, self.style),
            true => route.later_request(content_type, bytes, self.style),
        };
        message.map(Bytes::from).map_err(|error| refused(&error))
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Status> {
        match self.body.frame().await {
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(_)) => {
                let rule = "must be sent whole";
                Err(Error::invalid("BODY_INCOMPLETE", "body", rule).into())
            }
            None => Ok(None),
        }
    }

    async fn raw(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            let piece = self.piece().await?;
            let Reader::Raw { content_type, largest } = &self.reader else { return Ok(None) };
            match piece {
                Some(piece) if *largest < piece.len() => {
                    return Err(body_too_large(*largest).into());
                }
                Some(piece) if piece.is_empty() => {}
                Some(piece) => {
                    let content_type = content_type.clone();
                    return self.message(content_type.as_deref(), &piece).map(Some);
                }
                // Even an upload of nothing says what path and query say.
                None if !self.began => return self.message(None, b"").map(Some),
                None => return Ok(None),
            }
        }
    }

    async fn document(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            let Reader::Documents(documents) = &mut self.reader else { return Ok(None) };
            let found = documents.next_document().map_err(|error| refused(&error))?;
            if let Some(document) = found {
                let document = document.to_vec();
                return self.message(Some("application/json"), &document).map(Some);
            }
            if documents.is_finished() {
                return Ok(None);
            }
            let piece = self.piece().await?;
            let Reader::Documents(documents) = &mut self.reader else { return Ok(None) };
            match piece {
                Some(piece) => documents.push(&piece),
                None => documents.finish(),
            }
        }
    }
}

impl Source for Upload {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        match self.reader {
            Reader::Raw { .. } => self.raw().await,
            Reader::Documents(_) => self.document().await,
        }
    }
}

fn refused(error: &RequestError) -> Status {
    grpc::status(&error.into())
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
    ["application/json", "application/x-ndjson", "application/jsonl"]
        .iter()
        .any(|it| it.eq_ignore_ascii_case(essence))
}

fn not_json() -> Error {
    let rule = "must be application/x-ndjson or application/json for a stream of messages";
    Error::invalid("CONTENT_TYPE", "content-type", rule)
        .with("http_status", "415")
        .with("error", "unsupported_media_type")
}
