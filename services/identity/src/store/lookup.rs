//! What is looked for before its brand is known: by the role that may read in all of them.

use kit::{Brand, Result, Roles, Time, Uuid};
use oauth_core::TokenHash;
use sqlx::{FromRow, PgPool};

use super::{brand, client::ClientRow, token_hash};
use crate::domain::{
    client::RegisteredClient,
    session::Session,
    token::{ActiveHolder, ActiveToken},
    user::UserId,
};

/// Reads by the value of a secret, or by a client's id. Never writes.
#[derive(Clone, Debug)]
pub struct Lookup {
    pool: PgPool,
}

impl Lookup {
    pub fn new(roles: &Roles) -> Self {
        Self { pool: roles.pool("resolve", 4) }
    }

    pub async fn client(&self, client_id: &str) -> Result<Option<RegisteredClient>> {
        let row: Option<ClientRow> =
            sqlx::query_as("SELECT * FROM registered_clients WHERE client_id = $1 LIMIT 1")
                .bind(client_id)
                .fetch_optional(&self.pool)
                .await?;
        row.map(RegisteredClient::try_from).transpose()
    }

    /// Whether any enabled client has registered a web origin.
    pub async fn is_origin_allowed(&self, origin: &str) -> Result<bool> {
        let allowed = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM oauth_clients
                            WHERE enabled AND allowed_origins @> ARRAY[$1])",
        )
        .bind(origin)
        .fetch_one(&self.pool)
        .await?;
        Ok(allowed)
    }

    /// The access token of this hash, if it is active: neither revoked nor expired, and every
    /// epoch that it carries still stands.
    pub async fn token(&self, hash: &TokenHash, now: Time) -> Result<Option<ActiveToken>> {
        let row: Option<TokenRow> = sqlx::query_as(
            "SELECT t.brand_id, t.client_id, t.user_id, t.for_brand, t.scopes, t.expires_at,
                    c.allowed_brands, c.allowed_origins
             FROM access_tokens t
             JOIN oauth_clients c ON c.brand_id = t.brand_id AND c.client_id = t.client_id
                 AND c.enabled AND c.epoch = t.client_epoch
             LEFT JOIN users u ON u.brand_id = t.brand_id AND u.user_id = t.user_id AND u.enabled
             LEFT JOIN grants g ON g.brand_id = t.brand_id AND g.grant_id = t.grant_id
             LEFT JOIN refresh_families f
                 ON f.brand_id = t.brand_id AND f.family_id = t.family_id
             WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2
               AND u.epoch IS NOT DISTINCT FROM t.user_epoch
               AND g.epoch IS NOT DISTINCT FROM t.grant_epoch
               AND f.epoch IS NOT DISTINCT FROM t.family_epoch",
        )
        .bind(&hash.0[..])
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        row.map(ActiveToken::try_from).transpose()
    }

    /// The session of this hash, if it stands.
    pub async fn session(&self, hash: &TokenHash, now: Time) -> Result<Option<Session>> {
        let row: Option<SessionRow> = sqlx::query_as(
            "SELECT s.brand_id, s.session_hash, s.user_id, s.user_epoch, s.started_at, s.expires_at
             FROM sessions s
             JOIN users u ON u.brand_id = s.brand_id AND u.user_id = s.user_id
                 AND u.enabled AND u.epoch = s.user_epoch
             WHERE s.session_hash = $1 AND s.expires_at > $2",
        )
        .bind(&hash.0[..])
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        row.map(Session::try_from).transpose()
    }
}

#[derive(FromRow)]
struct TokenRow {
    brand_id: String,
    client_id: String,
    user_id: Option<Uuid>,
    for_brand: Option<String>,
    scopes: Vec<String>,
    expires_at: Time,
    allowed_brands: Vec<String>,
    allowed_origins: Vec<String>,
}

impl TryFrom<TokenRow> for ActiveToken {
    type Error = kit::Error;

    fn try_from(row: TokenRow) -> Result<Self> {
        let holder = match row.user_id {
            Some(uuid) => ActiveHolder::Person(UserId::of(uuid)),
            None => ActiveHolder::Machine {
                for_brand: row.for_brand.map(Brand::new).transpose()?,
                allowed_brands: row.allowed_brands,
            },
        };
        Ok(Self {
            brand: brand(row.brand_id)?,
            client_id: row.client_id,
            holder,
            scopes: row.scopes,
            allowed_origins: row.allowed_origins,
            expires_at: row.expires_at,
        })
    }
}

#[derive(FromRow)]
struct SessionRow {
    brand_id: String,
    session_hash: Vec<u8>,
    user_id: Uuid,
    user_epoch: i64,
    started_at: Time,
    expires_at: Time,
}

impl TryFrom<SessionRow> for Session {
    type Error = kit::Error;

    fn try_from(row: SessionRow) -> Result<Self> {
        Ok(Self {
            hash: token_hash(row.session_hash)?,
            brand: brand(row.brand_id)?,
            user_id: UserId::of(row.user_id),
            user_epoch: row.user_epoch,
            started_at: row.started_at,
            expires_at: row.expires_at,
        })
    }
}
