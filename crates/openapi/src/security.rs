//! Who may call: OAuth flows with their scopes, and what each operation asks for.

use aide::openapi::{OAuth2Flow, OAuth2Flows, SecurityRequirement, SecurityScheme};
use oauth_core::scope::{Audience, CATALOGUE, Scope, lookup, satisfies};
use registry::{Caller, Method};

use crate::Error;

/// The name of the one security scheme.
pub(crate) const OAUTH: &str = "oauth2";

const AUTHORIZE: &str = "/v1/oauth/authorize";
const TOKEN: &str = "/v1/oauth/token";

/// Both flows of OAuth 2.1. The refresh URL is always given: the model writes null without it.
pub(crate) fn scheme() -> SecurityScheme {
    let people = OAuth2Flow::AuthorizationCode {
        authorization_url: AUTHORIZE.to_owned(),
        token_url: TOKEN.to_owned(),
        refresh_url: Some(TOKEN.to_owned()),
        scopes: texts(Audience::User).collect(),
    };
    let machines = OAuth2Flow::ClientCredentials {
        refresh_url: Some(TOKEN.to_owned()),
        token_url: TOKEN.to_owned(),
        scopes: texts(Audience::Admin).collect(),
    };
    SecurityScheme::OAuth2 {
        flows: OAuth2Flows {
            client_credentials: Some(machines),
            authorization_code: Some(people),
            ..OAuth2Flows::default()
        },
        description: Some(
            "OAuth 2.1 with opaque access tokens, sent as `Authorization: Bearer …`. People \
             authorize apps by authorization code with PKCE; machines use client credentials."
                .to_owned(),
        ),
        extensions: Default::default(),
    }
}

/// The alternatives, each one scope. None: the method is public.
pub(crate) fn requirements(method: &Method) -> Result<Vec<SecurityRequirement>, Error> {
    for scope in &method.scopes {
        lookup(scope)
            .ok_or_else(|| Error::Scope { method: method.path.clone(), scope: scope.clone() })?;
    }
    let declared = |it: &&Scope| method.scopes.iter().any(|name| name == it.name);
    let wider = |it: &&Scope| {
        fits(method, it.audience) && method.scopes.iter().any(|name| satisfies(it.name, name))
    };
    let others = CATALOGUE.iter().filter(|it| !declared(it) && wider(it)).map(|it| it.name);
    let names = method.scopes.iter().map(String::as_str).chain(others);
    let requirement = |scope: &str| [(OAUTH.to_owned(), vec![scope.to_owned()])].into();
    let mut all: Vec<SecurityRequirement> = names.map(requirement).collect();
    if !all.is_empty() && method.callers.contains(&Caller::Public) {
        all.push(SecurityRequirement::default());
    }
    Ok(all)
}

/// Whether a caller that the method admits can have a scope of this audience.
fn fits(method: &Method, audience: Audience) -> bool {
    method.callers.iter().any(|it| match it {
        Caller::User => audience == Audience::User,
        Caller::Service | Caller::Staff => audience == Audience::Admin,
        Caller::Public => false,
    })
}

fn texts(audience: Audience) -> impl Iterator<Item = (String, String)> {
    let scopes = CATALOGUE.iter().filter(move |it| it.audience == audience);
    scopes.map(|it| (it.name.to_owned(), it.text.to_owned()))
}
