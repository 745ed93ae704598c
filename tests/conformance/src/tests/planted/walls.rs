//! Wrongs in the database and in the sources.

use std::{fs, path::PathBuf};

use super::{SCHEMA, find, house};
use crate::rules::{
    Findings,
    catalogue::{self, Observation},
    sources,
};

/// Every new patient is told in one more event.
pub async fn tells_too_much() -> Findings {
    let house = house().await;
    let tell = "
        CREATE FUNCTION patient_graph.tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            INSERT INTO patient_graph.outbox (brand_id, event_id, name, aggregate, key, version,
                occurred_at, correlation_id, payload)
            VALUES (NEW.brand_id, gen_random_uuid(), 'patient_graph.patient.rumoured.v1', 'x',
                NEW.id::text, 1, now(), NEW.request_id, '');
            RETURN NULL;
        END $$;
        CREATE TRIGGER tell AFTER INSERT ON patient_graph.audit_log
        FOR EACH ROW EXECUTE FUNCTION patient_graph.tell()";
    house.ledger.execute(tell).await;
    find("audit", &house).await
}

/// Audit rows vanish before the commit, and nobody asks for them.
pub async fn leaves_no_row() -> Findings {
    let house = house().await;
    let vanish = "
        DROP TRIGGER append_only ON patient_graph.audit_log;
        CREATE OR REPLACE FUNCTION patient_graph.require_audit() RETURNS trigger
        LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE FUNCTION patient_graph.vanish() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RETURN NULL; END $$;
        CREATE TRIGGER vanish BEFORE INSERT ON patient_graph.audit_log
        FOR EACH ROW EXECUTE FUNCTION patient_graph.vanish()";
    house.ledger.execute(vanish).await;
    find("audit", &house).await
}

/// The audit row of a new patient says who it is.
pub async fn audits_values() -> Findings {
    let house = house().await;
    let reveal = "
        CREATE FUNCTION patient_graph.reveal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            NEW.details := jsonb_build_object('name', (SELECT string_agg(last_name, ' ')
                FROM patient_graph.patients WHERE xmin = pg_current_xact_id()::xid));
            RETURN NEW;
        END $$;
        CREATE TRIGGER reveal BEFORE INSERT ON patient_graph.audit_log
        FOR EACH ROW EXECUTE FUNCTION patient_graph.reveal()";
    house.ledger.execute(reveal).await;
    find("confidentiality", &house).await
}

pub async fn opens_a_table() -> Findings {
    let house = house().await;
    let open = "ALTER TABLE patient_graph.patients NO FORCE ROW LEVEL SECURITY;
                ALTER TABLE patient_graph.patients OWNER TO patient_graph_app";
    house.ledger.execute(open).await;
    find("catalogue", &house).await
}

/// What breaches each wall of the catalogue.
const BREACHES: [(&str, &str); 11] = [
    ("every table has brand_id", "CREATE TABLE patient_graph.bare (id bigint)"),
    ("row-level security", "ALTER TABLE patient_graph.patients NO FORCE ROW LEVEL SECURITY"),
    (
        "every table has a policy by brand",
        "DROP POLICY brand ON patient_graph.patients;
         CREATE POLICY brand ON patient_graph.patients
         USING (brand_id = (SELECT current_setting('app.brand_id', true))) WITH CHECK (true)",
    ),
    (
        "no policy opens",
        "CREATE POLICY lax ON patient_graph.patients TO patient_graph_app USING (true)",
    ),
    ("nobody may change", "GRANT DELETE ON patient_graph.audit_log TO patient_graph_app"),
    ("every table but bookkeeping", "DROP TRIGGER audited ON patient_graph.patients"),
    ("PUBLIC has no privilege", "GRANT SELECT ON patient_graph.patients TO PUBLIC"),
    ("no role of the schema but", "GRANT CREATE ON SCHEMA patient_graph TO patient_graph_app"),
    ("no role of the schema passes", "CREATE ROLE patient_graph_ghost BYPASSRLS"),
    ("no role of another schema", "GRANT USAGE ON SCHEMA patient_graph TO clinical_app"),
    ("nobody may change", "DROP TRIGGER append_only ON patient_graph.audit_log"),
];

#[tokio::test]
async fn every_breach_of_a_wall_is_found() {
    let house = house().await;
    for (wall, breach) in BREACHES {
        house.ledger.execute(&format!("BEGIN; {breach}")).await;
        let observations = catalogue::sweep(&house, SCHEMA).await;
        house.ledger.execute("ROLLBACK").await;
        let found = |it: &Observation| it.wall.starts_with(wall) && catalogue::check(it).is_err();
        assert!(observations.iter().any(found), "{breach}: {observations:#?}");
    }
    for observation in catalogue::sweep(&house, SCHEMA).await {
        assert_eq!(catalogue::check(&observation), Ok(()));
        let planted = BREACHES.iter().any(|(wall, _)| observation.wall.starts_with(wall));
        assert!(planted, "nothing breaches: {}", observation.wall);
    }
}

#[tokio::test]
async fn a_row_that_another_brand_sees_is_found() {
    let house = house().await;
    assert!(catalogue::seen_from_abroad(&house, SCHEMA).await.is_empty());
    let open = "DROP POLICY brand ON patient_graph.patients;
                CREATE POLICY brand ON patient_graph.patients USING (true)";
    house.ledger.execute(open).await;
    assert_eq!(catalogue::seen_from_abroad(&house, SCHEMA).await, ["patients"]);
}

pub async fn depends_on_a_service() -> Findings {
    let manifest = "[package]\nname = \"clinical\"\n\n[dependencies]\nidentity.workspace = true\n";
    swept("Cargo.toml", manifest)
}

pub async fn reads_other_tables() -> Findings {
    swept("src/store.rs", "sqlx::query(\"SELECT id FROM patient_graph.patients\")")
}

/// What the rule says of a repository with one file in it.
fn swept(file: &str, text: &str) -> Findings {
    let name = format!("conformance-{}-{}", std::process::id(), file.replace('/', "-"));
    let root: PathBuf = std::env::temp_dir().join(name);
    let path = root.join("services/clinical").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let findings = sources::sweep(&root, loop_platform::SERVICES);
    fs::remove_dir_all(&root).unwrap();
    findings
}
