//! Web origins: whether pages of one may call at all. Nothing is written.

use identity_contract::v1 as pb;
use kit::{Call, Reply};
use tonic::{Request, Response};

use super::Rpc;

pub async fn check(
    rpc: &Rpc,
    request: Request<pb::CheckOriginRequest>,
) -> Reply<pb::CheckOriginResponse> {
    let call = Call::of(request)?;
    let allowed = rpc.lookup.is_origin_allowed(&call.body.origin).await?;
    Ok(Response::new(pb::CheckOriginResponse { allowed }))
}
