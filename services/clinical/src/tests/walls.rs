//! The walls in Postgres, tried from inside: as the service's own role.

use kit::{Brand, Roles};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::*;

async fn app_role(world: &World) -> PgConnection {
    let roles: &Roles = world.platform("clinical").db.roles();
    PgConnection::connect_with(&roles.options("app")).await.unwrap()
}

async fn code_of(conn: &mut PgConnection, sql: &str) -> Option<String> {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    result
        .err()
        .map(|it| it.as_database_error().and_then(|it| it.code()).unwrap_or_default().into_owned())
}

async fn recorded() -> World {
    let world = world().await;
    lab_client(&world)
        .parse_biomarkers(report(vec![result("albumin", "4.2", "g/dL", 1)]))
        .await
        .unwrap();
    world
}

#[tokio::test]
async fn without_a_brand_there_are_no_rows() {
    let world = recorded().await;
    let mut conn = app_role(&world).await;
    for (brand, expected) in [(None, 0), (Some(""), 0), (Some("loopbio"), 0), (Some("loop"), 1)] {
        if let Some(brand) = brand {
            sqlx::query("SELECT set_config('app.brand_id', $1, false)")
                .bind(brand)
                .execute(&mut conn)
                .await
                .unwrap();
        }
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM clinical.biomarkers")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(rows, expected, "{brand:?}");
    }
}

#[tokio::test]
async fn a_row_cannot_be_written_into_another_brand() {
    let world = recorded().await;
    let mut conn = app_role(&world).await;
    let insert = "BEGIN; SELECT set_config('app.brand_id', 'loop', true);
        INSERT INTO clinical.lab_reports VALUES ('loopbio', gen_random_uuid(), 'p', 's', now())";
    assert_eq!(code_of(&mut conn, insert).await.as_deref(), Some("42501"));
}

#[tokio::test]
async fn a_change_without_an_audit_row_does_not_commit() {
    let world = recorded().await;
    let mut conn = app_role(&world).await;
    let change = "BEGIN; SELECT set_config('app.brand_id', 'loop', true);
        INSERT INTO clinical.lab_reports VALUES ('loop', gen_random_uuid(), 'p', 's', now()); COMMIT";
    assert_eq!(code_of(&mut conn, change).await.as_deref(), Some("LH001"));
}

#[tokio::test]
async fn the_audit_log_can_only_grow() {
    let world = recorded().await;
    let mut conn = app_role(&world).await;
    for statement in [
        "UPDATE clinical.audit_log SET actor_id = 'nobody'",
        "DELETE FROM clinical.audit_log",
        "TRUNCATE clinical.audit_log",
    ] {
        assert_eq!(code_of(&mut conn, statement).await.as_deref(), Some("42501"), "{statement}");
        // Even the administrator meets the trigger.
        let mut admin = world.database.admin().await;
        assert_eq!(code_of(&mut admin, statement).await.as_deref(), Some("LH002"), "{statement}");
    }
}

#[tokio::test]
async fn a_service_cannot_leave_its_schema_or_its_role() {
    let world = recorded().await;
    let mut conn = app_role(&world).await;
    for statement in [
        "SET ROLE clinical_owner",
        "SET ROLE clinical_audit",
        "SET SESSION AUTHORIZATION clinical_owner",
        "CREATE TABLE clinical.mine ()",
        "ALTER TABLE clinical.biomarkers DISABLE ROW LEVEL SECURITY",
        "SELECT * FROM clinical._migrations",
        "SELECT clinical.protect('biomarkers')",
    ] {
        let code = code_of(&mut conn, statement).await;
        assert!(matches!(code.as_deref(), Some("42501" | "42P01")), "{statement}: {code:?}");
    }
}

#[tokio::test]
async fn a_read_transaction_cannot_write() {
    let world = recorded().await;
    let mut reader =
        world.platform("clinical").db.read_brand(&Brand::new("loop").unwrap()).await.unwrap();
    let write =
        "INSERT INTO clinical.lab_reports VALUES ('loop', gen_random_uuid(), 'p', 's', now())";
    assert_eq!(code_of(reader.conn(), write).await.as_deref(), Some("25006"));
}
