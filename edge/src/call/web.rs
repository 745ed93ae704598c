//! gRPC-Web: gRPC for browsers, which cannot read trailers. They come at the end of the body.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::stream::unfold;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use kit::Error;
use tonic::{Status, body::Body};

use super::{
    Ongoing,
    pass::{Ending, grpc_headers},
    pass_back,
};
use crate::grpc;

/// The flag of a frame that holds trailers.
const TRAILERS: u8 = 0x80;

pub(crate) async fn call(
    ongoing: Ongoing,
    body: Body,
    text: bool,
) -> Result<Response<Body>, Status> {
    if ongoing.called().plan.is_client_streaming() {
        let rule = "must be gRPC or a WebSocket: browsers cannot stream requests";
        return Err(Error::invalid("CONTENT_TYPE", "content-type", rule).into());
    }
    let body = ongoing.read(body).await?;
    let body = if text { decode(&body)? } else { body };
    let (head, body) = ongoing.send_frames(body).await?.into_parts();
    if let Some(failure) = grpc::failure(&head.headers) {
        return Err(failure);
    }
    let mut headers = grpc_headers(&head.headers);
    let body = ongoing.shrinking(body, &mut headers);
    let until = ongoing.deadline();
    let body = Ending::new(body, until, ongoing.record.clone()).telling(ongoing.metadata());
    let pieces = unfold(body, move |mut body| async move {
        let piece = match body.frame().await? {
            Ok(frame) => match frame.into_data() {
                Ok(data) => data,
                Err(frame) => trailer_frame(&frame.into_trailers().unwrap_or_default()),
            },
            Err(cause) => return Some((Err(cause), body)),
        };
        Some((Ok(Frame::data(encode(piece, text))), body))
    });
    let mut response = Response::new(Body::new(StreamBody::new(pieces)));
    *response.headers_mut() = headers;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type(text));
    pass_back(ongoing.metadata(), &head.headers, &mut response);
    Ok(response)
}

/// A failure: status 200 and a body of trailers only.
pub(crate) fn failure(status: &Status, text: bool) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        trailers.insert("grpc-status", HeaderValue::from(status.code() as i32));
    }
    let body = encode(trailer_frame(&trailers), text);
    let mut response = Response::new(Body::new(Full::new(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type(text));
    response
}

fn content_type(text: bool) -> HeaderValue {
    HeaderValue::from_static(match text {
        true => "application/grpc-web-text+proto",
        false => "application/grpc-web+proto",
    })
}

/// Trailers as HTTP/1.1 would write them, behind a prefix.
fn trailer_frame(trailers: &HeaderMap) -> Bytes {
    let mut lines = Vec::new();
    for (name, value) in trailers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    grpc::flagged(TRAILERS, &lines)
}

/// Each piece is padded on its own, which readers of the text form expect.
fn encode(piece: Bytes, text: bool) -> Bytes {
    if text { STANDARD.encode(piece).into() } else { piece }
}

/// The text form may be padded anywhere between two frames.
pub(crate) fn decode(text: &[u8]) -> Result<Bytes, Error> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for padded in
        text.split_inclusive(|it| *it == b'=').collect::<Vec<_>>().chunk_by(|_, next| *next == b"=")
    {
        STANDARD
            .decode_vec(padded.concat(), &mut bytes)
            .map_err(|_| Error::invalid("BODY_ENCODING", "body", "must be base64"))?;
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_may_be_padded_between_frames() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("AAAA", b"\0\0\0"),
            ("YQ==", b"a"),
            ("YQ==YWI=YWJj", b"aababc"),
            ("YWI=YQ==", b"aba"),
        ] {
            assert_eq!(decode(text.as_bytes()).unwrap(), bytes, "{text}");
        }
        for text in ["YQ", "Y===", "=", "a b"] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn trailers_are_lines_behind_a_flag() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        assert_eq!(trailer_frame(&trailers), b"\x80\0\0\0\x10grpc-status: 0\r\n"[..]);
    }
}
