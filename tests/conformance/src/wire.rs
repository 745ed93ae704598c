//! One unary gRPC call over any transport, with the message as bytes.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use mesh::Peer;
use tonic::{Code, Status, body::Body};
use tower::ServiceExt as _;

use crate::Answer;

pub async fn unary(peer: Peer, path: &str, headers: &HeaderMap, message: &[u8]) -> Answer {
    let mut request = Request::new(Body::new(Full::new(frame(message))));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = Uri::try_from(path).expect("a gRPC path is a path");
    *request.headers_mut() = headers.clone();
    let fixed = request.headers_mut();
    fixed.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    fixed.insert(header::TE, HeaderValue::from_static("trailers"));
    let response = peer.oneshot(request).await.expect("a peer of this process answers");
    let (head, body) = response.into_parts();
    let answered = match Status::from_header_map(&head.headers).filter(|it| it.code() != Code::Ok) {
        Some(status) => Err(status),
        None => read(body).await,
    };
    Answer::of_grpc(head.headers, answered)
}

async fn read(body: Body) -> Result<Bytes, Status> {
    let collected = body.collect().await?;
    let status = collected.trailers().and_then(Status::from_header_map);
    match status.filter(|it| it.code() != Code::Ok) {
        Some(status) => Err(status),
        None => Ok(collected.to_bytes().slice(5..)),
    }
}

/// An uncompressed length-prefixed message.
fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a test's message is short"));
    frame.put_slice(message);
    frame.freeze()
}
