//! What must exist before an example can succeed.
//!
//! Examples name what the seeds make. What a seed cannot make, because it is secret or is used up
//! by the call, an example names by a value that stands here and is replaced in every house.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::client_id;
use kit_test::Grant;
use prost::Message as _;
use records_contract::v1::FetchEventsResponse;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{Case, House, Sent, Surface, house::HOME};

/// The biomarker that examples read.
const BIOMARKER: &str = "bio_01kc000000e008000000000b10";
/// The secret of the operator's machine client, as examples show it.
const SECRET: &str = "lph_cs_0R7kQ2mVx9TzLb4NfJ8sWcY6uHdG1aEpK3iO5tMnBvCZxQw2s9dF";
/// The access token that examples introspect and revoke.
const TOKEN: &str = "lph_at_0V5nJ8kTq2RwXc7LbM4yGz9HsPfD1uAeK6iN3oSmBtEvCxQj7r2d4L";

/// The SHA-256 of an access token that examples resolve.
const HASH: &str = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=";

/// The example of a case, ready to be sent.
pub async fn message(house: &House, case: &Case) -> Option<Value> {
    let example = case.example.as_ref()?;
    let mut known = known(house).await.clone();
    match case.name() {
        "DisconnectApp" | "ListConnectedApps" => connect_app(house).await,
        // A token is revoked once.
        "RevokeToken" => drop(known.insert(TOKEN.to_owned(), token(house, &known).await)),
        _ => {}
    }
    Some(replace(example, &known))
}

/// What the examples' values stand for in this house; made when first asked for.
pub async fn known(house: &House) -> &BTreeMap<String, String> {
    // Boxed: the compiler counts how deep futures are nested.
    house.known.get_or_init(|| Box::pin(prepare(house))).await
}

async fn prepare(house: &House) -> BTreeMap<String, String> {
    let operator = client_id("operator");
    let secret = house.world.platform("identity").key.client_secret(&operator).expose().to_owned();
    let mut known = BTreeMap::from([(SECRET.to_owned(), secret)]);
    let resolved = Sha256::digest(token(house, &known).await);
    known.insert(HASH.to_owned(), STANDARD.encode(resolved));
    known.insert(TOKEN.to_owned(), token(house, &known).await);
    known.insert(BIOMARKER.to_owned(), biomarker(house, &known).await);
    hear_of_biomarkers(house).await;
    house.ledger.execute(DELIVERY).await;
    known
}

/// A machine's own token, from the token endpoint.
pub async fn machine_token(house: &House) -> String {
    token(house, known(house).await).await
}

/// Gives a machine's token back, as its client does.
pub async fn revoke(house: &House, token: &str) {
    let mut known = known(house).await.clone();
    known.insert(TOKEN.to_owned(), token.to_owned());
    call(house, "RevokeToken", &known, None).await;
}

async fn token(house: &House, known: &BTreeMap<String, String>) -> String {
    let answer = call(house, "IssueToken", known, None).await;
    answer["access_token"].as_str().unwrap_or_default().to_owned()
}

/// A result of the demo member's, recorded by a laboratory's machine.
async fn biomarker(house: &House, known: &BTreeMap<String, String>) -> String {
    let grant = Grant::service("cli_laboratory", &["admin:clinical"]);
    let answer = call(house, "ParseBiomarkers", known, Some(grant)).await;
    answer["results"][0]["id"].as_str().unwrap_or_default().to_owned()
}

/// Patient-graph hears of what clinical recorded, as the relay would tell it.
async fn hear_of_biomarkers(house: &House) {
    let fetch = house
        .contracts
        .cases
        .iter()
        .find(|it| (it.service, it.name()) == ("clinical", "FetchEvents"));
    let Some(case) = fetch else { return };
    let Some(sent) = case.example.clone() else { return };
    let grant = Grant::service("cli_relay", &["admin:records"]);
    let sent = house.as_grant(&grant, HOME, sent).await;
    let answer = house.send(case, Surface::Grpc, &sent).await;
    let answer = answer.expect("gRPC reaches every method");
    let answer = FetchEventsResponse::decode(answer.body).expect("an answer of its contract");
    for envelope in answer.events {
        let heard = kit::consume(house.world.platform("patient-graph"), envelope).await;
        heard.expect("patient-graph reacts");
    }
}

/// What the bus leaves of an event that arrived.
const DELIVERY: &str = "
    INSERT INTO events.deliveries (brand_id, event_id, consumer, name, producer, aggregate, key,
        version, occurred_at, correlation_id, envelope, state, attempts, delivered_at)
    VALUES ('loop', gen_random_uuid(), 'patient-graph', 'clinical.biomarker.parsed.v1', 'clinical',
        'clinical.biomarker', 'pat_01kc000000e008000000000051', 1, now(), 'conformance', '',
        'delivered', 1, now())";

/// Calls a method that a fixture needs, directly. Nothing where no service here has it.
async fn call(
    house: &House,
    name: &str,
    known: &BTreeMap<String, String>,
    grant: Option<Grant>,
) -> Value {
    let Some(case) = house.contracts.cases.iter().find(|it| it.name() == name) else {
        return Value::Null;
    };
    let Some(example) = &case.example else { return Value::Null };
    let message = replace(example, known);
    let sent = match grant {
        Some(grant) => house.as_grant(&grant, HOME, message).await,
        None => Sent::new(message),
    };
    let answer = house.send(case, Surface::Grpc, &sent).await.expect("gRPC reaches every method");
    assert!(answer.is_success(), "the fixture's {name}: {}", answer.brief());
    answer.json()
}

/// The demo member lets the platform's own app in. People do that on a page, of which no method
/// tells; the row is what the page leaves.
async fn connect_app(house: &House) {
    let connect = "
        BEGIN;
        INSERT INTO identity.audit_log
            (brand_id, id, occurred_at, actor_type, actor_id, event_type)
        VALUES ('loop', gen_random_uuid(), now(), 'system', 'conformance', 'identity.grant.given');
        INSERT INTO identity.grants (brand_id, grant_id, user_id, client_id, scopes, epoch,
            granted_at, updated_at)
        SELECT 'loop', gen_random_uuid(), user_id, 'cli_loop_app', '{read:account}', 1, now(), now()
        FROM identity.users WHERE brand_id = 'loop' AND email = 'ada@loop.test'
        ON CONFLICT (brand_id, user_id, client_id) DO UPDATE SET revoked_at = NULL;
        COMMIT";
    house.ledger.execute(connect).await;
}

/// The value with every text that `known` names replaced.
fn replace(value: &Value, known: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => known.get(text).unwrap_or(text).clone().into(),
        Value::Array(items) => items.iter().map(|it| replace(it, known)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, it)| (name.clone(), replace(it, known))).collect()
        }
        other => other.clone(),
    }
}
