//! The outermost layer: a request id, a span, and the record that logs every outcome.

use std::sync::Arc;

use http::{HeaderValue, Request, Response};
use kit::{REQUEST_ID, layers::Next};
use tonic::body::Body;
use tracing::Instrument as _;

use crate::{Parts, record::Record};

pub(crate) async fn requests(
    parts: Arc<Parts>,
    mut request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let record = Arc::new(Record::new(&mut request, &parts.config.trusted_proxies));
    request.extensions_mut().insert(record.request_id.clone());
    request.extensions_mut().insert(record.clone());
    let span = tracing::info_span!("request", request_id = &*record.request_id.0);
    let mut response = next.run(request).instrument(span).await;
    let _ = record.status.set(response.status());
    if let Ok(value) = HeaderValue::from_str(&record.request_id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
