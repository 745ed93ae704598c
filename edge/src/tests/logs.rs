//! What the logs say of a request, and what they never do.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, Once},
};

use http::Request;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::{
    clinical::CANARY,
    door::{Door, Setting, report, until},
};

/// Everything that was logged on this thread since it was made. A test and all that it spawns
/// run on one thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static CAPTURED: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// Sends a line to the log of its thread, if that has one.
struct PerThread;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for PerThread {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        CAPTURED.with_borrow(|it| it.clone()).unwrap_or_default()
    }
}

impl Log {
    /// One subscriber for all threads: with several, which lines are worth making is decided
    /// while others come and go.
    fn capture() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_max_level(tracing::Level::TRACE)
                .with_writer(PerThread)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        let log = Self::default();
        CAPTURED.set(Some(log.clone()));
        log
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of this gateway that say how requests ended.
    fn served(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        lines.filter(|it| it["message"] == "served" && it["target"] != "kit").collect()
    }
}

#[tokio::test]
async fn every_outcome_leaves_one_line() {
    let log = Log::capture();
    let door = Door::open().await;
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    door.get("/v1/biomarkers/bio_1", "").await;
    door.get("/v1/nothing/at-all", "").await;
    let lines = log.served();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let line = &lines[0];
    assert_eq!(line["method"], "/loop.clinical.v1.ClinicalService/GetBiomarker");
    assert_eq!(line["status"], 200);
    assert_eq!(line["client_id"], "cli_app");
    assert_eq!(line["brand_id"], "loop");
    assert_eq!(line["request_id"], answer.header("x-request-id"));
    assert!(line["duration_us"].as_u64().is_some());
    assert_eq!((&lines[1]["status"], &lines[1]["client_id"]), (&401.into(), &"".into()));
    assert_eq!((&lines[2]["status"], &lines[2]["method"]), (&404.into(), &"none".into()));
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let request = Request::post(reflection).header("content-type", "application/grpc");
    door.send(request, "").await;
    assert_eq!(log.served()[3]["method"], reflection);
}

#[tokio::test]
async fn a_refusal_is_told_with_what_was_known() {
    let log = Log::capture();
    let door = Door::open().await;
    let answer = door.post("/v1/biomarkers/parse", &door.reader(), "{}").await;
    let line = &log.served()[0];
    assert_eq!(line["status"], 403);
    assert_eq!(line["client_id"], "cli_app");
    assert_eq!(line["brand_id"], "");
    assert_eq!(line["request_id"], answer.json()["request_id"]);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_a_line() {
    let log = Log::capture();
    let door = Arc::new(Door::open().await);
    let request = super::door::spawn_get(&door, "/v1/biomarkers/bio_stalls", &door.reader());
    until("the call to arrive", || door.clinical.calls() == 1).await;
    request.abort();
    until("the line", || log.served().len() == 1).await;
    assert_eq!(log.served()[0]["status"], 499);
}

#[tokio::test]
async fn no_log_of_any_level_holds_what_is_protected() {
    let log = Log::capture();
    let door = Setting::new().over_tcp().open().await;
    let (reader, writer) = (door.reader(), door.writer());
    let tokens = [&reader, &writer].map(|it| it.clone());
    door.get(&format!("/v1/biomarkers/{CANARY}"), &reader).await;
    door.get(&format!("/v1/biomarkers/me?biomarker_code={CANARY}&{CANARY}=1"), &reader).await;
    door.get(&format!("/v1/{CANARY}"), &reader).await;
    door.post("/v1/biomarkers/parse", &writer, &report(CANARY)).await;
    door.post("/v1/biomarkers/parse", &writer, &report("manual").replace("4.1", CANARY)).await;
    door.post("/v1/biomarkers/parse", &writer, &format!("{{\"{CANARY}\":1}}")).await;
    door.form("/v1/oauth/token", &format!("client_id=cli_1&client_secret={CANARY}")).await;
    assert_eq!(log.served().len(), 7);
    let own = log.text();
    let own: Vec<_> = own.lines().filter(|it| is_ours(it)).collect();
    assert!(own.len() > 7, "the subscriber hears the layers");
    for line in own {
        assert!(!line.contains(CANARY), "{line}");
        assert!(tokens.iter().all(|it| !line.contains(&**it)), "{line}");
    }
}

/// Transports log bytes and headers below INFO, where nobody in production listens.
fn is_ours(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap();
    let target = line["target"].as_str().unwrap();
    let transport = ["h2", "hyper", "hyper_util", "mio", "tower", "tonic"];
    let crate_name = target.split("::").next().unwrap();
    matches!(line["level"].as_str(), Some("INFO" | "WARN" | "ERROR"))
        || !transport.contains(&crate_name)
}
