//! A gateway whose JSON is spelled as proto3 has it.

use serde_json::json;

use super::door::{Door, Setting};

async fn canonical() -> Door {
    let mut setting = Setting::new();
    setting.config = setting.config.canonical();
    setting.open().await
}

#[tokio::test]
async fn names_and_values_are_those_of_proto3() {
    let door = canonical().await;
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await.json();
    let first = Door::open().await;
    let rest = first.get("/v1/biomarkers/bio_1", &first.reader()).await.json();
    assert!(rest.get("patient_id").is_some(), "{rest}");
    assert!(answer.get("patientId").is_some(), "{answer}");
    assert_eq!(answer["value"], json!("4.10"), "a decimal is text");
}

#[tokio::test]
async fn what_a_standard_names_keeps_its_names() {
    let door = canonical().await;
    let form = "grant_type=client_credentials&client_id=cli_1&client_secret=s";
    let answer = door.form("/v1/oauth/token", form).await.json();
    assert!(answer.get("access_token").is_some(), "{answer}");
}
