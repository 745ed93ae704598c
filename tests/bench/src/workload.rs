//! What is asked of every peer, what reaches the upstream, and what comes back.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Method, StatusCode};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    contract::SERVICE,
    sample::{Biomarker, Biomarkers, Create, Dialect, Get, Ingested, List, MANY, json_of_many},
};

/// One kind of request.
#[derive(Clone, Debug)]
pub struct Workload {
    /// As tables and progress lines name it.
    pub name: &'static str,
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The JSON that is sent; empty where nothing is.
    pub body: Text,
    /// The gRPC path of the call that it becomes.
    pub call: String,
    pub sent: Sent,
    pub answer: Answer,
    /// The status of the HTTP answer.
    pub status: StatusCode,
    /// The JSON that a caller gets back.
    pub json: Text,
    pub targets: Targets,
}

/// JSON as each dialect has it.
#[derive(Clone, Debug, Default)]
pub struct Text {
    canonical: String,
    rest: String,
}

/// The gRPC frame of a call.
#[derive(Clone, Debug)]
pub struct Sent {
    pub frame: Bytes,
    /// What prost makes of other bytes. A proxy may spell zeros out, and may say nothing else.
    pub normal: fn(&[u8]) -> Option<Bytes>,
}

/// What the upstream says.
#[derive(Clone, Debug)]
pub enum Answer {
    Frame(Bytes),
    Failure(Status),
}

/// The most that the gateway may take. None where nothing is promised.
#[derive(Clone, Copy, Debug, Default)]
pub struct Targets {
    /// CPU microseconds a request.
    pub cpu: Option<f64>,
    /// What Envoy took where that target was set. Machines differ, and so does one from hour to
    /// hour; what the gateway takes of Envoy's time does not.
    pub envoy: Option<f64>,
    /// The 99th percentile at 64 connections, in milliseconds.
    pub p99: Option<f64>,
}

impl Targets {
    /// The target of CPU time as a share of Envoy's.
    pub fn share(self) -> Option<f64> {
        Some(self.cpu? / self.envoy?)
    }
}

impl Text {
    fn new(write: impl Fn(Dialect) -> String) -> Self {
        Self { canonical: write(Dialect::Canonical), rest: write(Dialect::Rest) }
    }

    pub fn of(&self, dialect: Dialect) -> &str {
        match dialect {
            Dialect::Canonical => &self.canonical,
            Dialect::Rest => &self.rest,
        }
    }
}

/// All of them, in the order of the tables.
pub fn all() -> Vec<Workload> {
    vec![get(), create(), list(), ingest(), batch(), missing()]
}

fn get() -> Workload {
    let one = Biomarker::one();
    Workload {
        name: "GET small",
        method: Method::GET,
        target: format!("/v1/bench/biomarkers/{}", one.id()),
        body: Text::default(),
        call: call("GetBiomarker"),
        sent: Sent::of(&Get { id: one.id().to_owned() }),
        answer: Answer::Frame(frame(&one)),
        status: StatusCode::OK,
        json: Text::new(|it| one.json(it)),
        targets: Targets { cpu: Some(14.0), envoy: Some(35.7), p99: Some(1.5) },
    }
}

fn create() -> Workload {
    let one = Biomarker::one();
    Workload {
        name: "POST small",
        method: Method::POST,
        target: "/v1/bench/biomarkers".into(),
        body: Text::new(|it| one.json(it)),
        call: call("CreateBiomarker"),
        sent: Sent::of(&Create { biomarker: Some(one.clone()) }),
        answer: Answer::Frame(frame(&one)),
        status: StatusCode::OK,
        json: Text::new(|it| one.json(it)),
        targets: Targets { cpu: Some(15.0), envoy: Some(47.2), p99: Some(1.5) },
    }
}

fn list() -> Workload {
    Workload {
        name: "GET list",
        method: Method::GET,
        target: format!("/v1/bench/biomarkers?brand_id=loop&page_size={MANY}"),
        body: Text::default(),
        call: call("ListBiomarkers"),
        sent: Sent::of(&List { brand_id: "loop".into(), page_size: MANY as i32 }),
        answer: Answer::Frame(frame(&Biomarkers { biomarkers: Biomarker::many() })),
        status: StatusCode::OK,
        json: Text::new(json_of_many),
        targets: Targets { cpu: Some(60.0), envoy: Some(491.0), p99: Some(7.0) },
    }
}

