//! One method of one service by one of its HTTP bindings, and everything a rule needs to know.

use std::{fmt, fs, path::PathBuf};

use kit::Service;
use oauth_core::scope::{self, Audience};
use registry::{Audit, Caller, Idempotency, Method, Registry};
use serde_json::Value;
use transcode::Api;

use crate::Route;

/// The contracts of a set of services, and a case for each of their methods, or for each HTTP
/// binding of a method that has several: what holds by the first holds by all.
pub struct Contracts {
    pub registry: Registry,
    pub api: Api,
    pub cases: Vec<Case>,
}

#[derive(Clone, Debug)]
pub struct Case {
    /// The service that serves the method, by its name in the mesh.
    pub service: &'static str,
    pub schema: &'static str,
    pub method: Method,
    /// Absent where the method is for services only.
    pub route: Option<Route>,
    /// The request that stands beside the proto, if one does.
    pub example: Option<Value>,
    /// The answer that stands beside it.
    pub answer: Option<Value>,
}

/// A kind of caller, and one scope that lets it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grantee {
    pub kind: Caller,
    pub scope: &'static str,
}

impl Contracts {
    /// Reads the contracts of `services` and those that the kit serves for each of them.
    pub fn of(services: &[&'static Service]) -> Self {
        let records = &records_contract::v1::PACKAGE;
        let sets: Vec<_> = services.iter().map(|it| it.package).chain([records]).collect();
        let sets: Vec<_> = sets.iter().map(|it| it.descriptors).collect();
        let registry = Registry::load(&sets).expect("the contracts have no faults");
        let api = Api::build(registry.pool()).expect("the HTTP rules can be served");
        let cases = services.iter().flat_map(|service| {
            let methods = registry.methods().iter();
            let own = methods.filter(|it| [service.name, "records"].contains(&&*it.service));
            own.flat_map(|method| Case::all(service, method))
        });
        let cases = cases.collect();
        Self { registry, api, cases }
    }
}

impl Case {
    fn all(service: &'static Service, method: &Method) -> Vec<Self> {
        let routes = Route::all(&method.descriptor, method.http.form);
        match routes.is_empty() {
            true => vec![Self::of(service, method, None)],
            false => routes.into_iter().map(|it| Self::of(service, method, Some(it))).collect(),
        }
    }

    fn of(service: &'static Service, method: &Method, route: Option<Route>) -> Self {
        Self {
            service: service.name,
            schema: service.schema,
            method: method.clone(),
            route,
            example: example(method, "request"),
            answer: example(method, "response"),
        }
    }

    /// The method's own name, such as `GetBiomarker`.
    pub fn name(&self) -> &str {
        self.method.descriptor.name()
    }

    pub fn is_public(&self) -> bool {
        self.method.callers.contains(&Caller::Public)
    }

    /// Whether a success leaves an audit row.
    pub fn is_audited(&self) -> bool {
        !matches!(self.method.audit, Audit::None(_))
    }

    /// Whether an Idempotency-Key is read.
    pub fn is_keyed(&self) -> bool {
        self.method.idempotency != Idempotency::None
    }

    /// Every kind of caller the contract admits, with a scope that such a caller can hold.
    pub fn grantees(&self) -> Vec<Grantee> {
        let kinds = self.method.callers.iter().filter(|it| **it != Caller::Public);
        kinds.filter_map(|kind| self.grantee(*kind)).collect()
    }

    fn grantee(&self, kind: Caller) -> Option<Grantee> {
        let fits = |it: &&scope::Scope| it.audience == audience(kind) && self.admits(it.name);
        scope::CATALOGUE.iter().find(fits).map(|it| Grantee { kind, scope: it.name })
    }

    /// Every scope that a caller of this kind can hold and that does not let it in.
    pub fn useless_scopes(&self, kind: Caller) -> Vec<&'static str> {
        let of_kind = scope::CATALOGUE.iter().filter(|it| it.audience == audience(kind));
        of_kind.map(|it| it.name).filter(|it| !self.admits(it)).collect()
    }

    fn admits(&self, held: &str) -> bool {
        self.method.scopes.iter().any(|it| scope::satisfies(held, it))
    }
}

/// People hold what people can grant; machines and staff hold admin scopes.
fn audience(kind: Caller) -> Audience {
    if kind == Caller::User { Audience::User } else { Audience::Admin }
}

/// One side of `proto/<package>/examples/<Method>.json`.
fn example(method: &Method, side: &str) -> Option<Value> {
    let package = method.descriptor.parent_service().package_name().replace('.', "/");
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto"));
    let path = path.join(package).join(format!("examples/{}.json", method.descriptor.name()));
    let text = fs::read_to_string(path).ok()?;
    let file: Value = serde_json::from_str(&text).expect("an example is JSON");
    file.get(side).cloned()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.method.path)?;
        match &self.route {
            Some(Route { verb, text, .. }) => write!(f, " by {verb} {text}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_binding_of_a_method_is_a_case() {
        let contracts = Contracts::of(loop_platform::SERVICES);
        let told: Vec<_> = contracts.cases.iter().map(ToString::to_string).collect();
        let service = "identity /loop.identity.v1.IdentityService";
        for binding in [
            "GetServerMetadata by GET /.well-known/oauth-authorization-server",
            "GetServerMetadata by GET /.well-known/openid-configuration",
            "IssueToken by POST /v1/oauth/token",
            "IssueToken by POST /v1/tokens",
            "ResolveToken",
        ] {
            let found = told.iter().filter(|it| **it == format!("{service}/{binding}")).count();
            assert_eq!(found, 1, "{binding} in {told:#?}");
        }
    }
}
