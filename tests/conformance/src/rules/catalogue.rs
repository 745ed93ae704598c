//! Postgres itself holds the walls: what its catalogue must say of every schema and table.

use kit::Brand;
use sqlx::AssertSqlSafe;

use crate::{Breach, House, house::ABROAD, rules::Findings};

pub const NAME: &str = "catalogue";

/// Tables whose changes are bookkeeping that no person should read of.
const BOOKKEEPING: [&str; 9] = [
    "audit_log",
    "audit_seals",
    "dead_letters",
    "deliveries",
    "idempotency_keys",
    "inbox",
    "parked_events",
    "relay_cursors",
    "stream_positions",
];

/// Policies that show all brands to the app's role: of rows that belong to none.
const OPEN: &str = "relay_cursors.epoch";

/// What a sweep looks for in a schema, and the names it found: none if all is well.
#[derive(Clone, Debug)]
pub struct Observation {
    pub wall: &'static str,
    pub offenders: Vec<String>,
}

pub fn check(observation: &Observation) -> Result<(), Breach> {
    let Observation { wall, offenders } = observation;
    Breach::unless(offenders.is_empty(), *wall, offenders)
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    // Rows of a brand that the other must not see.
    for case in house.contracts.cases.iter().filter(|it| it.method.writes()) {
        if let Some(sent) = house.valid(case).await {
            house.send(case, crate::Surface::Grpc, &sent).await;
        }
    }
    for schema in &house.ledger.schemas {
        for observation in sweep(house, schema).await {
            findings.part(*schema, check(&observation));
        }
        let offenders = seen_from_abroad(house, schema).await;
        let wall = "no row of another brand is visible";
        findings.part(*schema, check(&Observation { wall, offenders }));
    }
    findings
}

/// What the catalogue says of one schema.
pub async fn sweep(house: &House, schema: &str) -> Vec<Observation> {
    let mut observations = Vec::new();
    for (wall, breaches) in WALLS {
        let offenders = house.ledger.texts(&statement(breaches, schema)).await;
        observations.push(Observation { wall, offenders });
    }
    observations
}

/// Tables in which the service's own role sees rows of another brand.
pub async fn seen_from_abroad(house: &House, schema: &str) -> Vec<String> {
    let service = house.contracts.cases.iter().find(|it| it.schema == schema);
    let service = service.expect("a schema has a service").service;
    let brand = Brand::new(ABROAD).expect("a slug");
    let mut seen = Vec::new();
    for table in house.ledger.tables(schema).await {
        let reader = house.world.platform(service).db.read_brand(&brand).await;
        let mut reader = reader.expect("the app's role signs in");
        let count = format!(
            "SELECT count(*) FROM {schema}.{table}
             WHERE brand_id <> '{ABROAD}'"
        );
        let count = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(reader.conn()).await;
        // A table that the role may not read at all is closed well enough.
        if count.is_ok_and(|it: i64| it > 0) {
            seen.push(table);
        }
    }
    seen
}

/// A wall, and the statement that names what breaches it in a schema.
const WALLS: [(&str, &str); 10] = [
    (
        "every table has brand_id text NOT NULL",
        "SELECT relname::text {tables} AND NOT EXISTS (SELECT FROM pg_attribute
         WHERE attrelid = c.oid AND attname = 'brand_id' AND attnotnull
           AND atttypid = 'text'::regtype)",
    ),
    (
        "row-level security is enabled and forced on every table",
        "SELECT relname::text {tables} AND NOT (relrowsecurity AND relforcerowsecurity)",
    ),
    (
        "every table has a policy by brand for everybody, with USING and WITH CHECK",
        "SELECT relname::text {tables} AND NOT EXISTS (SELECT FROM pg_policy
         WHERE polrelid = c.oid AND polcmd = '*' AND polroles = ARRAY[0::oid]
           AND pg_get_expr(polqual, polrelid) {by_brand}
           AND pg_get_expr(polwithcheck, polrelid) {by_brand})",
    ),
    (
        "no policy opens a table to the app's role or to everybody",
        "SELECT relname || '.' || polname FROM pg_policy p JOIN pg_class c ON c.oid = polrelid
         WHERE relnamespace = '{schema}'::regnamespace
           AND polroles && ARRAY[0::oid, '{schema}_app'::regrole::oid]
           AND NOT (coalesce(pg_get_expr(polqual, polrelid), '') {by_brand})
           AND relname || '.' || polname <> '{open}'",
    ),
    (
        "nobody may change or empty the audit log",
        "SELECT grantee::regrole || ' ' || privilege_type
         FROM pg_class c, aclexplode(relacl) WHERE c.oid = '{schema}.audit_log'::regclass
           AND grantee <> relowner AND privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
         UNION ALL SELECT 'no append_only trigger' WHERE NOT EXISTS (SELECT FROM pg_trigger
         WHERE tgrelid = '{schema}.audit_log'::regclass AND tgname = 'append_only'
           AND tgenabled <> 'D')",
    ),
    (
        "every table but bookkeeping refuses a commit without an audit row",
        "SELECT relname::text {tables} AND relname NOT IN ({bookkeeping})
         AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'audited'
           AND tgenabled <> 'D' AND tgdeferrable AND tginitdeferred)",
    ),
    (
        "PUBLIC has no privilege",
        "SELECT relname || ' ' || privilege_type FROM pg_class c, aclexplode(relacl)
         WHERE relnamespace = '{schema}'::regnamespace AND grantee = 0
         UNION ALL SELECT nspname || ' ' || privilege_type
         FROM pg_namespace, aclexplode(nspacl) WHERE nspname = '{schema}' AND grantee = 0",
    ),
    (
        "no role of the schema but its owner may create in it",
        "SELECT rolname::text FROM pg_roles WHERE rolname LIKE '{schema}\\_%'
         AND rolname <> '{schema}_owner' AND has_schema_privilege(oid, '{schema}', 'CREATE')",
    ),
    (
        "no role of the schema passes row-level security or is above others",
        "SELECT rolname::text FROM pg_roles WHERE rolname LIKE '{schema}\\_%'
         AND (rolbypassrls OR rolsuper OR rolcreaterole OR rolcreatedb)",
    ),
    (
        "no role of another schema may use this one",
        "SELECT grantee::regrole::text FROM pg_namespace, aclexplode(nspacl)
         WHERE nspname = '{schema}' AND grantee <> 0
           AND grantee::regrole::text NOT LIKE '{schema}\\_%'",
    ),
];

fn statement(wall: &str, schema: &str) -> String {
    const TABLES: &str = "FROM pg_class c WHERE relnamespace = '{schema}'::regnamespace
         AND relkind IN ('r', 'p') AND relname <> '_migrations'";
    const BY_BRAND: &str = "LIKE '%brand_id = ( SELECT current_setting(''app.brand_id''%'";
    let bookkeeping = BOOKKEEPING.map(|it| format!("'{it}'")).join(", ");
    wall.replace("{tables}", TABLES)
        .replace("{by_brand}", BY_BRAND)
        .replace("{bookkeeping}", &bookkeeping)
        .replace("{open}", OPEN)
        .replace("{schema}", schema)
}
