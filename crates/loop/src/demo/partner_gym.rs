//! The story of the overview: the third-party app PartnerGym reads a member's biomarkers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Credentials,
    http::{Answer, Client},
    page, report,
};

const REDIRECT: &str = "http://127.0.0.1:5999/callback";

pub fn play(credentials: &Credentials) -> anyhow::Result<()> {
    let mut story = Story::begin(credentials);
    let operator = story.operator("loop")?;
    let gym = story.register(&operator)?;
    let me = story.member_signs_in()?;
    story.unauthorized()?;
    let token = story.consent(&gym, "read:biomarkers")?;
    let patient = story.find_patient(&operator)?;
    let request_id = story.record(&operator, "loop", &patient)?;
    story.read(&token)?;
    story.missing_scope(&token)?;
    story.foreign_brand(&token)?;
    let report = story.audit(&operator, &request_id)?;
    story.timeline(&operator, &patient, &report)?;
    story.delivery(&operator, &request_id)?;
    story.disconnect(&me, &gym, &token)?;
    println!("\nThe whole story held: {} steps.", story.step);
    Ok(())
}

struct Story<'a> {
    credentials: &'a Credentials,
    /// The member's browser: it keeps cookies.
    browser: Client,
    /// Everybody else.
    client: Client,
    step: u32,
}

/// An app with its secret.
struct App {
    id: String,
    secret: Option<String>,
}

impl<'a> Story<'a> {
    fn begin(credentials: &'a Credentials) -> Self {
        let (browser, client) = (Client::new(&credentials.api), Client::new(&credentials.api));
        Self { credentials, browser, client, step: 0 }
    }

    fn operator(&mut self, brand: &str) -> anyhow::Result<String> {
        let answer = self.client.post_form(
            "/v1/oauth/token",
            &[],
            &[
                ("grant_type", "client_credentials"),
                ("client_id", &self.credentials.operator_id),
                ("client_secret", &self.credentials.operator_secret),
                ("brand_id", brand),
            ],
        )?;
        self.show(
            &format!("The operator's machine client gets a token for the brand {brand}"),
            "POST /v1/oauth/token",
            &answer,
            200,
            "machine tokens are admin-scoped and opaque",
        )?;
        Ok(bearer(&answer.text_at("/access_token")?))
    }

    fn register(&mut self, operator: &str) -> anyhow::Result<App> {
        let app = json!({
            "client_name": "PartnerGym",
            "client_uri": "https://partnergym.example",
            "redirect_uris": [REDIRECT],
            "allowed_scopes": ["read:biomarkers"],
            "baa_signed": true,
        });
        let answer = self.client.post_json(
            "/v1/admin/oauth-clients",
            &[("authorization", operator)],
            &app,
        )?;
        self.show("PartnerGym is registered", "POST /v1/admin/oauth-clients", &answer, 201,
            "the secret is in this answer and never again; a signed agreement lets it ask for health data")?;
        Ok(App {
            id: answer.text_at("/client/client_id")?,
            secret: Some(answer.text_at("/client_secret")?),
        })
    }

    /// The member signs in to Loop's own app, to look after connected apps later.
    fn member_signs_in(&mut self) -> anyhow::Result<String> {
        let own = App { id: "cli_loop_app".into(), secret: None };
        let token = self.authorize(
            &own,
            "http://127.0.0.1:5998/callback",
            "manage:connected_apps read:account",
            "The member signs in to Loop's own app",
        )?;
        let token = bearer(&token);
        let answer = self.client.get("/v1/users/me", &[("authorization", &token)])?;
        self.show(
            "Loop's app asks who signed in",
            "GET /v1/users/me",
            &answer,
            200,
            "code and PKCE led to the member's own token",
        )?;
        Ok(token)
    }

    fn unauthorized(&mut self) -> anyhow::Result<()> {
        let answer = self.client.get("/v1/biomarkers/me", &[])?;
        self.show(
            "A stranger asks without a token",
            "GET /v1/biomarkers/me",
            &answer,
            401,
            "checkpoint 1: who is calling?",
        )
    }

