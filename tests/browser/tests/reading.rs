//! Reading: everything is listed, found and linked, and nobody else is asked.

use std::collections::BTreeSet;

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::page::Page;

/// The contract's operations: id and summary.
fn operations() -> Vec<(String, String)> {
    let document: Value = serde_json::from_slice(loop_platform::OPENAPI).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|it| it.as_object().unwrap().values());
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    operations.map(|it| (text(&it["operationId"]), text(&it["summary"]))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_operation_is_listed_and_opens_without_a_complaint_or_a_foreign_request() {
    let Some(page) = Page::new().await else { return };
    page.open("").await;
    let listed = "return [...document.querySelectorAll('nav a')].map((it) => it.hash.slice(1))";
    let listed = page.run(listed, vec![]).await;
    let listed: BTreeSet<_> =
        listed.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let operations = operations();
    assert_eq!(listed, operations.iter().map(|it| &*it.0).collect());
    for (id, summary) in &operations {
        page.run("location.hash = arguments[0]", vec![json!(id)]).await;
        page.says("main h1", summary).await;
        page.find(".samples pre").await;
        // Everything that can be opened is.
        let open = "document.querySelectorAll('.told summary').forEach((it) => it.click())";
        page.run(open, vec![]).await;
    }
    assert_eq!(page.complaints().await, Vec::<String>::new());
    assert_eq!(page.origins().await, BTreeSet::from([page.platform.url.clone()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_link_to_an_operation_opens_it_with_all_its_contract_says() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_ParseBiomarkers").await;
    page.says("main h1", "Records the results of one lab report").await;
    for part in [
        "write:biomarkers",
        "user, service",
        "clinical.biomarker.parsed.v1",
        "VALUE_IMPLAUSIBLE",
        "/loop.clinical.v1.ClinicalService/ParseBiomarkers",
        "with the same Idempotency-Key",
        "PHI · identifier",
        "1 to 64 characters",
    ] {
        page.says(".told", part).await;
    }
    page.find("nav a[aria-current='page'][href='#ClinicalService_ParseBiomarkers']").await;
    page.open("NoService_NoMethod").await;
    page.says("main", "no operation named “NoService_NoMethod”").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn search_narrows_the_list_and_says_when_nothing_is_left() {
    let Some(page) = Page::new().await else { return };
    page.open("").await;
    page.press('/').await;
    for (words, outcome) in [
        ("biomarkers parse", "1 of"),
        ("IDEMPOTENCY_KEY nothing has this", "No operation has all of"),
        ("value_implausible", "1 of"),
    ] {
        page.fill("#search", words).await;
        page.says("nav .outcome", outcome).await;
    }
    let shown = "return [...document.querySelectorAll('nav li')].filter((it) => it.checkVisibility()).length";
    assert_eq!(page.run(shown, vec![]).await, 1);
    page.press(Key::Enter).await;
    page.says("main h1", "Records the results of one lab report").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_contract_that_cannot_be_read_is_said() {
    let Some(page) = Page::new().await else { return };
    page.devtools("Network.enable", json!({})).await;
    page.devtools("Network.setBlockedURLs", json!({"urls": ["*/openapi.json"]})).await;
    page.open("").await;
    page.says("main", "The contract cannot be read").await;
    page.says("main", "the server cannot be reached").await;
    page.devtools("Network.setBlockedURLs", json!({"urls": []})).await;
    page.click("main button").await;
    page.says("main h1", "Loop Platform").await;
}
