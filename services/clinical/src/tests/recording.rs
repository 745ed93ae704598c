//! Recording a report and reading it back.

use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;

#[tokio::test]
async fn a_report_is_recorded_classified_and_read_back_by_its_owner() {
    let world = world().await;
    let results = vec![result("albumin", "42", "g/L", 1), result("tsh", "9.1", "mIU/L", 1)];
    let recorded = lab_client(&world).parse_biomarkers(report(results)).await.unwrap();
    assert!(recorded.metadata().contains_key(kit::RECEIPT));
    assert_eq!(recorded.into_inner().count, 2);

    let mut mine = client(world.client("clinical", ada(&["read:biomarkers"])));
    let list =
        mine.list_my_biomarkers(pb::ListMyBiomarkersRequest::default()).await.unwrap().into_inner();
    let albumin = list.biomarkers.iter().find(|it| it.biomarker_code == "albumin").unwrap();
    assert_eq!((albumin.value.as_str(), albumin.unit.as_str()), ("4.2", "g/dL"));
    assert_eq!(albumin.status(), pb::BiomarkerStatus::Normal);
    let tsh = list.biomarkers.iter().find(|it| it.biomarker_code == "tsh").unwrap();
    assert_ne!(tsh.status(), pb::BiomarkerStatus::Normal);

    let one = mine
        .get_biomarker(pb::GetBiomarkerRequest { id: tsh.id.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(one.biomarker.as_ref(), Some(tsh));
}

#[tokio::test]
async fn one_bad_result_records_nothing_and_is_named() {
    let world = world().await;
    let results = vec![result("albumin", "4.2", "g/dL", 1), result("albumin", "oops", "g/dL", 2)];
    let status = lab_client(&world).parse_biomarkers(report(results)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "VALUE_NOT_DECIMAL");
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "biomarkers[1].value");
    assert!(!status.message().contains("oops"), "a value is protected");

    let mut admin = world.database.admin().await;
    for table in ["biomarkers", "lab_reports", "outbox", "audit_log"] {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM clinical.{table}"));
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(&mut admin).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[tokio::test]
async fn a_person_records_and_reads_for_themselves_only() {
    let world = world().await;
    let results = || report(vec![result("albumin", "4.2", "g/dL", 1)]);
    let mut eve = client(world.client(
        "clinical",
        Grant::user("usr_eve", "loop", &["write:biomarkers", "read:biomarkers"]),
    ));
    assert_eq!(eve.parse_biomarkers(results()).await.unwrap_err().code(), Code::NotFound);
    let recorded = lab_client(&world).parse_biomarkers(results()).await.unwrap().into_inner();
    let id = recorded.results[0].id.clone();
    assert_eq!(
        eve.get_biomarker(pb::GetBiomarkerRequest { id }).await.unwrap_err().code(),
        Code::NotFound
    );
    let list = eve.list_my_biomarkers(pb::ListMyBiomarkersRequest::default()).await.unwrap();
    assert!(list.into_inner().biomarkers.is_empty());
}

#[tokio::test]
async fn a_list_is_walked_page_by_page_without_gap_or_repetition() {
    let world = world().await;
    for day in 1..=7 {
        let results = vec![result("albumin", "4.2", "g/dL", day), result("tsh", "2", "mIU/L", day)];
        lab_client(&world).parse_biomarkers(report(results)).await.unwrap();
    }
    let mut mine = client(world.client("clinical", ada(&["read:biomarkers"])));
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            pb::ListMyBiomarkersRequest { page_size: 5, page_token, ..Default::default() };
        let page = mine.list_my_biomarkers(request).await.unwrap().into_inner();
        assert!(page.biomarkers.len() <= 5);
        seen.extend(
            page.biomarkers.into_iter().map(|it| (it.collected_at.unwrap().seconds, it.id)),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 14);
    assert!(seen.windows(2).all(|it| it[0] > it[1]), "newest first, each once");
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_and_another_body_a_conflict() {
    let world = world().await;
    let request = || report(vec![result("albumin", "4.2", "g/dL", 1)]);
    let mut keyed = client(
        world.client("clinical", lab()).with("x-brand-id", "loop").with("idempotency-key", "k-1"),
    );
    let first = keyed.parse_biomarkers(request()).await.unwrap();
    let again = keyed.parse_biomarkers(request()).await.unwrap();
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(first.into_inner(), again.into_inner());
    let other = report(vec![result("albumin", "4.3", "g/dL", 1)]);
    let status = keyed.parse_biomarkers(other).await.unwrap_err();
    assert_eq!(
        status.get_error_details().error_info().unwrap().reason,
        "IDEMPOTENCY_KEY_PAYLOAD_MISMATCH"
    );
    let mut admin = world.database.admin().await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM clinical.audit_log")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn of_many_calls_with_one_key_one_takes_effect() {
    let world = world().await;
    let keyed = client(
        world.client("clinical", lab()).with("x-brand-id", "loop").with("idempotency-key", "k-2"),
    );
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let mut keyed = keyed.clone();
            let request = report(vec![result("albumin", "4.2", "g/dL", 1)]);
            tokio::spawn(async move { keyed.parse_biomarkers(request).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => answers.push(answer.into_inner()),
            Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
        }
    }
    assert!(!answers.is_empty() && answers.windows(2).all(|it| it[0] == it[1]));
    let mut admin = world.database.admin().await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM clinical.lab_reports")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(rows, 1);
}
