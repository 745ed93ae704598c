//! Reading and changing brands.

use pb::BrandStatus::{Active, Draft, Inactive};
use prost::Message as _;
use tonic::Code;

use super::*;

fn moved(status: pb::BrandStatus) -> pb::UpdateBrandRequest {
    pb::UpdateBrandRequest { id: "loop".into(), status: status.into(), ..Default::default() }
}

/// Puts the brand `loop` where no call leads.
async fn set_status(world: &World, status: &str) {
    let sql = format!(
        "BEGIN;
         INSERT INTO platform.audit_log (brand_id, id, occurred_at, actor_type, actor_id, event_type)
         VALUES ('loop', gen_random_uuid(), now(), 'system', 'loop', 'test');
         UPDATE platform.brands SET status = '{status}' WHERE slug = 'loop';
         COMMIT"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut world.database.admin().await).await.unwrap();
}

#[tokio::test]
async fn a_brand_is_found_by_its_slug_and_by_its_id() {
    let world = world().await;
    let by_slug = brand(&world, "loop").await;
    assert_eq!((by_slug.name.as_str(), by_slug.etag.as_str()), ("Loop", "\"1\""));
    assert_eq!(by_slug.status(), Active);
    let request = pb::GetBrandRequest { id: by_slug.id.clone() };
    let by_id = console(&world, "loop").get_brand(request).await.unwrap().into_inner();
    assert_eq!(by_id.brand, Some(by_slug));
}

#[tokio::test]
async fn another_brand_is_as_absent_as_one_that_never_was() {
    let world = world().await;
    let other = brand(&world, "loopbio").await;
    for id in ["loopbio", &other.id, "nowhere"] {
        let request = pb::GetBrandRequest { id: id.into() };
        let read = console(&world, "loop").get_brand(request).await.unwrap_err();
        let write = console(&world, "loop").update_brand(rename(id, "Mine")).await.unwrap_err();
        for status in [read, write] {
            assert_eq!(status.code(), Code::NotFound, "{id}");
            assert_eq!(reason(&status), "BRAND_NOT_FOUND", "{id}");
        }
    }
    assert_eq!(brand(&world, "loopbio").await, other);
}

#[tokio::test]
async fn an_update_leaves_a_new_etag_an_audit_entry_and_an_event() {
    let world = world().await;
    let before = brand(&world, "loop").await;
    world.clock.advance(std::time::Duration::from_secs(60));
    let updated =
        console(&world, "loop").update_brand(rename("loop", "Loop Health")).await.unwrap();
    let receipt = updated.metadata().get(kit::RECEIPT).unwrap().to_str().unwrap().to_owned();
    let after = updated.into_inner().brand.unwrap();
    assert_eq!((after.name.as_str(), after.etag.as_str()), ("Loop Health", "\"2\""));
    assert_eq!((after.status, after.created_at), (before.status, before.created_at));
    assert_ne!(after.updated_at, before.updated_at);
    assert_eq!(brand(&world, "loop").await, after);

    let entry = format!(
        "audit_log WHERE id::text = '{receipt}' AND brand_id = 'loop' AND entity_id = 'loop'
         AND event_type = 'platform.brand.updated' AND actor_id = 'cli_console'"
    );
    assert_eq!(count(&world, &entry).await, 1);
    let (name, payload): (String, Vec<u8>) =
        sqlx::query_as("SELECT name, payload FROM platform.outbox WHERE brand_id = 'loop'")
            .fetch_one(&mut world.database.admin().await)
            .await
            .unwrap();
    assert_eq!(name, "platform.brand.cache_invalidated.v1");
    let event = pb::BrandCacheInvalidated::decode(payload.as_slice()).unwrap();
    assert_eq!((event.brand_id.as_str(), event.invalidated_at), ("loop", after.updated_at));
}

#[tokio::test]
async fn an_update_of_another_state_than_the_one_read_changes_nothing() {
    let world = world().await;
    let read = brand(&world, "loop").await;
    let update =
        |name: &str| pb::UpdateBrandRequest { etag: read.etag.clone(), ..rename("loop", name) };
    console(&world, "loop").update_brand(update("First")).await.unwrap();
    let refused = console(&world, "loop").update_brand(update("Second")).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::FailedPrecondition, "ETAG_STALE"));
    assert_eq!(brand(&world, "loop").await.name, "First");
}

#[tokio::test]
async fn a_brand_opens_and_closes_but_is_never_a_draft_again() {
    let world = world().await;
    for (status, etag) in [(Inactive, "\"2\""), (Active, "\"3\"")] {
        let updated = console(&world, "loop").update_brand(moved(status)).await.unwrap();
        let updated = updated.into_inner().brand.unwrap();
        assert_eq!((updated.status(), updated.etag.as_str()), (status, etag));
    }
    for status in ["active", "inactive"] {
        set_status(&world, status).await;
        let refused = console(&world, "loop").update_brand(moved(Draft)).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{status}");
        assert_eq!(reason(&refused), "BRAND_STATUS");
    }
    assert_eq!(brand(&world, "loop").await.etag, "\"3\"", "a refusal changes nothing");
    assert_eq!(count(&world, "outbox").await, 2);

    set_status(&world, "draft").await;
    console(&world, "loop").update_brand(moved(Draft)).await.unwrap();
    console(&world, "loop").update_brand(moved(Active)).await.unwrap();
}

#[tokio::test]
async fn updates_at_once_follow_each_other() {
    let world = world().await;
    let calls: Vec<_> = (0..8)
        .map(|n| {
            let mut console = console(&world, "loop");
            tokio::spawn(
                async move { console.update_brand(rename("loop", &format!("L{n}"))).await },
            )
        })
        .collect();
    let mut etags = Vec::new();
    for call in calls {
        etags.push(call.await.unwrap().unwrap().into_inner().brand.unwrap().etag);
    }
    etags.sort();
    assert_eq!(etags, (2..=9).map(|version| format!("\"{version}\"")).collect::<Vec<_>>());
    assert_eq!(count(&world, "outbox WHERE version <= 8").await, 8);
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let world = world().await;
    for name in ["", &"a".repeat(101)] {
        let status = console(&world, "loop").update_brand(rename("loop", name)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "name");
    }
}

#[tokio::test]
async fn a_person_administers_nothing() {
    let world = world().await;
    let grant = Grant::user("usr_ada", "loop", &["read:profile", "admin:platform"]);
    let mut person = Client::new(world.client("platform", grant));
    let status = person.update_brand(rename("loop", "Mine")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "CALLER_FORBIDDEN")
    );
}

#[tokio::test]
async fn the_first_brands_are_there_once_however_often_the_service_starts() {
    let world = world().await;
    crate::store::seed(world.platform("platform").clone()).await.unwrap();
    assert_eq!(count(&world, "brands").await, 2);
    assert_eq!(count(&world, "audit_log WHERE event_type = 'platform.brand.seeded'").await, 2);
}
