//! Everything that is logged while a test runs, spans and all.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, Once},
};

use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::FmtSpan},
};

/// All that we say ourselves. Transports log bytes below INFO, where nobody in production listens.
const HEARD: &str = "trace,h2=info,hyper=info,hyper_util=info,mio=info,sqlx=info,tokio_util=info,\
                     tonic=info,tower=info";

/// What was logged on this thread since it was made. A test and all that it spawns run on one.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static CAPTURED: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// Sends a line to the log of its thread, if that has one.
struct PerThread;

impl Log {
    /// Listens from now on. One subscriber serves all threads: with several, which lines are worth
    /// making is decided while others come and go.
    pub fn capture() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_env_filter(EnvFilter::new(HEARD))
                .with_span_events(FmtSpan::NEW)
                .with_writer(PerThread)
                .finish();
            let set = tracing::subscriber::set_global_default(subscriber);
            set.expect("nobody else listens in this process");
        });
        let log = Self::default();
        CAPTURED.set(Some(log.clone()));
        log
    }

    /// Every line so far.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().expect("no writer panics").clone();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
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
