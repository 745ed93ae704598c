//! A machine gets a token for itself (RFC 6749 section 4.4): admin scopes only, no refresh token.

use identity_contract::v1::IssueTokenResponse;
use kit::{Brand, Reply};
use oauth_core::{
    Kind, Scopes, Token,
    grant::{MACHINE_TOKEN_LIFETIME, client_credentials},
};

use super::{
    Rpc,
    issue::{Caller, commit},
};
use crate::{
    domain::token::{AccessToken, Holder, Issue, RefreshChange},
    wire::refusal,
};

pub async fn issue(
    rpc: &Rpc,
    caller: &Caller<'_>,
    requested: Option<&Scopes>,
    brand: Option<Brand>,
) -> Reply<IssueTokenResponse> {
    let scopes = client_credentials(caller.rules, requested).map_err(refusal)?;
    let for_brand = caller.client.token_brand(brand).map_err(refusal)?;
    let tx = rpc.platform.db.begin_context(&caller.context).await?;
    let access_token = Token::mint(Kind::AccessToken);
    let access = AccessToken {
        hash: access_token.hash(),
        client_id: caller.rules.id.clone(),
        holder: Holder::Machine { client_epoch: caller.client.epoch, for_brand },
        scopes,
        issued_at: tx.now(),
        expires_at: tx.now() + MACHINE_TOKEN_LIFETIME,
    };
    commit(tx, Issue { access, refresh: RefreshChange::None }, access_token, None).await
}
