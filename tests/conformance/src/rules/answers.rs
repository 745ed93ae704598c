//! Every answer of the edge can be referred to, and every error has the documented form.

use http::{HeaderMap, HeaderValue, Method as Verb};

use crate::{Answer, Breach, Case, House, Sent, Surface, route::Worded, rules::Findings};

pub const NAME: &str = "answers";

#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The id that the caller sent along.
    pub request_id: &'a str,
    /// Whether errors are those of RFC 6749.
    pub oauth: bool,
    pub answer: &'a Answer,
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let Observation { request_id, oauth, answer } = observation;
    let told = answer.header("x-request-id");
    Breach::unless(told == *request_id, format!("x-request-id: {request_id}"), told)?;
    if answer.is_success() {
        return Ok(());
    }
    let json = answer.json();
    let has = |name: &str| json[name].as_str().is_some_and(|it| !it.is_empty());
    let formed = match oauth {
        true => has("error") && json.get("message").is_none(),
        false => {
            ["error", "message", "error_description"].into_iter().all(has)
                && json["request_id"] == **request_id
        }
    };
    let expected = match oauth {
        true => "{error, error_description} and no more",
        false => "{error, message, error_description, request_id, …}",
    };
    Breach::unless(formed, expected, answer.brief())
}

pub async fn walk(house: &House) -> Findings {
    let mut findings = Findings::of(NAME);
    for case in house.cases() {
        let oauth = case.method.http.oauth_errors;
        for (sent, worded) in requests(house, case).await {
            let checked = observe(house, worded, &sent.headers, oauth).await;
            findings.case(case, Surface::Http, checked);
        }
    }
    for worded in astray(house) {
        let target = format!("{} {}", worded.verb, worded.target);
        let checked = observe(house, worded, &HeaderMap::new(), false).await;
        findings.part(target, checked);
    }
    findings
}

async fn observe(
    house: &House,
    worded: Worded,
    headers: &HeaderMap,
    oauth: bool,
) -> Result<(), Breach> {
    let request_id = house.unique("conformance-answer-");
    let mut headers = headers.clone();
    let value = HeaderValue::from_str(&request_id).expect("it is harmless");
    headers.insert("x-request-id", value);
    let answer = house.send_worded(worded, &headers).await;
    check(&Observation { request_id: &request_id, oauth, answer: &answer })
}

/// Requests for what is not there, and in ways that are not served.
fn astray(house: &House) -> Vec<Worded> {
    let nothing = |verb, target: &str| Worded {
        verb,
        target: target.into(),
        content_type: None,
        body: Vec::new(),
    };
    let routes = house.cases().filter_map(|it| it.route.as_ref()?.word(it.example.as_ref()?));
    let mut all: Vec<_> = routes.map(|it| nothing(Verb::PUT, &it.target)).collect();
    all.push(nothing(Verb::GET, "/v1/no-such-thing"));
    all.push(nothing(Verb::PUT, "/v1/no/such/thing"));
    all
}

/// Calls that succeed, that lack a token, and that hold nonsense.
async fn requests(house: &House, case: &Case) -> Vec<(Sent, Worded)> {
    let Some(route) = &case.route else { return Vec::new() };
    let Some(valid) = house.valid(case).await else { return Vec::new() };
    let Some(worded) = route.word(&valid.message) else { return Vec::new() };
    let stranger = Sent::new(valid.message.clone());
    let nonsense = Worded { body: b"{nonsense".to_vec(), ..worded.clone() };
    let forged = stranger.clone().bearer(&house.tokens.forge());
    vec![
        (valid.clone(), worded.clone()),
        (valid, nonsense),
        (stranger, worded.clone()),
        (forged, worded),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn an_error_has_the_documented_members_and_no_others_for_oauth() {
        let observe = |body: &str, oauth| {
            let mut answer = answer(400, body);
            answer.headers.insert("x-request-id", HeaderValue::from_static("req-1"));
            check(&Observation { request_id: "req-1", oauth, answer: &answer })
        };
        let full = r#"{"error":"a","message":"b","error_description":"b","request_id":"req-1"}"#;
        assert!(observe(full, false).is_ok());
        assert!(observe(full, true).is_err());
        assert!(observe(r#"{"error":"invalid_request"}"#, true).is_ok());
        assert!(observe(r#"{"error":"a","message":"b"}"#, false).is_err());
        assert!(observe("oops", false).is_err());
    }
}
