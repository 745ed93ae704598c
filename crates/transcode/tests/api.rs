//! The repository's own protos, served: routes, requests, responses, errors and safe views.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::Method;
use transcode::{Api, Code, ErrorFormat, Match, RequestError, Route, Status, Style};

fn pool() -> prost_reflect::DescriptorPool {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let mut files = Vec::new();
    collect(std::path::Path::new(protos), &mut files);
    let mut compiler = protox::Compiler::new([protos]).unwrap();
    compiler.include_imports(true).open_files(files).unwrap();
    compiler.descriptor_pool()
}

fn collect(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
}

fn api() -> &'static Api {
    static API: std::sync::OnceLock<Api> = std::sync::OnceLock::new();
    API.get_or_init(|| Api::build(&pool()).unwrap())
}

fn found(method: Method, path: &str) -> Match<'static> {
    match api().route(&method, path) {
        Route::Found(found) => found,
        other => panic!("{method} {path}: {other:?}"),
    }
}

/// The request message as canonical JSON.
fn request(method: Method, target: &str, body: &str) -> Result<String, RequestError> {
    typed_request(method, target, "application/json", body)
}

fn typed_request(
    method: Method,
    target: &str,
    content_type: &str,
    body: &str,
) -> Result<String, RequestError> {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let found = found(method, path);
    let content_type = (!body.is_empty()).then_some(content_type);
    let wire = found.request(query, content_type, body.as_bytes(), Style::Rest)?;
    let json = found.method().input().to_json(&wire, Style::Canonical).unwrap();
    Ok(String::from_utf8(json).unwrap())
}

fn wire(message: &str, json: &str) -> Vec<u8> {
    let message = api().message(message).unwrap();
    message.to_wire(json.as_bytes(), Style::Canonical, transcode::Unknown::Reject).unwrap()
}

#[test]
fn the_api_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Api>();
}

#[test]
fn literal_paths_win_over_variables() {
    let grpc_path = |path| found(Method::GET, path).method().grpc_path().to_owned();
    assert_eq!(
        grpc_path("/v1/biomarkers/me"),
        "/loop.clinical.v1.ClinicalService/ListMyBiomarkers"
    );
    assert_eq!(grpc_path("/v1/biomarkers/bio_1"), "/loop.clinical.v1.ClinicalService/GetBiomarker");
    assert_eq!(found(Method::GET, "/v1/biomarkers/bio_1").template(), "/v1/biomarkers/{id}");
}

#[test]
fn methods_without_a_binding_are_known_by_their_grpc_path() {
    let method = api().method("/loop.patient_graph.v1.PatientGraphService/ResolvePatient").unwrap();
    assert_eq!(method.input().full_name(), "loop.patient_graph.v1.ResolvePatientRequest");
    assert!(api().method("/loop.patient_graph.v1.PatientGraphService/Nothing").is_none());
}

#[test]
fn a_get_takes_its_message_from_path_and_query() {
    assert_eq!(request(Method::GET, "/v1/biomarkers/bio%201", "").unwrap(), r#"{"id":"bio 1"}"#);
    assert_eq!(
        request(Method::GET, "/v1/biomarkers/me?page_size=5&biomarkerCode=a%2Bb+c", "").unwrap(),
        r#"{"pageSize":5,"biomarkerCode":"a+b c"}"#
    );
}

#[test]
fn a_wrong_parameter_is_named() {
    for (target, message) in [
        ("/v1/biomarkers/me?pages=5", "pages: is not a known parameter"),
        ("/v1/biomarkers/me?page_size=x", "page_size: must be a whole number from 0 to 4294967295"),
        ("/v1/biomarkers/me?page_size=1&pageSize=2", "page_size: is there twice"),
        ("/v1/biomarkers/bio_1?id=bio_2", "id: is part of the path and cannot be a parameter"),
        ("/v1/biomarkers/me?page_token=%FF", "page_token: must be UTF-8"),
    ] {
        assert_eq!(request(Method::GET, target, "").unwrap_err().to_string(), message, "{target}");
    }
}

#[test]
fn a_body_in_either_casing_becomes_the_message() {
    let body = r#"{"patient_id":"pat_1","brandId":"loop","source":"manual","biomarkers":[
        {"code":"albumin","value":4.10,"unit":"g/dL","collected_at":"2026-01-31T09:30:00+02:00"},
        {"code":"ferritin","value":"12","reference_low":1e1,"unit":"ug/L","collectedAt":"2026-01-31T07:30:00Z"}]}"#;
    let json = request(Method::POST, "/v1/biomarkers/parse", body).unwrap();
    assert_eq!(
        json,
        r#"{"patientId":"pat_1","brandId":"loop","source":"manual","biomarkers":[{"code":"albumin","value":"4.10","unit":"g/dL","collectedAt":"2026-01-31T07:30:00Z"},{"code":"ferritin","value":"12","unit":"ug/L","referenceLow":"1e1","collectedAt":"2026-01-31T07:30:00Z"}]}"#
    );
}

