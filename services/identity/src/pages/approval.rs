//! From a signed-in person's yes to a code: grant, history, code and audit entry in one
//! transaction.

use kit::{Change, Result};
use oauth_core::{
    Kind, Token,
    authorize::consent_needed,
    grant::{AuthorizationCode, CODE_LIFETIME},
};
use serde_json::json;

use super::{Pages, request::Asked};
use crate::{
    domain::{
        code::StoredCode,
        grant::{Authority, Grant, Stamps},
        session::Session,
    },
    store::{self, Approval},
};

/// What comes of an authorization request.
pub enum Outcome {
    Code(Token),
    /// The person must be asked first.
    ConsentNeeded,
    /// The account changed since the person signed in.
    SignInAgain,
}

/// Gives out a code, if the person has just said yes (`consented`) or need not be asked.
pub async fn approve(
    pages: &Pages,
    asked: &Asked,
    session: &Session,
    consented: bool,
) -> Result<Outcome> {
    let (client, requested) = (&asked.client, &asked.rules.scopes);
    let event_type = if consented { "identity.consent.granted" } else { "identity.code.issued" };
    let (brand, user_id) = (session.brand.clone(), session.user_id);
    let mut tx = pages.platform.db.begin_person(brand, &user_id.to_string(), event_type).await?;
    if store::lock_epoch(&mut tx, user_id).await? != Some(session.user_epoch) {
        return Ok(Outcome::SignInAgain);
    }
    let standing = store::lock_grant(&mut tx, user_id, &client.rules.id).await?;
    let granted = standing.as_ref().map(Grant::standing_scopes).unwrap_or_default();
    let party = client.rules.party;
    if !consented && consent_needed(&granted, requested, party, asked.rules.prompt) {
        return Ok(Outcome::ConsentNeeded);
    }
    let grant = Grant::allow(standing, user_id, &client.rules.id, requested, tx.now());
    let token = Token::mint(Kind::AuthorizationCode);
    let expires_at = tx.now() + CODE_LIFETIME;
    let code = code(asked, session, &grant, &token, expires_at);
    let id = grant.id;
    let details = json!({ "client_id": client.rules.id, "scope": requested.to_string() });
    let change = Change::of(Approval { grant, consented, code }, "oauth_grant", id);
    tx.record(change.details(details)).await?.commit_quietly().await?;
    Ok(Outcome::Code(token))
}

fn code(
    asked: &Asked,
    session: &Session,
    grant: &Grant,
    token: &Token,
    expires_at: kit::Time,
) -> StoredCode {
    let stamps =
        Stamps { user: session.user_epoch, client: asked.client.epoch, grant: grant.epoch };
    let client_id = asked.client.rules.id.clone();
    StoredCode {
        hash: token.hash(),
        authority: Authority {
            user_id: session.user_id,
            grant_id: grant.id,
            client_id: client_id.clone(),
            stamps,
        },
        scopes: asked.rules.scopes.clone(),
        rules: AuthorizationCode {
            client_id,
            redirect_uri: asked.rules.redirect_uri().clone(),
            challenge: asked.rules.challenge,
            expires_at,
            consumed: false,
        },
    }
}
