//! Whatever is sent, the answer is one of the documented: no panic, no 500, always an id.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use tonic::body::Body;

use super::door::{Setting, report};
use crate::layers;
use kit::layers::Next;

/// Paths that are served.
const PATHS: [&str; 6] = [
    "/openapi.json",
    "/v1/biomarkers/bio_1",
    "/v1/biomarkers/me",
    "/v1/biomarkers/parse",
    "/v1/oauth/token",
    "/v1/users/me",
];

/// A request made of parts that mean something and parts that do not.
#[derive(Clone, Debug)]
struct Anything {
    method: Method,
    path: String,
    query: String,
    token: usize,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn anything() -> impl Strategy<Value = Anything> {
    let methods = ["GET", "POST", "HEAD", "DELETE", "PATCH", "OPTIONS", "BREW"];
    let method = select(methods.to_vec()).prop_map(|it| it.parse().unwrap());
    let known = ["v1", "biomarkers", "me", "parse", "oauth", "token", "users", "bio_1", "%FF", ":"];
    let segment =
        prop_oneof![4 => select(known.to_vec()).prop_map(str::to_owned), 1 => "[!-~&&[^?#/]]{0,8}"];
    let made = proptest::collection::vec(segment, 0..4).prop_map(|it| format!("/{}", it.join("/")));
    let path = prop_oneof![select(PATHS.to_vec()).prop_map(str::to_owned), made];
    let names = [
        "content-type",
        "accept",
        "x-brand-id",
        "x-request-id",
        "content-encoding",
        "if-match",
        "if-none-match",
    ];
    let values = [
        "application/json",
        "application/x-www-form-urlencoded",
        "identity",
        "loop",
        "\"4\"",
        "W/\"4\", *",
        "*",
    ];
    let value =
        prop_oneof![3 => select(values.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,12}"];
    let headers = proptest::collection::vec((select(names.to_vec()), value), 0..4);
    let body = prop_oneof![
        Just(Vec::new()),
        Just(report("manual").into_bytes()),
        "[ -~]{0,40}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    (method, path, "[!-~&&[^#]]{0,20}", 0..4_usize, headers, body).prop_map(
        |(method, path, query, token, headers, body)| Anything {
            method,
            path,
            query,
            token,
            headers,
            body,
        },
    )
}

async fn answer(app: &Next, tokens: &[String; 4], it: Anything) -> Result<(), TestCaseError> {
    let mut request =
        Request::builder().method(&it.method).uri(format!("{}?{}", it.path, it.query));
    request = request.header("authorization", format!("Bearer {}", tokens[it.token]));
    for (name, value) in &it.headers {
        request = request.header(*name, value);
    }
    // What is no request at all does not get here.
    let Ok(request) = request.header("host", "a").body(Body::new(Full::<Bytes>::from(it.body)))
    else {
        return Ok(());
    };
    let (head, body) = app.run(request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    prop_assert!(head.headers.contains_key("x-request-id"));
    prop_assert_ne!(head.status.as_u16(), 500, "{:?}", body);
    if head.status.as_u16() >= 400 && it.method != Method::HEAD {
        let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
        prop_assert!(error["error"].is_string(), "{}", error);
    }
    Ok(())
}

#[test]
fn any_request_is_answered_in_a_documented_way() {
    let setting = Setting::new();
    let app = layers::stack(&setting.parts());
    let grants = [&["read:biomarkers"][..], &["write:biomarkers", "read:account"]];
    let [reader, writer] =
        grants.map(|it| setting.identity.issue(kit_test::Grant::user("usr_1", "loop", it)));
    let tokens = [reader, writer, String::new(), "forged".to_owned()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    TestRunner::default()
        .run(&anything(), |it| runtime.block_on(answer(&app, &tokens, it)))
        .unwrap();
}
