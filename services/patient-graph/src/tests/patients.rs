//! Creating patients, and who may see what of them.

use patient_graph_contract::v1::resolve_patient_request::By;
use prost::Message as _;
use tonic::Code;

use super::*;

const NUL: &str = "text must have no NUL character";

/// What tells who Augusta is.
const TELLING: [&str; 6] =
    ["Augusta", "Lovelace", "1964", "augusta@example.test", "7946", "usr_augusta"];

#[tokio::test]
async fn a_patient_is_created_with_its_event_and_its_audit_entry() {
    let world = world().await;
    let before = count(&world, "patients").await;
    let created = clinic(&world, "loop").create_patient(ada()).await.unwrap();
    assert!(created.metadata().contains_key(kit::RECEIPT));
    let patient = created.into_inner().patient.unwrap();
    assert_eq!((patient.brand_id.as_str(), patient.status.as_str()), ("loop", "active"));
    assert_eq!(patient.date_of_birth, "1964-12-10");
    assert_eq!(count(&world, "patients").await, before + 1);

    let (name, key, payload): (String, String, Vec<u8>) =
        sqlx::query_as("SELECT name, key, payload FROM patient_graph.outbox")
            .fetch_one(&mut world.database.admin().await)
            .await
            .unwrap();
    assert_eq!((name.as_str(), &key), ("patient_graph.patient.created.v1", &patient.id));
    let event = pb::PatientCreated::decode(payload.as_slice()).unwrap();
    assert_eq!((&event.patient_id, event.brand_id.as_str()), (&patient.id, "loop"));
    let entry = format!(
        "audit_log WHERE event_type = 'patient_graph.patient.created' AND actor_type = 'service'
         AND actor_id = 'cli_clinic' AND entity_id = '{}'",
        patient.id
    );
    assert_eq!(count(&world, &entry).await, 1);
}

#[tokio::test]
async fn what_no_text_can_hold_is_the_callers_fault() {
    let world = world().await;
    let nul = |it: &str| kit::struct_of(&serde_json::json!({ it: "a", "b": ["c\0"] }));
    for patient in [
        pb::CreatePatientRequest { last_name: "a\0b".into(), ..ada() },
        pb::CreatePatientRequest { metadata: Some(nul("a")), ..ada() },
        pb::CreatePatientRequest { metadata: Some(nul("\0")), ..ada() },
        pb::CreatePatientRequest { external_ids: [("\0".into(), "a".into())].into(), ..ada() },
    ] {
        let refused = clinic(&world, "loop").create_patient(patient).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, NUL));
    }
}

#[tokio::test]
async fn no_audit_entry_tells_who_a_patient_is() {
    let world = world().await;
    let patient = admitted(&world).await;
    clinic(&world, "loop")
        .get_patient_safe(pb::GetPatientSafeRequest { id: patient.id })
        .await
        .unwrap();
    let rows: Vec<String> = sqlx::query_scalar("SELECT a::text FROM patient_graph.audit_log a")
        .fetch_all(&mut world.database.admin().await)
        .await
        .unwrap();
    let text = rows.join("\n");
    assert!(text.contains("cli_clinic"));
    assert!(TELLING.iter().all(|it| !text.contains(it)), "{text}");
}

#[tokio::test]
async fn a_user_is_one_patient_in_a_brand() {
    let world = world().await;
    admitted(&world).await;
    let again = clinic(&world, "loop").create_patient(ada()).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::AlreadyExists, "PATIENT_EXISTS"));

    let elsewhere = pb::CreatePatientRequest { brand_id: "loopbio".into(), ..ada() };
    clinic(&world, "loopbio").create_patient(elsewhere).await.unwrap();
    for _ in 0..2 {
        let nobody = pb::CreatePatientRequest { user_id: None, ..ada() };
        clinic(&world, "loop").create_patient(nobody).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_creations_for_one_user_at_once_one_succeeds() {
    let world = world().await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let mut client = clinic(&world, "loop");
            tokio::spawn(async move { client.create_patient(ada()).await })
        })
        .collect();
    let mut created = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => created += 1,
            Err(status) => assert_eq!(reason(&status), "PATIENT_EXISTS", "{status:?}"),
        }
    }
    assert_eq!(created, 1);
    assert_eq!(count(&world, "patients WHERE user_id = 'usr_augusta'").await, 1);
    assert_eq!(count(&world, "outbox").await, 1);
    let entries = "audit_log WHERE event_type = 'patient_graph.patient.created'";
    assert_eq!(count(&world, entries).await, 1);
}

#[tokio::test]
async fn a_creation_that_meets_another_in_the_act_is_told_so() {
    let world = world().await;
    let mut rival = acting_in(&world, "loop").await;
    let insert = "BEGIN;
        INSERT INTO patient_graph.patients
            (brand_id, id, user_id, first_name, last_name, gender, status, created_at, updated_at)
        VALUES ('loop', gen_random_uuid(), 'usr_augusta', 'A', 'L', 'female', 'active', now(), now());
        INSERT INTO patient_graph.audit_log
            (brand_id, id, occurred_at, actor_type, actor_id, event_type)
        VALUES ('loop', gen_random_uuid(), now(), 'service', 'cli_rival', 'test')";
    sqlx::raw_sql(insert).execute(&mut rival).await.unwrap();
    let mut client = clinic(&world, "loop");
    let creation = tokio::spawn(async move { client.create_patient(ada()).await });
    kit_test::eventually("the creation to wait for the rival", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut admin = world.database.admin().await;
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut admin).await.unwrap();
        (waiting == 1).then_some(())
    })
    .await;
    sqlx::raw_sql("COMMIT").execute(&mut rival).await.unwrap();
    let status = creation.await.unwrap().unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "PATIENT_EXISTS"));
}

