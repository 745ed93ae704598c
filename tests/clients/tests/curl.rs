//! curl, over HTTP/1.1 and over HTTP/2 without TLS.

use serde_json::{Value, json};

use crate::{
    platform::Platform,
    tool::{run, tool},
};

#[test]
fn curl_over_http_1_does_all_that_the_documentation_says() {
    Curl::speaking("--http1.1", "1.1").plays();
}

#[test]
fn curl_over_http_2_with_prior_knowledge_does_the_same() {
    if run(tool("curl").arg("--version")).contains("HTTP2") {
        Curl::speaking("--http2-prior-knowledge", "2").plays();
    }
}

struct Curl {
    platform: &'static Platform,
    flag: &'static str,
    version: &'static str,
    token: String,
}

struct Answer {
    status: u16,
    version: String,
    /// In lower case, as curl prints them.
    headers: String,
    json: Value,
}

impl Curl {
    fn speaking(flag: &'static str, version: &'static str) -> Self {
        let mut curl = Self { platform: Platform::shared(), flag, version, token: String::new() };
        let Platform { client_id, client_secret, .. } = curl.platform;
        let user = format!("{client_id}:{client_secret}");
        let form = ["-u", &user, "-d", "grant_type=client_credentials", "-d", "brand_id=loop"];
        let answer = curl.asks("/v1/oauth/token", &form);
        assert_eq!((answer.status, &answer.json["token_type"]), (200, &json!("Bearer")));
        curl.token = answer.json["access_token"].as_str().unwrap().to_owned();
        curl
    }

    fn plays(&self) {
        self.sees_the_patient();
        self.is_told_which_field_is_wrong();
        self.gets_the_first_answer_again();
        self.reads_every_page();
        self.is_refused_without_a_token();
        self.asks_for_the_head_alone();
    }

    fn sees_the_patient(&self) {
        let path = format!("/v1/patients/{}/safe", patient_graph::DEMO_PATIENT);
        let answer = self.asks(&path, &["--compressed"]);
        assert_eq!((answer.status, &answer.json["id"]), (200, &json!(patient_graph::DEMO_PATIENT)));
        assert_eq!(answer.version, self.version);
    }

    fn is_told_which_field_is_wrong(&self) {
        let mut report = report();
        report["biomarkers"][1]["value"] = json!("much");
        let answer = self.posts(&report, &format!("wrong-{}", self.version));
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!("validation_error")));
        let violation = &answer.json["details"][1]["field_violations"][0]["field"];
        assert_eq!(violation, "biomarkers[1].value", "{}", answer.json);
    }

    fn gets_the_first_answer_again(&self) {
        let key = format!("curl-{}-{}", self.version, std::process::id());
        let first = self.posts(&report(), &key);
        assert_eq!((first.status, &first.json["count"]), (200, &json!(3)), "{}", first.json);
        assert!(!first.headers.contains("idempotent-replayed"));
        let again = self.posts(&report(), &key);
        assert_eq!((again.status, again.json), (200, first.json));
        assert!(again.headers.contains("idempotent-replayed: true"), "{}", again.headers);
    }

    fn reads_every_page(&self) {
        let (mut ids, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!(
                "/v1/biomarkers?user_id={}&page_size=2&page_token={token}",
                identity::DEMO_USER
            );
            let mut json = self.asks(&path, &[]).json;
            ids.extend(
                json["biomarkers"].as_array_mut().unwrap().drain(..).map(|it| it["id"].to_string()),
            );
            let Some(next) = json["next_page_token"].as_str() else { break };
            token = next.to_owned();
        }
        let read = ids.len();
        ids.sort();
        ids.dedup();
        assert!(read >= 3 && ids.len() == read, "{read} biomarkers, {} of them once", ids.len());
    }

    fn is_refused_without_a_token(&self) {
        let answer = self.asks("/v1/biomarkers/me", &["-H", "Authorization: Bearer wrong"]);
        assert_eq!((answer.status, &answer.json["error"]), (401, &json!("invalid_token")));
        assert!(answer.headers.contains("www-authenticate: bearer"), "{}", answer.headers);
    }

    fn asks_for_the_head_alone(&self) {
        let answer = self.asks("/openapi.json", &["--head"]);
        assert_eq!((answer.status, answer.json), (200, Value::Null));
    }

    fn posts(&self, report: &Value, key: &str) -> Answer {
        let (body, key) = (report.to_string(), format!("Idempotency-Key: {key}"));
        let flags = ["--json", &body, "-H", &key];
        self.asks("/v1/biomarkers/parse", &flags)
    }

    fn asks(&self, path: &str, flags: &[&str]) -> Answer {
        let mut curl = tool("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            self.flag,
            "--dump-header",
            "-",
        ]);
        curl.args(["--write-out", "\n%{http_code} %{http_version}"]);
        let authorized = flags.iter().any(|it| *it == "-u" || it.starts_with("Authorization"));
        if !authorized {
            curl.args(["-H", &format!("Authorization: Bearer {}", self.token)]);
        }
        let told = run(curl.args(flags).arg(format!("{}{path}", self.platform.api)));
        let (rest, end) = told.rsplit_once('\n').unwrap();
        let (status, version) = end.split_once(' ').unwrap();
        let (headers, body) = rest.split_once("\r\n\r\n").unwrap();
        Answer {
            status: status.parse().unwrap(),
            version: version.to_owned(),
            headers: headers.to_ascii_lowercase(),
            json: serde_json::from_str(body.trim()).unwrap_or(Value::Null),
        }
    }
}

/// Three results that the platform knows.
fn report() -> Value {
    let result = |(code, value, unit): (&str, Value, &str)| {
        json!({"code": code, "name": code, "value": value, "unit": unit,
               "collected_at": "2026-04-28T09:30:00Z"})
    };
    let results = [
        ("albumin", json!(4.2), "g/dL"),
        ("glucose", json!("91.25"), "mg/dL"),
        ("creatinine", json!(0.9), "mg/dL"),
    ];
    json!({"patient_id": patient_graph::DEMO_PATIENT, "brand_id": "loop", "source": "labcorp",
           "biomarkers": results.map(result)})
}
