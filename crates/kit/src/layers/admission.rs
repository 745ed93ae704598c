//! Checkpoints 1 to 3: each lets a request through, richer by what it found out, or refuses it.

use std::{future::Future, sync::Arc};

use contract::{CallerKind, Method};
use http::{Extensions, HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::body::Body;

use super::{Next, refuse};
use crate::{Brand, Caller, Error, Introspector, Result, call::BRAND_ID};

/// What a checkpoint looks at and adds to.
pub trait Check: Clone + Send + Sync + 'static {
    fn check(
        &self,
        headers: &HeaderMap,
        extensions: &mut Extensions,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// Lets a request on as the checkpoint enriched it, or refuses it: `around(check, admit)`.
pub async fn admit<C: Check>(check: C, request: Request<Body>, next: Next) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    match check.check(&parts.headers, &mut parts.extensions).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => refuse(error),
    }
}

/// Checkpoint 1, token introspection: proves that the caller is who they claim to be.
/// Unknown: 401. Cannot be known: 503.
#[derive(Clone)]
pub struct Introspect(pub Introspector);

impl Check for Introspect {
    async fn check(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Result<()> {
        let method = method(extensions);
        let caller = match bearer(headers)? {
            Some(token) => {
                let caller = self.0.caller(token).await?.ok_or_else(|| {
                    Error::unauthenticated("the access token is unknown, expired or revoked")
                        .with("www_authenticate", "Bearer error=\"invalid_token\"")
                })?;
                Arc::unwrap_or_clone(caller)
            }
            None if method.is_public() => Caller::public(),
            None => {
                return Err(Error::unauthenticated("an access token is required")
                    .with("www_authenticate", "Bearer"));
            }
        };
        extensions.insert(caller);
        Ok(())
    }
}

/// Checkpoint 2, scope: proves that the caller may do this.
#[derive(Clone, Debug)]
pub struct Scope;

impl Check for Scope {
    async fn check(&self, _: &HeaderMap, extensions: &mut Extensions) -> Result<()> {
        let method = method(extensions);
        let caller = extensions.get::<Caller>().ok_or_else(not_introspected)?;
        if method.is_public() {
            return Ok(());
        }
        if !method.callers.contains(&caller.kind) {
            let kind = caller.kind.as_str();
            return Err(Error::denied(
                "CALLER_FORBIDDEN",
                format!("not for callers of kind {kind}"),
            ));
        }
        if !caller.holds_any(method.scopes) {
            return Err(insufficient_scope(method));
        }
        Ok(())
    }
}

/// Checkpoint 3, brand scoping: decides the one tenant whose rows this request can see.
#[derive(Clone, Debug)]
pub struct BrandScope;

impl Check for BrandScope {
    async fn check(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Result<()> {
        let caller = extensions.get::<Caller>().ok_or_else(not_introspected)?;
        let named = match headers.get(BRAND_ID) {
            Some(value) => Some(Brand::new(value.to_str().unwrap_or_default())?),
            None => None,
        };
        let brand = choose(caller, named)?;
        extensions.insert(brand);
        Ok(())
    }
}

/// The token's brand; a machine client without one chooses among those it may act in.
fn choose(caller: &Caller, named: Option<Brand>) -> Result<Brand> {
    let allowed = |brand: &Brand| {
        caller.kind == CallerKind::Service
            && caller.brands.iter().any(|it| it == "*" || it == brand.as_str())
    };
    match (&caller.brand, named) {
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(named)) if *own == named => Ok(named),
        (_, Some(named)) if allowed(&named) => Ok(named),
        (None, None) => Ok(Brand::platform()),
        _ => Err(Error::denied("BRAND_FORBIDDEN", "the token is not for this brand")),
    }
}

fn method(extensions: &Extensions) -> &'static Method {
    extensions.get::<&'static Method>().expect("the route layer runs first")
}

/// A layer in the wrong place must not let anybody in.
fn not_introspected() -> Error {
    Error::unauthenticated("the request was not introspected")
}

fn insufficient_scope(method: &Method) -> Error {
    let scope = method.scopes.join(" ");
    let header = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    Error::denied("INSUFFICIENT_SCOPE", format!("needs the scope {}", method.scopes.join(" or ")))
        .with("scope", scope)
        .with("www_authenticate", header)
}

/// RFC 6750 section 2.1, and nothing else: no token in a body or a query.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::invalid("AUTHORIZATION_INVALID", "Authorization", "must be sent once"));
    }
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        // Basic is how OAuth clients authenticate at the token endpoint, which is public.
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("basic") => Ok(None),
        _ => Err(Error::unauthenticated("Authorization must be a Bearer token")
            .with("www_authenticate", "Bearer error=\"invalid_request\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(kind: CallerKind, brand: Option<&str>, brands: &[&str]) -> Caller {
        Caller {
            kind,
            brand: brand.map(|it| Brand::new(it).unwrap()),
            brands: brands.iter().map(ToString::to_string).collect(),
            ..Caller::public()
        }
    }

    #[test]
    fn the_brand_is_the_tokens_and_only_machines_choose() {
        use CallerKind::{Service, User};
        for (caller, named, expected) in [
            (caller(User, Some("loop"), &[]), None, Some("loop")),
            (caller(User, Some("loop"), &[]), Some("loop"), Some("loop")),
            (caller(User, Some("loop"), &[]), Some("loopbio"), None),
            (caller(User, Some("loop"), &["*"]), Some("loopbio"), None),
            (caller(Service, Some("loop"), &[]), Some("loopbio"), None),
            (caller(Service, None, &["loopbio"]), Some("loopbio"), Some("loopbio")),
            (caller(Service, None, &["loopbio"]), Some("loop"), None),
            (caller(Service, None, &["*"]), Some("loop"), Some("loop")),
            (caller(Service, None, &["*"]), None, Some("*")),
        ] {
            let chosen = choose(&caller, named.map(|it| Brand::new(it).unwrap()));
            assert_eq!(chosen.ok().as_ref().map(Brand::as_str), expected, "{caller:?} {named:?}");
        }
    }

    #[tokio::test]
    async fn a_scope_check_without_introspection_lets_nobody_in() {
        const METHOD: Method = Method {
            path: "/x/Y",
            service: "x",
            scopes: &["read:x"],
            callers: &[CallerKind::User],
            audit: contract::Audit::None,
            emits: &[],
            idempotency: contract::Idempotency::None,
            rate: contract::Rate::Read,
        };
        static STATIC: Method = METHOD;
        let mut extensions = Extensions::new();
        extensions.insert(&STATIC);
        let error = Scope.check(&HeaderMap::new(), &mut extensions).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::Unauthenticated);
        let error = BrandScope.check(&HeaderMap::new(), &mut extensions).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::Unauthenticated);
    }

    #[test]
    fn a_token_is_read_from_the_authorization_header_alone() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers).unwrap(), None);
        headers.insert(AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers).unwrap(), Some("abc"));
        headers.append(AUTHORIZATION, "Bearer def".parse().unwrap());
        assert!(bearer(&headers).is_err());
        headers.insert(AUTHORIZATION, "Digest x".parse().unwrap());
        assert!(bearer(&headers).is_err());
    }
}