#[tokio::test]
async fn a_birth_date_that_cannot_be_is_refused_and_named() {
    let world = world().await;
    let before = count(&world, "patients").await;
    for (date, expected) in [
        ("2023-02-29", "DATE_INVALID"),
        ("1990-13-01", "DATE_INVALID"),
        ("2026-05-06", "DATE_INVALID"),
        ("1890-01-01", "DATE_INVALID"),
        ("1990-2-1", "VALIDATION"),
        ("10.12.1964", "VALIDATION"),
        ("", "VALIDATION"),
    ] {
        let request = pb::CreatePatientRequest { date_of_birth: Some(date.into()), ..ada() };
        let status = clinic(&world, "loop").create_patient(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{date}");
        assert_eq!(reason(&status), expected, "{date}");
        let details = status.get_error_details();
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!(violation.field, "date_of_birth", "{date}");
        assert!(date.is_empty() || !status.message().contains(date), "a birth date is protected");
    }
    assert_eq!(count(&world, "patients").await, before);
}

#[tokio::test]
async fn a_body_cannot_name_another_brand() {
    let world = world().await;
    let request = pb::CreatePatientRequest { brand_id: "loopbio".into(), ..ada() };
    let status = clinic(&world, "loop").create_patient(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(reason(&status), "BRAND_FORBIDDEN");
}

#[tokio::test]
async fn the_safe_view_does_not_tell_who_it_is() {
    let world = world().await;
    let patient = admitted(&world).await;
    let bytes = patient.encode_to_vec();
    assert!(TELLING.iter().all(|it| contains(&bytes, it)), "the full view tells");

    let request = pb::GetPatientSafeRequest { id: patient.id.clone() };
    let safe = clinic(&world, "loop").get_patient_safe(request).await.unwrap().into_inner();
    let bytes = safe.encode_to_vec();
    assert!(TELLING.iter().all(|it| !contains(&bytes, it)), "the safe view does not");
    assert_eq!(safe.patient.unwrap().id, patient.id);
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

#[tokio::test]
async fn a_person_sees_their_own_patient_only() {
    let world = world().await;
    let id = admitted(&world).await.id;
    let request = || pb::GetPatientSafeRequest { id: id.clone() };
    person(&world, "usr_augusta").get_patient_safe(request()).await.unwrap();
    let status = person(&world, "usr_eve").get_patient_safe(request()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "PATIENT_NOT_FOUND"));

    // One that is nobody's user is nobody's own.
    let nobody = pb::CreatePatientRequest { user_id: None, ..ada() };
    let nobody = clinic(&world, "loop").create_patient(nobody).await.unwrap().into_inner();
    let request = pb::GetPatientSafeRequest { id: nobody.patient.unwrap().id };
    let status = person(&world, "usr_augusta").get_patient_safe(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn in_another_brand_a_patient_is_as_absent_as_one_that_never_was() {
    let world = world().await;
    let id = admitted(&world).await.id;
    for (brand, id) in [("loopbio", id.as_str()), ("loop", "pat_none"), ("loop", "bio_1")] {
        let request = pb::GetPatientSafeRequest { id: id.into() };
        let status = clinic(&world, brand).get_patient_safe(request).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{brand} {id}");
        assert_eq!(reason(&status), "PATIENT_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_read_is_recorded_and_a_refused_read_is_not() {
    let world = world().await;
    let id = admitted(&world).await.id;
    let request = || pb::GetPatientSafeRequest { id: id.clone() };
    person(&world, "usr_augusta").get_patient_safe(request()).await.unwrap();
    person(&world, "usr_eve").get_patient_safe(request()).await.unwrap_err();
    let reads = "audit_log WHERE event_type = 'patient_graph.patient.read'";
    assert_eq!(count(&world, reads).await, 1);
    assert_eq!(count(&world, &format!("{reads} AND actor_id = 'usr_augusta'")).await, 1);
}

#[tokio::test]
async fn a_service_resolves_by_user_and_by_id_within_its_brand() {
    let world = world().await;
    let id = admitted(&world).await.id;
    let by_user = || By::UserId("usr_augusta".into());
    let by_id = || By::PatientId(id.clone());
    let resolve = async |brand: &str, by: Option<By>| {
        clinic(&world, brand).resolve_patient(pb::ResolvePatientRequest { by }).await
    };
    for by in [by_user(), by_id()] {
        let found = resolve("loop", Some(by)).await.unwrap().into_inner();
        assert_eq!((&found.patient_id, found.user_id.as_str()), (&id, "usr_augusta"));
        assert_eq!(
            (found.gender(), found.date_of_birth.as_str()),
            (pb::Gender::Female, "1964-12-10")
        );
    }
    for by in [by_user(), by_id()] {
        let status = resolve("loopbio", Some(by)).await.unwrap_err();
        assert_eq!(reason(&status), "PATIENT_NOT_FOUND");
    }
    assert_eq!(resolve("loop", None).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_person_resolves_nobody() {
    let world = world().await;
    admitted(&world).await;
    let by = Some(By::UserId("usr_augusta".into()));
    let request = pb::ResolvePatientRequest { by };
    let status = person(&world, "usr_augusta").resolve_patient(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::PermissionDenied, "CALLER_FORBIDDEN")
    );
}

#[tokio::test]
async fn the_demo_patient_is_there_once_however_often_the_service_starts() {
    let world = world().await;
    crate::store::seed(world.platform("patient-graph").clone()).await.unwrap();
    assert_eq!(count(&world, "patients").await, 1);
    let by = Some(By::PatientId(crate::DEMO_PATIENT.into()));
    clinic(&world, "loop").resolve_patient(pb::ResolvePatientRequest { by }).await.unwrap();
}
