//! A stream of messages in one request body: JSON documents one after the other.

use std::sync::Arc;

use bytes::Bytes;
use http::header;
use http_body_util::BodyExt as _;
use kit::Error;
use tonic::{Status, body::Body};
use transcode::{Documents, RequestError, Style};

use super::{Ongoing, conditional, uplink::Source};
use crate::{grpc, record::Record};

/// The messages that a body holds.
pub(super) struct Upload {
    record: Arc<Record>,
    query: Option<String>,
    /// What `If-Match` asks for.
    etag: Option<String>,
    style: Style,
    body: Body,
    documents: Documents,
    began: bool,
}

impl Upload {
    pub(super) fn new(ongoing: &Ongoing, body: Body) -> Result<Self, Status> {
        let head = &ongoing.head;
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
        if !is_json(content_type) {
            return Err(not_json().into());
        }
        Ok(Self {
            record: ongoing.record.clone(),
            query: head.uri.query().map(str::to_owned),
            etag: conditional::required(ongoing)?,
            style: ongoing.parts.config.style,
            body,
            documents: Documents::new(ongoing.largest_body()),
            began: false,
        })
    }

    /// The message of one document. Path and query belong to the first.
    fn message(&mut self, document: &[u8]) -> Result<Bytes, Status> {
        let (query, json) = (self.query.as_deref(), Some("application/json"));
        let route = self.record.route().expect("REST calls have a route");
        if std::mem::replace(&mut self.began, true) {
            let message = route.later_request(json, document, self.style);
            return message.map(Bytes::from).map_err(|error| refused(&error));
        }
        let message = route.request(query, json, document, self.style);
        let mut message = message.map_err(|error| refused(&error))?;
        if let Some(etag) = &self.etag {
            conditional::require(route, &mut message, etag)?;
        }
        Ok(message.into())
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
}

impl Source for Upload {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            let found = self.documents.next_document().map_err(|error| refused(&error))?;
            if let Some(document) = found {
                let document = document.to_vec();
                return self.message(&document).map(Some);
            }
            if self.documents.is_finished() {
                return Ok(None);
            }
            match self.piece().await? {
                Some(piece) => self.documents.push(&piece),
                None => self.documents.finish(),
            }
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
