//! A plain HTTP client that shows what it sends and what comes back.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

/// A client that follows no redirect and takes every status for an answer.
pub struct Client {
    api: String,
    agent: ureq::Agent,
    pub cookies: BTreeMap<String, String>,
}

/// One answer.
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A string of the JSON body.
    pub fn text_at(&self, pointer: &str) -> anyhow::Result<String> {
        let json = self.json();
        let value = json.pointer(pointer).and_then(Value::as_str);
        value
            .map(str::to_owned)
            .with_context(|| format!("the answer has no {pointer}: {}", self.text))
    }
}

impl Client {
    pub fn new(api: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(std::time::Duration::from_secs(20)))
            .build();
        Self { api: api.to_owned(), agent: config.into(), cookies: BTreeMap::new() }
    }

    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.send("GET", path, headers, "")
    }

    pub fn delete(&mut self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.send("DELETE", path, headers, "")
    }

    pub fn post_json(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.send("POST", path, &headers, &body.to_string())
    }

    pub fn post_form(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [headers, &[("content-type", "application/x-www-form-urlencoded")]].concat();
        self.send("POST", path, &headers, &body)
    }

    /// `path` is of the API, or a URL of it.
    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> anyhow::Result<Answer> {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.api) };
        let mut request = http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let request = request.body(body.to_owned())?;
        let mut response = self.agent.run(request).with_context(|| format!("{method} {url}"))?;
        for cookie in response.headers().get_all("set-cookie") {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.to_owned());
            }
        }
        let location =
            response.headers().get("location").and_then(|it| Some(it.to_str().ok()?.to_owned()));
        let status = response.status().as_u16();
        Ok(Answer { status, location, text: response.body_mut().read_to_string()? })
    }
}
