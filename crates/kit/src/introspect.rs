//! From a bearer token to a caller: the cache, then identity. Opaque tokens only.

use std::{sync::Arc, time::Duration};

use cache::{Cache, Lookup};
use contract::CallerKind;
use identity_contract::v1::ResolveTokenResponse;
use oauth_core::{Kind, Token, TokenHash};
use prost::Message as _;
use tower::util::BoxCloneSyncService;

use crate::{Brand, Caller, Clock, Error, Result};

/// How long a record may be used before identity is asked again. Revocation does not wait for it:
/// it fences the record.
pub const RECORD_TTL: Duration = Duration::from_secs(30);

/// How long a fence must stand: longer than a record lives and a revoking transaction takes.
pub const FENCE_TTL: Duration = Duration::from_secs(120);

/// Asks the source of truth what a token stands for: identity over the mesh, or, inside identity,
/// its own tables.
pub type Resolver = BoxCloneSyncService<TokenHash, ResolveTokenResponse, Error>;

/// Checkpoint 1's way to a caller. Cheap to clone.
#[derive(Clone)]
pub struct Introspector {
    cache: Cache,
    resolver: Resolver,
    clock: Clock,
}

impl Introspector {
    pub fn new(cache: Cache, resolver: Resolver, clock: Clock) -> Self {
        Self { cache, resolver, clock }
    }

    /// The caller of a token; `None` when it is unknown, expired or revoked. An error means that
    /// it cannot be known now: the caller keeps the token and comes back.
    pub async fn caller(&self, token: &str) -> Result<Option<Caller>> {
        // A wrong prefix or checksum costs no look-up.
        let Ok(token) = Token::parse(Kind::AccessToken, token) else { return Ok(None) };
        let hash = token.hash();
        let record = match self.cache.get(&hash.0).await {
            Ok(Lookup::Hit(bytes)) => match ResolveTokenResponse::decode(bytes) {
                Ok(record) => record,
                Err(_) => self.resolve(hash).await?,
            },
            Ok(Lookup::Fenced) => self.resolve(hash).await?,
            Ok(Lookup::Miss) => self.resolve_and_fill(hash).await?,
            // Without the cache every request asks identity: slower, and as safe.
            Err(cause) => {
                tracing::warn!(%cause, "introspection goes without the cache");
                self.resolve(hash).await?
            }
        };
        self.read(record)
    }

    async fn resolve(&self, hash: TokenHash) -> Result<ResolveTokenResponse> {
        tower::ServiceExt::oneshot(self.resolver.clone(), hash).await
    }

    /// Only an active record is kept: an unknown token may become known in a moment.
    async fn resolve_and_fill(&self, hash: TokenHash) -> Result<ResolveTokenResponse> {
        let record = self.resolve(hash).await?;
        if record.active {
            let bytes = record.encode_to_vec().into();
            if let Err(cause) = self.cache.fill(&hash.0, bytes, RECORD_TTL).await {
                tracing::warn!(%cause, "a token record was not cached");
            }
        }
        Ok(record)
    }

    /// A record says what was true when it was read; the time is looked at now.
    fn read(&self, record: ResolveTokenResponse) -> Result<Option<Caller>> {
        let expires = record.expires_at.as_ref().and_then(crate::time);
        if !record.active || expires.is_none_or(|it| it <= self.clock.now()) {
            return Ok(None);
        }
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
        Ok(Some(Caller {
            kind,
            subject: record.subject,
            client_id: record.client_id,
            brand,
            brands: Arc::from(record.brands),
            scopes: Arc::from(record.scopes),
        }))
    }
}
