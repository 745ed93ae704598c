//! No success without its audit entry.

use tonic::Code;

use super::*;

#[tokio::test]
async fn a_write_answers_with_the_id_of_its_audit_entry() {
    let world = world().await;
    let answer = Client::new(ops(&world)).update_brand(update("Loop")).await.unwrap();
    let receipt = answer.metadata().get(kit::RECEIPT).unwrap().to_str().unwrap();
    let entry = format!(
        "audit_log WHERE id::text = '{receipt}'
        AND event_type = 'platform.brand.updated' AND entity_type = 'brand'"
    );
    assert_eq!(count(&world, &entry).await, 1);
}

#[tokio::test]
async fn a_handler_that_forgets_the_record_answers_with_an_internal_error() {
    let world = world().await;
    let client = ops(&world).with("idempotency-key", "k-1");
    let status = Client::new(client).update_brand(update("forget")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    assert_eq!(reason(&status), "INTERNAL");
    assert!(!status.metadata().contains_key(kit::RECEIPT));
    assert_eq!(count(&world, "idempotency_keys").await, 0, "no retry gets a success either");
}

#[tokio::test]
async fn an_event_that_the_contract_does_not_declare_is_told_to_nobody() {
    let world = world().await;
    let mut client = Client::new(ops(&world));
    let status = client.update_brand(update("tell another's event")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    for table in ["brands", "outbox", "audit_log", "aggregates"] {
        assert_eq!(count(&world, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_read_of_protected_data_is_recorded_and_a_failed_one_is_not() {
    let world = world().await;
    let read = |event_type: &str| pb::ListAuditLogRequest {
        event_type: event_type.into(),
        ..Default::default()
    };
    let mut client = Client::new(ops(&world));
    client.list_audit_log(read("missing")).await.unwrap_err();
    assert_eq!(count(&world, "audit_log").await, 0);
    let answer = client.list_audit_log(read("")).await.unwrap();
    let receipt = answer.metadata().get(kit::RECEIPT).unwrap().to_str().unwrap();
    let entry = format!(
        "audit_log WHERE id::text = '{receipt}' AND brand_id = 'loop'
        AND event_type = 'platform.audit_log.read' AND actor_id = 'cli_ops'"
    );
    assert_eq!(count(&world, &entry).await, 1);
}

#[tokio::test]
async fn a_read_that_cannot_be_recorded_is_not_answered() {
    let world = world().await;
    sqlx::raw_sql("REVOKE INSERT ON platform.audit_log FROM platform_app")
        .execute(&mut world.database.admin().await)
        .await
        .unwrap();
    let mut client = Client::new(ops(&world));
    let status = client.list_audit_log(pb::ListAuditLogRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    client.get_brand(pb::GetBrandRequest { id: "loop".into() }).await.unwrap();
}
