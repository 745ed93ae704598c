//! A refresh token is rotated (RFC 6749 section 6): a lost answer can be had again, a stolen
//! token exposes itself.

use identity_contract::v1::IssueTokenResponse;
use kit::{Clean, Reply, Tx};
use oauth_core::{
    Kind, Scopes, Token,
    refresh::{RefreshAttempt, RefreshDecision},
};

use super::{
    Rpc,
    issue::{Caller, commit, unknown_grant},
};
use crate::{
    domain::token::{AccessToken, Family, Holder, Issue, RefreshChange, StoredRefresh},
    revocation::Misuse,
    store,
    wire::refusal,
};

pub async fn issue(
    rpc: &Rpc,
    caller: &Caller<'_>,
    presented: &Token,
    requested: Option<&Scopes>,
) -> Reply<IssueTokenResponse> {
    let mut tx = rpc.platform.db.begin_context(&caller.context).await?;
    let Some((family, stored)) = store::lock_refresh(&mut tx, presented.hash()).await? else {
        return Err(unknown_grant("the refresh token is unknown").into());
    };
    let standing = store::standing(&mut tx, &family.authority).await?;
    let attempt = RefreshAttempt { client: caller.rules, presented, requested, now: tx.now() };
    let successor = Token::mint(Kind::RefreshToken);
    match family.rules(standing).decide(&stored.rules, attempt, successor) {
        RefreshDecision::Rotate { scopes, successor, rotation, next } => {
            let next = StoredRefresh { hash: successor.hash(), rules: next };
            let (family_stamp, used) = (family.stamp, stored.hash);
            let change = RefreshChange::Rotated { family: family_stamp, used, rotation, next };
            respond(tx, caller, family, scopes, change, successor).await
        }
        RefreshDecision::Repeat { scopes, successor } => {
            respond(tx, caller, family, scopes, RefreshChange::None, successor).await
        }
        RefreshDecision::Reject(error) => Err(refusal(error).into()),
        RefreshDecision::Reuse => {
            drop(tx);
            let (brand, authority) = (&caller.client.brand, &family.authority);
            let misuse = Misuse::RefreshTokenReused;
            rpc.revocation.punish(misuse, brand, authority, &caller.context).await?;
            Err(unknown_grant("the refresh token was used before").into())
        }
    }
}

async fn respond(
    tx: Tx<Clean>,
    caller: &Caller<'_>,
    family: Family,
    scopes: Scopes,
    refresh: RefreshChange,
    refresh_token: Token,
) -> Reply<IssueTokenResponse> {
    let access_token = Token::mint(Kind::AccessToken);
    let now = tx.now();
    let access = AccessToken {
        hash: access_token.hash(),
        client_id: family.authority.client_id.clone(),
        holder: Holder::Person { authority: family.authority, family: family.stamp },
        scopes,
        issued_at: now,
        expires_at: now + caller.rules.access_token_lifetime.duration(),
    };
    commit(tx, Issue { access, refresh }, access_token, Some(refresh_token)).await
}
