//! What must be there before the first call: the platform's own clients, its app, two people.
//!
//! Every secret here follows from the platform key. Nothing is written that is already so.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::{Brand, Change, Platform, PlatformKey, Result, Row, client_id};
use oauth_core::{Authentication, RedirectUri};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        client::RegisteredClient,
        password::{self, PasswordHash},
        user::{Email, User, UserId},
    },
    store::{self, Lookup, Member, RegisterClient},
};

/// The demo member of the brand `loop`.
pub const DEMO_USER: &str = "usr_01j00000000000000000000ada";
pub const DEMO_EMAIL: &str = "ada@loop.test";
/// The demo member of the brand `loopbio`, `grace@loopbio.test`.
const OTHER_DEMO_USER: &str = "usr_01j000000000000000000grace";

/// The PKCE verifier of [`demo_sign_in`]. Known to all, so good for trying things out only.
const DEMO_VERIFIER: &str = "a-verifier-that-anybody-may-know-as-it-is-a-demo";

/// The address at which a person signs in to the demo: it leads to `/callback`, which says how
/// the code is exchanged for a token.
pub fn demo_sign_in(public_url: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(DEMO_VERIFIER));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", DEMO_APP),
            ("redirect_uri", &format!("{public_url}/callback")),
            ("scope", "read:account read:biomarkers manage:connected_apps"),
            ("state", "demo"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    format!("{public_url}/v1/oauth/authorize?{query}")
}

/// What exchanges a demo sign-in's code for a token, as a person types it.
pub fn demo_exchange(public_url: &str, code: &str) -> String {
    format!(
        "curl {public_url}/v1/oauth/token -d grant_type=authorization_code -d client_id={DEMO_APP} \
         -d redirect_uri={public_url}/callback -d code_verifier={DEMO_VERIFIER} -d code={code}"
    )
}

const DEMO_APP: &str = "cli_loop_app";

const APP_SCOPES: &str = "read:account manage:connected_apps read:profile read:biomarkers";

/// The password of both demo members: four groups of four hexadecimal digits.
pub fn demo_password(key: &PlatformKey) -> String {
    let digits = hex::encode(&key.derive("identity demo password")[..8]);
    [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]].join("-")
}

pub async fn run(platform: Platform) -> Result<()> {
    let now = platform.clock.now();
    let lookup = Lookup::new(platform.db.roles());
    let services = platform.services.iter().map(|it| it.name);
    for name in services.chain(["edge", "operator"]) {
        let id = client_id(name);
        let secret = platform.key.client_secret(&id);
        let machine = RegisteredClient::platform_machine(id, name, &secret, now);
        ensure_client(&platform, &lookup, machine).await?;
    }
    if !platform.demo_data {
        return Ok(());
    }
    let (home, other) = (Brand::new("loop")?, Brand::new("loopbio")?);
    let (id, redirects) = (DEMO_APP, demo_redirects(&platform.public_url));
    let redirects: Vec<_> = redirects.iter().map(String::as_str).collect();
    let app =
        RegisteredClient::first_party_app(home.clone(), id, "Loop", &redirects, APP_SCOPES, now);
    ensure_client(&platform, &lookup, app).await?;
    ensure_member(&platform, home, DEMO_USER, DEMO_EMAIL, "Ada Lovelace").await?;
    ensure_member(&platform, other, OTHER_DEMO_USER, "grace@loopbio.test", "Grace Hopper").await
}

/// Where the demo's sign-in may end: at the callback page, or at the edge's API reference, which
/// signs people in as this app too. On this machine at any port (RFC 8252 section 7.3), and where
/// the platform is reached, if apps may be there.
fn demo_redirects(public_url: &str) -> Vec<String> {
    let bases = ["http://127.0.0.1", public_url];
    let pages = bases.map(|it| ["callback", "reference"].map(|page| format!("{it}/{page}")));
    let mut accepted: Vec<RedirectUri> = Vec::new();
    for uri in pages.iter().flatten().filter_map(|it| RedirectUri::parse(it).ok()) {
        if !accepted.iter().any(|it| it.accept(uri.as_str()).is_some()) {
            accepted.push(uri);
        }
    }
    accepted.iter().map(|it| it.as_str().to_owned()).collect()
}

