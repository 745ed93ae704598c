//! Partners' apps: registered by an administrator of their brand, and listed.

use identity_contract::v1 as pb;
use kit::{Call, Change, Error, Pages, Reply, Result, Time};
use tonic::{Request, Response};

use super::Rpc;
use crate::{
    domain::client::RegisteredClient,
    store::{self, RegisterClient},
    wire,
};

pub async fn create(
    rpc: &Rpc,
    request: Request<pb::CreateOauthClientRequest>,
) -> Reply<pb::CreateOauthClientResponse> {
    let call = Call::of(request)?;
    let brand = call.brand().clone();
    if brand.is_platform() {
        let rule = "must name the brand that the client belongs to";
        return Err(Error::invalid("BRAND_REQUIRED", "X-Brand-Id", rule).into());
    }
    let tx = rpc.platform.db.begin(&call).await?;
    let (client, secret) = wire::registration(call.body).accept(brand, tx.now())?;
    let id = client.rules.id.clone();
    let scopes = client.rules.allowed_scopes.to_string();
    let change = Change::of(RegisterClient(client), "oauth_client", id)
        .details(serde_json::json!({ "scope": scopes }));
    let recorded = tx.record(change).await?;
    recorded
        .commit(|RegisterClient(client)| pb::CreateOauthClientResponse {
            client: Some(client.into()),
            client_secret: secret.map(|it| it.expose().to_owned()).unwrap_or_default(),
        })
        .await
}

pub async fn list(
    rpc: &Rpc,
    request: Request<pb::ListOauthClientsRequest>,
) -> Reply<pb::ListOauthClientsResponse> {
    let call = Call::of(request)?;
    let pages = Pages::new(&rpc.platform.key, &call, call.body.page_size, &[]);
    let after = pages.after(&call.body.page_token)?;
    let after = after.as_deref().map(read_key).transpose()?;
    let mut reader = rpc.platform.db.read(&call).await?;
    let rows = store::clients_by_age(&mut reader, after, pages.fetch()).await?;
    let (rows, next_page_token) = pages.cut(rows, write_key);
    let clients = rows.into_iter().map(Into::into).collect();
    Ok(Response::new(pb::ListOauthClientsResponse { clients, next_page_token }))
}

/// The place of a client in the list: microseconds since 1970, and its id.
fn write_key(client: &RegisteredClient) -> String {
    format!("{} {}", client.created_at.timestamp_micros(), client.rules.id)
}

fn read_key(key: &str) -> Result<(Time, &str)> {
    let read = |(micros, id): (&str, _)| Some((micros.parse().ok()?, id));
    let parts = key.split_once(' ').and_then(read);
    let (micros, id) = parts.ok_or_else(unreadable)?;
    Ok((Time::from_timestamp_micros(micros).ok_or_else(unreadable)?, id))
}

/// Signed by this service, and yet not its own: a page token of an older release.
fn unreadable() -> Error {
    Error::invalid("PAGE_TOKEN_INVALID", "page_token", "must be the next_page_token of a list")
}
