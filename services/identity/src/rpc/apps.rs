//! The apps a person has let in, and how they put one out.

use identity_contract::v1 as pb;
use kit::{Call, Error, Reply};
use tonic::{Request, Response};

use super::{Rpc, me::caller_id};
use crate::store;

pub async fn list(
    rpc: &Rpc,
    request: Request<pb::ListConnectedAppsRequest>,
) -> Reply<pb::ListConnectedAppsResponse> {
    let call = Call::of(request)?;
    let mut reader = rpc.platform.db.read(&call).await?;
    let apps = store::connected_apps(&mut reader, caller_id(&call)?).await?;
    let data = apps.into_iter().map(Into::into).collect();
    Ok(Response::new(pb::ListConnectedAppsResponse { data }))
}

pub async fn disconnect(rpc: &Rpc, request: Request<pb::DisconnectAppRequest>) -> Reply<()> {
    let call = Call::of(request)?;
    let user_id = caller_id(&call)?;
    let mut tx = rpc.platform.db.begin(&call).await?;
    let grant = store::lock_grant(&mut tx, user_id, &call.body.client_id).await?;
    let grant = grant.filter(|it| it.revoked_at.is_none());
    let grant =
        grant.ok_or_else(|| Error::not_found("GRANT_NOT_FOUND", "no such app is connected"))?;
    let change = rpc.revocation.end_grant(&mut tx, grant).await?;
    let details = serde_json::json!({ "app": call.body.client_id });
    tx.record(change.details(details)).await?.commit(|_| ()).await
}
