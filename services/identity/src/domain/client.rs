//! A registered program, and what may be registered.

use kit::{Brand, Entity, Error, Id, Result, Time};
use oauth_core::scope::{self, Audience};
use oauth_core::{
    AccessTokenLifetime, Authentication, Client, GrantType, Kind, Origin, Party, RedirectUri,
    Scopes, Secrets, Token,
};

/// The entity behind a client id that identity mints. The platform's own have readable ones.
#[derive(Debug)]
struct Program;

impl Entity for Program {
    const PREFIX: &'static str = "cli";
}

/// What is known of a client.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// `*` for the platform's own machines.
    pub brand: Brand,
    pub client_type: ClientType,
    /// What OAuth decides by.
    pub rules: Client,
    pub profile: Profile,
    /// Brands that a machine of the platform may act in; `*` for all.
    pub allowed_brands: Vec<String>,
    pub epoch: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// How a client presents itself.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub name: String,
    pub uri: String,
    pub logo_uri: String,
    /// Web origins whose pages may call with its tokens, as browsers write them.
    pub allowed_origins: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    /// An app that keeps no secret.
    Public,
    /// An app with a server.
    Confidential,
    /// A program that acts for itself: it has admin scopes, and people grant it nothing.
    Machine,
}

impl ClientType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Confidential => "confidential",
            Self::Machine => "machine",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Public, Self::Confidential, Self::Machine].into_iter().find(|it| it.as_str() == text)
    }

    pub fn grant_types(self) -> Vec<GrantType> {
        match self {
            Self::Public | Self::Confidential => {
                vec![GrantType::AuthorizationCode, GrantType::RefreshToken]
            }
            Self::Machine => vec![GrantType::ClientCredentials],
        }
    }
}

/// What somebody wants to register as a partner's app.
#[derive(Debug)]
pub struct Registration {
    pub confidential: bool,
    pub profile: Profile,
    pub redirect_uris: Vec<String>,
    pub allowed_scopes: Vec<String>,
    /// A business associate agreement is signed.
    pub baa_signed: bool,
}

impl Registration {
    /// A partner's client in a brand, and its secret if it keeps one.
    ///
    /// Fails with `REDIRECT_URI_INVALID` and `ORIGIN_INVALID`, and with `SCOPE_UNKNOWN` for every
    /// scope that people cannot grant: an admin scope is never a partner's.
    pub fn accept(self, brand: Brand, now: Time) -> Result<(RegisteredClient, Option<Token>)> {
        let secret = self.confidential.then(|| Token::mint(Kind::ClientSecret));
        let client_type =
            if self.confidential { ClientType::Confidential } else { ClientType::Public };
        let rules = Client {
            id: Id::<Program>::mint().to_string(),
            enabled: true,
            authentication: secret.as_ref().map_or(Authentication::Public, authentication),
            party: Party::Third { baa_signed: self.baa_signed },
            grant_types: client_type.grant_types(),
            redirect_uris: redirect_uris(&self.redirect_uris)?,
            allowed_scopes: user_scopes(&self.allowed_scopes)?,
            access_token_lifetime: AccessTokenLifetime::default(),
        };
        let allowed_origins = origins(&self.profile.allowed_origins)?;
        let client = RegisteredClient {
            brand,
            client_type,
            rules,
            profile: Profile { allowed_origins, ..self.profile },
            allowed_brands: Vec::new(),
            epoch: 1,
            created_at: now,
            updated_at: now,
        };
        Ok((client, secret))
    }
}

