//! A request that is refused before its body has come: the rest is read and thrown away.
//!
//! Over HTTP/1 the answer does not stop the caller from sending. If the gateway closed the
//! connection then, a reset could take the answer with it before the caller has read it
//! (RFC 9112 section 9.6), and the next request would need a new connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version, header::EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{runtime::Handle, time::timeout};

/// How long the rest of a body may take. What takes longer ends with its connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// The body of a request, that somebody reads to its end.
struct Lingering {
    /// None when it has ended.
    body: Option<Incoming>,
    /// How many bytes may be read in vain.
    most: usize,
}

/// A request whose body does not end with whoever drops it: at most `most` bytes of it are read
/// in vain. HTTP/2 ends a body alone, and who waits for "100 Continue" has sent none.
pub(crate) fn lingering(request: Request<Incoming>, most: usize) -> Request<tonic::body::Body> {
    let stops = request.version() == Version::HTTP_2 || request.headers().contains_key(EXPECT);
    request.map(|body| match stops {
        true => tonic::body::Body::new(body),
        false => tonic::body::Body::new(Lingering { body: Some(body), most }),
    })
}

impl Drop for Lingering {
    fn drop(&mut self) {
        // Outside of a runtime there is no connection that could be read.
        if let Some(body) = self.body.take().filter(|it| !it.is_end_stream())
            && let Ok(runtime) = Handle::try_current()
        {
            let most = self.most;
            runtime.spawn(async move { timeout(PATIENCE, exhaust(body, most)).await });
        }
    }
}

async fn exhaust(mut body: Incoming, mut most: usize) {
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match most.checked_sub(length) {
            Some(left) => most = left,
            None => return,
        }
    }
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            this.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
