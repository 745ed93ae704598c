//! A client gives a token back (RFC 7009).

use identity_contract::v1::RevokeTokenRequest;
use kit::{Call, Change, Reply, Row, Tx, Unchanged};
use oauth_core::{Kind, Token};
use tonic::Request;

use super::{
    Rpc,
    issue::{self, Caller},
};
use crate::store::{self, AccessEnd, FamilyEnd};

pub async fn revoke(rpc: &Rpc, request: Request<RevokeTokenRequest>) -> Reply<()> {
    let authorization = issue::basic(request.metadata());
    let call = Call::of(request)?;
    let body = &call.body;
    let credentials = issue::credentials(authorization, &body.client_id, &body.client_secret)?;
    let client = rpc.lookup.client(credentials.client_id()).await?;
    let caller = issue::caller(rpc, &credentials, client.as_ref(), &call.context)?;
    // The prefix tells the kind, so the hint is not needed (RFC 7009 section 2.1).
    if let Ok(token) = Token::parse(Kind::RefreshToken, &body.token) {
        return revoke_refresh(rpc, &caller, &token).await;
    }
    match Token::parse(Kind::AccessToken, &body.token) {
        Ok(token) => revoke_access(rpc, &caller, &token).await,
        Err(_) => nothing(rpc.platform.db.begin_context(&caller.context).await?, &caller).await,
    }
}

/// A refresh token ends its family, and the access tokens of it.
async fn revoke_refresh(rpc: &Rpc, caller: &Caller<'_>, token: &Token) -> Reply<()> {
    let mut tx = rpc.platform.db.begin_context(&caller.context).await?;
    let found = store::lock_refresh(&mut tx, token.hash()).await?;
    let own = found.map(|it| it.0).filter(|it| it.authority.client_id == caller.rules.id);
    let Some(family) = own.filter(|it| !it.revoked) else { return nothing(tx, caller).await };
    let grant_id = family.authority.grant_id;
    let live = store::live_of_family(&mut tx, grant_id, family.stamp).await?;
    rpc.revocation.fence(&live).await?;
    let end = FamilyEnd { family: family.stamp, at: tx.now() };
    finish(tx, Change::of(end, "oauth_grant", grant_id), caller).await
}

/// An access token ends alone.
async fn revoke_access(rpc: &Rpc, caller: &Caller<'_>, token: &Token) -> Reply<()> {
    let mut tx = rpc.platform.db.begin_context(&caller.context).await?;
    let hash = token.hash();
    if !store::lock_access(&mut tx, hash, &caller.rules.id).await? {
        return nothing(tx, caller).await;
    }
    rpc.revocation.fence(&[hash]).await?;
    let end = AccessEnd { hash, at: tx.now() };
    finish(tx, Change::of(end, "oauth_client", &caller.rules.id), caller).await
}

/// A token that is not there, or another client's: left alone, and success all the same.
async fn nothing(tx: Tx<kit::Clean>, caller: &Caller<'_>) -> Reply<()> {
    finish(tx, Change::of(Unchanged, "oauth_client", &caller.rules.id), caller).await
}

async fn finish<R: Row>(tx: Tx<kit::Clean>, change: Change<R>, caller: &Caller<'_>) -> Reply<()> {
    let details = serde_json::json!({ "client_id": caller.rules.id });
    tx.record(change.details(details)).await?.commit(|_| ()).await
}