impl RegisteredClient {
    /// A machine of the platform itself, which may act in every brand with every admin scope.
    pub fn platform_machine(client_id: String, name: &str, secret: &Token, now: Time) -> Self {
        let admin = scope::CATALOGUE.iter().filter(|it| it.audience == Audience::Admin);
        let rules = Client {
            id: client_id,
            enabled: true,
            authentication: authentication(secret),
            party: Party::First,
            grant_types: ClientType::Machine.grant_types(),
            redirect_uris: Vec::new(),
            allowed_scopes: Scopes::of(admin.map(|it| it.name))
                .expect("the catalogue's scopes are known"),
            access_token_lifetime: AccessTokenLifetime::default(),
        };
        Self {
            brand: Brand::platform(),
            client_type: ClientType::Machine,
            rules,
            profile: Profile { name: format!("Loop {name}"), ..Profile::default() },
            allowed_brands: vec!["*".into()],
            epoch: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// The platform's own app in a brand.
    pub fn first_party_app(
        brand: Brand,
        client_id: &str,
        name: &str,
        redirect_uris: &[&str],
        scopes: &str,
        now: Time,
    ) -> Self {
        let registered = |it: &&str| RedirectUri::parse(it).expect("a valid literal");
        let rules = Client {
            id: client_id.to_owned(),
            enabled: true,
            authentication: Authentication::Public,
            party: Party::First,
            grant_types: ClientType::Public.grant_types(),
            redirect_uris: redirect_uris.iter().map(registered).collect(),
            allowed_scopes: Scopes::parse(scopes).expect("known scopes"),
            access_token_lifetime: AccessTokenLifetime::default(),
        };
        Self {
            brand,
            client_type: ClientType::Public,
            rules,
            profile: Profile { name: name.to_owned(), ..Profile::default() },
            allowed_brands: Vec::new(),
            epoch: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether it may ask what tokens of a brand stand for: it has proven itself with a secret,
    /// and is of that brand or of the platform.
    pub fn may_introspect(&self, brand: &Brand) -> bool {
        let secret = matches!(self.rules.authentication, Authentication::Secret(_));
        secret && (self.brand.is_platform() || self.brand == *brand)
    }

    /// The brand that a machine's token is for. `None`: for all that it may act in.
    ///
    /// `Err` when the brand is not one of those.
    pub fn token_brand(
        &self,
        requested: Option<Brand>,
    ) -> Result<Option<Brand>, oauth_core::Error> {
        let refused = "the client may not act in this brand";
        let allowed = |it: &Brand| {
            self.brand == *it
                || self.brand.is_platform()
                    && self.allowed_brands.iter().any(|one| one == "*" || one == it.as_str())
        };
        match requested {
            Some(brand) if !allowed(&brand) => {
                Err(oauth_core::Error::new(oauth_core::ErrorCode::InvalidRequest, refused))
            }
            Some(brand) if self.brand.is_platform() && !brand.is_platform() => Ok(Some(brand)),
            _ => Ok(None),
        }
    }
}

fn authentication(secret: &Token) -> Authentication {
    Authentication::Secret(Secrets { current: secret.hash(), previous: None })
}

fn redirect_uris(uris: &[String]) -> Result<Vec<RedirectUri>> {
    let mut accepted: Vec<RedirectUri> = Vec::with_capacity(uris.len());
    for (at, uri) in uris.iter().enumerate() {
        let refused = |rule: &str| {
            Error::invalid("REDIRECT_URI_INVALID", format!("redirect_uris[{at}]"), rule)
        };
        let uri = RedirectUri::parse(uri).map_err(|error| refused(error.description()))?;
        if accepted.contains(&uri) {
            return Err(refused("is listed twice"));
        }
        accepted.push(uri);
    }
    Ok(accepted)
}

/// The origins in their one spelling, which is what requests are compared with.
fn origins(origins: &[String]) -> Result<Vec<String>> {
    let mut accepted: Vec<String> = Vec::with_capacity(origins.len());
    for (at, origin) in origins.iter().enumerate() {
        let refused =
            |rule: &str| Error::invalid("ORIGIN_INVALID", format!("allowed_origins[{at}]"), rule);
        let origin = Origin::parse(origin).map_err(|error| refused(error.description()))?;
        if accepted.iter().any(|it| it == origin.as_str()) {
            return Err(refused("is listed twice"));
        }
        accepted.push(origin.to_string());
    }
    Ok(accepted)
}

fn user_scopes(names: &[String]) -> Result<Scopes> {
    for (at, name) in names.iter().enumerate() {
        if scope::lookup(name).is_none_or(|it| it.audience != Audience::User) {
            let field = format!("allowed_scopes[{at}]");
            return Err(Error::invalid("SCOPE_UNKNOWN", field, "is no scope that a person grants"));
        }
    }
    Scopes::of(names.iter().map(String::as_str)).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(redirect_uri: &str, scope: &str) -> Registration {
        Registration {
            confidential: true,
            profile: Profile::default(),
            redirect_uris: vec!["https://app.example/cb".into(), redirect_uri.into()],
            allowed_scopes: vec!["email".into(), scope.into()],
            baa_signed: false,
        }
    }

    fn accept(it: Registration) -> Result<(RegisteredClient, Option<Token>)> {
        it.accept(Brand::new("loop").unwrap(), Time::UNIX_EPOCH)
    }

    #[test]
    fn a_registration_names_the_entry_that_breaks_a_rule() {
        for (registration, reason, field) in [
            (
                registration("http://evil.example/", "openid"),
                "REDIRECT_URI_INVALID",
                "redirect_uris[1] ",
            ),
            (
                registration("https://app.example/cb", "openid"),
                "REDIRECT_URI_INVALID",
                "redirect_uris[1] ",
            ),
            (registration("https://b.example/", "read:all"), "SCOPE_UNKNOWN", "allowed_scopes[1] "),
            (
                registration("https://b.example/", "admin:clinical"),
                "SCOPE_UNKNOWN",
                "allowed_scopes[1] ",
            ),
            (
                registration("https://b.example/", "platform:admin"),
                "SCOPE_UNKNOWN",
                "allowed_scopes[1] ",
            ),
        ] {
            let error = accept(registration).unwrap_err();
            assert_eq!(error.reason(), reason);
            assert!(error.to_string().starts_with(field), "{error}");
        }
    }

    #[test]
    fn origins_are_kept_as_browsers_write_them_and_each_once() {
        let with = |origins: &[&str]| {
            let allowed_origins = origins.iter().map(ToString::to_string).collect();
            let profile = Profile { allowed_origins, ..Profile::default() };
            accept(Registration { profile, ..registration("https://b.example/", "openid") })
        };
        let (client, _) = with(&["HTTPS://App.example:443/", "http://localhost:5173"]).unwrap();
        let kept = client.profile.allowed_origins;
        assert_eq!(kept, ["https://app.example", "http://localhost:5173"]);
        for second in ["https://APP.example/", "null", "*", "http://app.example"] {
            let error = with(&["https://app.example", second]).unwrap_err();
            assert_eq!(error.reason(), "ORIGIN_INVALID");
            assert!(error.to_string().starts_with("allowed_origins[1] "), "{error}");
        }
    }

    #[test]
    fn a_partners_client_is_no_machine_and_only_its_hash_is_kept() {
        let (client, secret) = accept(registration("https://b.example/", "openid")).unwrap();
        let Authentication::Secret(secrets) = &client.rules.authentication else { panic!() };
        assert!(secrets.current == secret.unwrap().hash());
        assert!(!client.rules.grant_types.contains(&GrantType::ClientCredentials));
        assert_eq!(client.rules.party, Party::Third { baa_signed: false });
    }

    #[test]
    fn a_machine_gets_tokens_for_the_brands_it_may_act_in() {
        let secret = Token::mint(Kind::ClientSecret);
        let all =
            RegisteredClient::platform_machine("cli_x".into(), "x", &secret, Time::UNIX_EPOCH);
        let one = RegisteredClient { allowed_brands: vec!["loop".into()], ..all.clone() };
        let own = RegisteredClient { brand: Brand::new("loop").unwrap(), ..one.clone() };
        let brand = |it: &str| Brand::new(it).unwrap();
        for (client, requested, expected) in [
            (&all, None, Ok(None)),
            (&all, Some("*"), Ok(None)),
            (&all, Some("loop"), Ok(Some("loop"))),
            (&one, Some("loop"), Ok(Some("loop"))),
            (&one, Some("loopbio"), Err(())),
            (&own, None, Ok(None)),
            (&own, Some("loop"), Ok(None)),
            (&own, Some("loopbio"), Err(())),
            (&own, Some("*"), Err(())),
        ] {
            let got = client.token_brand(requested.map(brand)).map_err(|_| ());
            assert_eq!(got, expected.map(|it| it.map(brand)), "{requested:?}");
        }
    }
}
