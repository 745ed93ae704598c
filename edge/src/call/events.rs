//! A stream of answers over HTTP: Server-Sent Events, JSON lines or one JSON array, by `Accept`.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Status, body::Body};
use transcode::PrintOptions;

use super::{Ongoing, Preference, pass_back, rest, shutting_down, too_late};
use crate::{accept, grpc::Messages, layers::wording};

/// How long an answer's status waits for the first message, so that a call that fails at once
/// gets the status of its failure.
const HELD: Duration = Duration::from_millis(250);

/// How long a stream of events may be silent: shorter than the minute after which proxies
/// give up.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How messages stand in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `[`, messages and commas, `]`.
    Array,
    /// A line each. <https://github.com/ndjson/ndjson-spec>
    Lines,
    /// An event each. <https://html.spec.whatwg.org/multipage/server-sent-events.html>
    Events,
    /// The bytes of `google.api.HttpBody`, one after the other.
    Raw,
}

/// A stream that is being sent.
struct Sending {
    ongoing: Ongoing,
    messages: Messages,
    print: PrintOptions,
    form: Form,
    /// The message that came while the status was held.
    first: Option<Bytes>,
    sent: usize,
    ended: bool,
    until: Instant,
}

/// Begins to send what a service streams. Fails where the service fails before any message.
pub(crate) async fn respond(
    ongoing: Ongoing,
    answer: Response<Body>,
    preference: Preference,
) -> Result<Response<Body>, Status> {
    let mut messages = Messages::open(answer)?;
    // A read that is given up loses nothing: what has come stays in `messages`.
    let (first, ended) = match timeout(HELD, messages.next()).await {
        Ok(first) => {
            let first = first?;
            let ended = first.is_none();
            (first, ended)
        }
        Err(_) => (None, false),
    };
    let route = rest::route(&ongoing);
    let is_raw = route.answers_http_body();
    let form = match is_raw {
        true => Form::Raw,
        false => Form::chosen(&ongoing),
    };
    let content_type = match form {
        Form::Raw => raw_type(&ongoing, first.as_deref())?,
        form => HeaderValue::from_static(form.content_type()),
    };
    let (metadata, headers) = (ongoing.metadata(), messages.headers.clone());
    let until = ongoing.deadline();
    let print = preference.print;
    let sending = Sending { ongoing, messages, print, form, first, sent: 0, ended, until };
    let mut response = Response::new(sending.body());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if form == Form::Events {
        // nginx holds back what it proxies unless it is told otherwise.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    if !is_raw {
        preference.tell(response.headers_mut());
    }
    pass_back(metadata, &headers, &mut response);
    Ok(response)
}

fn raw_type(ongoing: &Ongoing, first: Option<&[u8]>) -> Result<HeaderValue, Status> {
    let route = rest::route(ongoing);
    let chunk = first.map(|it| route.chunk(it)).transpose();
    let chunk = chunk.map_err(|it| rest::no_json(route, &it))?.flatten();
    let told = chunk.and_then(|it| it.content_type);
    let value = told.and_then(|it| HeaderValue::from_str(it).ok());
    Ok(value.unwrap_or(HeaderValue::from_static("application/octet-stream")))
}

impl Form {
    const OFFERS: [Self; 3] = [Self::Array, Self::Lines, Self::Events];

    /// What the caller likes best; a JSON array, which any client reads, if nothing is said.
    fn chosen(ongoing: &Ongoing) -> Self {
        let offers = Self::OFFERS.map(Self::content_type);
        accept::best(&ongoing.head.headers, &offers).map_or(Self::Array, |it| Self::OFFERS[it])
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Array => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
            Self::Raw => "application/octet-stream",
        }
    }

    fn before(self, sent: usize) -> &'static [u8] {
        match (self, sent) {
            (Self::Array, 0) => b"[",
            (Self::Array, _) => b",",
            (Self::Events, _) => b"data: ",
            _ => b"",
        }
    }

    fn after(self) -> &'static [u8] {
        match self {
            Self::Events => b"\n\n",
            Self::Lines => b"\n",
            _ => b"",
        }
    }

    /// What tells that all has been sent. Without it a browser would ask for the events anew.
    fn end(self, sent: usize) -> &'static [u8] {
        match (self, sent) {
            (Self::Array, 0) => b"[]",
            (Self::Array, _) => b"]",
            (Self::Events, _) => b"event: end\ndata: {}\n\n",
            _ => b"",
        }
    }

    /// A failure after the first message: the status line is gone, so it stands in the body.
    fn failure(self, sent: usize, error: &[u8]) -> Vec<u8> {
        match self {
            Self::Events => [b"event: error\ndata: ", error, b"\n\n"].concat(),
            _ => [self.before(sent), error, self.after(), self.close()].concat(),
        }
    }

    fn close(self) -> &'static [u8] {
        if self == Self::Array { b"]" } else { b"" }
    }
}

