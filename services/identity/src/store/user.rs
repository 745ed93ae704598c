//! People, their passwords and their sessions.

use kit::{Clean, Pen, Reader, Result, Row, Time, Tx, Uuid};
use oauth_core::TokenHash;
use sqlx::FromRow;

use super::corrupt;
use crate::domain::{
    password::PasswordHash,
    session::Session,
    user::{Email, User, UserId},
};

#[derive(FromRow)]
struct UserRow {
    user_id: Uuid,
    email: String,
    name: String,
    created_at: Time,
}

/// A person of this brand.
pub async fn user(reader: &mut Reader, id: UserId) -> Result<Option<User>> {
    let brand = reader.brand().to_owned();
    let row: Option<UserRow> = sqlx::query_as(
        "SELECT user_id, email, name, created_at FROM users
         WHERE brand_id = $1 AND user_id = $2 AND enabled",
    )
    .bind(brand)
    .bind(id.uuid())
    .fetch_optional(reader.conn())
    .await?;
    row.map(User::try_from).transpose()
}

/// What sign-in needs of the person with an address: id, epoch and password.
pub async fn by_email(
    reader: &mut Reader,
    email: &Email,
) -> Result<Option<(UserId, i64, PasswordHash)>> {
    let brand = reader.brand().to_owned();
    let row: Option<(Uuid, i64, String)> = sqlx::query_as(
        "SELECT u.user_id, u.epoch, c.password_hash
         FROM users u
         JOIN credentials c ON c.brand_id = u.brand_id AND c.user_id = u.user_id
         WHERE u.brand_id = $1 AND u.email = $2 AND u.enabled",
    )
    .bind(brand)
    .bind(email.as_str())
    .fetch_optional(reader.conn())
    .await?;
    Ok(row.map(|(id, epoch, hash)| (UserId::of(id), epoch, PasswordHash::stored(hash))))
}

/// The password of a person, if they have one.
pub async fn password_hash(reader: &mut Reader, id: UserId) -> Result<Option<PasswordHash>> {
    let brand = reader.brand().to_owned();
    let hash: Option<String> = sqlx::query_scalar(
        "SELECT password_hash FROM credentials WHERE brand_id = $1 AND user_id = $2",
    )
    .bind(brand)
    .bind(id.uuid())
    .fetch_optional(reader.conn())
    .await?;
    Ok(hash.map(PasswordHash::stored))
}

/// The epoch of a person, locked: two consents of one person come one after the other.
pub async fn lock_epoch(tx: &mut Tx<Clean>, id: UserId) -> Result<Option<i64>> {
    let brand = tx.brand().to_owned();
    let epoch = sqlx::query_scalar(
        "SELECT epoch FROM users
         WHERE brand_id = $1 AND user_id = $2 AND enabled FOR NO KEY UPDATE",
    )
    .bind(brand)
    .bind(id.uuid())
    .fetch_optional(tx.conn())
    .await?;
    Ok(epoch)
}

/// A person with a password, new or with a new password.
pub struct Member {
    pub user: User,
    pub password: PasswordHash,
    pub at: Time,
}

impl Row for Member {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let brand = pen.brand().to_owned();
        let Self { user, password, at } = self;
        sqlx::query(
            "WITH person AS (
                 INSERT INTO users (brand_id, user_id, email, name, created_at)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (brand_id, user_id) DO NOTHING
             )
             INSERT INTO credentials (brand_id, user_id, password_hash, changed_at)
             VALUES ($1, $2, $6, $7)
             ON CONFLICT (brand_id, user_id) DO UPDATE
             SET password_hash = excluded.password_hash, changed_at = excluded.changed_at",
        )
        .bind(brand)
        .bind(user.id.uuid())
        .bind(user.email.as_str())
        .bind(&user.name)
        .bind(user.created_at)
        .bind(password.as_str())
        .bind(at)
        .execute(pen.conn())
        .await?;
        Ok(())
    }
}

/// A session that begins. The one that stood in the same browser before it ends.
#[derive(Debug)]
pub struct SessionStart {
    pub session: Session,
    pub replaces: Option<TokenHash>,
}

impl Row for SessionStart {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        if let Some(hash) = &self.replaces {
            delete_session(hash, &mut pen).await?;
        }
        let brand = pen.brand().to_owned();
        let it = &self.session;
        sqlx::query(
            "INSERT INTO sessions (brand_id, session_hash, user_id, user_epoch, started_at,
                 expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(brand)
        .bind(&it.hash.0[..])
        .bind(it.user_id.uuid())
        .bind(it.user_epoch)
        .bind(it.started_at)
        .bind(it.expires_at)
        .execute(pen.conn())
        .await?;
        Ok(())
    }
}

/// A session that ends.
#[derive(Debug)]
pub struct SessionEnd(pub TokenHash);

impl Row for SessionEnd {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        delete_session(&self.0, &mut pen).await
    }
}

async fn delete_session(hash: &TokenHash, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query("DELETE FROM sessions WHERE brand_id = $1 AND session_hash = $2")
        .bind(brand)
        .bind(&hash.0[..])
        .execute(pen.conn())
        .await?;
    Ok(())
}

impl TryFrom<UserRow> for User {
    type Error = kit::Error;

    fn try_from(row: UserRow) -> Result<Self> {
        Ok(Self {
            id: UserId::of(row.user_id),
            email: Email::parse(&row.email).ok_or_else(|| corrupt("e-mail address"))?,
            name: row.name,
            created_at: row.created_at,
        })
    }
}
