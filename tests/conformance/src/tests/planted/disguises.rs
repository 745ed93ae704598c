//! Wrongs that stand around a service: its real app, and somebody between it and its callers.

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use mesh::App;
use registry::Caller;
use sqlx::{Connection as _, PgConnection};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tonic::{Status, body::Body};
use tower::ServiceExt as _;

use super::{SERVICE, find, house};
use crate::{House, house::HOME, rules::Findings};

/// Puts somebody around the service: who is asked in its place, and may ask it.
fn disguise<F, A>(house: &House, disguise: F)
where
    F: Fn(App, Request<Body>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let app = kit::app(house.world.platform(SERVICE));
    let disguised = tower::service_fn(move |request| {
        let answer = disguise(app.clone(), request);
        async move { Ok(answer.await) }
    });
    house.world.mesh.add_local(SERVICE, App::new(disguised));
}

async fn ask(app: App, request: Request<Body>) -> Response<Body> {
    let Ok(response) = app.oneshot(request).await;
    response
}

/// A token with every right in the home brand, as a header.
async fn strong(house: &House) -> HeaderValue {
    let grant = house.grant(Caller::Service, HOME, &["admin:patient_graph", "admin:records"]);
    let token = house.tokens.issue(&grant).await;
    HeaderValue::from_str(&format!("Bearer {token}")).unwrap()
}

fn lend(request: &mut Request<Body>, strong: &HeaderValue) {
    request.headers_mut().insert("authorization", strong.clone());
    request.headers_mut().insert("x-brand-id", HeaderValue::from_static(HOME));
}

pub async fn lets_strangers_in() -> Findings {
    let house = house().await;
    let strong = strong(&house).await;
    disguise(&house, move |app, mut request| {
        if !request.headers().contains_key("authorization") {
            lend(&mut request, &strong);
        }
        ask(app, request)
    });
    find("authentication", &house).await
}

pub async fn lends_its_rights() -> Findings {
    let house = house().await;
    let strong = strong(&house).await;
    disguise(&house, move |app, mut request| {
        lend(&mut request, &strong);
        ask(app, request)
    });
    find("authorization", &house).await
}

pub async fn refuses_everybody() -> Findings {
    let house = house().await;
    disguise(&house, |_, _| async { Status::permission_denied("no").into_http() });
    find("success", &house).await
}

pub async fn serves_one_brand() -> Findings {
    let house = house().await;
    let strong = strong(&house).await;
    disguise(&house, move |app, mut request| {
        lend(&mut request, &strong);
        ask(app, request)
    });
    find("brand", &house).await
}

pub async fn does_it_twice() -> Findings {
    let house = house().await;
    disguise(&house, |app, request| async move {
        let (head, body) = whole(request).await;
        ask(app.clone(), again(&head, &body)).await;
        ask(app, again(&head, &body)).await
    });
    find("audit", &house).await
}

pub async fn forgets_the_request() -> Findings {
    let house = house().await;
    disguise(&house, |app, mut request| {
        request.headers_mut().remove("x-request-id");
        ask(app, request)
    });
    find("audit", &house).await
}

pub async fn writes_beside() -> Findings {
    let house = house().await;
    let options = house.database().options().clone();
    disguise(&house, move |app, request| {
        let options = options.clone();
        async move {
            let mut beside = PgConnection::connect_with(&options).await.unwrap();
            let write = "INSERT INTO patient_graph.inbox VALUES ('loop', 'x', gen_random_uuid())";
            sqlx::raw_sql(write).execute(&mut beside).await.unwrap();
            ask(app, request).await
        }
    });
    find("atomicity", &house).await
}

pub async fn logs_requests() -> Findings {
    let house = house().await;
    disguise(&house, |app, request| async move {
        let (head, body) = whole(request).await;
        tracing::info!(body = %String::from_utf8_lossy(&body), "received");
        ask(app, again(&head, &body)).await
    });
    find("confidentiality", &house).await
}

pub async fn repeats_requests() -> Findings {
    let house = house().await;
    disguise(&house, |app, request| async move {
        let (head, body) = whole(request).await;
        let response = ask(app, again(&head, &body)).await;
        if !refused(&response) {
            return response;
        }
        let said = String::from_utf8_lossy(&body).into_owned();
        Status::invalid_argument(said).into_http()
    });
    find("confidentiality", &house).await
}

pub async fn ignores_keys() -> Findings {
    let house = house().await;
    disguise(&house, |app, mut request| {
        request.headers_mut().remove("idempotency-key");
        ask(app, request)
    });
    find("idempotency", &house).await
}

pub async fn hides_the_field() -> Findings {
    let house = house().await;
    disguise(&house, |app, request| async move {
        let response = ask(app, request).await;
        if refused(&response) { Status::invalid_argument("no").into_http() } else { response }
    });
    find("validation", &house).await
}

pub async fn counts_refusals() -> Findings {
    let house = house().await;
    let options = house.database().options().clone();
    disguise(&house, move |app, request| {
        let options = options.clone();
        async move {
            let response = ask(app, request).await;
            if refused(&response) {
                let mut beside = PgConnection::connect_with(&options).await.unwrap();
                let write =
                    "INSERT INTO patient_graph.inbox VALUES ('loop', 'x', gen_random_uuid())";
                sqlx::raw_sql(write).execute(&mut beside).await.unwrap();
            }
            response
        }
    });
    find("validation", &house).await
}

/// Somebody before the edge who takes the request id out of its answers.
pub async fn forgets_the_id() -> Findings {
    let mut house = house().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let edge = std::mem::replace(&mut house.door, listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(edge).await.unwrap();
            let ((mut near_in, mut near_out), (mut far_in, mut far_out)) =
                (near.into_split(), far.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
            tokio::spawn(async move {
                let mut chunk = vec![0; 1 << 16];
                while let Ok(read @ 1..) = far_in.read(&mut chunk).await {
                    let text = String::from_utf8_lossy(&chunk[..read]).into_owned();
                    let text = text.replacen("x-request-id:", "x-forgotten0:", 1);
                    near_out.write_all(text.as_bytes()).await.unwrap();
                }
            });
        }
    });
    find("answers", &house).await
}

async fn whole(request: Request<Body>) -> (http::request::Parts, Bytes) {
    let (head, body) = request.into_parts();
    (head, body.collect().await.unwrap().to_bytes())
}

fn again(head: &http::request::Parts, body: &Bytes) -> Request<Body> {
    Request::from_parts(head.clone(), Body::new(Full::new(body.clone())))
}

/// A failure stands in the headers of an answer, as kit's refusals and tonic's do.
fn refused(response: &Response<Body>) -> bool {
    response.headers().get("grpc-status").is_some_and(|it| it != "0")
}
