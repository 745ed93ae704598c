//! Brings every schema up to date: roles, schemas, migrations.

use anyhow::Context as _;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, migrate::Migrator, postgres::PgConnectOptions,
};

use crate::{PlatformKey, Service};

/// Roles that every schema has beside its owner. They log in; the owner does not.
const ROLES: [&str; 3] = ["app", "drain", "audit"];

/// Migrates the schemas of `services`, as the administrator that `address` names. Forward only;
/// a second run changes nothing.
pub async fn migrate(
    address: &PgConnectOptions,
    key: &PlatformKey,
    services: &[&Service],
) -> anyhow::Result<()> {
    let mut conn = PgConnection::connect_with(address).await.context("connect to Postgres")?;
    let database: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut conn).await?;
    for service in services.iter().filter(|it| !it.schema.is_empty()) {
        let up = async {
            roles(&mut conn, key, service, &database).await?;
            schema(&mut conn, service).await
        };
        up.await.with_context(|| format!("migrate the schema {}", service.schema))?;
    }
    close_public(&mut conn, &database).await?;
    conn.close().await?;
    Ok(())
}

/// Makes the roles and sets their passwords. Roles belong to the whole cluster, so two databases
/// of one cluster may be migrated at once: the loser of a race tries again.
async fn roles(
    conn: &mut PgConnection,
    key: &PlatformKey,
    service: &Service,
    database: &str,
) -> anyhow::Result<()> {
    let schema = service.schema;
    let mut statements = vec![create_role(&format!("{schema}_owner"))];
    for role in ROLES.iter().chain(service.roles) {
        let role = format!("{schema}_{role}");
        let password = key.role_password(&role);
        statements.push(create_role(&role));
        statements.push(format!("ALTER ROLE {role} LOGIN PASSWORD '{password}'"));
        statements.push(format!("GRANT CONNECT ON DATABASE \"{database}\" TO {role}"));
    }
    statements.push(format!("GRANT {schema}_owner TO CURRENT_USER"));
    for statement in statements {
        let mut tries = 0;
        while let Err(cause) =
            sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut *conn).await
        {
            tries += 1;
            if tries == 20 {
                return Err(cause.into());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20 * tries)).await;
        }
    }
    Ok(())
}

/// The role exists after this, whoever made it.
fn create_role(role: &str) -> String {
    format!(
        "DO $$ BEGIN
             CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
         END $$"
    )
}

async fn schema(conn: &mut PgConnection, service: &Service) -> anyhow::Result<()> {
    let schema = service.schema;
    let mut usage = String::new();
    for role in ROLES.iter().chain(service.roles) {
        usage += &format!("GRANT USAGE ON SCHEMA {schema} TO {schema}_{role};");
    }
    let open = format!(
        "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {schema}_owner;
         SET ROLE {schema}_owner;
         SET search_path = {schema};
         {usage}"
    );
    sqlx::raw_sql(AssertSqlSafe(open)).execute(&mut *conn).await?;
    let mut migrator: Migrator =
        Migrator::with_migrations(service.migrations.iter().cloned().collect());
    migrator.dangerous_set_table_name(format!("{schema}._migrations"));
    migrator.run_direct(None, &mut *conn, false).await?;
    sqlx::raw_sql("RESET ROLE; RESET search_path").execute(&mut *conn).await?;
    Ok(())
}

/// Nobody gets in by being nobody in particular.
async fn close_public(conn: &mut PgConnection, database: &str) -> anyhow::Result<()> {
    let close = format!(
        "REVOKE ALL ON DATABASE \"{database}\" FROM PUBLIC;
         REVOKE ALL ON SCHEMA public FROM PUBLIC"
    );
    sqlx::raw_sql(AssertSqlSafe(close)).execute(conn).await?;
    Ok(())
}
