//! JSON over HTTP: path, query and body become one message, the answer JSON.

use http::{Response, header};
use http_body_util::Full;
use tonic::{Status, body::Body};
use transcode::{Match, ResponseError};

use super::{Ongoing, Preference, events, metadata, pass_back, put, uplink, upload::Upload};
use crate::grpc;

pub(crate) async fn call(ongoing: Ongoing, body: Body) -> Result<Response<Body>, Status> {
    let plan = ongoing.called().plan;
    let preference = ongoing.preference()?;
    if plan.is_client_streaming() {
        return upload(ongoing, body, preference).await;
    }
    let body = ongoing.read(body).await?;
    let message = message(&ongoing, &body)?;
    let answer = ongoing.send(&message).await?;
    if plan.is_server_streaming() {
        return events::respond(ongoing, answer, preference).await;
    }
    let answer = grpc::Answer::read(answer).await?;
    respond(route(&ongoing), preference, &answer)
}

/// A stream of messages in the body. What is wrong with one of them is told before what became of
/// the call.
async fn upload(
    ongoing: Ongoing,
    body: Body,
    preference: Preference,
) -> Result<Response<Body>, Status> {
    let (body, fault) = uplink::body(Upload::new(&ongoing, body)?);
    let answer = ongoing.send_body(body).await.map_err(|it| fault.or(it))?;
    if ongoing.called().plan.is_server_streaming() {
        return events::respond(ongoing, answer, preference).await.map_err(|it| fault.or(it));
    }
    let answer = grpc::Answer::read(answer).await.map_err(|it| fault.or(it))?;
    respond(route(&ongoing), preference, &answer)
}

/// The route of a call that has one.
pub(crate) fn route(ongoing: &Ongoing) -> &Match<'static> {
    ongoing.called().protocol.route().expect("REST calls have a route")
}

pub(crate) fn message(ongoing: &Ongoing, body: &[u8]) -> Result<Vec<u8>, Status> {
    let head = &ongoing.head;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map(|it| it.to_str().unwrap_or_default());
    route(ongoing)
        .request(head.uri.query(), content_type, body, ongoing.parts.config.style)
        .map_err(|error| grpc::status(&(&error).into()))
}

fn respond(
    route: &Match<'_>,
    preference: Preference,
    answer: &grpc::Answer,
) -> Result<Response<Body>, Status> {
    let worded =
        route.response(&answer.message, preference.print).map_err(|it| no_json(route, &it))?;
    let mut response = Response::new(Body::new(Full::from(worded.body)));
    *response.status_mut() = worded.status;
    if let Some(content_type) = worded.content_type {
        put(response.headers_mut(), header::CONTENT_TYPE, &content_type);
    }
    if !route.answers_http_body() {
        preference.tell(response.headers_mut());
    }
    let metadata = route.method().metadata();
    pass_back(metadata, &answer.headers, &mut response);
    metadata::pass_back(metadata, &answer.trailers, response.headers_mut());
    Ok(response)
}

/// A message that a service sent and that has no JSON form: ours to mend, so it is logged.
pub(crate) fn no_json(route: &Match<'_>, error: &ResponseError) -> Status {
    tracing::error!(method = route.method().grpc_path(), cause = %error, "no JSON");
    grpc::status(&error.into())
}
