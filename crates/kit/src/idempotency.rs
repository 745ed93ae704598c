//! A retried call gets the first answer again, and does nothing again.
//!
//! The key, the hash of the request and the answer are stored in the transaction they answer for.
//! Only successes are stored: a failure that the caller can mend must not come back for ever.

use contract::{Idempotency, Method};
use prost::Message;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Brand, Db, Error, Result, Time};

/// What one keyed call claims: its place among all keyed calls, and what it asks.
#[derive(Clone, Debug)]
pub struct Claim {
    client_id: String,
    method: &'static str,
    key: String,
    request_hash: [u8; 32],
    retention_hours: u32,
}

/// The first answer to a key.
#[derive(Debug)]
pub(crate) struct Stored {
    pub answer: Vec<u8>,
    pub receipt: Uuid,
}

impl Claim {
    /// Reads the header as the contract allows. `None`: the call is not keyed.
    pub(crate) fn new(
        method: &'static Method,
        client_id: &str,
        header: Option<&str>,
        request: &[u8],
    ) -> Result<Option<Self>> {
        let (required, retention_hours) = match method.idempotency {
            Idempotency::None => return Ok(None),
            Idempotency::Accepted { retention_hours } => (false, retention_hours),
            Idempotency::Required { retention_hours } => (true, retention_hours),
        };
        let Some(key) = header else {
            return if required { Err(malformed("is required by this method")) } else { Ok(None) };
        };
        if !(1..=128).contains(&key.len()) || !key.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(malformed("must have 1 to 128 visible ASCII characters"));
        }
        let request_hash = Sha256::digest(request).into();
        let (client_id, key) = (client_id.to_owned(), key.to_owned());
        Ok(Some(Self { client_id, method: method.path, key, request_hash, retention_hours }))
    }

    /// The advisory lock that one keyed call holds until its transaction ends.
    fn lock(&self, brand: &Brand) -> i64 {
        let mut hash = Sha256::new();
        for part in [brand.as_str(), &self.client_id, self.method, &self.key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        i64::from_be_bytes(hash[..8].try_into().expect("eight of 32 bytes"))
    }
}

/// Looks for the first answer, before a handler runs.
pub(crate) async fn find(db: &Db, brand: &Brand, claim: &Claim) -> Result<Option<Stored>> {
    let mut reader = db.read_brand(brand).await?;
    lookup(reader.conn(), brand, claim, db.clock().now()).await
}

/// Takes the key for this transaction. Of two calls at once the second is told to come back.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    brand: &Brand,
    claim: &Claim,
    now: Time,
) -> Result<()> {
    let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(claim.lock(brand))
        .fetch_one(&mut *conn)
        .await?;
    // The first may have committed between the look-up and the lock.
    if !taken || lookup(conn, brand, claim, now).await?.is_some() {
        return Err(Error::new(
            tonic::Code::Aborted,
            "IDEMPOTENCY_KEY_IN_FLIGHT",
            "a call with this Idempotency-Key is still running; send it again",
        )
        .retry_after(std::time::Duration::from_secs(1)));
    }
    Ok(())
}

pub(crate) async fn store<T: Message>(
    conn: &mut PgConnection,
    brand: &Brand,
    claim: &Claim,
    receipt: Uuid,
    now: Time,
    answer: &T,
) -> Result<()> {
    let mut response = receipt.as_bytes().to_vec();
    answer.encode(&mut response).expect("a Vec grows");
    sqlx::query(
        "INSERT INTO idempotency_keys
             (brand_id, client_id, method, key, request_hash, response, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (brand_id, client_id, method, key) DO UPDATE
         SET request_hash = excluded.request_hash, response = excluded.response,
             created_at = excluded.created_at, expires_at = excluded.expires_at",
    )
    .bind(brand.as_str())
    .bind(&claim.client_id)
    .bind(claim.method)
    .bind(&claim.key)
    .bind(&claim.request_hash[..])
    .bind(response)
    .bind(now)
    .bind(now + chrono::Duration::hours(claim.retention_hours.into()))
    .execute(conn)
    .await?;
    Ok(())
}

async fn lookup(
    conn: &mut PgConnection,
    brand: &Brand,
    claim: &Claim,
    now: Time,
) -> Result<Option<Stored>> {
    let row: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT request_hash, response
         FROM idempotency_keys
         WHERE brand_id = $1 AND client_id = $2 AND method = $3 AND key = $4 AND expires_at > $5",
    )
    .bind(brand.as_str())
    .bind(&claim.client_id)
    .bind(claim.method)
    .bind(&claim.key)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    let Some((hash, response)) = row else { return Ok(None) };
    if hash != claim.request_hash {
        return Err(Error::new(
            tonic::Code::AlreadyExists,
            "IDEMPOTENCY_KEY_PAYLOAD_MISMATCH",
            "this Idempotency-Key was used for another request",
        )
        .with("error", "idempotency_key_payload_mismatch"));
    }
    let (receipt, answer) = response.split_at_checked(16).unwrap_or_default();
    Ok(Some(Stored {
        receipt: Uuid::from_slice(receipt).unwrap_or_default(),
        answer: answer.into(),
    }))
}

fn malformed(rule: &str) -> Error {
    Error::invalid("IDEMPOTENCY_KEY_INVALID", "Idempotency-Key", rule)
}
