//! Errors in their three forms: the platform's, RFC 9457 and RFC 6749.

use http::{Method, Request};

use super::door::{Door, Setting, report};

#[tokio::test]
async fn the_platforms_error_says_what_why_and_for_which_request() {
    let door = Door::open().await;
    let answer = door.get("/v1/biomarkers/bio_missing", &door.reader()).await;
    assert_eq!(answer.header("content-type"), "application/json");
    let json = answer.json();
    assert_eq!(json["error"], "not_found");
    assert_eq!(json["message"], "no such biomarker");
    assert_eq!(json["error_description"], "no such biomarker");
    assert_eq!(json["request_id"], answer.header("x-request-id"));
    assert_eq!(json["details"][0]["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert_eq!(json["details"][0]["reason"], "BIOMARKER_NOT_FOUND");
    assert_eq!(json["details"][0]["domain"], "platform.loop.health");
}

#[tokio::test]
async fn problem_details_are_given_to_those_who_ask() {
    let door = Door::open().await;
    let request = Request::get("/v1/biomarkers/bio_missing")
        .header("accept", "application/problem+json")
        .header("authorization", format!("Bearer {}", door.reader()))
        .header("x-request-id", "req-42");
    let answer = door.send(request, "").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let json = answer.json();
    assert_eq!(json["status"], 404);
    assert_eq!(json["title"], "Not Found");
    assert_eq!(json["detail"], "no such biomarker");
    assert_eq!(json["instance"], "req-42");
    assert_eq!(json["error"], "not_found");
}

#[tokio::test]
async fn oauth_errors_have_the_members_of_the_rfc_and_no_others() {
    let door = Door::open().await;
    let request = Request::post("/v1/oauth/token")
        .header("content-type", "text/plain")
        .header("accept", "application/problem+json");
    let answer = door.send(request, "grant_type").await;
    assert_eq!(answer.status, 415);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    assert_eq!(json["error"], "invalid_request");
    let members: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "error_description"]);
}

#[tokio::test]
async fn an_unknown_path_is_404_and_tells_nothing_else() {
    let door = Door::open().await;
    for path in ["/v1/nothing", "/v2/biomarkers/me", "/v1/biomarkers/a/b", "//", "/v1/"] {
        let answer = door.get(path, "").await;
        assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"), "{path}");
        assert_eq!(answer.json()["message"], "no such path");
        assert!(!answer.header("x-request-id").is_empty());
    }
    // What services call among themselves is not there for others, whatever they hold.
    let answer = door.post("/loop.identity.v1.IdentityService/ResolveToken", "", "{}").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn another_method_is_405_with_those_that_are_allowed() {
    let door = Door::open().await;
    let answer = door.ask(Method::DELETE, "/v1/biomarkers/parse").await;
    assert_eq!((answer.status, answer.error().as_str()), (405, "method_not_allowed"));
    assert!(answer.header("allow").contains("POST"), "{answer:?}");
    let answer = door.ask(Method::POST, "/healthz").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn what_is_malformed_names_the_field_and_the_rule() {
    let door = Door::open().await;
    let token = door.writer();
    let report = report("manual");
    for (body, field, rule) in [
        (report.replace("09:30", "9.30"), "biomarkers[0].collected_at", "RFC 3339"),
        (report.replace("4.1", "true"), "biomarkers[0].value", "must be"),
        (report.replace("\"source\"", "\"sauce\""), "sauce", "not a known field"),
        (report.replace("\"source\"", "\"brand_id\""), "brand_id", "twice"),
    ] {
        let answer = door.post("/v1/biomarkers/parse", &token, &body).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "validation_error"), "{body}");
        let json = answer.json();
        let violation = &json["details"][1]["field_violations"][0];
        assert_eq!(violation["field"], field, "{json}");
        let told = violation["description"].as_str().unwrap();
        assert!(told.contains(rule), "{told} should say {rule}");
    }
    let answer = door.post("/v1/biomarkers/parse", &token, "{\"source\":").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["details"][0]["reason"], "MALFORMED_JSON");
    let answer = door.get("/v1/biomarkers/me?pages=2", &door.reader()).await;
    assert_eq!(answer.json()["details"][1]["field_violations"][0]["field"], "pages");
}

#[tokio::test]
async fn a_panic_below_is_one_failed_request() {
    let door = Door::open().await;
    let token = door.reader();
    let answer = door.get("/v1/biomarkers/bio_panics", &token).await;
    assert_eq!((answer.status, answer.error().as_str()), (500, "internal"));
    assert!(!String::from_utf8_lossy(&answer.body).contains("a service panics"));
    assert_eq!(door.get("/v1/biomarkers/bio_1", &token).await.status, 200);
}

#[test]
fn a_page_on_the_path_of_a_method_is_no_gateway() {
    for path in ["/healthz", "/v1/biomarkers/me", "/v1/oauth/token"] {
        let mut setting = Setting::new();
        setting.config.pages.insert(path, "identity");
        assert!(matches!(setting.try_parts(), Err(crate::Error::Contested(it)) if it == path));
    }
}

#[test]
fn a_table_that_lacks_a_method_is_no_gateway() {
    static STALE: contract::Package =
        contract::Package { methods: &[], ..clinical_contract::v1::PACKAGE };
    let setting = Setting::new();
    let error = setting.try_parts_of(&[&STALE]).err().unwrap();
    assert!(error.to_string().contains("/loop.clinical.v1.ClinicalService/"), "{error}");
}
