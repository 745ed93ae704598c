//! Raw request bodies (`google.api.HttpBody`): their bytes go on as they came, behind what makes
//! them a message.

use bytes::Bytes;
use futures::stream::unfold;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use kit::Error;
use tonic::{Status, body::Body};
use transcode::{Match, Style};

use super::{Ongoing, conditional, rest, uplink::Fault};
use crate::{grpc, layers::coding::Coding};

/// From how many bytes on a body is not awaited before the call begins. A shorter one is here
/// soon, and a service need not be kept waiting by a caller who is slow.
const LONG: usize = 64 << 10;

/// What the URL and the headers of a request say of its body.
struct Said {
    query: Option<String>,
    content_type: Option<String>,
    /// What `If-Match` asks for.
    etag: Option<String>,
    style: Style,
}

/// The one message of a call. A body of known length goes on while it comes.
pub(super) async fn whole(ongoing: &Ongoing, body: Body) -> Result<(Body, Fault), Status> {
    let said = Said::by(ongoing)?;
    let (length, body) = match long(&ongoing.head.headers) {
        Some(length) => (length, body),
        None => {
            let body = ongoing.read(body).await?;
            (body.len(), Body::new(Full::new(body)))
        }
    };
    Ok(one(said.first(rest::route(ongoing), length)?, length, body))
}

/// A stream of messages, one for each piece that comes. No more than one piece is held.
pub(super) fn pieces(ongoing: &Ongoing, body: Body) -> Result<(Body, Fault), Status> {
    let (said, record) = (Said::by(ongoing)?, ongoing.record.clone());
    let largest = ongoing.largest_body();
    let head = move |is_first, length| {
        let route = record.route().expect("REST calls have a route");
        let later = || route.later_request_prefix(length).unwrap_or_default();
        if is_first { said.first(route, length) } else { Ok(grpc::head(&later(), length)) }
    };
    Ok(many(head, largest, body))
}

/// The length of a body that is not awaited.
fn long(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    let is_coded = !matches!(Coding::of(headers), Ok(None));
    (LONG <= length && !is_coded).then_some(length)
}

impl Said {
    fn by(ongoing: &Ongoing) -> Result<Self, Error> {
        let head = &ongoing.head;
        let content_type = head.headers.get(header::CONTENT_TYPE);
        Ok(Self {
            query: head.uri.query().map(str::to_owned),
            content_type: content_type.map(|it| it.to_str().unwrap_or_default().to_owned()),
            etag: conditional::required(ongoing)?,
            style: ongoing.parts.config.style,
        })
    }

    /// What comes before so many bytes in the first message.
    fn first(&self, route: &Match<'_>, length: usize) -> Result<Bytes, Status> {
        let prefix = |content_type, length| {
            let prefix =
                route.request_prefix(self.query.as_deref(), content_type, length, self.style);
            prefix.map(Option::unwrap_or_default).map_err(|error| grpc::status(&(&error).into()))
        };
        let mut message = Vec::new();
        if let Some(etag) = &self.etag {
            // Before the body, which is the message's end.
            message = prefix(None, 0)?;
            let from = message.len();
            conditional::require(route, &mut message, etag)?;
            message.drain(..from);
        }
        message.append(&mut prefix(self.content_type.as_deref(), length)?);
        Ok(grpc::head(&message, length))
    }
}

/// A frame of `head` and a body of `length` bytes.
fn one(head: Bytes, length: usize, body: Body) -> (Body, Fault) {
    let fault = Fault::default();
    let state = (Some(head), length, body, fault.clone());
    let frames = unfold(state, |(head, left, mut body, fault)| async move {
        if let Some(head) = head {
            return Some((Ok(Frame::data(head)), (None, left, body, fault)));
        }
        let piece = match next(&mut body).await {
            Ok(None) if left == 0 => return None,
            Ok(Some(piece)) if piece.len() <= left => Ok(piece),
            Ok(_) => Err(incomplete()),
            Err(status) => Err(status),
        };
        let left = left - piece.as_ref().map_or(0, Bytes::len);
        Some((fault.heard(piece.map(Frame::data)), (None, left, body, fault)))
    });
    (Body::new(StreamBody::new(frames)), fault)
}

/// A frame for each piece, of at most `largest` bytes, behind its head.
fn many(
    head: impl FnMut(bool, usize) -> Result<Bytes, Status> + Send + 'static,
    largest: usize,
    body: Body,
) -> (Body, Fault) {
    let fault = Fault::default();
    let pieces = Pieces { head, largest, body, rest: Bytes::new(), piece: None, began: false };
    let frames = unfold((pieces, fault.clone()), |(mut pieces, fault)| async move {
        let bytes = pieces.next().await.transpose()?;
        Some((fault.heard(bytes.map(Frame::data)), (pieces, fault)))
    });
    (Body::new(StreamBody::new(frames)), fault)
}

struct Pieces<H> {
    /// Makes what comes before a message of this length, which is the first or is not.
    head: H,
    largest: usize,
    body: Body,
    /// What came and is not yet in a message.
    rest: Bytes,
    /// The piece whose head has been sent.
    piece: Option<Bytes>,
    began: bool,
}

