//! All the SQL of this service.

use kit::{
    Brand as Scope, Change, Clean, Error, Pen, Platform, Reader, Result, Row, Time, Tx, Uuid,
};
use sqlx::FromRow;

use crate::domain::{Brand, ComplianceRegime, Status};

impl Row for Brand {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        sqlx::query(
            "INSERT INTO platform.brands (brand_id, id, slug, name, status, compliance_regime, config,
                 version, created_at, updated_at)
             VALUES ($1, $2, $1, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (brand_id, id) DO UPDATE
             SET name = excluded.name, status = excluded.status, version = excluded.version,
                 updated_at = excluded.updated_at",
        )
        .bind(&self.slug)
        .bind(self.id)
        .bind(&self.name)
        .bind(self.status)
        .bind(self.compliance_regime)
        .bind(&self.config)
        .bind(self.version)
        .bind(self.created_at)
        .bind(self.updated_at)
        .execute(pen.conn())
        .await?;
        Ok(())
    }
}

/// The brand of an id or slug. A brand is a row of itself: no other is visible.
pub async fn get(reader: &mut Reader, id: &str) -> Result<Brand> {
    let row: Option<BrandRow> = sqlx::query_as(
        "SELECT id, slug, name, status, compliance_regime, config, version, created_at, updated_at
         FROM platform.brands
         WHERE brand_id = $1 AND (slug = $2 OR id::text = $2)",
    )
    .bind(reader.brand().to_owned())
    .bind(id)
    .fetch_optional(reader.conn())
    .await?;
    row.map(Into::into).ok_or_else(absent)
}

/// Reads a brand and holds it until the transaction ends.
pub async fn lock(tx: &mut Tx<Clean>, id: &str) -> Result<Brand> {
    let brand = tx.brand().to_owned();
    let row: Option<BrandRow> = sqlx::query_as(
        "SELECT id, slug, name, status, compliance_regime, config, version, created_at, updated_at
         FROM platform.brands
         WHERE brand_id = $1 AND (slug = $2 OR id::text = $2)
         FOR UPDATE",
    )
    .bind(brand)
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(Into::into).ok_or_else(absent)
}

fn absent() -> Error {
    Error::not_found("BRAND_NOT_FOUND", "no such brand")
}

#[derive(FromRow)]
struct BrandRow {
    id: Uuid,
    slug: String,
    name: String,
    status: Status,
    compliance_regime: ComplianceRegime,
    config: serde_json::Value,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl From<BrandRow> for Brand {
    fn from(it: BrandRow) -> Self {
        Self {
            id: it.id,
            slug: it.slug,
            name: it.name,
            status: it.status,
            compliance_regime: it.compliance_regime,
            config: it.config,
            version: it.version,
            created_at: it.created_at,
            updated_at: it.updated_at,
        }
    }
}

/// The two brands a new platform has.
const SEEDS: [(&str, &str, ComplianceRegime); 2] =
    [("loop", "Loop", ComplianceRegime::Hipaa), ("loopbio", "LoopBio", ComplianceRegime::None)];

pub async fn seed(platform: Platform) -> Result<()> {
    for (slug, name, compliance_regime) in SEEDS {
        let scope = Scope::new(slug)?;
        match get(&mut platform.db.read_brand(&scope).await?, slug).await {
            Ok(_) => continue,
            Err(error) if error.reason() == "BRAND_NOT_FOUND" => {}
            Err(error) => return Err(error),
        }
        let tx = platform.db.begin_system(scope, "platform.brand.seeded").await?;
        let brand = Brand {
            id: Uuid::now_v7(),
            slug: slug.into(),
            name: name.into(),
            status: Status::Active,
            compliance_regime,
            config: serde_json::json!({}),
            version: 1,
            created_at: tx.now(),
            updated_at: tx.now(),
        };
        tx.record(Change::of(brand, "brand", slug)).await?.commit_quietly().await?;
    }
    Ok(())
}
