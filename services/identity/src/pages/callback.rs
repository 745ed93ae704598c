//! Where the demo's sign-in ends: says what an app would do now. Only where there is a demo.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use oauth_core::{Kind, Token};

use super::{
    Pages,
    html::{STYLE, Stop, page, problem},
    sign_out,
};
use crate::seed::demo_exchange;

pub const PATH: &str = "/callback";

#[derive(Template)]
#[template(path = "callback.html")]
struct Callback {
    style: &'static str,
    command: String,
    sign_out: String,
}

pub async fn show(State(pages): State<Pages>, RawQuery(query): RawQuery) -> Result<Response, Stop> {
    let query = query.unwrap_or_default();
    let code = form_urlencoded::parse(query.as_bytes()).find(|it| it.0 == "code").map(|it| it.1);
    // What is no code of ours is not shown: it would stand in a command that people copy.
    let code = code.filter(|it| Token::parse(Kind::AuthorizationCode, it).is_ok());
    match code.filter(|_| pages.platform.demo_data) {
        Some(code) => {
            let command = demo_exchange(&pages.platform.public_url, &code);
            let sign_out = pages.link(sign_out::PATH);
            Ok(page(StatusCode::OK, &Callback { style: STYLE, command, sign_out }, None))
        }
        None => Err(problem(
            StatusCode::BAD_REQUEST,
            "Nobody was let in",
            "No code came back: the request was refused, or this page was opened by itself.",
        )),
    }
}
