//! What the database itself refuses, and what it never holds.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::house::*;

#[tokio::test]
async fn no_secret_stands_in_any_row() {
    let house = House::open().await;
    let mut browser = house.browser();
    let address = authorize(LOOP_APP, LOOP_APP_REDIRECT, "read:account");
    let page = house.sign_in(&mut browser, &address, "ada@loop.test").await;
    let code = page.parameter("code").unwrap();
    let first = house.stranger().issue_token(exchange(&code)).await.unwrap().into_inner();
    let second = house.refresh(&first.refresh_token).await.unwrap().into_inner();
    let partner = house.partner("loop", &["email"]).await;
    let machine = house.machine_token("cli_edge").await;
    let secrets = [
        browser.cookies["loop_session"].clone(),
        crate::demo_password(&house.platform().key),
        house.platform().key.client_secret("cli_edge").expose().to_owned(),
        code,
        first.access_token,
        first.refresh_token,
        second.access_token,
        second.refresh_token,
        partner.secret,
        machine,
        VERIFIER.to_owned(),
    ];
    let mut admin = house.world.database.admin().await;
    let columns = text_and_bytes(&mut admin).await;
    let mut seen = 0;
    for (table, column) in columns {
        let query = format!(
            "SELECT count(*) FROM identity.\"{table}\"
             WHERE position($1::bytea IN convert_to(\"{column}\"::text, 'UTF8')) > 0
                OR position(convert_to(encode($1, 'hex'), 'UTF8')
                            IN convert_to(\"{column}\"::text, 'UTF8')) > 0"
        );
        let mut count = async |text: &str| -> i64 {
            let query = sqlx::query_scalar(AssertSqlSafe(query.clone())).bind(text.as_bytes());
            query.fetch_one(&mut admin).await.unwrap()
        };
        for secret in &secrets {
            assert_eq!(count(secret).await, 0, "{table}.{column} holds {secret}");
        }
        // What is there is found.
        seen += count("ada@loop.test").await + count("cli_edge").await;
    }
    assert!(seen > 5, "{seen}");
}

/// Every column in which a secret could stand. Bytes print as hex, as text.
async fn text_and_bytes(admin: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns
         WHERE table_schema = 'identity'
           AND data_type IN ('text', 'bytea', 'jsonb', 'ARRAY', 'character varying')",
    )
    .fetch_all(admin)
    .await
    .unwrap()
}

#[tokio::test]
async fn the_role_that_sees_all_brands_reads_what_it_must_and_writes_nothing() {
    let house = House::open().await;
    let options = house.platform().db.roles().options("resolve");
    let mut resolve = PgConnection::connect_with(&options).await.unwrap();
    let clients: i64 = sqlx::query_scalar("SELECT count(DISTINCT brand_id) FROM oauth_clients")
        .fetch_one(&mut resolve)
        .await
        .unwrap();
    assert_eq!(clients, 2);
    for statement in [
        "SELECT password_hash FROM credentials",
        "SELECT email FROM users",
        "SELECT sealed_successor FROM refresh_tokens",
        "SELECT user_id FROM grants",
        "SELECT event_type FROM audit_log",
        "UPDATE oauth_clients SET enabled = false",
        "UPDATE access_tokens SET revoked_at = NULL",
        "DELETE FROM sessions",
        "INSERT INTO users SELECT * FROM users",
    ] {
        let refused = sqlx::query(statement).execute(&mut resolve).await.unwrap_err();
        let code = refused.as_database_error().and_then(|it| it.code()).unwrap_or_default();
        assert_eq!(code, "42501", "{statement}: {refused}");
    }
}

#[tokio::test]
async fn every_table_is_closed_by_brand_and_by_audit() {
    let house = House::open().await;
    let mut admin = house.world.database.admin().await;
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'identity'::regnamespace AND relkind = 'r'
           AND relname <> '_migrations' AND NOT (relrowsecurity AND relforcerowsecurity)",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(open, Vec::<String>::new());
    let options = house.platform().db.roles().options("app");
    let mut app = PgConnection::connect_with(&options).await.unwrap();
    let unaudited = "SET app.brand_id = 'loop'; UPDATE users SET name = 'Eve'";
    let refused = sqlx::raw_sql(unaudited).execute(&mut app).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "LH001");
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE brand_id <> 'loop'")
        .fetch_one(&mut app)
        .await
        .unwrap();
    assert_eq!(seen, 0);
    let rewritten = "UPDATE consent_events SET action = 'granted'";
    assert!(sqlx::raw_sql(rewritten).execute(&mut app).await.is_err());
}

#[tokio::test]
async fn what_has_ended_is_swept_away_by_those_who_come_after() {
    let house = House::open().await;
    for _ in 0..3 {
        house.ada().await;
    }
    house.world.clock.advance(Duration::from_secs(200 * 86_400));
    let last = house.ada().await;
    let mut admin = house.world.database.admin().await;
    for (table, left) in
        [("access_tokens", 1), ("authorization_codes", 1), ("refresh_families", 1), ("sessions", 1)]
    {
        let query = format!("SELECT count(*) FROM identity.{table} WHERE brand_id = 'loop'");
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut admin).await.unwrap();
        assert_eq!(count, left, "{table}");
    }
    assert!(house.caller(&last.access_token).await.is_some());
}

#[tokio::test]
async fn a_raised_epoch_or_a_disabled_owner_ends_all_that_was_granted_before() {
    for change in [
        "UPDATE identity.users SET epoch = epoch + 1",
        "UPDATE identity.users SET enabled = false",
        "UPDATE identity.oauth_clients SET epoch = epoch + 1 WHERE brand_id = 'loop'",
        "UPDATE identity.oauth_clients SET enabled = false WHERE brand_id = 'loop'",
        "UPDATE identity.grants SET epoch = epoch + 1",
    ] {
        let house = House::open().await;
        let code = house.code_for_loop_app("read:account").await;
        let mut browser = house.browser();
        let address = authorize(LOOP_APP, LOOP_APP_REDIRECT, "read:account");
        house.sign_in(&mut browser, &address, "ada@loop.test").await;
        let ada = house.ada().await;
        let mut admin = house.world.database.admin().await;
        let unchecked = format!("SET session_replication_role = replica; {change}");
        sqlx::raw_sql(AssertSqlSafe(unchecked)).execute(&mut admin).await.unwrap();

        assert_eq!(house.caller(&ada.access_token).await, None, "{change}");
        assert!(house.refresh(&ada.refresh_token).await.is_err(), "{change}");
        assert!(house.stranger().issue_token(exchange(&code)).await.is_err(), "{change}");
        if change.contains("users") {
            let page = browser.get(&address).await;
            assert!(page.location().starts_with("/sign-in?"), "{change}");
        }
    }
}