async fn ensure_client(
    platform: &Platform,
    lookup: &Lookup,
    client: RegisteredClient,
) -> Result<()> {
    if lookup.client(&client.rules.id).await?.is_some_and(|it| is_as_wanted(&it, &client)) {
        return Ok(());
    }
    let (brand, id) = (client.brand.clone(), client.rules.id.clone());
    write(
        platform,
        brand,
        "identity.oauth_client.seeded",
        RegisterClient(client),
        "oauth_client",
        id,
    )
    .await
}

fn is_as_wanted(found: &RegisteredClient, wanted: &RegisteredClient) -> bool {
    let secret = |it: &RegisteredClient| match &it.rules.authentication {
        Authentication::Secret(secrets) => Some(secrets.current),
        Authentication::Public => None,
    };
    secret(found) == secret(wanted)
        && found.rules.allowed_scopes == wanted.rules.allowed_scopes
        && found.rules.redirect_uris == wanted.rules.redirect_uris
        && found.allowed_brands == wanted.allowed_brands
}

async fn ensure_member(
    platform: &Platform,
    brand: Brand,
    id: &str,
    email: &str,
    name: &str,
) -> Result<()> {
    let id = UserId::parse("user_id", id)?;
    let demo_password = demo_password(&platform.key);
    let mut reader = platform.db.read_brand(&brand).await?;
    let stored = store::password_hash(&mut reader, id).await?;
    drop(reader);
    let hashed = tokio::task::spawn_blocking(move || {
        let holds = password::verify(stored.as_ref(), &demo_password);
        if holds { None } else { Some(PasswordHash::of(&demo_password)) }
    });
    let Some(password) = hashed.await.map_err(kit::Error::internal)? else { return Ok(()) };
    let at = platform.clock.now();
    let email = Email::parse(email).expect("a valid literal");
    let user = User { id, email, name: name.to_owned(), created_at: at };
    let member = Member { user, password, at };
    write(platform, brand, "identity.user.seeded", member, "user", id.to_string()).await
}

async fn write(
    platform: &Platform,
    brand: Brand,
    event_type: &str,
    row: impl Row,
    entity_type: &'static str,
    entity_id: String,
) -> Result<()> {
    let tx = platform.db.begin_system(brand, event_type).await?;
    tx.record(Change::of(row, entity_type, entity_id)).await?.commit_quietly().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_password_is_readable_and_follows_from_the_key() {
        let password = demo_password(&PlatformKey::new([1; 32]));
        let groups: Vec<_> = password.split('-').collect();
        assert_eq!(groups.len(), 4);
        let hex = |it: &&str| it.len() == 4 && it.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(groups.iter().all(hex), "{password}");
        assert_eq!(password, demo_password(&PlatformKey::new([1; 32])));
        assert_ne!(password, demo_password(&PlatformKey::new([2; 32])));
    }

    #[test]
    fn the_demo_members_have_ids() {
        for id in [DEMO_USER, OTHER_DEMO_USER] {
            assert_eq!(UserId::parse("user_id", id).unwrap().to_string(), id);
        }
    }

    #[test]
    fn the_demo_ends_on_this_machine_or_where_the_platform_is() {
        let local = ["http://127.0.0.1/callback", "http://127.0.0.1/reference"];
        for url in ["http://127.0.0.1:8080", "http://loop.test"] {
            assert_eq!(demo_redirects(url), local, "{url}");
        }
        for url in ["https://loop.test/loop", "https://127.0.0.1:8443", "http://localhost:8080"] {
            let own = [format!("{url}/callback"), format!("{url}/reference")];
            assert_eq!(demo_redirects(url)[2..], own, "{url}");
        }
    }
}
