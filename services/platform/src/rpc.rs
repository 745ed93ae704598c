//! The gRPC surface: read the request, ask the domain, write the answer.

use kit::{Call, Platform, Reply};
use platform_contract::v1::{
    self as pb,
    platform_service_server::{PlatformService, PlatformServiceServer},
};
use tonic::{Request, Response, async_trait, service::Routes};

use crate::{audit_log, store, wire};

pub fn routes(platform: &Platform) -> Routes {
    Routes::new(PlatformServiceServer::new(Rpc { platform: platform.clone() }))
}

struct Rpc {
    platform: Platform,
}

#[async_trait]
impl PlatformService for Rpc {
    async fn get_brand(
        &self,
        request: Request<pb::GetBrandRequest>,
    ) -> Reply<pb::GetBrandResponse> {
        let call = Call::of(request)?;
        let brand = store::get(&mut self.platform.db.read(&call).await?, &call.body.id).await?;
        Ok(Response::new(pb::GetBrandResponse { brand: Some(wire::brand(brand)) }))
    }

    async fn update_brand(
        &self,
        request: Request<pb::UpdateBrandRequest>,
    ) -> Reply<pb::UpdateBrandResponse> {
        let call = Call::of(request)?;
        let mut tx = self.platform.db.begin(&call).await?;
        let brand = store::lock(&mut tx, &call.body.id).await?;
        brand.expect(&call.body.etag)?;
        let status = wire::status(call.body.status());
        let brand = brand.update(call.body.name.as_deref(), status, tx.now())?;
        let tx = tx.record(wire::changed(brand)).await?;
        tx.commit(|brand| pb::UpdateBrandResponse { brand: Some(wire::brand(brand)) }).await
    }

    async fn list_audit_log(
        &self,
        request: Request<pb::ListAuditLogRequest>,
    ) -> Reply<pb::ListAuditLogResponse> {
        let call = Call::of(request)?;
        Ok(Response::new(audit_log::list(&self.platform, &call).await?))
    }
}
