//! The outermost layer: a request id, a span, and the record that logs every outcome.

use std::sync::Arc;

use futures::FutureExt as _;
use http::{HeaderValue, Request};
use kit::{
    REQUEST_ID,
    layers::{Answering, Below, Next},
};
use tonic::body::Body;
use tracing::Instrument as _;

use crate::{Parts, record::Record};

/// The layer above what is `below`.
pub(crate) fn requests(parts: &Arc<Parts>, below: impl Below) -> Next {
    Next::choice((parts.clone(), below), |(parts, below), request| recorded(parts, below, request))
}

fn recorded(parts: &Parts, below: &impl Below, mut request: Request<Body>) -> Answering {
    let record = Arc::new(Record::new(&mut request, &parts.config.trusted_proxies));
    request.extensions_mut().insert(record.request_id.clone());
    request.extensions_mut().insert(record.clone());
    let span = tracing::info_span!("request", request_id = &*record.request_id.0);
    let answer = span.in_scope(|| below.answer(request));
    Box::pin(answer.instrument(span).map(move |answer| {
        let Ok(mut response) = answer;
        let _ = record.status.set(response.status());
        if let Ok(value) = HeaderValue::from_str(&record.request_id.0) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        Ok(response)
    }))
}