impl Sending {
    fn body(self) -> Body {
        let pieces = futures::stream::unfold(self, |mut sending| async move {
            let piece = sending.piece().await?;
            Some((piece.map(Frame::data), sending))
        });
        Body::new(StreamBody::new(pieces))
    }

    /// The next bytes of the body. An error breaks the connection off.
    async fn piece(&mut self) -> Option<Result<Bytes, Status>> {
        if let Some(first) = self.first.take() {
            return Some(self.worded(first));
        }
        if self.ended {
            return self.close();
        }
        let closing = self.ongoing.parts.closing.clone();
        loop {
            let wake = self.until.min(Instant::now() + HEARTBEAT);
            let next = tokio::select! {
                () = closing.cancelled() => return Some(self.failed(&shutting_down())),
                next = timeout_at(wake, self.messages.next()) => next,
            };
            match next {
                Ok(Ok(Some(message))) => return Some(self.worded(message)),
                Ok(Ok(None)) => {
                    self.ended = true;
                    return self.close();
                }
                Ok(Err(failure)) => return Some(self.failed(&failure)),
                Err(_) if self.until <= wake => return Some(self.failed(&too_late())),
                Err(_) if self.form == Form::Events => return Some(Ok(": \n\n".into())),
                Err(_) => {}
            }
        }
    }

    fn worded(&mut self, message: Bytes) -> Result<Bytes, Status> {
        let route = rest::route(&self.ongoing);
        if self.form == Form::Raw {
            let chunk = route.chunk(&message).map_err(|it| rest::no_json(route, &it))?;
            return Ok(message.slice_ref(chunk.map_or(b"", |it| it.data)));
        }
        let mut out = Vec::with_capacity(2 * message.len() + 16);
        out.extend_from_slice(self.form.before(self.sent));
        if let Err(error) = route.element(&message, self.print, &mut out) {
            let failure = rest::no_json(route, &error);
            return self.failed(&failure);
        }
        out.extend_from_slice(self.form.after());
        self.sent += 1;
        Ok(out.into())
    }

    /// What ends the body: once.
    fn close(&mut self) -> Option<Result<Bytes, Status>> {
        let end = std::mem::replace(&mut self.form, Form::Raw).end(self.sent);
        (!end.is_empty()).then(|| Ok(Bytes::from_static(end)))
    }

    fn failed(&mut self, failure: &Status) -> Result<Bytes, Status> {
        let form = std::mem::replace(&mut self.form, Form::Raw);
        self.ended = true;
        if form == Form::Raw {
            return Err(failure.clone()); // Raw bytes have no place for an error.
        }
        let Ongoing { parts, record, .. } = &self.ongoing;
        let error = wording::platform(parts, record, failure).body;
        Ok(form.failure(self.sent, &error).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(form: Form, messages: &[&str], error: Option<&str>) -> String {
        let mut body = Vec::new();
        for (sent, message) in messages.iter().enumerate() {
            body.extend_from_slice(form.before(sent));
            body.extend_from_slice(message.as_bytes());
            body.extend_from_slice(form.after());
        }
        match error {
            Some(error) => body.extend(form.failure(messages.len(), error.as_bytes())),
            None => body.extend_from_slice(form.end(messages.len())),
        }
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn each_form_is_whole_however_many_messages_there_are() {
        assert_eq!(body(Form::Array, &[], None), "[]");
        assert_eq!(body(Form::Array, &["{}", "1"], None), "[{},1]");
        assert_eq!(body(Form::Lines, &["{}", "1"], None), "{}\n1\n");
        assert_eq!(body(Form::Events, &["{}"], None), "data: {}\n\nevent: end\ndata: {}\n\n");
    }

    #[test]
    fn an_error_is_the_last_of_its_form() {
        assert_eq!(body(Form::Array, &[], Some("{e}")), "[{e}]");
        assert_eq!(body(Form::Array, &["{}"], Some("{e}")), "[{},{e}]");
        assert_eq!(body(Form::Lines, &["{}"], Some("{e}")), "{}\n{e}\n");
        assert_eq!(body(Form::Events, &[], Some("{e}")), "event: error\ndata: {e}\n\n");
    }
}
