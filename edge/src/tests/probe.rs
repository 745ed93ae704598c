//! A service of every shape, on raw frames: it reads and writes messages by their descriptors.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use contract::Package;
use futures::stream::unfold;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use kit::Error;
use kit_test::{Grant, contract};
use mesh::App;
use serde_json::{Value, json};
use tonic::{Status, body::Body};
use tower::util::BoxCloneSyncService;
use transcode::{Api, Style, Unknown};

use super::door::{Door, Setting};
use crate::grpc::{Deframer, flagged, frame};

pub static CONTRACT: LazyLock<&'static Package> = LazyLock::new(|| {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests");
    contract(&here, "probe.proto")
});

static API: LazyLock<Api> = LazyLock::new(|| {
    let pool = registry::merge(&[CONTRACT.descriptors]).expect("the contract loads");
    Api::build(&pool).expect("the contract can be served")
});

/// The service, and how many of its calls were dropped before they had ended.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    gone: Arc<AtomicUsize>,
}

/// Counts a call that ends before its last frame.
struct Unfinished(Arc<AtomicUsize>, bool);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Where the answers of a call come from.
enum Answers {
    Ready(VecDeque<Value>, End),
    /// One for each message, as it comes.
    Each(Messages),
}

/// How a call ends after its last answer.
#[derive(Clone, Debug)]
enum End {
    Done,
    Fails,
    Hangs,
}

/// The messages of a request, as JSON.
struct Messages {
    body: Body,
    deframer: Deframer,
    kind: &'static str,
}

/// A gateway before the probe.
pub async fn open() -> (Door, Probe) {
    open_with(Setting::new()).await
}

pub async fn open_with(setting: Setting) -> (Door, Probe) {
    let probe = Probe::default();
    setting.mesh.add_local("probe", probe.app());
    (open_as(setting).await, probe)
}

/// A gateway before a probe that lives elsewhere.
pub async fn open_at(setting: Setting, address: &http::Uri) -> Door {
    setting.mesh.add_remote("probe", address).unwrap();
    open_as(setting).await
}

async fn open_as(setting: Setting) -> Door {
    let parts = setting.try_parts_of(&[*CONTRACT, &identity_contract::v1::PACKAGE]).unwrap();
    setting.open_as(Arc::new(parts)).await
}

impl Door {
    /// The token of a person who may do all that the probe can.
    pub fn prober(&self) -> String {
        self.identity.issue(Grant::user("usr_1", "loop", &["read:probe", "write:probe"]))
    }
}

/// The wire bytes of a message of the probe's contract.
pub fn wire(kind: &str, json: &Value) -> Vec<u8> {
    let message = API.message(&format!("loop.probe.v1.{kind}")).expect("a message of the probe");
    message.to_wire(json.to_string().as_bytes(), Style::Rest, Unknown::Reject).unwrap()
}

/// The JSON of a message of the probe's contract.
pub fn json_of(kind: &str, wire: &[u8]) -> Value {
    let message = API.message(&format!("loop.probe.v1.{kind}")).expect("a message of the probe");
    serde_json::from_slice(&message.to_json(wire, Style::Rest).unwrap()).unwrap()
}

impl Probe {
    /// How many calls the other side gave up.
    pub fn gone(&self) -> usize {
        self.gone.load(Ordering::SeqCst)
    }

