//! `loop audit`: is the log what it was when it was sealed?

use audit::{Head, PublicKeys, Schema, SealingKey, Verdict};
use kit::{PlatformKey, Roles, Service, Uuid};
use sqlx::{PgPool, postgres::PgConnectOptions};

use crate::SERVICES;

/// Verifies the logs of `services`, each against its own chain and what the others witnessed of it.
/// `Ok(false)`: one is broken; what and where is printed.
pub async fn verify(
    database: &PgConnectOptions,
    key: &PlatformKey,
    services: &[&'static Service],
) -> anyhow::Result<bool> {
    let keys = public_keys(key);
    let mut intact = true;
    for service in services {
        let schema: Schema = service.schema.parse()?;
        let witnessed = witnessed(database, key, service, &schema).await?;
        let report =
            audit::verify(&pool(database, key, service), &schema, &keys, &witnessed).await?;
        match &report.verdict {
            Verdict::Intact { tail } => println!(
                "{:<14} intact: {} rows in {} seals; {} rows not sealed yet",
                service.name, report.rows, report.seals, tail.rows
            ),
            Verdict::Broken { n, problem } => {
                intact = false;
                println!("{:<14} BROKEN at seal {n}: {problem}", service.name);
            }
        }
    }
    Ok(intact)
}

/// Prints that one row stands in its service's sealed log.
pub async fn prove(
    database: &PgConnectOptions,
    key: &PlatformKey,
    service: &Service,
    row: Uuid,
) -> anyhow::Result<()> {
    let schema: Schema = service.schema.parse()?;
    let proof = audit::prove(&pool(database, key, service), &schema, row).await?;
    proof.check(&public_keys(key))?;
    println!(
        "row {row} is leaf {} of seal {} of {}",
        proof.index, proof.seal.claim.n, service.name
    );
    for hash in &proof.path {
        println!("  {hash}");
    }
    println!("head {}", proof.seal.head);
    Ok(())
}

/// The heads of this chain that other services' seals have seen.
async fn witnessed(
    database: &PgConnectOptions,
    key: &PlatformKey,
    service: &Service,
    subject: &Schema,
) -> anyhow::Result<Vec<Head>> {
    let mut heads = Vec::new();
    for observer in SERVICES.iter().filter(|it| it.name != service.name) {
        let schema: Schema = observer.schema.parse()?;
        heads.extend(audit::witnessed(&pool(database, key, observer), &schema, subject).await?);
    }
    Ok(heads)
}

fn pool(database: &PgConnectOptions, key: &PlatformKey, service: &Service) -> PgPool {
    Roles::new(database.clone(), key.clone(), service.schema).pool("audit", 1)
}

fn public_keys(key: &PlatformKey) -> PublicKeys {
    [SealingKey::from_seed(key.derive("audit seal")).public().clone()].into_iter().collect()
}