#[test]
fn an_error_in_a_body_names_the_field_in_declared_names() {
    for (body, message) in [
        (
            r#"{"biomarkers":[{"collectedAt":"yesterday"}]}"#,
            "biomarkers[0].collected_at: must be an RFC 3339 timestamp",
        ),
        (r#"{"biomarkers":[{},{"valeu":1}]}"#, "biomarkers[1].valeu: is not a known field"),
        (r#"{"biomarkers":[null]}"#, "biomarkers[0]: must not be null"),
        (r#"{"biomarkers":{}}"#, "biomarkers: must be a list"),
        (r#"{"source":1}"#, "source: must be a string"),
        (r#"{"source":"a","source":"b"}"#, "source: is there twice"),
        (r#"{"brand_id":"a","brandId":"b"}"#, "brand_id: is there twice"),
        (
            r#"{"source":"a",}"#,
            "the body is not valid JSON: expected a name in double quotes at byte 14",
        ),
        ("[]", "must be an object"),
    ] {
        let error = request(Method::POST, "/v1/biomarkers/parse", body).unwrap_err();
        assert_eq!(error.to_string(), message, "{body}");
    }
}

#[test]
fn a_body_of_another_type_is_refused() {
    for content_type in
        ["text/plain", "", "application/json; charset=latin1", "application/x-www-form-urlencoded"]
    {
        let error = typed_request(Method::POST, "/v1/biomarkers/parse", content_type, "{}");
        assert_eq!(
            error.unwrap_err(),
            RequestError::UnsupportedMediaType { expected: "application/json" },
            "{content_type}"
        );
    }
    for content_type in ["Application/JSON; charset=\"UTF-8\"", "application/merge-patch+json"] {
        assert!(typed_request(Method::POST, "/v1/biomarkers/parse", content_type, "{}").is_ok());
    }
}

#[test]
fn a_form_is_read_where_the_method_says_so_and_unknown_parameters_are_ignored() {
    let form = "application/x-www-form-urlencoded";
    let path = "/v1/oauth/token";
    let json = typed_request(
        Method::POST,
        path,
        form,
        "grant_type=refresh_token&refresh_token=a%2Bb+c&x=1",
    );
    assert_eq!(json.unwrap(), r#"{"grantType":"refresh_token","refreshToken":"a+b c"}"#);
    let twice = typed_request(Method::POST, path, form, "grant_type=a&grant_type=b");
    assert_eq!(twice.unwrap_err().to_string(), "grant_type: is there twice");
    assert!(request(Method::POST, path, r#"{"grant_type":"client_credentials"}"#).is_ok());
    assert!(typed_request(Method::POST, path, "text/plain", "a=b").is_err());
}

#[test]
fn rest_responses_have_lists_and_numbers_even_when_empty() {
    let list = found(Method::GET, "/v1/biomarkers/me");
    let response = list.response(b"", Style::Rest).unwrap();
    assert_eq!(
        (response.status.as_u16(), response.body.as_slice()),
        (200, &b"{\"biomarkers\":[]}"[..])
    );
    let timeline = found(Method::GET, "/v1/patients/pat_1/timeline");
    let body = timeline.response(b"", Style::Rest).unwrap().body;
    assert_eq!(body, br#"{"events":[],"total":0}"#);
    assert_eq!(timeline.response(b"", Style::Canonical).unwrap().body, b"{}");
}

#[test]
fn response_body_is_one_field_and_its_decimals_are_numbers() {
    let wire = wire(
        "loop.clinical.v1.GetBiomarkerResponse",
        r#"{"biomarker":{"id":"bio_1","value":"4.10","status":"BIOMARKER_STATUS_NORMAL","referenceLow":"n/a"}}"#,
    );
    let found = found(Method::GET, "/v1/biomarkers/bio_1");
    let rest = String::from_utf8(found.response(&wire, Style::Rest).unwrap().body).unwrap();
    assert_eq!(rest, r#"{"id":"bio_1","value":4.10,"reference_low":"n/a","status":"normal"}"#);
    assert_eq!(found.response(b"", Style::Rest).unwrap().body, b"null");
}

#[test]
fn the_success_status_is_the_declared_one() {
    let created = found(Method::POST, "/v1/patients").response(b"", Style::Rest).unwrap();
    assert_eq!(created.status.as_u16(), 201);
    let revoked = found(Method::POST, "/v1/oauth/revoke").response(b"", Style::Rest).unwrap();
    assert_eq!((revoked.status.as_u16(), revoked.content_type, revoked.body), (200, None, vec![]));
}

#[test]
fn a_status_becomes_the_platforms_error_body() {
    let status = Status::new(Code::FailedPrecondition, "stale").with_info(
        "ETAG_MISMATCH",
        "clinical",
        &[("http_status", "422"), ("error", "unprocessable")],
    );
    let response = api().error(&status.with_retry(3), "req_1", ErrorFormat::Platform);
    assert_eq!(response.status.as_u16(), 422);
    assert_eq!(response.headers[0].1, "3");
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "error": "unprocessable", "message": "stale", "error_description": "stale",
            "request_id": "req_1",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ETAG_MISMATCH",
                 "domain": "clinical", "metadata": {"http_status": "422", "error": "unprocessable"}},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": "3s"}
            ]
        })
    );
}

#[test]
fn a_call_aborted_for_its_etag_is_a_precondition_that_failed() {
    let status = |reason| Status::new(Code::Aborted, "no").with_info(reason, "clinical", &[]);
    let answer = |reason| api().error(&status(reason), "req_1", ErrorFormat::Problem);
    let stale = answer("ETAG_STALE");
    assert_eq!(stale.status.as_u16(), 412);
    let body: serde_json::Value = serde_json::from_slice(&stale.body).unwrap();
    assert_eq!((&body["error"], &body["status"]), (&"precondition_failed".into(), &412.into()));
    assert_eq!(answer("CONFLICT").status.as_u16(), 409);
}

#[test]
fn a_refused_request_becomes_a_violation() {
    let error = request(Method::GET, "/v1/biomarkers/me?page_size=x", "").unwrap_err();
    let response = api().error(&Status::from(&error), "req_1", ErrorFormat::Problem);
    assert_eq!(
        (response.status.as_u16(), response.content_type),
        (400, "application/problem+json")
    );
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body["type"], "about:blank");
    assert_eq!(body["title"], "Bad Request");
    assert_eq!(body["error"], "validation_error");
    assert_eq!(body["details"][1]["field_violations"][0]["field"], "page_size");
}

#[test]
fn oauth_errors_have_three_members_at_most() {
    let status = Status::new(Code::Unauthenticated, "unknown client").with_info(
        "INVALID_CLIENT",
        "identity",
        &[("oauth_error", "invalid_client"), ("www_authenticate", "Basic realm=\"loop\"")],
    );
    let response = api().error(&status, "req_1", ErrorFormat::OAuth);
    assert_eq!(response.status.as_u16(), 401);
    assert_eq!(
        response.body,
        br#"{"error":"invalid_client","error_description":"unknown client"}"#
    );
    let names: Vec<_> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["www-authenticate", "cache-control"]);
}

#[test]
fn unknown_details_come_as_base64_and_malformed_ones_do_not_harm() {
    let mut status = Status::new(Code::Unknown, "odd");
    status.details = b"\x1a\x0a\x0a\x03x/y\x12\x03abc\x1a".to_vec();
    let response = api().error(&status, "req_1", ErrorFormat::Platform);
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body["details"], serde_json::json!([{"@type": "x/y", "value": "YWJj"}]));
}

#[test]
fn no_route_is_404_and_another_method_is_405_with_allow() {
    let Route::OtherMethods(methods) = api().route(&Method::PUT, "/v1/biomarkers/me") else {
        panic!()
    };
    let response = api().error(&Status::method_not_allowed(&methods), "r", ErrorFormat::Platform);
    assert_eq!(response.status.as_u16(), 405);
    assert_eq!(response.headers[0].1, "GET, HEAD, OPTIONS");
    assert!(matches!(api().route(&Method::GET, "/nothing"), Route::NotFound));
    assert_eq!(api().error(&Status::no_route(), "r", ErrorFormat::Platform).status.as_u16(), 404);
}

#[test]
fn the_safe_view_masks_protected_data() {
    let message = api().message("loop.patient_graph.v1.CreatePatientRequest").unwrap();
    let wire = wire(
        "loop.patient_graph.v1.CreatePatientRequest",
        r#"{"brandId":"loop","firstName":"Ann","gender":"GENDER_FEMALE","externalIds":{"a":"b"},"metadata":{"note":"Ann"}}"#,
    );
    assert_eq!(
        message.safe_view(&wire).to_string(),
        r#"{"brand_id":"loop","first_name":"[phi]","gender":"[phi]","external_ids":"[phi]","metadata":"[struct]"}"#
    );
    let client = api().message("loop.identity.v1.CreateOauthClientResponse").unwrap();
    let wire =
        self::wire("loop.identity.v1.CreateOauthClientResponse", r#"{"clientSecret":"lph_cs_1"}"#);
    assert_eq!(client.safe_view(&wire).as_str(), r#"{"client_secret":"[secret]"}"#);
}

#[test]
fn a_missing_scope_and_help_show_in_the_error() {
    let mut status = Status::new(Code::PermissionDenied, "no").with_info(
        "INSUFFICIENT_SCOPE",
        "edge",
        &[("www_authenticate", "Bearer error=\"insufficient_scope\"")],
    );
    status.details.extend(
        b"\x1a\x34\x0a\x23type.googleapis.com/google.rpc.Help\x12\x0d\x0a\x0b\x12\x09https://x",
    );
    let response = api().error(&status, "r", ErrorFormat::Problem);
    assert_eq!(response.status.as_u16(), 403);
    assert_eq!(response.headers[0].1, "Bearer error=\"insufficient_scope\"");
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(
        (&body["error"], &body["type"]),
        (&"insufficient_scope".into(), &"https://x".into())
    );
}
