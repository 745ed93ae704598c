//! Trying: the answer, and each way in which there is none.

use serde_json::json;

use crate::page::Page;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_with_a_token_shows_its_answer_and_a_repeated_one_that_it_was_stored() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_ParseBiomarkers").await;
    page.sign_in_as_operator().await;
    page.click(".send").await;
    page.says(".answer", "200 OK").await;
    // To the letter, as it was sent.
    page.says(".answer .json", "\"value\": 91.284517").await;
    page.click(".answer .headers summary").await;
    page.says(".answer .headers", "x-request-id").await;
    page.click(".send").await;
    page.says(".answer", "the stored answer to an earlier call").await;
    assert_eq!(page.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_without_a_token_says_so_and_leads_to_signing_in() {
    let Some(page) = Page::new().await else { return };
    page.open("IdentityService_GetMe").await;
    page.says(".tried", "This operation needs a token").await;
    page.click(".send").await;
    page.says(".answer", "401 Unauthorized").await;
    page.says(".answer", "You are not signed in").await;
    page.click(".answer .notice button").await;
    page.find("dialog[open] [name=clientId]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_without_the_scope_is_told_which_one_is_missing() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_ListBiomarkers").await;
    page.sign_in_as_operator_for("admin:identity").await;
    page.says(".tried .notice", "Your token has none of the scopes").await;
    page.click(".send").await;
    page.says(".answer", "403 Forbidden").await;
    page.says(".answer .notice", "It needs the scope admin:clinical").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_broken_rule_is_shown_beside_its_field() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_ListBiomarkers").await;
    page.sign_in_as_operator().await;
    page.fill("[id$='query:page_size']", "1000").await;
    page.click(".send").await;
    page.says(".answer", "400 Bad Request").await;
    page.says(".answer .violations", "page_size must be at most 100").await;
    page.find("[id$='query:page_size'][aria-invalid='true']").await;
    page.says("[id$='query:page_size-problem']", "must be at most 100").await;
    // Typing goes on as if nothing had been said.
    page.fill("[id$='query:page_size']", "10").await;
    page.click(".send").await;
    page.says(".answer", "200 OK").await;
    let wrong = page.run("return document.querySelectorAll('[aria-invalid]').length", vec![]).await;
    assert_eq!(wrong, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_cannot_be_sent_is_said_before_it_is() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_ParseBiomarkers").await;
    page.fill("textarea.code", "{\"biomarkers\": [").await;
    page.click(".send").await;
    page.says(".tried .problem:not(:empty)", "This is not JSON").await;
    page.open("ClinicalService_GetBiomarker").await;
    page.fill("[id$='path:id']", "").await;
    page.click(".send").await;
    page.says("[id$='path:id-problem']", "The path needs it").await;
    let answers = page.run("return document.querySelector('.answer').textContent", vec![]).await;
    assert_eq!(answers, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_does_not_answer_is_said() {
    let Some(page) = Page::new().await else { return };
    page.open("IdentityService_GetServerMetadata").await;
    page.devtools("Network.enable", json!({})).await;
    page.devtools("Network.setBlockedURLs", json!({"urls": ["*/.well-known/*"]})).await;
    page.click(".send").await;
    page.says(".answer .notice", "The server did not answer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_code_samples_follow_the_form_and_hold_no_token() {
    let Some(page) = Page::new().await else { return };
    page.open("ClinicalService_GetBiomarker").await;
    page.sign_in_as_operator().await;
    page.fill("[id$='path:id']", "it's/here").await;
    page.says(".samples", r"/v1/biomarkers/it'\''s%2Fhere'").await;
    for (tab, part) in [
        (1, "-H \"Authorization: Bearer $LOOP_TOKEN\""),
        (2, "Authorization: `Bearer ${process.env.LOOP_TOKEN}`"),
        (3, "\"Authorization\": \"Bearer \" + os.environ[\"LOOP_TOKEN\"]"),
    ] {
        page.click(&format!(".samples .tab:nth-of-type({tab})")).await;
        page.says(".samples pre", part).await;
    }
}
