//! Pages pass through to the service that renders them.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use mesh::App;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

use super::door::{Door, Setting};

/// A service that shows what it was asked, and keeps the headers.
fn mirror(seen: Arc<Mutex<HeaderMap>>) -> App {
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            *seen.lock().unwrap() = head.headers;
            let body = body.collect().await.unwrap().to_bytes();
            let text = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body));
            Ok(Response::builder()
                .status(if head.method == Method::POST { 303 } else { 200 })
                .header("content-type", "text/html")
                .header("set-cookie", "session=1; HttpOnly")
                .header("set-cookie", "csrf=2")
                .header("location", "/consent")
                .header("loop-receipt", "1")
                .header("keep-alive", "timeout=5")
                .body(Body::new(Full::from(text)))
                .unwrap())
        }
    }))
}

async fn door() -> (Door, Arc<Mutex<HeaderMap>>) {
    door_of(Setting::new()).await
}

/// A gateway with a page, and the headers that the page saw last.
pub async fn door_of(mut setting: Setting) -> (Door, Arc<Mutex<HeaderMap>>) {
    let seen = Arc::default();
    setting.mesh.add_local("pages", mirror(Arc::clone(&seen)));
    setting.config.pages.insert("/sign-in", "pages");
    (setting.open().await, seen)
}

#[tokio::test]
async fn a_page_is_passed_through_without_a_token() {
    let (door, seen) = door().await;
    let request = Request::get("/sign-in?next=/a%20b")
        .header("cookie", "session=0")
        .header("x-forwarded-for", "203.0.113.9")
        .header("loop-service", "clinical");
    let answer = door.send(request, "").await;
    assert_eq!((answer.status, &*answer.body), (200, &b"GET /sign-in?next=/a%20b "[..]));
    assert_eq!(answer.header("content-type"), "text/html");
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.header("loop-receipt"), "");
    assert_eq!(answer.header("keep-alive"), "");
    assert_eq!(answer.header("ratelimit-limit"), "30");
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen["cookie"], "session=0");
    assert_eq!(seen["x-forwarded-for"], "127.0.0.1");
    assert_eq!(seen["x-forwarded-host"], "loop.test");
    assert_eq!(seen["x-forwarded-proto"], "https");
    assert_eq!(seen["loop-service"], "pages");
}

#[tokio::test]
async fn a_form_of_a_page_is_posted_up_to_its_limit() {
    let (door, _) = door().await;
    let answer = door.form("/sign-in", "email=a").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/consent"));
    assert_eq!(&*answer.body, b"POST /sign-in email=a");
    assert_eq!(door.form("/sign-in", &"x".repeat((64 << 10) + 1)).await.status, 413);
    assert_eq!(door.ask(Method::DELETE, "/sign-in").await.status, 405);
    assert_eq!(door.get("/sign-in/other", "").await.status, 404);
}

#[tokio::test]
async fn one_address_signs_in_thirty_times_a_minute() {
    let (door, _) = door().await;
    for _ in 0..30 {
        assert_eq!(door.form("/sign-in", "email=a").await.status, 303);
    }
    let answer = door.form("/sign-in", "email=a").await;
    assert_eq!((answer.status, answer.error().as_str()), (429, "rate_limited"));
}

#[tokio::test]
async fn a_page_whose_service_is_gone_is_unavailable() {
    let mut setting = Setting::new();
    setting.config.pages.insert("/sign-in", "gone");
    let answer = setting.open().await.get("/sign-in", "").await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
}
