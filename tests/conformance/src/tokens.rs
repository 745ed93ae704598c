//! Tokens at will: records planted where the checkpoints look first.
//!
//! Identity issues no token for staff, nor one that is wrong on purpose. A record in the shared
//! cache stands for a token as if identity had answered, in every service and at the edge.

use std::time::Duration;

use cache::Cache;
use identity_contract::v1::ResolveTokenResponse;
use kit::{Clock, timestamp};
use kit_test::Grant;
use oauth_core::{Kind, Token};
use prost::Message as _;

/// Longer than any walk.
const KEPT: Duration = Duration::from_secs(3600);

/// How long a planted token lives by the clock.
const LIFE: chrono::Duration = chrono::Duration::minutes(10);

#[derive(Clone)]
pub struct Tokens {
    pub cache: Cache,
    pub clock: Clock,
}

impl Tokens {
    /// A token that stands for `grant`, for ten minutes.
    pub async fn issue(&self, grant: &Grant) -> String {
        self.plant(grant, LIFE).await
    }

    /// A token of an active record whose time is over.
    pub async fn issue_expired(&self, grant: &Grant) -> String {
        self.plant(grant, chrono::Duration::zero()).await
    }

    /// A well-formed token that nobody issued.
    pub fn forge(&self) -> String {
        Token::mint(Kind::AccessToken).expose().to_owned()
    }

    async fn plant(&self, grant: &Grant, life: chrono::Duration) -> String {
        let token = Token::mint(Kind::AccessToken);
        let grant = grant.clone();
        let record = ResolveTokenResponse {
            active: true,
            subject: grant.subject,
            kind: grant.kind.into(),
            client_id: grant.client_id,
            brand_id: grant.brand.unwrap_or_default(),
            brands: grant.brands,
            scopes: grant.scopes,
            allowed_origins: grant.origins,
            expires_at: Some(timestamp(self.clock.now() + life)),
        };
        let filled = self.cache.fill(&token.hash().0, record.encode_to_vec().into(), KEPT).await;
        filled.expect("the embedded cache answers");
        token.expose().to_owned()
    }
}
