//! Access tokens: written with whatever made them, found again by those who end them.

use kit::{Clean, Pen, Result, Row, Time, Tx};
use oauth_core::TokenHash;

use super::{code, names, refresh, token_hash};
use crate::domain::{
    grant::GrantId,
    token::{AccessToken, FamilyStamp, Holder, Issue, RefreshChange},
};

/// Rows of each table that one issue of tokens sweeps away, once they have ended.
const SWEPT: i32 = 4;

impl Row for Issue {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let pen = &mut pen;
        match &self.refresh {
            RefreshChange::None => {}
            RefreshChange::Begun { code, family, first } => {
                code::consume(code, self.access.issued_at, pen).await?;
                refresh::begin(family, first, pen).await?;
            }
            RefreshChange::Rotated { family, used, rotation, next } => {
                refresh::rotate(*family, used, rotation, next, pen).await?;
            }
        }
        insert(&self.access, pen).await?;
        sweep(self.access.issued_at, pen).await
    }
}

async fn insert(token: &AccessToken, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    let (authority, family, client_epoch, for_brand) = match &token.holder {
        Holder::Machine { client_epoch, for_brand } => {
            (None, None, *client_epoch, for_brand.as_ref())
        }
        Holder::Person { authority, family } => {
            (Some(authority), Some(family), authority.stamps.client, None)
        }
    };
    sqlx::query(
        "INSERT INTO access_tokens (brand_id, token_hash, client_id, client_epoch, user_id,
             user_epoch, grant_id, grant_epoch, family_id, family_epoch, for_brand, scopes,
             issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(brand)
    .bind(&token.hash.0[..])
    .bind(&token.client_id)
    .bind(client_epoch)
    .bind(authority.map(|it| it.user_id.uuid()))
    .bind(authority.map(|it| it.stamps.user))
    .bind(authority.map(|it| it.grant_id.uuid()))
    .bind(authority.map(|it| it.stamps.grant))
    .bind(family.map(|it| it.id.uuid()))
    .bind(family.map(|it| it.epoch))
    .bind(for_brand.map(kit::Brand::as_str))
    .bind(names(&token.scopes))
    .bind(token.issued_at)
    .bind(token.expires_at)
    .execute(pen.conn())
    .await?;
    Ok(())
}

async fn sweep(now: Time, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query("SELECT sweep($1, $2, $3)")
        .bind(brand)
        .bind(now)
        .bind(SWEPT)
        .execute(pen.conn())
        .await?;
    Ok(())
}

/// Hashes of the access tokens under a grant that could be active. Lock the grant first.
pub async fn live_of_grant(tx: &mut Tx<Clean>, grant: GrantId) -> Result<Vec<TokenHash>> {
    let (brand, now) = (tx.brand().to_owned(), tx.now());
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT token_hash FROM access_tokens
         WHERE brand_id = $1 AND grant_id = $2 AND expires_at > $3 AND revoked_at IS NULL",
    )
    .bind(brand)
    .bind(grant.uuid())
    .bind(now)
    .fetch_all(tx.conn())
    .await?;
    hashes.into_iter().map(token_hash).collect()
}

/// Hashes of the access tokens of a family that could be active. Lock the family first.
pub async fn live_of_family(
    tx: &mut Tx<Clean>,
    grant: GrantId,
    family: FamilyStamp,
) -> Result<Vec<TokenHash>> {
    let (brand, now) = (tx.brand().to_owned(), tx.now());
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT token_hash FROM access_tokens
         WHERE brand_id = $1 AND grant_id = $2 AND expires_at > $3 AND revoked_at IS NULL
           AND family_id = $4",
    )
    .bind(brand)
    .bind(grant.uuid())
    .bind(now)
    .bind(family.id.uuid())
    .fetch_all(tx.conn())
    .await?;
    hashes.into_iter().map(token_hash).collect()
}

/// Locks the access token of a hash that a client may end: its own. False if there is none.
pub async fn lock_access(tx: &mut Tx<Clean>, hash: TokenHash, client_id: &str) -> Result<bool> {
    let brand = tx.brand().to_owned();
    let found = sqlx::query(
        "SELECT FROM access_tokens
         WHERE brand_id = $1 AND token_hash = $2 AND client_id = $3 AND revoked_at IS NULL
         FOR UPDATE",
    )
    .bind(brand)
    .bind(&hash.0[..])
    .bind(client_id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

/// An access token that ends by itself.
#[derive(Debug)]
pub struct AccessEnd {
    pub hash: TokenHash,
    pub at: Time,
}

impl Row for AccessEnd {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let brand = pen.brand().to_owned();
        sqlx::query(
            "UPDATE access_tokens SET revoked_at = $3 WHERE brand_id = $1 AND token_hash = $2",
        )
        .bind(brand)
        .bind(&self.hash.0[..])
        .bind(self.at)
        .execute(pen.conn())
        .await?;
        Ok(())
    }
}
