//! Answers in the words that their readers like better.

use http::Request;
use serde_json::json;

use super::{
    door::{Answer, Door},
    probe,
};

async fn get(door: &Door, path: &str, token: &str, prefer: &str) -> Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    let request = if prefer.is_empty() { request } else { request.header("prefer", prefer) };
    door.send(request, "").await
}

#[tokio::test]
async fn an_answer_is_written_as_its_reader_prefers() {
    let door = Door::open().await;
    let (token, path) = (door.reader(), "/v1/biomarkers/bio_1");
    let usual = get(&door, path, &token, "").await;
    assert_eq!(usual.json()["status"], "normal");
    assert_eq!((usual.header("preference-applied"), usual.header("vary")), ("", ""));

    let answer = get(&door, path, &token, "style=canonical").await;
    assert_eq!(answer.header("preference-applied"), "style=canonical");
    assert_eq!(answer.header("vary"), "prefer");
    let biomarker = answer.json();
    assert_eq!(biomarker["status"], "BIOMARKER_STATUS_NORMAL");
    assert_eq!(
        (&biomarker["patientId"], &biomarker["value"]),
        (&json!("canary-7f3a"), &json!("4.10"))
    );

    let answer = get(&door, path, &token, "defaults=emit, enums=number").await;
    assert_eq!(answer.header("preference-applied"), "defaults=emit, enums=number");
    assert_eq!((&answer.json()["status"], &answer.json()["unit"]), (&json!(1), &json!("")));

    let answer = get(&door, path, &token, "return=minimal").await;
    assert_eq!((&answer.body, answer.header("preference-applied")), (&usual.body, ""));
}

#[tokio::test]
async fn the_system_parameter_is_no_field() {
    let door = Door::open().await;
    let (token, path) = (door.reader(), "/v1/biomarkers/bio_1");
    let answer = door.get(&format!("{path}?$alt=json;enum-encoding=int"), &token).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(1)));
    let calls = door.clinical.calls();
    let answer = door.get(&format!("{path}?%24alt=proto"), &token).await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "validation_error"));
    let answer = door.get(&format!("{path}?$xgafv=2"), &token).await;
    assert_eq!(answer.status, 400);
    assert_eq!(door.clinical.calls(), calls);
    // Nor where the body is the whole message.
    let (door, _) = probe::open().await;
    let answer = door.post("/v1/probe/echo?$alt=json", &door.prober(), "{}").await;
    assert_eq!((answer.status, &answer.json()["count"]), (200, &json!("1")));
}

#[tokio::test]
async fn a_standards_names_are_nobodys_to_choose() {
    let door = Door::open().await;
    let request = Request::post("/v1/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("prefer", "style=canonical");
    let answer = door.send(request, "grant_type=client_credentials&client_id=c").await;
    assert!(answer.json()["access_token"].is_string(), "{answer:?}");
    assert_eq!(answer.header("preference-applied"), "");
}

#[tokio::test]
async fn every_message_of_a_stream_is_written_alike() {
    let (door, _) = probe::open().await;
    let path = "/v1/probe/watch/hi?count=2";
    let answer = get(&door, path, &door.prober(), "defaults=omit").await;
    assert_eq!(answer.json(), json!([{"text": "hi"}, {"text": "hi", "count": "1"}]));
    assert_eq!(answer.header("preference-applied"), "defaults=omit");
    let answer = get(&door, path, &door.prober(), "defaults=emit").await;
    assert_eq!(answer.json()[1], json!({"text": "hi", "room": "", "count": "1"}));
    // Raw bytes have no style.
    let answer = get(&door, "/v1/probe/files/a", &door.prober(), "style=canonical").await;
    assert_eq!((&answer.body[..], answer.header("preference-applied")), (&b"a,b\n1,2\n"[..], ""));
}
