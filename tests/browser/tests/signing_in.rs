//! Signing in: by a client's secret, by a token, as a person; and where the token is kept.

use fantoccini::key::Key;

use crate::page::Page;

impl Page {
    /// Gets the operator's token in the brand `loop`, with all its scopes.
    pub async fn sign_in_as_operator(&self) {
        self.sign_in_as_operator_for("").await;
    }

    /// The same with these scopes only, space separated.
    pub async fn sign_in_as_operator_for(&self, scopes: &str) {
        self.click(".who button").await;
        self.fill("dialog [name=clientId]", &self.platform.operator).await;
        self.fill("dialog [name=secret]", &self.platform.operator_secret).await;
        self.fill("dialog [name=brand]", "loop").await;
        self.fill("dialog [name=scope]", scopes).await;
        self.press(Key::Enter).await;
        self.says(".who", &self.platform.operator).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_token_stays_in_this_tab_and_is_forgotten_on_signing_out() {
    let Some(page) = Page::new().await else { return };
    page.open("").await;
    page.sign_in_as_operator().await;
    let kept =
        "return [sessionStorage, localStorage].map((it) => JSON.stringify(it).includes('lph_at_'))";
    assert_eq!(page.run(kept, vec![]).await, serde_json::json!([true, false]));
    let shown = "return document.documentElement.outerHTML.includes('lph_')";
    assert_eq!(page.run(shown, vec![]).await, false);
    page.click(".who button").await;
    page.says(".who", "Sign in").await;
    assert_eq!(page.run(kept, vec![]).await, serde_json::json!([false, false]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_secret_is_said_in_the_dialog() {
    let Some(page) = Page::new().await else { return };
    page.open("").await;
    page.click(".who button").await;
    page.fill("dialog [name=clientId]", &page.platform.operator).await;
    page.fill("dialog [name=secret]", "wrong").await;
    page.press(Key::Enter).await;
    page.says("dialog [role=alert]", "invalid_client").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_person_signs_in_and_comes_back_to_where_they_were() {
    let Some(page) = Page::new().await else { return };
    page.open("IdentityService_GetMe").await;
    page.click(".who button").await;
    page.click("dialog details:nth-of-type(2) summary").await;
    page.fill("dialog details[open] [name=clientId]", "cli_loop_app").await;
    page.fill("dialog details[open] [name=scope]", "read:account read:biomarkers").await;
    page.press(Key::Enter).await;
    page.fill("#email", identity::DEMO_EMAIL).await;
    page.fill("#password", &page.platform.member_password).await;
    page.press(Key::Enter).await;
    page.says(".who", "cli_loop_app").await;
    assert_eq!(
        page.address().await,
        format!("{}/reference#IdentityService_GetMe", page.platform.url)
    );
    page.click(".send").await;
    page.says(".answer", "200 OK").await;
    page.says(".answer", identity::DEMO_EMAIL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_answer_that_nobody_asked_for_signs_nobody_in() {
    let Some(page) = Page::new().await else { return };
    page.open("").await;
    let address = "location.assign('/reference?code=lph_ac_stolen&state=guessed')";
    page.run(address, vec![]).await;
    page.says("dialog", "does not belong to a sign-in that began in this tab").await;
    assert!(!page.address().await.contains("code="));
}