    pub fn app(&self) -> App {
        let probe = self.clone();
        BoxCloneSyncService::new(tower::service_fn(move |request| {
            let probe = probe.clone();
            async move { Ok(probe.answer(request).await.unwrap_or_else(Status::into_http)) }
        }))
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (head, body) = request.into_parts();
        let method = head.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
        let plan = API.method(head.uri.path()).expect("a method of the probe");
        let tells = method.starts_with("Tell");
        let kind = |name: &str| {
            let short = name.strip_prefix("loop.probe.v1.").map(str::to_owned);
            &*short.unwrap_or_else(|| name.to_owned()).leak()
        };
        let input = kind(plan.input().full_name());
        let mut messages = Messages { body, deframer: Deframer::new(1 << 20), kind: input };
        let answers = match &*method {
            "Chat" => Answers::Each(messages),
            "Collect" | "Upload" => {
                let mut all = Vec::new();
                while let Some(message) = messages.next().await? {
                    all.push(message);
                }
                Answers::Ready([collected(&all)].into(), End::Done)
            }
            _ => {
                let message =
                    messages.next().await?.ok_or_else(|| Status::internal("no message"))?;
                let decided = decide(&method, &message);
                match decided {
                    Ok(Answers::Ready(answers, end)) if tells => Answers::Ready(
                        answers.into_iter().map(|it| told(it, &head.headers)).collect(),
                        end,
                    ),
                    Err(mut failure) if tells => {
                        for name in ["x-told", "x-hidden"] {
                            failure.metadata_mut().insert(name, "no".parse().unwrap());
                        }
                        return Err(failure);
                    }
                    decided => decided?,
                }
            }
        };
        let unfinished = Unfinished(self.gone.clone(), false);
        let state = (answers, kind(plan.output().full_name()), unfinished, false);
        let frames = unfold(state, move |(mut answers, kind, mut unfinished, ended)| async move {
            if ended {
                return None;
            }
            let (mut frame, ended) = answers.frame(kind).await;
            if let Some(trailers) = frame.trailers_mut().filter(|_| tells) {
                trailers.insert("x-last", HeaderValue::from_static("bye"));
                trailers.insert("x-hidden", HeaderValue::from_static("yes"));
            }
            unfinished.1 = ended;
            Some((Ok::<_, Status>(frame), (answers, kind, unfinished, ended)))
        });
        let mut response = Response::new(Body::new(StreamBody::new(frames)));
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("loop-secret", HeaderValue::from_static("inside"));
        if tells {
            headers.insert("x-told", HeaderValue::from_static("yes"));
            headers.insert("x-told-bin", HeaderValue::from_static("YQ"));
            headers.insert("x-hidden", HeaderValue::from_static("yes"));
        }
        if ["Change", "Replace", "Reveal"].contains(&&*method) {
            let receipt = HeaderValue::from_static("0197a5d0-0000-7000-8000-000000000001");
            headers.insert(kit::RECEIPT, receipt);
        }
        Ok(response)
    }
}

/// An answer whose room is the metadata of the request.
fn told(mut answer: Value, headers: &HeaderMap) -> Value {
    let seen = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-"));
    let seen = seen.filter(|(name, _)| !name.as_str().starts_with("x-forwarded"));
    let mut seen: Vec<_> =
        seen.map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    seen.retain(|it| !it.starts_with("x-request-id"));
    answer["room"] = seen.join(" ").into();
    answer
}

/// What a call of one message is answered.
fn decide(method: &str, message: &Value) -> Result<Answers, Status> {
    let text = message["text"].as_str().unwrap_or_default();
    let one = |answer| Ok(Answers::Ready([answer].into(), End::Done));
    match method {
        "Watch" if text == "refuse" => Err(missing()),
        "Watch" => {
            let count = message["count"].as_i64().unwrap_or_default();
            let end = match (message["fails"] == true, message["hangs"] == true) {
                (true, _) => End::Fails,
                (_, true) => End::Hangs,
                _ => End::Done,
            };
            let answers = (0..count).map(|it| json!({"text": text, "count": it}));
            Ok(Answers::Ready(answers.collect(), end))
        }
        "Download" => {
            let piece = |text: &str| json!({"content_type": "text/csv", "data": base64(text)});
            Ok(Answers::Ready([piece("a,b\n"), piece("1,2\n")].into(), End::Done))
        }
        "GetThing" if message["id"] == "missing" => Err(missing()),
        "GetThing" => {
            let etag = match message["id"].as_str() {
                Some("bare") => "7",
                Some("weak") => "W/\"7\"",
                Some("odd") => "a \"b",
                _ => "\"7\"",
            };
            // Long enough to be coded.
            let name = if message["id"] == "long" { "n".repeat(2000) } else { "Thing".to_owned() };
            one(json!({"id": message["id"], "name": name, "etag": etag}))
        }
        "Replace" => one(message["thing"].clone()),
        "Import" => one(message.clone()),
        "Store" => one(collected(std::slice::from_ref(message))),
        "Change" if message["etag"].as_str().is_some_and(|it| !it.is_empty() && it != "\"7\"") => {
            Err(Error::precondition("ETAG_STALE", "the thing has changed").into())
        }
        "Change" if message["id"] == "aborted" => {
            Err(Error::new(tonic::Code::Aborted, "ETAG_STALE", "the thing has changed").into())
        }
        "Change" => {
            let mut thing = message["thing"].clone();
            thing["id"] = message["id"].clone();
            one(json!({
                "thing": thing, "update_mask": message["update_mask"], "etag": message["etag"],
            }))
        }
        _ if text == "missing" => Err(missing()),
        _ => one(json!({"text": text, "room": message["room"], "count": 1})),
    }
}

