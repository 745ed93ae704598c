//! A browser that keeps cookies and follows nothing.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use mesh::App;
use tonic::body::Body;
use tower::ServiceExt as _;

pub struct Browser {
    app: App,
    pub cookies: BTreeMap<String, String>,
    /// Sent with every form.
    pub form_headers: Vec<(&'static str, &'static str)>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Browser {
    pub fn new(app: App) -> Self {
        let form_headers = vec![("sec-fetch-site", "same-origin"), ("origin", "null")];
        Self { app, cookies: BTreeMap::new(), form_headers }
    }

    pub async fn get(&mut self, address: &str) -> Page {
        self.send(Request::get(address), String::new()).await
    }

    pub async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::post(address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in &self.form_headers {
            request = request.header(*name, *value);
        }
        self.send(request, form).await
    }

    async fn send(&mut self, mut request: axum::http::request::Builder, body: String) -> Page {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, it)| format!("{name}={it}")).collect();
        request = request.header(header::COOKIE, cookies.join("; "));
        let request = request.body(Body::new(axum::body::Body::from(body))).unwrap();
        let (head, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        for line in head.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0;") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.into(), value.into()),
            };
        }
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Page { status: head.status, headers: head.headers, body }
    }
}

impl Page {
    /// Where a 303 leads.
    pub fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// A parameter of the address that a 303 leads to.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let query = self.location().split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|it| it.0 == name).map(|it| it.1.into())
    }

    /// The hidden field of the page's form.
    pub fn form_token(&self) -> &str {
        let rest = self.body.split_once("name=\"form_token\" value=\"").expect("a form").1;
        rest.split_once('"').unwrap().0
    }
}
