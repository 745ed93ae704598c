//! An authorization code becomes tokens, once (RFC 6749 section 4.1.3).

use identity_contract::v1::IssueTokenResponse;
use kit::{Clean, Reply, Tx};
use oauth_core::{
    Kind, Token,
    grant::CodeDecision,
    refresh::{REFRESH_LIFETIME, RefreshToken},
};

use super::{
    Rpc,
    issue::{Caller, commit, unknown_grant},
};
use crate::{
    domain::{
        code::StoredCode,
        token::{AccessToken, Family, Holder, Issue, RefreshChange, StoredRefresh},
    },
    revocation::Misuse,
    store,
    wire::refusal,
};

pub async fn issue(
    rpc: &Rpc,
    caller: &Caller<'_>,
    code: &Token,
    redirect_uri: &str,
    code_verifier: &str,
) -> Reply<IssueTokenResponse> {
    let mut tx = rpc.platform.db.begin_context(&caller.context).await?;
    let Some(stored) = store::lock_code(&mut tx, code.hash()).await? else {
        return Err(unknown_grant("the code is unknown").into());
    };
    match stored.rules.exchange(caller.rules, redirect_uri, code_verifier, tx.now()) {
        CodeDecision::Issue => exchange(tx, caller, stored).await,
        CodeDecision::Reject(error) => Err(refusal(error).into()),
        CodeDecision::Replay => {
            drop(tx);
            let (brand, authority) = (&caller.client.brand, &stored.authority);
            let misuse = Misuse::CodeReplayed;
            rpc.revocation.punish(misuse, brand, authority, &caller.context).await?;
            Err(unknown_grant("the code was used before").into())
        }
    }
}

/// The first use of a code whose grant still stands.
async fn exchange(
    mut tx: Tx<Clean>,
    caller: &Caller<'_>,
    code: StoredCode,
) -> Reply<IssueTokenResponse> {
    let StoredCode { hash, authority, scopes, .. } = code;
    if store::standing(&mut tx, &authority).await? != Some(authority.stamps) {
        return Err(unknown_grant("the grant was revoked").into());
    }
    let now = tx.now();
    let (access_token, refresh_token) =
        (Token::mint(Kind::AccessToken), Token::mint(Kind::RefreshToken));
    let family = Family::begin(authority.clone(), scopes.clone());
    let access = AccessToken {
        hash: access_token.hash(),
        client_id: authority.client_id.clone(),
        holder: Holder::Person { authority, family: family.stamp },
        scopes,
        issued_at: now,
        expires_at: now + caller.rules.access_token_lifetime.duration(),
    };
    let rules = RefreshToken {
        sequence: family.current_sequence,
        expires_at: now + REFRESH_LIFETIME,
        rotation: None,
    };
    let first = StoredRefresh { hash: refresh_token.hash(), rules };
    let refresh = RefreshChange::Begun { code: hash, family, first };
    commit(tx, Issue { access, refresh }, access_token, Some(refresh_token)).await
}
