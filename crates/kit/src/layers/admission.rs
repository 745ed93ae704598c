//! Checkpoints 1 to 4: each lets a request through, richer by what it found out, or refuses it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use contract::{CallerKind, Method};
use futures::future::{BoxFuture, Either};
use http::{Extensions, HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::body::Body;
use tower::{Layer, Service, ServiceExt as _};

use super::{Answering, Below, refuse};
use crate::{Brand, Caller, Error, Introspector, Result, call::BRAND_ID, introspect::Look};

/// What a checkpoint looks at and adds to.
pub trait Check: Clone + Send + Sync + 'static {
    fn check(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Finding;
}

/// What a checkpoint says of a request. Most know at once, and then nothing is allocated.
pub enum Finding {
    Now(Result<()>),
    /// Somebody has to be asked first. What that brings is added to the request.
    Later(BoxFuture<'static, Result<Extensions>>),
}

impl Finding {
    /// What was found, whenever that is: what it adds to the request.
    pub async fn settled(self) -> Result<Extensions> {
        match self {
            Self::Now(found) => found.map(|()| Extensions::new()),
            Self::Later(finding) => finding.await,
        }
    }
}

/// The layer of a checkpoint.
#[derive(Clone, Debug)]
pub struct Admit<C>(C);

/// What stands behind a checkpoint.
#[derive(Clone, Debug)]
pub struct Admitted<C, S> {
    check: C,
    inner: S,
}

/// Lets a request on as the checkpoint enriched it, or refuses it.
pub fn admit<C: Check>(check: C) -> Admit<C> {
    Admit(check)
}

impl<C: Check, S: Below> Layer<S> for Admit<C> {
    type Service = Admitted<C, S>;

    fn layer(&self, inner: S) -> Admitted<C, S> {
        Admitted { check: self.0.clone(), inner }
    }
}

impl<C: Check, S: Below> Service<Request<Body>> for Admitted<C, S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        S::Future,
        Either<Ready<std::result::Result<Response<Body>, Infallible>>, Answering>,
    >;

    fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let mut extensions = std::mem::take(request.extensions_mut());
        let finding = self.check.check(request.headers(), &mut extensions);
        *request.extensions_mut() = extensions;
        match finding {
            Finding::Now(Ok(())) => Either::Left(self.inner.call(request)),
            Finding::Now(Err(error)) => Either::Right(Either::Left(ready(Ok(refuse(error))))),
            Finding::Later(finding) => {
                let inner = self.inner.clone();
                Either::Right(Either::Right(Box::pin(async move {
                    match finding.await {
                        Ok(found) => {
                            request.extensions_mut().extend(found);
                            inner.oneshot(request).await
                        }
                        Err(error) => Ok(refuse(error)),
                    }
                })))
            }
        }
    }
}

/// Checkpoint 1, token introspection: proves that the caller is who they claim to be.
/// Unknown: 401. Cannot be known: 503.
#[derive(Clone)]
pub struct Introspect(pub Introspector);

impl Introspect {
    fn look(&self, headers: &HeaderMap, method: &Method) -> Result<Look> {
        match bearer(headers)? {
            Some(token) => Ok(self.0.look(token)),
            None if method.is_public() => Ok(Look::Known(Some(Arc::new(Caller::public())))),
            None => Err(Error::unauthenticated("an access token is required")
                .with("www_authenticate", "Bearer")),
        }
    }
}

impl Check for Introspect {
    fn check(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Finding {
        match self.look(headers, method(extensions)) {
            Ok(Look::Known(caller)) => Finding::Now(known(caller).map(|caller| {
                extensions.insert(caller);
            })),
            Ok(Look::Unknown(hash)) => {
                let introspector = self.0.clone();
                Finding::Later(Box::pin(async move {
                    let mut found = Extensions::new();
                    found.insert(known(introspector.ask(hash).await?)?);
                    Ok(found)
                }))
            }
            Err(error) => Finding::Now(Err(error)),
        }
    }
}

fn known(caller: Option<Arc<Caller>>) -> Result<Arc<Caller>> {
    caller.ok_or_else(|| {
        Error::unauthenticated("the access token is unknown, expired or revoked")
            .with("www_authenticate", "Bearer error=\"invalid_token\"")
    })
}

/// Checkpoint 2, scope: proves that the caller may do this.
#[derive(Clone, Debug)]
pub struct Scope;

impl Check for Scope {
    fn check(&self, _: &HeaderMap, extensions: &mut Extensions) -> Finding {
        Finding::Now(self.holds(extensions))
    }
}

impl Scope {
    fn holds(&self, extensions: &Extensions) -> Result<()> {
        let method = method(extensions);
        let caller = extensions.get::<Arc<Caller>>().ok_or_else(not_introspected)?;
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
    fn check(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Finding {
        Finding::Now(self.brand(headers, extensions).map(|brand| {
            extensions.insert(brand);
        }))
    }
}

impl BrandScope {
    fn brand(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<Brand> {
        let caller = extensions.get::<Arc<Caller>>().ok_or_else(not_introspected)?;
        let named = match headers.get(BRAND_ID) {
            Some(value) => Some(Brand::new(value.to_str().unwrap_or_default())?),
            None => None,
        };
        choose(caller, named)
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

    #[test]
    fn a_scope_check_without_introspection_lets_nobody_in() {
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
        for finding in [
            Scope.check(&HeaderMap::new(), &mut extensions),
            BrandScope.check(&HeaderMap::new(), &mut extensions),
        ] {
            let Finding::Now(Err(error)) = finding else { panic!("somebody was let in") };
            assert_eq!(error.code(), tonic::Code::Unauthenticated);
        }
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
