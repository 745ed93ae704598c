//! The caller's own account.

use identity_contract::v1::{GetMeRequest, GetMeResponse};
use kit::{Call, Error, Reply, Result, timestamp};
use tonic::{Request, Response};

use super::Rpc;
use crate::{domain::user::UserId, store};

pub async fn get(rpc: &Rpc, request: Request<GetMeRequest>) -> Reply<GetMeResponse> {
    let call = Call::of(request)?;
    let mut reader = rpc.platform.db.read(&call).await?;
    let user = store::user(&mut reader, caller_id(&call)?).await?;
    let user = user.ok_or_else(|| Error::not_found("USER_NOT_FOUND", "the account is gone"))?;
    Ok(Response::new(GetMeResponse {
        user_id: user.id.to_string(),
        email: user.email.as_str().to_owned(),
        name: user.name,
        brand_id: call.brand().to_string(),
        created_at: Some(timestamp(user.created_at)),
    }))
}

/// The person who calls. The contract admits nobody else, and a token's subject is an id of ours.
pub fn caller_id<T>(call: &Call<T>) -> Result<UserId> {
    let refused = || Error::unauthenticated("the token does not stand for a person");
    UserId::find(call.subject()).filter(|_| call.is_person()).ok_or_else(refused)
}
