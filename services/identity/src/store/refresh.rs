//! Families of refresh tokens: rotated and ended under the lock of the family's row.

use kit::{Clean, Pen, Result, Row, Time, Tx, Uuid};
use oauth_core::{
    TokenHash,
    refresh::{RefreshToken, Rotation},
};
use sqlx::FromRow;

use super::{names, scopes};
use crate::domain::{
    grant::{Authority, GrantId, Stamps},
    token::{Family, FamilyId, FamilyStamp, StoredRefresh},
    user::UserId,
};

#[derive(FromRow)]
struct RefreshRow {
    sequence: i64,
    expires_at: Time,
    consumed_at: Option<Time>,
    sealed_successor: Option<Vec<u8>>,
    family_id: Uuid,
    grant_id: Uuid,
    user_id: Uuid,
    client_id: String,
    scopes: Vec<String>,
    current_sequence: i64,
    epoch: i64,
    user_epoch: i64,
    client_epoch: i64,
    grant_epoch: i64,
    revoked_at: Option<Time>,
}

/// A refresh token of this brand and its family, which is locked.
pub async fn lock_refresh(
    tx: &mut Tx<Clean>,
    hash: TokenHash,
) -> Result<Option<(Family, StoredRefresh)>> {
    let brand = tx.brand().to_owned();
    // The lock first, in a statement of its own: what is read beside a lock may be older than it.
    sqlx::query(
        "SELECT FROM refresh_families f
         JOIN refresh_tokens t ON t.brand_id = f.brand_id AND t.family_id = f.family_id
         WHERE t.brand_id = $1 AND t.token_hash = $2 FOR UPDATE OF f",
    )
    .bind(&brand)
    .bind(&hash.0[..])
    .execute(tx.conn())
    .await?;
    let row: Option<RefreshRow> = sqlx::query_as(
        "SELECT t.sequence, t.expires_at, t.consumed_at, t.sealed_successor, f.family_id,
                f.grant_id, f.user_id, f.client_id, f.scopes, f.current_sequence, f.epoch,
                f.user_epoch, f.client_epoch, f.grant_epoch, f.revoked_at
         FROM refresh_tokens t
         JOIN refresh_families f ON f.brand_id = t.brand_id AND f.family_id = t.family_id
         WHERE t.brand_id = $1 AND t.token_hash = $2",
    )
    .bind(&brand)
    .bind(&hash.0[..])
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| row.family_and_token(hash)).transpose()
}

impl RefreshRow {
    fn family_and_token(self, hash: TokenHash) -> Result<(Family, StoredRefresh)> {
        let rotation = self.consumed_at.zip(self.sealed_successor);
        let rotation = rotation
            .map(|(consumed_at, sealed_successor)| Rotation { consumed_at, sealed_successor });
        let rules = RefreshToken { sequence: self.sequence, expires_at: self.expires_at, rotation };
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
        let family = Family {
            stamp: FamilyStamp { id: FamilyId::of(self.family_id), epoch: self.epoch },
            authority,
            scopes: scopes(&self.scopes)?,
            current_sequence: self.current_sequence,
            revoked: self.revoked_at.is_some(),
        };
        Ok((family, StoredRefresh { hash, rules }))
    }
}

/// Writes a family with its first token.
pub(super) async fn begin(family: &Family, first: &StoredRefresh, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    let authority = &family.authority;
    sqlx::query(
        "INSERT INTO refresh_families (brand_id, family_id, grant_id, user_id, client_id, scopes,
             current_sequence, epoch, user_epoch, client_epoch, grant_epoch, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(brand)
    .bind(family.stamp.id.uuid())
    .bind(authority.grant_id.uuid())
    .bind(authority.user_id.uuid())
    .bind(&authority.client_id)
    .bind(names(&family.scopes))
    .bind(family.current_sequence)
    .bind(family.stamp.epoch)
    .bind(authority.stamps.user)
    .bind(authority.stamps.client)
    .bind(authority.stamps.grant)
    .bind(first.rules.expires_at)
    .execute(pen.conn())
    .await?;
    insert(family.stamp, first, pen).await
}

/// Writes that a token was used up, and the one that replaces it.
pub(super) async fn rotate(
    family: FamilyStamp,
    used: &TokenHash,
    rotation: &Rotation,
    next: &StoredRefresh,
    pen: &mut Pen<'_>,
) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query(
        "WITH used AS (
             UPDATE refresh_tokens SET consumed_at = $3, sealed_successor = $4
             WHERE brand_id = $1 AND token_hash = $2
         )
         UPDATE refresh_families SET current_sequence = $6, expires_at = $7
         WHERE brand_id = $1 AND family_id = $5",
    )
    .bind(brand)
    .bind(&used.0[..])
    .bind(rotation.consumed_at)
    .bind(&rotation.sealed_successor)
    .bind(family.id.uuid())
    .bind(next.rules.sequence)
    .bind(next.rules.expires_at)
    .execute(pen.conn())
    .await?;
    insert(family, next, pen).await
}

async fn insert(family: FamilyStamp, token: &StoredRefresh, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query(
        "INSERT INTO refresh_tokens (brand_id, token_hash, family_id, sequence, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(brand)
    .bind(&token.hash.0[..])
    .bind(family.id.uuid())
    .bind(token.rules.sequence)
    .bind(token.rules.expires_at)
    .execute(pen.conn())
    .await?;
    Ok(())
}

/// A family that has ended, and every token of it with it.
#[derive(Debug)]
pub struct FamilyEnd {
    pub family: FamilyStamp,
    pub at: Time,
}

impl Row for FamilyEnd {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let brand = pen.brand().to_owned();
        sqlx::query(
            "UPDATE refresh_families SET revoked_at = $3, epoch = epoch + 1
             WHERE brand_id = $1 AND family_id = $2",
        )
        .bind(brand)
        .bind(self.family.id.uuid())
        .bind(self.at)
        .execute(pen.conn())
        .await?;
        Ok(())
    }
}
