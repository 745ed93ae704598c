//! How tokens end: at once, everywhere, or not at all.
//!
//! Under the lock that issuers of the same tokens wait for, all that could be active is fenced in
//! the cache; only then may the transaction commit. If the fence fails, the call fails, and
//! nothing has changed.

use cache::Cache;
use identity_contract::v1::GrantRevoked;
use kit::{Brand, Change, Clean, Context, Db, FENCE_TTL, Platform, Result, Tx, timestamp};
use oauth_core::TokenHash;
use serde_json::json;

use crate::{
    domain::grant::{Authority, Grant},
    store::{self, GrantEnd},
};

/// Hashes that are fenced in one step, in which the cache serves nobody else: 25 ms.
const FENCED_AT_ONCE: usize = 5_000;

/// Ends grants and fences tokens.
#[derive(Clone)]
pub struct Revocation {
    db: Db,
    cache: Cache,
}

/// What told that a secret is in wrong hands.
#[derive(Clone, Copy, Debug)]
pub enum Misuse {
    /// An authorization code was presented twice (RFC 6749 section 4.1.2).
    CodeReplayed,
    /// A refresh token came back after its successor was used (RFC 9700 section 4.14.2).
    RefreshTokenReused,
}

impl Revocation {
    pub fn new(platform: &Platform) -> Self {
        Self { db: platform.db.clone(), cache: platform.cache.clone() }
    }

    /// Closes the cache to tokens that are about to end.
    pub async fn fence(&self, hashes: &[TokenHash]) -> Result<()> {
        for chunk in hashes.chunks(FENCED_AT_ONCE) {
            let keys: Vec<_> = chunk.iter().map(|it| it.0).collect();
            self.cache.fence(&keys, FENCE_TTL).await?;
        }
        Ok(())
    }

    /// The change that ends a grant which this transaction has locked, and its tokens with it.
    pub async fn end_grant(&self, tx: &mut Tx<Clean>, grant: Grant) -> Result<Change<GrantEnd>> {
        self.fence(&store::live_of_grant(tx, grant.id).await?).await?;
        let grant = grant.end(tx.now());
        let event = revoked(&grant, tx);
        let id = grant.id;
        Ok(Change::of(GrantEnd(grant), "oauth_grant", id).told_by(&event))
    }

    /// Ends the grant behind a misused secret, in a transaction of its own: the request that
    /// showed the misuse is refused, so it records nothing itself.
    pub async fn punish(
        &self,
        misuse: Misuse,
        brand: &Brand,
        authority: &Authority,
        context: &Context,
    ) -> Result<()> {
        let mut tx = self.db.begin_system(brand.clone(), misuse.event_type()).await?;
        let client_id = &authority.client_id;
        let grant = store::lock_grant(&mut tx, authority.user_id, client_id).await?;
        // Of two replays at once, or after the person let the app in anew, only the first ends
        // what the secret led to.
        let led_to = |it: &Grant| it.epoch == authority.stamps.grant && it.revoked_at.is_none();
        let Some(grant) = grant.filter(led_to) else { return Ok(()) };
        let change = self.end_grant(&mut tx, grant).await?;
        let request_id = &*context.request_id.0;
        let change = change.details(json!({ "client_id": client_id, "request_id": request_id }));
        tx.record(change).await?.commit_quietly().await?;
        tracing::warn!(alarm = misuse.event_type(), client_id, "a grant was ended");
        Ok(())
    }
}

impl Misuse {
    fn event_type(self) -> &'static str {
        match self {
            Self::CodeReplayed => "identity.code.replayed",
            Self::RefreshTokenReused => "identity.refresh_token.reused",
        }
    }
}

fn revoked(grant: &Grant, tx: &Tx<Clean>) -> GrantRevoked {
    GrantRevoked {
        grant_id: grant.id.to_string(),
        user_id: grant.user_id.to_string(),
        client_id: grant.client_id.clone(),
        brand_id: tx.brand().to_owned(),
        revoked_at: Some(timestamp(tx.now())),
    }
}