impl<H: FnMut(bool, usize) -> Result<Bytes, Status>> Pieces<H> {
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if let Some(piece) = self.piece.take() {
            return Ok(Some(piece));
        }
        if self.rest.is_empty() {
            match next(&mut self.body).await? {
                Some(piece) => self.rest = piece,
                // Even an upload of nothing says what path and query say.
                None if self.began => return Ok(None),
                None => {}
            }
        }
        let is_first = !std::mem::replace(&mut self.began, true);
        let piece = self.rest.split_to(self.rest.len().min(self.largest));
        let head = (self.head)(is_first, piece.len())?;
        self.piece = Some(piece).filter(|it| !it.is_empty());
        Ok(Some(head))
    }
}

/// The next bytes of a body; none at its end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Status> {
    loop {
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                _ => {}
            },
            Some(Err(_)) => return Err(incomplete()),
            None => return Ok(None),
        }
    }
}

fn incomplete() -> Status {
    Error::invalid("BODY_INCOMPLETE", "body", "must be sent whole").into()
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use futures::{FutureExt as _, StreamExt as _, stream};
    use http_body_util::BodyStream;

    use super::*;

    /// A piece that is counted for as long as it lives.
    struct Counted(Vec<u8>, Arc<AtomicUsize>);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_sub(1, SeqCst);
        }
    }

    fn body_of(pieces: Vec<Result<Bytes, Status>>) -> Body {
        Body::new(StreamBody::new(stream::iter(pieces.into_iter().map(|it| it.map(Frame::data)))))
    }

    /// What a body gives, up to the message of its first error.
    fn all(body: Body) -> (Vec<u8>, Option<String>) {
        let (mut bytes, mut stream) = (Vec::new(), BodyStream::new(body));
        while let Some(frame) = stream.next().now_or_never().expect("all is here") {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(status) => return (bytes, Some(status.message().to_owned())),
            }
        }
        (bytes, None)
    }

    fn numbered(is_first: bool, length: usize) -> Result<Bytes, Status> {
        Ok(grpc::head(if is_first { b"first " } else { b"" }, length))
    }

    #[test]
    fn one_frame_has_all_the_pieces_of_a_body() {
        let pieces = vec![Ok("ab".into()), Ok(Bytes::new()), Ok("c".into())];
        let (body, _) = one(grpc::head(b"x", 3), 3, body_of(pieces));
        assert_eq!(all(body), (grpc::frame(b"xabc").to_vec(), None));
    }

    #[test]
    fn a_body_of_another_length_than_was_said_is_a_fault_of_the_caller() {
        for (length, pieces) in [
            (3, vec![Ok("ab".into())]),
            (1, vec![Ok("ab".into())]),
            (0, vec![Ok("a".into())]),
            (3, vec![Ok("ab".into()), Err(Status::cancelled("gone"))]),
        ] {
            let (body, fault) = one(grpc::head(b"", length), length, body_of(pieces));
            let (_, error) = all(body);
            assert!(error.unwrap().contains("must be sent whole"));
            let told = fault.or(Status::internal("the call broke off"));
            assert_eq!(told.code(), tonic::Code::InvalidArgument);
        }
    }

    #[test]
    fn each_piece_is_a_message_and_a_long_one_is_several() {
        let pieces = vec![Ok("abcde".into()), Ok("f".into())];
        let (body, _) = many(numbered, 2, body_of(pieces));
        let expected = ["first ab", "cd", "e", "f"].map(|it| grpc::frame(it.as_bytes())).concat();
        assert_eq!(all(body), (expected, None));
        let (body, _) = many(numbered, 2, Body::empty());
        assert_eq!(all(body), (grpc::frame(b"first ").to_vec(), None));
    }

    #[test]
    fn a_head_that_cannot_be_made_is_a_fault_of_the_caller() {
        let head = |_, _| Err(Status::invalid_argument("no such parameter"));
        let (body, fault) = many(head, 2, body_of(vec![Ok("a".into())]));
        assert!(all(body).1.is_some());
        assert_eq!(fault.or(Status::internal("")).message(), "no such parameter");
    }

    #[test]
    fn no_more_than_one_piece_of_an_upload_is_held_and_none_is_copied() {
        let alive = Arc::new(AtomicUsize::new(0));
        let counter = alive.clone();
        let pieces = stream::iter(0..1000_u32).map(move |it| {
            counter.fetch_add(1, SeqCst);
            let piece = Counted(it.to_be_bytes().repeat(1 << 14), counter.clone());
            Ok::<_, Status>(Frame::data(Bytes::from_owner(piece)))
        });
        let (body, _) = many(numbered, 1 << 20, Body::new(StreamBody::new(pieces)));
        let mut stream = BodyStream::new(body);
        let mut read = 0;
        while let Some(frame) = stream.next().now_or_never().expect("all is here") {
            let bytes = frame.unwrap().into_data().unwrap();
            read += bytes.len();
            // None, if it had been copied; several, if they were kept.
            assert_eq!(alive.load(SeqCst), 1);
        }
        assert_eq!(read, 1000 * ((1 << 16) + grpc::PREFIX) + "first ".len());
        assert_eq!(alive.load(SeqCst), 0);
    }
}