fn collected(all: &[Value]) -> Value {
    let text: String = all
        .iter()
        .map(|it| match it["file"]["data"].as_str() {
            Some(data) => data.to_owned(),
            None => it["text"].as_str().unwrap_or_default().to_owned(),
        })
        .collect();
    let first = all.first().cloned().unwrap_or_default();
    let room = first["id"].as_str().or(first["room"].as_str()).unwrap_or_default();
    let tags = first["tags"].as_array().into_iter().flatten();
    let said = tags.chain([&first["etag"], &first["file"]["content_type"]]);
    let said: Vec<_> = [room].into_iter().chain(said.filter_map(Value::as_str)).collect();
    let room = said.join(" ").trim().to_owned();
    json!({"text": text, "room": room, "count": all.len()})
}

fn missing() -> Status {
    Error::not_found("THING_NOT_FOUND", "no such thing").with("thing", "probe").into()
}

pub fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

impl Answers {
    /// The next frame, and whether it is the last.
    async fn frame(&mut self, kind: &str) -> (Frame<Bytes>, bool) {
        let next = match self {
            Self::Ready(answers, end) => match (answers.pop_front(), end) {
                (Some(answer), _) => Ok(Some(answer)),
                (None, End::Done) => Ok(None),
                (None, End::Fails) => Err(missing()),
                (None, End::Hangs) => std::future::pending().await,
            },
            Self::Each(messages) => match messages.next().await {
                Ok(Some(message)) if message["text"] == "missing" => Err(missing()),
                message => message,
            },
        };
        match next {
            Ok(Some(answer)) if kind == "google.api.HttpBody" => {
                let message = API.message(kind).expect("it is imported");
                let json = answer.to_string();
                let wire = message.to_wire(json.as_bytes(), Style::Rest, Unknown::Reject);
                (Frame::data(frame(&wire.unwrap())), false)
            }
            Ok(Some(answer)) => (Frame::data(frame(&wire(kind, &answer))), false),
            Ok(None) => (Frame::trailers(trailers(&Status::ok(""))), true),
            Err(status) => (Frame::trailers(trailers(&status)), true),
        }
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    trailers
}

impl Messages {
    async fn next(&mut self) -> Result<Option<Value>, Status> {
        loop {
            if let Some(frame) = self.deframer.next().map_err(|_| Status::internal("too large"))? {
                return Ok(Some(json_of(self.kind, &frame.message)));
            }
            match self.body.frame().await {
                Some(frame) => self.deframer.feed(frame?.into_data().unwrap_or_default()),
                None => return Ok(None),
            }
        }
    }
}

/// The messages of an enveloped body, with their flags.
pub fn envelopes(body: Bytes) -> Vec<(u8, Bytes)> {
    let mut deframer = Deframer::new(1 << 20);
    deframer.feed(body);
    let mut found = Vec::new();
    while let Some(frame) = deframer.next().unwrap() {
        found.push((frame.flags, frame.message));
    }
    assert!(deframer.is_empty(), "a frame is cut off");
    found
}

/// An enveloped message.
pub fn envelope(json: &Value) -> Vec<u8> {
    flagged(0, json.to_string().as_bytes()).to_vec()
}
