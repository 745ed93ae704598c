//! What each of the five checkpoints holds, shown by a stack that lacks it; and their order.

use std::sync::Arc;

use kit::layers::{BrandScope, Introspect, Next, PhiSafeView, ReceiptShown, Scope, admit, through};
use kit_test::Grant;
use tower::ServiceBuilder;

use super::door::{Door, Setting, report};
use crate::{Parts, call, layers::Noted};

fn introspect(parts: &Arc<Parts>) -> Noted<Introspect> {
    Noted(Introspect(parts.introspector.clone()))
}

fn call(parts: &Arc<Parts>) -> Next {
    Next::end(parts.clone(), call::call)
}

fn without_introspection(parts: &Arc<Parts>) -> Next {
    let stack = ServiceBuilder::new()
        .layer(admit(Scope))
        .layer(admit(BrandScope))
        .layer(admit(PhiSafeView))
        .layer(through(ReceiptShown));
    Next::new(stack.service(call(parts)))
}

fn without_scope(parts: &Arc<Parts>) -> Next {
    let stack = ServiceBuilder::new()
        .layer(admit(introspect(parts)))
        .layer(admit(BrandScope))
        .layer(admit(PhiSafeView))
        .layer(through(ReceiptShown));
    Next::new(stack.service(call(parts)))
}

fn without_brand(parts: &Arc<Parts>) -> Next {
    let stack = ServiceBuilder::new()
        .layer(admit(introspect(parts)))
        .layer(admit(Scope))
        .layer(admit(PhiSafeView))
        .layer(through(ReceiptShown));
    Next::new(stack.service(call(parts)))
}

fn without_safe_view(parts: &Arc<Parts>) -> Next {
    let stack = ServiceBuilder::new()
        .layer(admit(introspect(parts)))
        .layer(admit(Scope))
        .layer(admit(BrandScope))
        .layer(through(ReceiptShown));
    Next::new(stack.service(call(parts)))
}

fn without_receipts(parts: &Arc<Parts>) -> Next {
    let stack = ServiceBuilder::new()
        .layer(admit(introspect(parts)))
        .layer(admit(Scope))
        .layer(admit(BrandScope))
        .layer(admit(PhiSafeView));
    Next::new(stack.service(call(parts)))
}

#[tokio::test]
async fn who_passes_all_five_is_answered_in_json() {
    let door = Door::open().await;
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["value"], 4.10);
    assert_eq!(answer.json()["status"], "normal");
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = door.post("/v1/biomarkers/parse", &door.writer(), &report("manual")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["count"], 1);
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("loop-receipt"), "");
}

#[tokio::test]
async fn without_introspection_nobody_passes() {
    let door = Setting::new().open_with(without_introspection).await;
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_token"));
    assert_eq!(door.clinical.calls(), 0);
}

#[tokio::test]
async fn scope_is_what_keeps_a_reader_from_writing() {
    let with = Door::open().await;
    let answer = with.post("/v1/biomarkers/parse", &with.reader(), &report("manual")).await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"));
    assert!(answer.header("www-authenticate").contains("write:biomarkers"), "{answer:?}");
    assert_eq!(with.clinical.calls(), 0);

    let without = Setting::new().open_with(without_scope).await;
    let answer = without.post("/v1/biomarkers/parse", &without.reader(), &report("manual")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn brand_is_what_keeps_a_token_in_its_tenant() {
    let with = Door::open().await;
    let other = |door: &Door| {
        let token = format!("Bearer {}", door.reader());
        let request = http::Request::get("/v1/biomarkers/bio_1").header("x-brand-id", "other");
        request.header("authorization", token)
    };
    let answer = with.send(other(&with), "").await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "forbidden"));
    assert_eq!(answer.json()["details"][0]["reason"], "BRAND_FORBIDDEN");

    let without = Setting::new().open_with(without_brand).await;
    let answer = without.send(other(&without), "").await;
    assert_eq!(answer.status, 401, "no brand, no safe view: {answer:?}");
    assert_eq!(without.clinical.calls(), 0);
}

#[tokio::test]
async fn a_machine_chooses_among_its_brands() {
    let door = Door::open().await;
    let mut grant = Grant::service("cli_partner", &["admin:clinical"]);
    grant.brands = vec!["loop".into()];
    let token = door.identity.issue(grant);
    for (brand, status) in [("loop", 200), ("other", 403)] {
        let request = http::Request::get("/v1/biomarkers/bio_1").header("x-brand-id", brand);
        let request = request.header("authorization", format!("Bearer {token}"));
        assert_eq!(door.send(request, "").await.status, status, "{brand}");
    }
    assert_eq!(door.clinical.last()["x-brand-id"], "loop");
}

