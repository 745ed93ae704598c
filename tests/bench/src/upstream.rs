//! The service behind every peer: answers made once, and a guard that each call says what it should.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use mesh::App;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};
use tower::util::BoxCloneSyncService;

use crate::workload::{self, Answer, Workload};

/// What Envoy's filter calls, and the answer that lets everything in: a `CheckResponse` with an
/// empty `google.rpc.Status`.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
const ALLOWED: &[u8] = &[0, 0, 0, 0, 2, 0x0a, 0];

/// Serves until the process ends. Windows and limits are those of every service of the mesh.
pub async fn serve(listener: TcpListener) {
    let known: Arc<[Known]> = known().into();
    let app = tower::service_fn(move |request: Request<Body>| {
        let known = known.clone();
        async move { Ok::<_, Infallible>(answer(&known, request).await) }
    });
    let app: App = BoxCloneSyncService::new(app);
    mesh::serve(listener, app, CancellationToken::new()).await;
}

/// A workload, and the bytes that have been found to say what it sends: each spelling is read once.
struct Known {
    workload: Workload,
    spellings: Mutex<Vec<Bytes>>,
}

impl Known {
    fn fits(&self, call: &str, sent: &Bytes) -> bool {
        if self.workload.call != call {
            return false;
        }
        let mut spellings = self.spellings.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !spellings.contains(sent);
        if is_new && self.workload.sent.is_said_by(sent) {
            spellings.push(sent.clone());
            return true;
        }
        !is_new
    }
}

fn known() -> Vec<Known> {
    let known = |workload| Known { workload, spellings: Mutex::default() };
    workload::all().into_iter().map(known).collect()
}

async fn answer(known: &[Known], request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Status::cancelled("the call broke off").into_http();
    };
    if head.uri.path() == CHECK {
        return success(Bytes::from_static(ALLOWED), false);
    }
    let sent = body.to_bytes();
    match known.iter().find(|it| it.fits(head.uri.path(), &sent)) {
        Some(Known { workload, .. }) => match &workload.answer {
            Answer::Frame(frame) => success(frame.clone(), workload.method == Method::POST),
            Answer::Failure(failure) => failure.clone().into_http(),
        },
        None => Status::data_loss("the call does not say what was sent").into_http(),
    }
}

fn success(frame: Bytes, is_write: bool) -> Response<Body> {
    let trailers = HeaderMap::from_iter([(
        header::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let body = Full::new(frame).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    if is_write {
        let receipt = HeaderValue::from_static("0197a5d0-0000-7000-8000-000000000002");
        headers.insert(kit::RECEIPT, receipt);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(call: &str, sent: Bytes) -> Response<Body> {
        let request = Request::post(call).body(Body::new(Full::new(sent))).unwrap();
        answer(&known(), request).await
    }

    #[tokio::test]
    async fn a_call_that_says_something_else_fails() {
        let it = &workload::all()[1];
        assert!(!ask(&it.call, it.sent.frame.clone()).await.headers().contains_key("grpc-status"));
        let garbled = ask(&it.call, it.sent.frame.slice(1..)).await;
        assert_eq!(garbled.headers()["grpc-status"], "15");
    }

    #[tokio::test]
    async fn only_writes_show_a_receipt() {
        for it in workload::all() {
            let response = ask(&it.call, it.sent.frame.clone()).await;
            let shown = response.headers().contains_key(kit::RECEIPT);
            assert_eq!(shown, it.method == Method::POST, "{}", it.name);
        }
    }
}
