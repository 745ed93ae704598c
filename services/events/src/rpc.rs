//! The gRPC surface: read the request, ask the store, write the answer.

use events_contract::v1::{
    self as pb,
    events_service_server::{EventsService, EventsServiceServer},
};
use kit::{Call, Pages, Platform, Reply};
use tonic::{Request, Response, async_trait, service::Routes};

use crate::{store, wire};

pub fn routes(platform: &Platform) -> Routes {
    Routes::new(EventsServiceServer::new(Rpc { platform: platform.clone() }))
}

struct Rpc {
    platform: Platform,
}

#[async_trait]
impl EventsService for Rpc {
    async fn list_event_types(
        &self,
        request: Request<pb::ListEventTypesRequest>,
    ) -> Reply<pb::ListEventTypesResponse> {
        Call::of(request)?;
        let event_types = wire::catalogue(self.platform.services);
        Ok(Response::new(pb::ListEventTypesResponse { event_types }))
    }

    async fn list_deliveries(
        &self,
        request: Request<pb::ListDeliveriesRequest>,
    ) -> Reply<pb::ListDeliveriesResponse> {
        let call = Call::of(request)?;
        let body = &call.body;
        let filter = [body.event_id.as_str(), &body.name, &body.consumer];
        let pages = Pages::new(&self.platform.key, &call, body.page_size, &filter);
        let after = pages.after(&body.page_token)?;
        let mut reader = self.platform.db.read(&call).await?;
        let after = after.as_deref().and_then(wire::place);
        let rows = store::deliveries(&mut reader, body, after, pages.fetch()).await?;
        let (rows, next_page_token) = pages.cut(rows, wire::place_of);
        let deliveries = rows.into_iter().map(|it| wire::delivery(it, call.brand())).collect();
        Ok(Response::new(pb::ListDeliveriesResponse { deliveries, next_page_token }))
    }
}
