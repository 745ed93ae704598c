//! Grants: locked before anything is decided about them, ended together with all they gave.

use kit::{Clean, Pen, Reader, Result, Row, Time, Tx, Uuid};
use sqlx::FromRow;

use super::{names, scopes};
use crate::domain::{
    grant::{Authority, Grant, GrantId, Stamps},
    user::UserId,
};

#[derive(FromRow)]
struct GrantRow {
    grant_id: Uuid,
    user_id: Uuid,
    client_id: String,
    scopes: Vec<String>,
    epoch: i64,
    granted_at: Time,
    updated_at: Time,
    revoked_at: Option<Time>,
}

/// The grant of a person to a client, locked against everyone who issues under it or ends it.
pub async fn lock_grant(
    tx: &mut Tx<Clean>,
    user_id: UserId,
    client_id: &str,
) -> Result<Option<Grant>> {
    let brand = tx.brand().to_owned();
    let row: Option<GrantRow> = sqlx::query_as(
        "SELECT grant_id, user_id, client_id, scopes, epoch, granted_at, updated_at, revoked_at
         FROM grants WHERE brand_id = $1 AND user_id = $2 AND client_id = $3 FOR UPDATE",
    )
    .bind(brand)
    .bind(user_id.uuid())
    .bind(client_id)
    .fetch_optional(tx.conn())
    .await?;
    row.map(Grant::try_from).transpose()
}

/// The epochs that stand now for an authority, if its user, client and grant do. The grant is
/// locked for sharing: whoever ends it waits for those who issue, and then sees what they issued.
pub async fn standing(tx: &mut Tx<Clean>, authority: &Authority) -> Result<Option<Stamps>> {
    let brand = tx.brand().to_owned();
    let epochs: Option<(i64, i64, i64)> = sqlx::query_as(
        "SELECT u.epoch, c.epoch, g.epoch
         FROM grants g
         JOIN users u ON u.brand_id = g.brand_id AND u.user_id = g.user_id AND u.enabled
         JOIN oauth_clients c
             ON c.brand_id = g.brand_id AND c.client_id = g.client_id AND c.enabled
         WHERE g.brand_id = $1 AND g.grant_id = $2 AND g.revoked_at IS NULL
         FOR SHARE OF g",
    )
    .bind(brand)
    .bind(authority.grant_id.uuid())
    .fetch_optional(tx.conn())
    .await?;
    Ok(epochs.map(|(user, client, grant)| Stamps { user, client, grant }))
}

/// An app as its user sees it.
#[derive(Debug, FromRow)]
pub struct ConnectedAppRow {
    pub client_id: String,
    pub client_name: String,
    pub client_uri: String,
    pub logo_uri: String,
    pub is_first_party: bool,
    pub scopes: Vec<String>,
    pub granted_at: Time,
    pub updated_at: Time,
}

/// The apps a person has let in, newest first.
pub async fn connected_apps(reader: &mut Reader, user_id: UserId) -> Result<Vec<ConnectedAppRow>> {
    let brand = reader.brand().to_owned();
    let rows = sqlx::query_as(
        "SELECT g.client_id, c.client_name, c.client_uri, c.logo_uri, c.is_first_party, g.scopes,
                g.granted_at, g.updated_at
         FROM grants g
         JOIN oauth_clients c ON c.brand_id = g.brand_id AND c.client_id = g.client_id
         WHERE g.brand_id = $1 AND g.user_id = $2 AND g.revoked_at IS NULL
         ORDER BY g.granted_at DESC, g.client_id",
    )
    .bind(brand)
    .bind(user_id.uuid())
    .fetch_all(reader.conn())
    .await?;
    Ok(rows)
}

/// Writes a grant as it now is.
pub(super) async fn upsert(grant: &Grant, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query(
        "INSERT INTO grants (brand_id, grant_id, user_id, client_id, scopes, epoch, granted_at,
             updated_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (brand_id, grant_id) DO UPDATE
         SET scopes = excluded.scopes, epoch = excluded.epoch, granted_at = excluded.granted_at,
             updated_at = excluded.updated_at, revoked_at = excluded.revoked_at",
    )
    .bind(brand)
    .bind(grant.id.uuid())
    .bind(grant.user_id.uuid())
    .bind(&grant.client_id)
    .bind(names(&grant.scopes))
    .bind(grant.epoch)
    .bind(grant.granted_at)
    .bind(grant.updated_at)
    .bind(grant.revoked_at)
    .execute(pen.conn())
    .await?;
    Ok(())
}

/// Adds a line to the history of a grant.
pub(super) async fn insert_consent(
    grant: &Grant,
    action: &str,
    scopes: &[&str],
    pen: &mut Pen<'_>,
) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query(
        "INSERT INTO consent_events (brand_id, event_id, grant_id, user_id, client_id, action,
             scopes, occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(brand)
    .bind(Uuid::now_v7())
    .bind(grant.id.uuid())
    .bind(grant.user_id.uuid())
    .bind(&grant.client_id)
    .bind(action)
    .bind(scopes)
    .bind(grant.updated_at)
    .execute(pen.conn())
    .await?;
    Ok(())
}

/// A grant that has ended, to be written with the line of its history.
#[derive(Debug)]
pub struct GrantEnd(pub Grant);

impl Row for GrantEnd {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        upsert(&self.0, &mut pen).await?;
        insert_consent(&self.0, "revoked", &names(&self.0.scopes), &mut pen).await
    }
}

impl TryFrom<GrantRow> for Grant {
    type Error = kit::Error;

    fn try_from(row: GrantRow) -> Result<Self> {
        Ok(Self {
            id: GrantId::of(row.grant_id),
            user_id: UserId::of(row.user_id),
            client_id: row.client_id,
            scopes: scopes(&row.scopes)?,
            epoch: row.epoch,
            granted_at: row.granted_at,
            updated_at: row.updated_at,
            revoked_at: row.revoked_at,
        })
    }
}
