//! JSON over HTTP: path, query and body become one message, the answer JSON.

use http::{HeaderValue, Response, header};
use http_body_util::Full;
use kit::Error;
use tonic::{Status, body::Body};
use transcode::{Match, ResponseError};

use super::{
    Ongoing, Preference, conditional, events, metadata, multipart, pass_back, put, raw,
    uplink::{self, Fault},
    upload::Upload,
};
use crate::{grpc, layers::coding::Coding};

/// As many headers as an answer mostly has.
const HEADERS: usize = 12;

pub(crate) async fn call(ongoing: Ongoing, body: Body) -> Result<Response<Body>, Status> {
    let preference = ongoing.preference()?;
    let streams_up = ongoing.called().plan.is_client_streaming();
    match (streams_up, route(&ongoing).takes_http_body()) {
        (false, false) => {
            let message = whole(&ongoing, body).await?;
            let answer = ongoing.send(&message).await?;
            answered(ongoing, answer, preference).await
        }
        (false, true) => {
            let (body, fault) = Box::pin(raw::whole(&ongoing, body)).await?;
            Box::pin(send(ongoing, body, fault, preference)).await
        }
        (true, is_raw) => {
            check_uncoded(&ongoing)?;
            let (body, fault) = match is_raw {
                true => raw::pieces(&ongoing, body)?,
                false => uplink::body(Upload::new(&ongoing, body)?),
            };
            Box::pin(send(ongoing, body, fault, preference)).await
        }
    }
}

/// The one message of a body that is no stream.
async fn whole(ongoing: &Ongoing, body: Body) -> Result<Vec<u8>, Status> {
    let body = ongoing.read(body).await?;
    let mut message = match multipart::boundary(ongoing)? {
        Some(boundary) => Box::pin(multipart::message(ongoing, body, boundary)).await?,
        None => message(ongoing, &body)?,
    };
    if let Some(etag) = conditional::required(ongoing)? {
        conditional::require(route(ongoing), &mut message, &etag)?;
    }
    Ok(message)
}

/// Sends what still comes. What is wrong with it is told before what became of the call.
async fn send(
    ongoing: Ongoing,
    body: Body,
    fault: Fault,
    preference: Preference,
) -> Result<Response<Body>, Status> {
    let answer = ongoing.send_body(body).await.map_err(|it| fault.or(it))?;
    answered(ongoing, answer, preference).await.map_err(|it| fault.or(it))
}

async fn answered(
    ongoing: Ongoing,
    answer: Response<Body>,
    preference: Preference,
) -> Result<Response<Body>, Status> {
    if ongoing.called().plan.is_server_streaming() {
        return Box::pin(events::respond(ongoing, answer, preference)).await;
    }
    respond(&ongoing, &grpc::Answer::read(answer).await?, preference)
}

/// What is coded is restored as a whole, so that it cannot be a stream.
fn check_uncoded(ongoing: &Ongoing) -> Result<(), Error> {
    match Coding::of(&ongoing.head.headers)? {
        None => Ok(()),
        Some(_) => {
            let rule = "must be identity for a stream";
            Err(Error::invalid("CONTENT_ENCODING", "content-encoding", rule))
        }
    }
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
    ongoing: &Ongoing,
    answer: &grpc::Answer,
    preference: Preference,
) -> Result<Response<Body>, Status> {
    let mut response = match conditional::declared(ongoing, &answer.message) {
        // Whoever has it already needs no words.
        Some(etag) => match conditional::unchanged(ongoing, Some(&etag))? {
            Some(unchanged) => unchanged,
            None => tagged(worded(ongoing, &answer.message, preference)?, Some(etag)),
        },
        None => {
            let words = worded(ongoing, &answer.message, preference)?;
            let etag = conditional::computed(ongoing, &words.body);
            match conditional::unchanged(ongoing, etag.as_ref())? {
                Some(unchanged) => unchanged,
                None => tagged(words, etag),
            }
        }
    };
    if !route(ongoing).answers_http_body() {
        preference.tell(response.headers_mut());
    }
    let metadata = ongoing.metadata();
    pass_back(metadata, &answer.headers, &mut response);
    metadata::pass_back(metadata, &answer.trailers, response.headers_mut());
    Ok(response)
}

fn worded(
    ongoing: &Ongoing,
    message: &[u8],
    preference: Preference,
) -> Result<transcode::Response, Status> {
    let route = route(ongoing);
    route.response(message, preference.print).map_err(|it| no_json(route, &it))
}

fn tagged(words: transcode::Response, etag: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(words.body)));
    *response.status_mut() = words.status;
    response.headers_mut().reserve(HEADERS);
    if let Some(content_type) = words.content_type {
        put(response.headers_mut(), header::CONTENT_TYPE, &content_type);
    }
    if let Some(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// A message that a service sent and that has no JSON form: ours to mend, so it is logged.
pub(crate) fn no_json(route: &Match<'_>, error: &ResponseError) -> Status {
    tracing::error!(method = route.method().grpc_path(), cause = %error, "no JSON");
    grpc::status(&error.into())
}
