//! Who is counted with whom.

use http::Request;
use kit_test::Grant;

use super::door::{Door, report};

#[tokio::test]
async fn reads_and_writes_of_one_client_are_counted_apart() {
    let door = Door::open().await;
    let read = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!(read.header("ratelimit-limit"), "1000");
    assert_eq!(read.header("ratelimit-remaining"), "999");
    assert_eq!(read.header("ratelimit-reset"), "60");
    let write = door.post("/v1/biomarkers/parse", &door.writer(), &report("manual")).await;
    assert_eq!(write.header("ratelimit-limit"), "200");
    assert_eq!(write.header("ratelimit-remaining"), "199");
    // Two tokens of one client are one client.
    let again = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!(again.header("ratelimit-remaining"), "998");
}

#[tokio::test]
async fn the_platforms_own_clients_are_not_counted() {
    let door = Door::open().await;
    for (client_id, limit) in [("cli_clinical", ""), ("cli_partner", "1000")] {
        let token = door.identity.issue(Grant::service(client_id, &["admin:clinical"]));
        let request = Request::get("/v1/biomarkers/bio_1").header("x-brand-id", "loop");
        let request = request.header("authorization", format!("Bearer {token}"));
        let answer = door.send(request, "").await;
        assert_eq!((answer.status, answer.header("ratelimit-limit")), (200, limit));
    }
    // A person's app that calls itself so is no machine of ours.
    let mut grant = Grant::user("usr_1", "loop", &["read:biomarkers"]);
    grant.client_id = "cli_clinical".into();
    let answer = door.get("/v1/biomarkers/bio_1", &door.identity.issue(grant)).await;
    assert_eq!(answer.header("ratelimit-limit"), "1000");
}

#[tokio::test]
async fn refusals_before_the_limiter_are_not_counted() {
    let door = Door::open().await;
    assert_eq!(door.get("/v1/biomarkers/me", "").await.header("ratelimit-limit"), "");
}
