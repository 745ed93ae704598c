//! A service whose handlers do as they are told, right and wrong.

use clinical_contract::v1::BiomarkerParsed;
use contract::Event as _;
use kit::{
    Call, Change, Error, Pen, Platform, Reaction, Reply, Result, Row, Service, Subscription,
};
use platform_contract::v1::{
    self as pb,
    platform_service_server::{PlatformService, PlatformServiceServer},
};
use sqlx::{PgConnection, migrate::Migrator};
use tonic::{Request, Response, async_trait, service::Routes};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/platform");

pub static SERVICE: Service = Service {
    name: "platform",
    schema: "platform",
    package: &pb::PACKAGE,
    migrations: &MIGRATIONS,
    roles: &[],
    routes: |platform| Routes::new(PlatformServiceServer::new(Rpc(platform.clone()))),
    pages: &[],
    subscriptions: SUBSCRIPTIONS,
    seed: None,
    resolver: None,
};

const SUBSCRIPTIONS: &[Subscription] = &[Subscription {
    event: pb::BrandCacheInvalidated::TYPE,
    react: |_, reaction| Box::pin(react(reaction)),
}];

/// A brand's name: all of a brand that this service changes.
struct Name(String);

impl Row for Name {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let brand = pen.brand().to_owned();
        put(pen.conn(), &brand, &self.0).await
    }
}

async fn put(conn: &mut PgConnection, brand: &str, name: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO platform.brands (brand_id, id, slug, name, status, compliance_regime, version,
             created_at, updated_at)
         VALUES ($1, gen_random_uuid(), $1, $2, 'active', 'none', 1, now(), now())
         ON CONFLICT (slug) DO UPDATE SET name = excluded.name, version = brands.version + 1",
    )
    .bind(brand)
    .bind(name)
    .execute(conn)
    .await?;
    Ok(())
}

async fn version(conn: &mut PgConnection) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT version FROM platform.brands").fetch_optional(conn).await?)
}

fn changed(brand: &str) -> pb::BrandCacheInvalidated {
    pb::BrandCacheInvalidated { brand_id: brand.into(), ..Default::default() }
}

struct Rpc(Platform);

#[async_trait]
impl PlatformService for Rpc {
    async fn get_brand(
        &self,
        request: Request<pb::GetBrandRequest>,
    ) -> Reply<pb::GetBrandResponse> {
        Call::of(request)?;
        Ok(Response::new(pb::GetBrandResponse::default()))
    }

    async fn update_brand(
        &self,
        request: Request<pb::UpdateBrandRequest>,
    ) -> Reply<pb::UpdateBrandResponse> {
        let call = Call::of(request)?;
        let (told, brand) = (call.body.name(), call.brand().as_str());
        match told {
            "forget" => return Ok(Response::new(pb::UpdateBrandResponse::default())),
            "panic" => panic!("as it was told"),
            _ => {}
        }
        let mut tx = self.0.db.begin(&call).await?;
        match told {
            "hang" => std::future::pending().await,
            "find" if version(tx.conn()).await?.is_none() => {
                return Err(Error::precondition("BRAND_MISSING", "no such brand").into());
            }
            _ => {}
        }
        let change = Change::of(Name(told.into()), "brand", brand);
        let change = match told {
            "tell another's event" => change.told_by(&BiomarkerParsed::default()),
            _ => change.told_by(&changed(brand)),
        };
        let tx = tx.record(change).await?;
        tx.commit(|Name(name)| pb::UpdateBrandResponse {
            brand: Some(pb::Brand { name, ..Default::default() }),
        })
        .await
    }

    async fn list_audit_log(
        &self,
        request: Request<pb::ListAuditLogRequest>,
    ) -> Reply<pb::ListAuditLogResponse> {
        let call = Call::of(request)?;
        match call.body.event_type.as_str() {
            "missing" => Err(Error::not_found("LOG_MISSING", "no such log").into()),
            _ => Ok(Response::new(pb::ListAuditLogResponse { total: 7, ..Default::default() })),
        }
    }
}

async fn react(mut reaction: Reaction) -> Result<()> {
    let event: pb::BrandCacheInvalidated = reaction.event()?;
    match event.reason.as_str() {
        "skip" => reaction.skip().await,
        "stop halfway" => {
            put(reaction.conn(), &event.brand_id, "half").await?;
            Err(Error::precondition("HALF_DONE", "stopped halfway"))
        }
        "change in secret" => {
            put(reaction.conn(), &event.brand_id, "secret").await?;
            reaction.skip().await
        }
        name => {
            let change = Change::of(Name(name.into()), "brand", &event.brand_id);
            reaction.record(change.told_by(&changed(&event.brand_id))).await
        }
    }
}
