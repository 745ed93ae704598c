//! The authorization request in a page's address, checked anew each time.

use axum::http::StatusCode;
use oauth_core::{
    Error,
    authorize::{Authorization, AuthorizationRequest, authorize, client_id},
};

use super::{
    Pages,
    html::{Stop, go, problem},
};
use crate::domain::client::RegisteredClient;

/// An authorization request that keeps every rule, and the client that makes it.
pub struct Asked {
    pub client: RegisteredClient,
    pub rules: AuthorizationRequest,
    /// Its parameters, in the one way we write them.
    pub query: String,
    /// What stands before the paths of our pages.
    prefix: String,
}

/// Reads the request of a page's address. What breaks a rule is shown, or told to the client if
/// its redirect URI is proven.
pub async fn ask(pages: &Pages, query: Option<&str>) -> Result<Asked, Stop> {
    let parameters = parse(query);
    let client = match client_id(&parameters) {
        Ok(id) => pages.lookup.client(id).await?,
        Err(error) => return Err(refuse(&error)),
    };
    let rules = client.as_ref().map(|it| &it.rules);
    match authorize(&parameters, rules, &pages.platform.public_url) {
        Authorization::ShowError(error) => Err(refuse(&error)),
        Authorization::RedirectError(error) => Err(go(&error.url()).into()),
        Authorization::Proceed(rules) => {
            let client = client.expect("no request of an unknown client keeps every rule");
            Ok(Asked { client, rules, query: write(&parameters), prefix: pages.link("") })
        }
    }
}

impl Asked {
    /// The page of this service that goes on with the request.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}?{}", self.prefix, self.query)
    }

    /// The same, after the person has signed in as the client wished.
    pub fn after_sign_in(&self, path: &str) -> String {
        let mut parameters = parse(Some(&self.query));
        for (_, value) in parameters.iter_mut().filter(|it| it.0 == "prompt") {
            let rest = value.split(' ').filter(|it| !["login", "select_account"].contains(it));
            *value = rest.collect::<Vec<_>>().join(" ");
        }
        parameters.retain(|it| it.0 != "prompt" || !it.1.is_empty());
        format!("{}{path}?{}", self.prefix, write(&parameters))
    }
}

fn parse(query: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

fn write(parameters: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

fn refuse(error: &Error) -> Stop {
    let message = format!(
        "The app that sent you here made a request that cannot be answered: {}.",
        error.description()
    );
    problem(StatusCode::BAD_REQUEST, "This link does not work", &message)
}