fn ingest() -> Workload {
    Workload {
        name: "POST ingest",
        method: Method::POST,
        target: "/v1/bench/biomarkers:ingest".into(),
        body: Text::new(json_of_many),
        call: call("IngestBiomarkers"),
        sent: Sent::of(&Biomarkers { biomarkers: Biomarker::many() }),
        answer: Answer::Frame(frame(&Ingested { accepted: MANY as i32 })),
        status: StatusCode::OK,
        json: Text::new(|_| format!("{{\"accepted\":{MANY}}}")),
        targets: Targets { cpu: Some(58.0), envoy: Some(410.0), p99: None },
    }
}

fn batch() -> Workload {
    let many = Biomarkers { biomarkers: Biomarker::many() };
    Workload {
        name: "POST batch",
        method: Method::POST,
        target: "/v1/bench/biomarkers:batchCreate".into(),
        body: Text::new(json_of_many),
        call: call("BatchCreateBiomarkers"),
        sent: Sent::of(&many),
        answer: Answer::Frame(frame(&many)),
        status: StatusCode::OK,
        json: Text::new(json_of_many),
        targets: Targets { cpu: Some(100.0), envoy: Some(906.0), p99: None },
    }
}

fn missing() -> Workload {
    let id = "bio_missing";
    let mut details = ErrorDetails::new();
    let about = [("id".to_owned(), id.to_owned())];
    details.set_error_info("BIOMARKER_NOT_FOUND", "platform.loop.health", about);
    let failure = Status::with_error_details(Code::NotFound, "no such biomarker", details);
    Workload {
        name: "GET error",
        method: Method::GET,
        target: format!("/v1/bench/biomarkers/{id}"),
        body: Text::default(),
        call: call("GetBiomarker"),
        sent: Sent::of(&Get { id: id.into() }),
        answer: Answer::Failure(failure),
        status: StatusCode::NOT_FOUND,
        json: Text::new(|_| FAILURE.to_owned()),
        targets: Targets::default(),
    }
}

/// Only the floor answers with it: each gateway words errors its own way.
const FAILURE: &str = r#"{"code":5,"message":"no such biomarker","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BIOMARKER_NOT_FOUND","domain":"platform.loop.health","metadata":{"id":"bio_missing"}}]}"#;

/// The bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

fn call(method: &str) -> String {
    format!("/{SERVICE}/{method}")
}

impl Sent {
    fn of<M: Message + Default>(message: &M) -> Self {
        Self { frame: frame(message), normal: normal::<M> }
    }

    /// Whether a proxy that sent `bytes` said this.
    pub fn is_said_by(&self, bytes: &[u8]) -> bool {
        self.frame == bytes || (self.normal)(bytes).is_some_and(|it| it == self.frame)
    }
}

fn normal<M: Message + Default>(bytes: &[u8]) -> Option<Bytes> {
    Some(frame(&M::decode(bytes.get(PREFIX..)?).ok()?))
}

/// A message behind its length, uncompressed.
fn frame(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.encoded_len() as u32);
    message.encode(&mut frame).expect("the buffer grows");
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_length() {
        let framed = frame(&Get { id: "ab".into() });
        assert_eq!(&*framed, [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
    }

    #[test]
    fn zeros_may_be_spelled_out_and_nothing_else_added() {
        let sent = Sent::of(&Ingested { accepted: 0 });
        assert!(sent.is_said_by(&[0, 0, 0, 0, 2, 0x08, 0]));
        assert!(!sent.is_said_by(&[0, 0, 0, 0, 2, 0x08, 1]));
        assert!(!sent.is_said_by(&[0, 0, 0]));
    }

    #[test]
    fn every_workload_is_json_and_told_apart_by_its_call() {
        let all = all();
        for one in &all {
            for dialect in [Dialect::Canonical, Dialect::Rest] {
                serde_json::from_str::<serde_json::Value>(one.json.of(dialect)).unwrap();
            }
            let alike =
                all.iter().filter(|it| it.call == one.call && it.sent.frame == one.sent.frame);
            assert_eq!(alike.count(), 1, "{}", one.name);
        }
    }
}