    fn consent(&mut self, gym: &App, scope: &str) -> anyhow::Result<String> {
        let token =
            self.authorize(gym, REDIRECT, scope, "The member lets PartnerGym read biomarkers")?;
        Ok(bearer(&token))
    }

    /// Authorization code with PKCE: the browser's part, then the app's.
    fn authorize(
        &mut self,
        app: &App,
        redirect: &str,
        scope: &str,
        title: &str,
    ) -> anyhow::Result<String> {
        let (verifier, state) = (random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", &app.id),
                ("redirect_uri", redirect),
                ("scope", scope),
                ("state", &state),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let callback = self.browse(&format!("/v1/oauth/authorize?{query}"), redirect)?;
        let parameter = |name: &str| {
            let (_, query) = callback.split_once('?')?;
            form_urlencoded::parse(query.as_bytes())
                .find(|it| it.0 == name)
                .map(|it| it.1.into_owned())
        };
        ensure!(
            parameter("state").as_deref() == Some(&state),
            "the state came back changed: {callback}"
        );
        let code = parameter("code").with_context(|| format!("no code in {callback}"))?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect),
            ("client_id", &app.id),
            ("code_verifier", &verifier),
        ];
        form.extend(app.secret.as_deref().map(|it| ("client_secret", it)));
        let answer = self.client.post_form("/v1/oauth/token", &[], &form)?;
        self.show(
            title,
            "GET /v1/oauth/authorize, sign-in and consent pages, POST /v1/oauth/token",
            &answer,
            200,
            "authorization code with PKCE; the code is good for one use and 60 seconds",
        )?;
        answer.text_at("/access_token")
    }

    /// Follows redirects and fills in forms as the member would, until the app's own address.
    fn browse(&mut self, start: &str, until: &str) -> anyhow::Result<String> {
        let mut answer = self.browser.get(start, &[])?;
        for _ in 0..10 {
            if let Some(location) = answer.location.clone() {
                if location.starts_with(until) {
                    return Ok(location);
                }
                answer = self.browser.get(&location, &[])?;
                continue;
            }
            ensure!(answer.status == 200, "a page answered {}: {}", answer.status, answer.text);
            answer = self.fill_in(&answer.text)?;
        }
        anyhow::bail!("the pages lead in a circle")
    }

    fn fill_in(&mut self, html: &str) -> anyhow::Result<Answer> {
        let action = page::form_action(html).context("a page without a form")?;
        let hidden = page::hidden_fields(html);
        let mut fields: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if html.contains("name=\"password\"") {
            fields.push(("email", &self.credentials.member));
            fields.push(("password", &self.credentials.member_password));
        } else {
            fields.push(("decision", "allow"));
        }
        let origin = self.credentials.api.clone();
        self.browser.post_form(&action, &[("origin", &origin)], &fields)
    }

    /// The seeded member's patient record.
    fn find_patient(&mut self, operator: &str) -> anyhow::Result<String> {
        let path = format!("/v1/patients/{}/safe", patient_graph::DEMO_PATIENT);
        let answer = self.client.get(&path, &[("authorization", operator)])?;
        self.show(
            "The laboratory's integration finds the patient",
            &format!("GET {path}"),
            &answer,
            200,
            "the safe view: no name, birth date, sex, e-mail or phone",
        )?;
        for telling in ["first_name", "date_of_birth", "gender", "email"] {
            ensure!(answer.json().get(telling).is_none(), "the safe view holds {telling}");
        }
        answer.text_at("/id")
    }

    fn record(&mut self, operator: &str, brand: &str, patient: &str) -> anyhow::Result<String> {
        let request_id = format!("demo-{}", &random()?[..12].replace('_', "-"));
        let body = json!({"patient_id": patient, "brand_id": brand, "source": "labcorp", "biomarkers": report::results()?});
        let headers = [
            ("authorization", operator),
            ("idempotency-key", request_id.as_str()),
            ("x-request-id", request_id.as_str()),
        ];
        let answer = self.client.post_json("/v1/biomarkers/parse", &headers, &body)?;
        self.show(
            "A laboratory report of nine real values is recorded",
            "POST /v1/biomarkers/parse",
            &answer,
            200,
            "values are converted to one unit and classified for the patient's sex",
        )?;
        ensure!(answer.json()["count"] == 9, "nine results were sent");
        let again = self.client.post_json("/v1/biomarkers/parse", &headers, &body)?;
        self.show(
            "The same call is retried with its Idempotency-Key",
            "POST /v1/biomarkers/parse",
            &again,
            200,
            "the first answer again, and nothing recorded twice",
        )?;
        ensure!(again.json() == answer.json(), "the retry had another answer");
        Ok(request_id)
    }

    fn read(&mut self, token: &str) -> anyhow::Result<()> {
        let answer =
            self.client.get("/v1/biomarkers/me?page_size=100", &[("authorization", token)])?;
        self.show(
            "PartnerGym reads the member's biomarkers",
            "GET /v1/biomarkers/me",
            &answer,
            200,
            "all five checkpoints passed",
        )?;
        let json = answer.json();
        let rows = json["biomarkers"].as_array().context("a list")?;
        ensure!(rows.len() >= 9, "nine biomarkers were recorded, {} came back", rows.len());
        let classified = |it: &Value| {
            matches!(it["status"].as_str(), Some("normal" | "low" | "high" | "critical"))
        };
        ensure!(rows.iter().all(classified), "a value is not classified");
        let albumin =
            rows.iter().find(|it| it["biomarker_code"] == "albumin").context("albumin")?;
        ensure!(
            albumin["unit"] == "g/dL" && albumin["value"] == json!(4.2),
            "albumin is {albumin}"
        );
        Ok(())
    }

    fn missing_scope(&mut self, token: &str) -> anyhow::Result<()> {
        let answer = self.client.get("/v1/users/me", &[("authorization", token)])?;
        self.show(
            "PartnerGym asks for what the member did not allow",
            "GET /v1/users/me",
            &answer,
            403,
            "checkpoint 2: may they?",
        )?;
        ensure!(answer.json()["error"] == "insufficient_scope", "{}", answer.text);
        Ok(())
    }

    /// A biomarker of the brand loopbio, asked for with a token of the brand loop.
    fn foreign_brand(&mut self, token: &str) -> anyhow::Result<()> {
        let operator = self.operator("loopbio")?;
        let patient = json!({"brand_id": "loopbio", "first_name": "Grace", "last_name": "Demo", "gender": "female"});
        let answer =
            self.client.post_json("/v1/patients", &[("authorization", &operator)], &patient)?;
        self.show(
            "Another brand has a patient of its own",
            "POST /v1/patients",
            &answer,
            201,
            "brands share services, never rows",
        )?;
        let patient = answer.text_at("/id")?;
        let body = json!({"patient_id": patient, "brand_id": "loopbio", "source": "manual", "biomarkers": report::results()?});
        let answer = self.client.post_json(
            "/v1/biomarkers/parse",
            &[("authorization", &operator)],
            &body,
        )?;
        self.show(
            "It records a report there",
            "POST /v1/biomarkers/parse",
            &answer,
            200,
            "the same call, in another tenant",
        )?;
        let foreign = answer.text_at("/results/0/id")?;
        let path = format!("/v1/biomarkers/{foreign}");
        let answer = self.client.get(&path, &[("authorization", token)])?;
        self.show(
            "PartnerGym asks for that brand's biomarker by its id",
            &format!("GET {path}"),
            &answer,
            404,
            "checkpoint 3: another brand's row does not exist",
        )
    }

    /// The id of the report that the audit row names.
    fn audit(&mut self, operator: &str, request_id: &str) -> anyhow::Result<String> {
        let path = "/v1/admin/audit-log?event_type=clinical.biomarker.parsed&limit=20";
        let answer = self.client.get(path, &[("authorization", operator)])?;
        self.show(
            "The operator reads the audit log",
            &format!("GET {path}"),
            &answer,
            200,
            "checkpoint 5: one row for the change, written in its transaction; the retry left none",
        )?;
        let json = answer.json();
        let rows = json["rows"].as_array().context("rows")?;
        let rows: Vec<_> = rows.iter().filter(|it| it["request_id"] == request_id).collect();
        ensure!(rows.len() == 1, "{} audit rows for one change", rows.len());
        rows[0]["entity_id"].as_str().map(str::to_owned).context("an audit row names its entity")
    }

    fn timeline(&mut self, operator: &str, patient: &str, report: &str) -> anyhow::Result<()> {
        let path =
            format!("/v1/patients/{patient}/timeline?event_type=biomarkers_recorded&limit=100");
        let told = |it: &Answer| {
            let entries = it.json()["events"].as_array().cloned().unwrap_or_default();
            entries.iter().filter(|it| it["source_id"] == report).count()
        };
        let answer = self.poll(&path, operator, |it| told(it) > 0)?;
        self.show(
            "The patient's timeline tells of the report",
            &format!("GET {path}"),
            &answer,
            200,
            "clinical.biomarker.parsed.v1 left with the change and reached patient-graph, once",
        )?;
        ensure!(told(&answer) == 1, "{} entries for one report", told(&answer));
        Ok(())
    }

    fn delivery(&mut self, operator: &str, request_id: &str) -> anyhow::Result<()> {
        let path = "/v1/events/deliveries?name=clinical.biomarker.parsed.v1&page_size=20";
        let delivered = |it: &Answer| {
            let deliveries = it.json()["deliveries"].as_array().cloned().unwrap_or_default();
            let ours =
                |it: &&Value| it["correlation_id"] == request_id && it["state"] == "delivered";
            deliveries.iter().filter(ours).count() == 1
        };
        let answer = self.poll(path, operator, delivered)?;
        self.show(
            "The event plane tells what became of the event",
            &format!("GET {path}"),
            &answer,
            200,
            "the durable bus brought it too, and its delivery is on record",
        )?;
        ensure!(delivered(&answer), "the event was not delivered");
        Ok(())
    }

    /// Asks again until it holds, for what happens in the background; gives the last answer.
    fn poll(
        &mut self,
        path: &str,
        token: &str,
        holds: impl Fn(&Answer) -> bool,
    ) -> anyhow::Result<Answer> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.client.get(path, &[("authorization", token)])?;
            if holds(&answer) || Instant::now() > deadline {
                return Ok(answer);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn disconnect(&mut self, me: &str, gym: &App, token: &str) -> anyhow::Result<()> {
        let path = format!("/v1/users/me/connected-apps/{}", gym.id);
        let answer = self.client.delete(&path, &[("authorization", me)])?;
        self.show(
            "The member disconnects PartnerGym",
            &format!("DELETE {path}"),
            &answer,
            204,
            "one row ends the grant and all its tokens",
        )?;
        let answer = self.client.get("/v1/biomarkers/me", &[("authorization", token)])?;
        self.show(
            "PartnerGym's very next call",
            "GET /v1/biomarkers/me",
            &answer,
            401,
            "revocation is instant: tokens are opaque",
        )
    }

    /// Prints a step and holds it against its expectation.
    fn show(
        &mut self,
        title: &str,
        request: &str,
        answer: &Answer,
        expected: u16,
        proves: &str,
    ) -> anyhow::Result<()> {
        self.step += 1;
        println!(
            "\n{}. {title}\n   > {request}\n   < {} {}\n   = {proves}",
            self.step,
            answer.status,
            excerpt(&answer.text)
        );
        ensure!(
            answer.status == expected,
            "step {}: expected {expected}, got {}: {}",
            self.step,
            answer.status,
            answer.text
        );
        Ok(())
    }
}

/// The beginning of a body, with tokens cut short.
fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for (i, part) in text.split("lph_").enumerate() {
        if i == 0 {
            shown.push_str(part);
        } else {
            let end =
                part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            shown.push_str("lph_");
            shown.push_str(part.get(..3).unwrap_or_default());
            shown.push('…');
            shown.push_str(&part[end..]);
        }
    }
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    match shown.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn random() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
