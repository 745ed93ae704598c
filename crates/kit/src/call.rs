//! Who is calling, and what they asked for.

use std::sync::Arc;

use contract::{CallerKind, Method, Rules, Validate};
use http::{HeaderMap, HeaderName};
use tonic::{Request, Response, Status};

use crate::{Brand, Error, Result};

/// What a handler answers.
pub type Reply<T> = std::result::Result<Response<T>, Status>;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const BRAND_ID: HeaderName = HeaderName::from_static("x-brand-id");
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The person on whose behalf a service calls another. For the audit log, not for admission.
pub const ACTING_USER: HeaderName = HeaderName::from_static("loop-acting-user");
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Who stands behind a request, as introspection told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub kind: CallerKind,
    /// `usr_…` or `cli_…`; empty for the public.
    pub subject: String,
    pub client_id: Arc<str>,
    /// The brand of the token; none where a machine client may act in several.
    pub brand: Option<Brand>,
    /// Brands that a machine client may choose by `X-Brand-Id`; `*` for all.
    pub brands: Arc<[String]>,
    pub scopes: Arc<[String]>,
    /// Web origins whose pages may call with the token, as browsers write them.
    pub origins: Arc<[String]>,
}

impl Caller {
    /// A request without a token to a method that needs none.
    pub fn public() -> Self {
        Self {
            kind: CallerKind::Public,
            subject: String::new(),
            client_id: Arc::default(),
            brand: None,
            brands: Arc::default(),
            scopes: Arc::default(),
            origins: Arc::default(),
        }
    }

    /// True when any of the method's scopes is held, or one that includes it. Of a machine's
    /// scopes only admin ones count: a user scope in its hands means nothing.
    pub fn holds_any(&self, required: &[&str]) -> bool {
        let counts =
            |held: &&String| self.kind != CallerKind::Service || held.starts_with("admin:");
        let held = || self.scopes.iter().filter(counts);
        required
            .iter()
            .any(|required| held().any(|held| oauth_core::scope::satisfies(held, required)))
    }
}

/// The id of a request, made at the edge and kept by every call it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// The context of one admitted request: what a transaction needs to know of it.
#[derive(Clone, Debug)]
pub struct Context {
    pub caller: Arc<Caller>,
    pub brand: Brand,
    pub method: &'static Method,
    pub request_id: RequestId,
    /// The person a service acts for, if any.
    pub acting_user: Option<String>,
    pub traceparent: Option<String>,
    pub(crate) idempotency: Option<crate::idempotency::Claim>,
}

/// A request that has passed the layers: authenticated, authorized, in one brand, valid.
#[derive(Debug)]
pub struct Call<T> {
    pub context: Context,
    pub body: T,
}

impl<T: Validate> Call<T> {
    /// Succeeds only if the layers ran. Checks the contract's field rules here, after admission,
    /// so that strangers learn nothing from them.
    pub fn of(request: Request<T>) -> Result<Self> {
        let (metadata, mut extensions, body) = request.into_parts();
        let context = Context::from_parts(&metadata.into_headers(), &mut extensions)?;
        let violations = Rules::check(&body);
        if !violations.is_empty() {
            return Err(Error::violations(violations));
        }
        context.check_brand(body.brand())?;
        Ok(Self { context, body })
    }
}

impl<T> Call<T> {
    pub fn brand(&self) -> &Brand {
        &self.context.brand
    }

    /// The caller's own id: `usr_…` for a person.
    pub fn subject(&self) -> &str {
        &self.context.caller.subject
    }

    pub fn is_person(&self) -> bool {
        self.context.caller.kind == CallerKind::User
    }
}

impl Context {
    fn from_parts(headers: &HeaderMap, extensions: &mut http::Extensions) -> Result<Self> {
        let method = extensions.get::<&'static Method>().copied();
        let caller = extensions.remove::<Arc<Caller>>();
        let brand = extensions.remove::<Brand>();
        let request_id = extensions.remove::<RequestId>();
        let (Some(method), Some(caller), Some(brand), Some(request_id)) =
            (method, caller, brand, request_id)
        else {
            return Err(Error::unauthenticated("the request did not pass the checkpoints"));
        };
        let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        Ok(Self {
            acting_user: text(ACTING_USER).filter(|_| caller.kind == CallerKind::Service),
            traceparent: text(TRACEPARENT),
            idempotency: extensions.remove(),
            caller,
            brand,
            method,
            request_id,
        })
    }

    /// The same request within a brand that only its content tells, such as the client's at the
    /// token endpoint. Only the public has none of its own.
    pub fn in_brand(&self, brand: Brand) -> Self {
        let brand = if self.caller.kind == CallerKind::Public { brand } else { self.brand.clone() };
        Self { brand, ..self.clone() }
    }

    /// A body may repeat the brand; it may not differ.
    fn check_brand(&self, named: Option<&str>) -> Result<()> {
        match named {
            Some(named)
                if self.caller.kind != CallerKind::Public && named != self.brand.as_str() =>
            {
                Err(Error::denied("BRAND_FORBIDDEN", "brand_id is not the brand of the token"))
            }
            _ => Ok(()),
        }
    }
}
