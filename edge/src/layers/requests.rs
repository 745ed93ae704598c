//! The outermost layer: a request id, a span, and one log line for every outcome.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode};
use kit::{Brand, REQUEST_ID};
use tonic::body::Body;
use tracing::Instrument as _;

use crate::{Parts, record::Record};
use kit::layers::Next;

pub(crate) async fn requests(
    _: Arc<Parts>,
    mut request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let record = Arc::new(Record::new(&request));
    request.extensions_mut().insert(record.request_id.clone());
    request.extensions_mut().insert(record.clone());
    let span = tracing::info_span!("request", request_id = &*record.request_id.0);
    let mut line = Line { record, status: None };
    let mut response = next.run(request).instrument(span).await;
    line.status = Some(response.status());
    if let Ok(value) = HeaderValue::from_str(&line.record.request_id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The log line of one request. Written when dropped, so that a caller who goes away leaves one.
struct Line {
    record: Arc<Record>,
    status: Option<StatusCode>,
}

/// What nginx calls "client closed request".
const GONE: u16 = 499;

impl Drop for Line {
    fn drop(&mut self) {
        let record = &self.record;
        tracing::info!(
            request_id = &*record.request_id.0,
            method = record.name(),
            status = self.status.map_or(GONE, |it| it.as_u16()),
            duration_us = record.began.elapsed().as_micros() as u64,
            client_id = record.client_id.get().map_or("", String::as_str),
            brand_id = record.brand.get().map_or("", Brand::as_str),
            "served"
        );
    }
}