#[tokio::test]
async fn a_user_scope_in_a_machines_hands_means_nothing() {
    let door = Door::open().await;
    let mut grant = Grant::service("cli_partner", &["read:biomarkers"]);
    grant.brands = vec!["loop".into()];
    let token = door.identity.issue(grant);
    let request = http::Request::get("/v1/biomarkers/bio_1").header("x-brand-id", "loop");
    let request = request.header("authorization", format!("Bearer {token}"));
    let answer = door.send(request, "").await;
    assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"));
}

#[tokio::test]
async fn without_a_safe_view_nothing_is_called() {
    let door = Setting::new().open_with(without_safe_view).await;
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!((answer.status, answer.error().as_str()), (500, "internal"));
    assert_eq!(door.clinical.calls(), 0);
}

#[tokio::test]
async fn an_answer_without_its_audit_entry_is_a_failure() {
    let with = Door::open().await;
    let answer = with.post("/v1/biomarkers/parse", &with.writer(), &report("unaudited")).await;
    assert_eq!((answer.status, answer.error().as_str()), (500, "internal"));
    let answer = with.get("/v1/biomarkers/bio_unaudited", &with.reader()).await;
    assert_eq!(answer.status, 500);
    assert!(!String::from_utf8_lossy(&answer.body).contains("albumin"));

    let without = Setting::new().open_with(without_receipts).await;
    let answer =
        without.post("/v1/biomarkers/parse", &without.writer(), &report("unaudited")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn strangers_learn_nothing_of_what_they_may_not() {
    let door = Door::open().await;
    let (reader, writer) = (door.reader(), door.writer());
    // The same malformed request, by callers who get further each time.
    for (token, status) in [("", 401), ("lph_at_forged", 401), (&*reader, 403), (&*writer, 400)] {
        let answer = door.post("/v1/biomarkers/parse", token, r#"{"unknown":1}"#).await;
        assert_eq!(answer.status, status, "{token} {answer:?}");
    }
    for (token, status) in [("", 401), (&*writer, 403), (&*reader, 404)] {
        assert_eq!(door.get("/v1/biomarkers/bio_missing", token).await.status, status);
    }
    assert_eq!(door.clinical.calls(), 1);
}

#[tokio::test]
async fn a_revoked_token_ends_at_the_source_once_it_is_fenced() {
    let setting = Setting::new();
    let cache = setting.cache.clone();
    let door = setting.open().await;
    let token = door.reader();
    assert_eq!(door.get("/v1/biomarkers/bio_1", &token).await.status, 200);
    door.identity.forget(&token);
    let hash = oauth_core::Token::parse(oauth_core::Kind::AccessToken, &token).unwrap().hash();
    cache.fence(&[hash.0], kit::FENCE_TTL).await.unwrap();
    assert_eq!(door.get("/v1/biomarkers/bio_1", &token).await.status, 401);
}

#[tokio::test]
async fn the_checkpoints_stand_in_their_order() {
    let door = Door::open().await;
    let send = |token: &str, brand: &'static str, body: &'static str| {
        let request = http::Request::post("/v1/biomarkers/parse").header("x-brand-id", brand);
        let request = request.header("content-type", "application/json");
        door.send(request.header("authorization", format!("Bearer {token}")), body)
    };
    let (reader, writer) = (door.reader(), door.writer());
    // Each is wrong in all that follows as well.
    let answer = send("forged", "other", "{").await;
    assert_eq!(answer.error(), "invalid_token", "introspection comes before scope");
    let answer = send(&reader, "other", "{").await;
    assert_eq!(answer.error(), "insufficient_scope", "scope comes before brand");
    let answer = send(&writer, "other", "{").await;
    assert_eq!(answer.json()["details"][0]["reason"], "BRAND_FORBIDDEN");
    assert_eq!(answer.header("ratelimit-limit"), "", "brand comes before the limiter");
    let answer = send(&writer, "loop", "{").await;
    assert_eq!(answer.error(), "validation_error");
    assert_eq!(answer.header("ratelimit-limit"), "200", "the limiter comes before the body");
}
