//! Authorization codes: written with the consent that allowed them, consumed under a lock.

use kit::{Clean, Pen, Result, Row, Time, Tx, Uuid};
use oauth_core::{Challenge, RedirectUri, TokenHash, grant::AuthorizationCode};
use sqlx::FromRow;

use super::{corrupt, grant, names, scopes};
use crate::domain::{
    code::StoredCode,
    grant::{Authority, Grant, GrantId, Stamps},
    user::UserId,
};

#[derive(FromRow)]
struct CodeRow {
    grant_id: Uuid,
    user_id: Uuid,
    client_id: String,
    redirect_uri: String,
    code_challenge: Vec<u8>,
    scopes: Vec<String>,
    user_epoch: i64,
    client_epoch: i64,
    grant_epoch: i64,
    expires_at: Time,
    consumed_at: Option<Time>,
}

/// A code of this brand, locked: of all who present it at once, the second sees what the first
/// has done.
pub async fn lock_code(tx: &mut Tx<Clean>, hash: TokenHash) -> Result<Option<StoredCode>> {
    let brand = tx.brand().to_owned();
    let row: Option<CodeRow> = sqlx::query_as(
        "SELECT grant_id, user_id, client_id, redirect_uri, code_challenge, scopes, user_epoch,
                client_epoch, grant_epoch, expires_at, consumed_at
         FROM authorization_codes WHERE brand_id = $1 AND code_hash = $2 FOR UPDATE",
    )
    .bind(brand)
    .bind(&hash.0[..])
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| row.code(hash)).transpose()
}

impl CodeRow {
    fn code(self, hash: TokenHash) -> Result<StoredCode> {
        let challenge = self.code_challenge.try_into().map_err(|_| corrupt("challenge"))?;
        let rules = AuthorizationCode {
            client_id: self.client_id.clone(),
            redirect_uri: RedirectUri::parse(&self.redirect_uri)
                .map_err(|_| corrupt("redirect URI"))?,
            challenge: Challenge(challenge),
            expires_at: self.expires_at,
            consumed: self.consumed_at.is_some(),
        };
        let authority = Authority {
            user_id: UserId::of(self.user_id),
            grant_id: GrantId::of(self.grant_id),
            client_id: self.client_id,
            stamps: Stamps {
                user: self.user_epoch,
                client: self.client_epoch,
                grant: self.grant_epoch,
            },
        };
        Ok(StoredCode { hash, authority, scopes: scopes(&self.scopes)?, rules })
    }
}

/// What an answer of the authorization endpoint writes: the grant, the line of its history if the
/// person was asked, and the code.
#[derive(Debug)]
pub struct Approval {
    pub grant: Grant,
    pub consented: bool,
    pub code: StoredCode,
}

impl Row for Approval {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        grant::upsert(&self.grant, &mut pen).await?;
        if self.consented {
            let scopes = names(&self.code.scopes);
            grant::insert_consent(&self.grant, "granted", &scopes, &mut pen).await?;
        }
        insert(&self.code, &mut pen).await
    }
}

async fn insert(code: &StoredCode, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    let StoredCode { hash, authority, scopes, rules } = code;
    sqlx::query(
        "INSERT INTO authorization_codes (brand_id, code_hash, grant_id, user_id, client_id,
             redirect_uri, code_challenge, scopes, user_epoch, client_epoch, grant_epoch,
             expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(brand)
    .bind(&hash.0[..])
    .bind(authority.grant_id.uuid())
    .bind(authority.user_id.uuid())
    .bind(&authority.client_id)
    .bind(rules.redirect_uri.as_str())
    .bind(&rules.challenge.0[..])
    .bind(names(scopes))
    .bind(authority.stamps.user)
    .bind(authority.stamps.client)
    .bind(authority.stamps.grant)
    .bind(rules.expires_at)
    .execute(pen.conn())
    .await?;
    Ok(())
}

/// Marks a code as used up.
pub(super) async fn consume(hash: &TokenHash, at: Time, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query(
        "UPDATE authorization_codes SET consumed_at = $3 WHERE brand_id = $1 AND code_hash = $2",
    )
    .bind(brand)
    .bind(&hash.0[..])
    .bind(at)
    .execute(pen.conn())
    .await?;
    Ok(())
}
