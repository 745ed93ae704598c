//! The order of the layers, by what a caller sees of it.

use std::time::Duration;

use http::Uri;
use tonic::{Code, Request, body::Body};
use tower::ServiceExt as _;

use super::*;

/// A call that each checkpoint would refuse: no such brand, no id, a key with a space.
async fn wrong(client: TestClient, brand: &str) -> Status {
    let client = client.with("x-brand-id", brand).with("idempotency-key", "a b");
    let request = pb::UpdateBrandRequest::default();
    let answer = Client::new(client.with("x-request-id", "r-1")).update_brand(request).await;
    answer.expect_err("nothing about the call is right")
}

#[tokio::test]
async fn who_then_what_then_where_then_how_and_the_body_last() {
    let world = world().await;
    let one_brand = Grant { brands: vec!["loop".into()], ..operator() };
    let person = Grant::user("usr_ada", "loop", &["admin:platform"]);
    for (client, brand, code, expected) in [
        (world.stranger("platform"), "No Brand", Code::Unauthenticated, "UNAUTHENTICATED"),
        (
            world.bearer("platform", "loop_at_x"),
            "No Brand",
            Code::Unauthenticated,
            "UNAUTHENTICATED",
        ),
        (world.client("platform", person), "No Brand", Code::PermissionDenied, "CALLER_FORBIDDEN"),
        (
            world.client("platform", Grant::service("cli_ops", &["admin:events"])),
            "No Brand",
            Code::PermissionDenied,
            "INSUFFICIENT_SCOPE",
        ),
        (world.client("platform", operator()), "No Brand", Code::InvalidArgument, "BRAND_INVALID"),
        (world.client("platform", one_brand), "loopbio", Code::PermissionDenied, "BRAND_FORBIDDEN"),
        (
            world.client("platform", operator()),
            "loop",
            Code::InvalidArgument,
            "IDEMPOTENCY_KEY_INVALID",
        ),
    ] {
        let status = wrong(client, brand).await;
        assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
        assert_eq!(status.metadata().get("x-request-id").unwrap(), "r-1", "{expected}");
    }
    let request = pb::UpdateBrandRequest::default();
    let status = Client::new(ops(&world)).update_brand(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "VALIDATION"));
    assert_eq!(count(&world, "audit_log").await, 0);
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_is_not_called_wrong() {
    let world = world().await;
    // Nobody listens at the port of discard (RFC 863).
    world.mesh.add_remote("identity", &Uri::from_static("http://127.0.0.1:9")).unwrap();
    let status = Client::new(ops(&world)).update_brand(update("Loop")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_error_details().retry_info().is_some());
}

#[tokio::test]
async fn every_outcome_carries_a_request_id_and_a_harmful_one_is_replaced() {
    let world = world().await;
    let id_of = async |client: TestClient| {
        let request = pb::GetBrandRequest { id: "loop".into() };
        let answer = Client::new(client).get_brand(request).await;
        let metadata = answer.map_or_else(|it| it.metadata().clone(), |it| it.metadata().clone());
        metadata.get("x-request-id").unwrap().to_str().unwrap().to_owned()
    };
    for client in [ops(&world), world.stranger("platform")] {
        assert_eq!(id_of(client.clone().with("x-request-id", "r_1.a-B")).await, "r_1.a-B");
        for harmful in ["a b", "a\"b", &"a".repeat(65), ""] {
            let made = id_of(client.clone().with("x-request-id", harmful)).await;
            assert!(made.parse::<kit::Uuid>().is_ok(), "{harmful:?} became {made:?}");
        }
        assert_ne!(id_of(client.clone()).await, id_of(client).await);
    }
}

#[tokio::test]
async fn the_audit_log_names_the_request_and_the_person_a_service_acts_for() {
    let world = world().await;
    let client = ops(&world).with("x-request-id", "r-1").with("loop-acting-user", "usr_ada");
    Client::new(client).update_brand(update("Loop")).await.unwrap();
    let entry = "audit_log WHERE request_id = 'r-1' AND actor_id = 'cli_ops'
                 AND details->>'acting_user' = 'usr_ada' AND details->>'client_id' = 'cli_ops'";
    assert_eq!(count(&world, entry).await, 1);
}

#[tokio::test]
async fn a_path_that_is_no_method_is_unknown_to_everybody() {
    let world = world().await;
    for client in [ops(&world), world.stranger("platform")] {
        for path in ["/", "/loop.platform.v1.PlatformService/DropBrand", "/metrics"] {
            let request = http::Request::post(path).body(Body::default()).unwrap();
            let answer = client.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.headers().get("grpc-status").unwrap(), "12", "{path}");
            assert!(answer.headers().contains_key("x-request-id"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_panic_is_one_failed_call() {
    let world = world().await;
    let mut client = Client::new(ops(&world));
    let status = client.update_brand(update("panic")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    assert!(status.metadata().contains_key("x-request-id"));
    client.update_brand(update("Loop")).await.unwrap();
}

#[tokio::test]
async fn a_call_ends_with_its_callers_patience_and_leaves_nothing() {
    let world = world().await;
    let mut request = Request::new(update("hang"));
    request.set_timeout(Duration::from_millis(100));
    let status = Client::new(ops(&world)).update_brand(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE"));
    assert_eq!(count(&world, "audit_log").await, 0);
}
