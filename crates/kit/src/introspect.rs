//! From a bearer token to a caller: what is near, the cache, then identity. Opaque tokens only.

mod flight;

use std::{sync::Arc, time::Duration};

use cache::{Cache, Lookup, Near, Ticket};
use contract::CallerKind;
use identity_contract::v1::ResolveTokenResponse;
use oauth_core::{Kind, Token, TokenHash};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tower::util::BoxCloneSyncService;

use crate::{Brand, Caller, Clock, Error, Result, Time};
use flight::Flights;

/// How long a record may be used before identity is asked again: half of it in the shared cache,
/// half of it near. Revocation does not wait for it: it fences the record.
pub const RECORD_TTL: Duration = Duration::from_secs(30);

/// How long a fence must stand: longer than a record lives and a revoking transaction takes.
pub const FENCE_TTL: Duration = Duration::from_secs(120);

/// Callers that one introspector keeps near: some 30 MB.
const NEAR: usize = 50_000;

/// No token is as long as this: what is longer is not even hashed.
const TOO_LONG: usize = 128;

/// Asks the source of truth what a token stands for: identity over the mesh, or, inside identity,
/// its own tables.
pub type Resolver = BoxCloneSyncService<TokenHash, ResolveTokenResponse, Error>;

/// Checkpoint 1's way to a caller. Cheap to clone.
#[derive(Clone)]
pub struct Introspector(Arc<Inner>);

/// What is known of a token without asking anybody.
#[derive(Debug)]
pub enum Look {
    /// Whom it stands for; nobody if it is no token, or has expired.
    Known(Option<Arc<Caller>>),
    /// Somebody has to be [asked](Introspector::ask).
    Unknown(TokenHash),
}

struct Inner {
    near: Near<Known>,
    flights: Flights,
    source: Source,
    clock: Clock,
}

/// What is asked when a caller is not near.
#[derive(Clone)]
struct Source {
    cache: Cache,
    resolver: Resolver,
    near: Near<Known>,
}

/// Whom a token stands for, and until when.
#[derive(Debug)]
struct Known {
    caller: Arc<Caller>,
    expires: Time,
}

impl Introspector {
    pub fn new(cache: Cache, resolver: Resolver, clock: Clock) -> Self {
        let near = cache.near(NEAR, RECORD_TTL / 2);
        let source = Source { cache, resolver, near: near.clone() };
        Self(Arc::new(Inner { near, flights: Flights::default(), source, clock }))
    }

    /// The caller of a token; `None` when it is unknown, expired or revoked. An error means that
    /// it cannot be known now: the caller keeps the token and comes back.
    pub async fn caller(&self, token: &str) -> Result<Option<Arc<Caller>>> {
        match self.look(token) {
            Look::Known(caller) => Ok(caller),
            Look::Unknown(hash) => self.ask(hash).await,
        }
    }

    /// The caller of a token, if that is known in this process.
    pub fn look(&self, token: &str) -> Look {
        if token.len() >= TOO_LONG {
            return Look::Known(None);
        }
        // What is near has been resolved, so its form need not be looked at.
        let hash = TokenHash(Sha256::digest(token.as_bytes()).into());
        if let Some(known) = self.0.near.get(&hash.0) {
            return Look::Known(self.0.unexpired(&known));
        }
        // A wrong prefix or checksum costs no look-up.
        match Token::parse(Kind::AccessToken, token) {
            Ok(_) => Look::Unknown(hash),
            Err(_) => Look::Known(None),
        }
    }

    /// The caller of a token that is not known here. Errors are those of [`Self::caller`].
    pub async fn ask(&self, hash: TokenHash) -> Result<Option<Arc<Caller>>> {
        let known = self.0.find(hash).await?;
        Ok(known.and_then(|known| self.0.unexpired(&known)))
    }
}

impl Inner {
    /// Of those who look for one token at a time one asks. Nobody joins whom a fence has overtaken:
    /// the answer may be from before a revocation that the newcomer knows of.
    async fn find(&self, hash: TokenHash) -> Result<Option<Arc<Known>>> {
        let Some(ticket) = self.near.ticket(&hash.0) else {
            return self.source.find(hash, None).await;
        };
        let source = self.source.clone();
        let found = self.flights.join(
            hash.0,
            |under_way| self.near.is_valid(under_way),
            ticket,
            move || async move { source.find(hash, Some(ticket)).await },
        );
        found.await
    }

    /// A record says what was true when it was read; the time is looked at now.
    fn unexpired(&self, known: &Known) -> Option<Arc<Caller>> {
        (self.clock.now() < known.expires).then(|| known.caller.clone())
    }
}

impl Source {
    async fn find(&self, hash: TokenHash, ticket: Option<Ticket>) -> Result<Option<Arc<Known>>> {
        let (record, ticket) = match self.cache.get(&hash.0).await {
            Ok(Lookup::Hit(bytes)) => match ResolveTokenResponse::decode(bytes) {
                Ok(record) => (record, ticket),
                Err(_) => (self.resolve(hash).await?, None),
            },
            Ok(Lookup::Fenced) => (self.resolve(hash).await?, None),
            Ok(Lookup::Miss) => (self.resolve_and_fill(hash).await?, ticket),
            // Without the cache every request asks identity: slower, and as safe.
            Err(cause) => {
                tracing::warn!(%cause, "introspection goes without the cache");
                (self.resolve(hash).await?, None)
            }
        };
        let known = read(record)?.map(Arc::new);
        if let (Some(ticket), Some(known)) = (ticket, &known) {
            self.near.put(&ticket, known.clone());
        }
        Ok(known)
    }

    async fn resolve(&self, hash: TokenHash) -> Result<ResolveTokenResponse> {
        tower::ServiceExt::oneshot(self.resolver.clone(), hash).await
    }

    /// Only an active record is kept: an unknown token may become known in a moment.
    async fn resolve_and_fill(&self, hash: TokenHash) -> Result<ResolveTokenResponse> {
        let record = self.resolve(hash).await?;
        if record.active {
            let bytes = record.encode_to_vec().into();
            if let Err(cause) = self.cache.fill(&hash.0, bytes, RECORD_TTL / 2).await {
                tracing::warn!(%cause, "a token record was not cached");
            }
        }
        Ok(record)
    }
}

fn read(record: ResolveTokenResponse) -> Result<Option<Known>> {
    let expires = record.expires_at.as_ref().and_then(crate::time);
    let Some(expires) = expires.filter(|_| record.active) else { return Ok(None) };
    let kind = match record.kind.as_str() {
        "user" => CallerKind::User,
        "service" => CallerKind::Service,
        "staff" => CallerKind::Staff,
        other => return Err(Error::internal(anyhow::anyhow!("unknown caller kind {other:?}"))),
    };
    let brand = match record.brand_id.as_str() {
        "" => None,
        slug => Some(Brand::new(slug)?),
    };
    let caller = Arc::new(Caller {
        kind,
        subject: record.subject,
        client_id: record.client_id.into(),
        brand,
        brands: Arc::from(record.brands),
        scopes: Arc::from(record.scopes),
        origins: Arc::from(record.allowed_origins),
    });
    Ok(Some(Known { caller, expires }))
}

#[cfg(test)]
mod tests;
