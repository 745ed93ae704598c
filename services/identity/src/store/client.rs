//! Registered clients: one view to read them whole, one row to write them.

use kit::{Pen, Reader, Result, Row, Time};
use oauth_core::{
    AccessTokenLifetime, Authentication, Client, Party, RedirectUri, Secrets, TokenHash,
};
use sqlx::FromRow;

use super::{brand, corrupt, names, scopes, token_hash};
use crate::domain::client::{ClientType, Profile, RegisteredClient};

/// A row of `registered_clients`.
#[derive(FromRow)]
pub(super) struct ClientRow {
    brand_id: String,
    client_id: String,
    client_type: String,
    client_name: String,
    client_uri: String,
    logo_uri: String,
    is_first_party: bool,
    baa_signed: bool,
    allowed_scopes: Vec<String>,
    allowed_origins: Vec<String>,
    allowed_brands: Vec<String>,
    access_token_seconds: i32,
    enabled: bool,
    epoch: i64,
    created_at: Time,
    updated_at: Time,
    redirect_uris: Vec<String>,
    current_secret: Option<Vec<u8>>,
    previous_secret: Option<Vec<u8>>,
    previous_secret_expires_at: Option<Time>,
}

/// Clients of this brand, newest first, after the one of `after` if there is one.
pub async fn clients_by_age(
    reader: &mut Reader,
    after: Option<(Time, &str)>,
    limit: i64,
) -> Result<Vec<RegisteredClient>> {
    let brand = reader.brand().to_owned();
    let (before, client_id) = after.unzip();
    let rows: Vec<ClientRow> = sqlx::query_as(
        "SELECT * FROM registered_clients
         WHERE brand_id = $1
           AND ($2::timestamptz IS NULL OR created_at < $2 OR created_at = $2 AND client_id > $3)
         ORDER BY created_at DESC, client_id
         LIMIT $4",
    )
    .bind(brand)
    .bind(before)
    .bind(client_id)
    .bind(limit)
    .fetch_all(reader.conn())
    .await?;
    rows.into_iter().map(RegisteredClient::try_from).collect()
}

/// Writes a client that is new, or one of the platform's own as it should be.
#[derive(Debug)]
pub struct RegisterClient(pub RegisteredClient);

impl Row for RegisterClient {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let client = &self.0;
        insert_client(client, &mut pen).await?;
        if let Authentication::Secret(secrets) = &client.rules.authentication {
            insert_secret(client, &secrets.current, &mut pen).await?;
        }
        replace_redirect_uris(client, &mut pen).await
    }
}

async fn insert_client(client: &RegisteredClient, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    let (is_first_party, baa_signed) = match client.rules.party {
        Party::First => (true, false),
        Party::Third { baa_signed } => (false, baa_signed),
    };
    sqlx::query(
        "INSERT INTO oauth_clients (brand_id, client_id, client_type, client_name, client_uri,
             logo_uri, is_first_party, baa_signed, allowed_scopes, allowed_origins,
             allowed_brands, access_token_seconds, enabled, epoch, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (brand_id, client_id) DO UPDATE
         SET allowed_scopes = excluded.allowed_scopes, allowed_brands = excluded.allowed_brands,
             updated_at = excluded.updated_at",
    )
    .bind(brand)
    .bind(&client.rules.id)
    .bind(client.client_type.as_str())
    .bind(&client.profile.name)
    .bind(&client.profile.uri)
    .bind(&client.profile.logo_uri)
    .bind(is_first_party)
    .bind(baa_signed)
    .bind(names(&client.rules.allowed_scopes))
    .bind(&client.profile.allowed_origins)
    .bind(&client.allowed_brands)
    .bind(client.rules.access_token_lifetime.duration().num_seconds() as i32)
    .bind(client.rules.enabled)
    .bind(client.epoch)
    .bind(client.created_at)
    .bind(client.updated_at)
    .execute(pen.conn())
    .await?;
    Ok(())
}

async fn insert_secret(
    client: &RegisteredClient,
    secret: &TokenHash,
    pen: &mut Pen<'_>,
) -> Result<()> {
    let brand = pen.brand().to_owned();
    sqlx::query(
        "INSERT INTO client_secrets (brand_id, client_id, generation, secret_hash, created_at)
         VALUES ($1, $2, 'current', $3, $4)
         ON CONFLICT (brand_id, client_id, generation) DO UPDATE
         SET secret_hash = excluded.secret_hash, created_at = excluded.created_at",
    )
    .bind(brand)
    .bind(&client.rules.id)
    .bind(&secret.0[..])
    .bind(client.updated_at)
    .execute(pen.conn())
    .await?;
    Ok(())
}

async fn replace_redirect_uris(client: &RegisteredClient, pen: &mut Pen<'_>) -> Result<()> {
    let brand = pen.brand().to_owned();
    let uris: Vec<_> = client.rules.redirect_uris.iter().map(RedirectUri::as_str).collect();
    sqlx::query("DELETE FROM client_redirect_uris WHERE brand_id = $1 AND client_id = $2")
        .bind(&brand)
        .bind(&client.rules.id)
        .execute(pen.conn())
        .await?;
    sqlx::query(
        "INSERT INTO client_redirect_uris (brand_id, client_id, position, uri)
         SELECT $1, $2, position::integer, uri
         FROM unnest($3::text[]) WITH ORDINALITY AS listed (uri, position)",
    )
    .bind(brand)
    .bind(&client.rules.id)
    .bind(uris)
    .execute(pen.conn())
    .await?;
    Ok(())
}

impl TryFrom<ClientRow> for RegisteredClient {
    type Error = kit::Error;

    fn try_from(row: ClientRow) -> Result<Self> {
        let client_type =
            ClientType::parse(&row.client_type).ok_or_else(|| corrupt("client type"))?;
        let seconds = u32::try_from(row.access_token_seconds).unwrap_or_default();
        let redirect_uris = row.redirect_uris.iter().map(|it| RedirectUri::parse(it));
        let party = match row.is_first_party {
            true => Party::First,
            false => Party::Third { baa_signed: row.baa_signed },
        };
        let rules = Client {
            enabled: row.enabled,
            authentication: authentication(&row)?,
            party,
            grant_types: client_type.grant_types(),
            redirect_uris: redirect_uris
                .collect::<Result<_, _>>()
                .map_err(|_| corrupt("redirect URI"))?,
            allowed_scopes: scopes(&row.allowed_scopes)?,
            access_token_lifetime: AccessTokenLifetime::from_seconds(seconds)
                .map_err(|_| corrupt("lifetime"))?,
            id: row.client_id,
        };
        Ok(Self {
            brand: brand(row.brand_id)?,
            client_type,
            rules,
            profile: Profile {
                name: row.client_name,
                uri: row.client_uri,
                logo_uri: row.logo_uri,
                allowed_origins: row.allowed_origins,
            },
            allowed_brands: row.allowed_brands,
            epoch: row.epoch,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// A client that should have a secret and has none proves nothing: it is not taken for public.
fn authentication(row: &ClientRow) -> Result<Authentication> {
    if row.client_type == ClientType::Public.as_str() {
        return Ok(Authentication::Public);
    }
    let current = row.current_secret.clone().ok_or_else(|| corrupt("client secret"))?;
    let previous = row.previous_secret.clone().map(token_hash).transpose()?;
    let previous = previous.zip(row.previous_secret_expires_at);
    Ok(Authentication::Secret(Secrets { current: token_hash(current)?, previous }))
}
