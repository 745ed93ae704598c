//! The connection over which Redis tells what was fenced, and the proof that it is alive.
//!
//! Redis sends every change of a token record over it (RESP3, `CLIENT TRACKING` in broadcast mode),
//! in order with the answers to `PING`. So an answer proves that every fence before its question
//! has been heard, and a lease of half a second from the question is renewed with each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    PushInfo, PushKind, RedisResult, Value,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::near::{Lease, Watchers};

/// How often the link is asked for a sign of life, and how long it may take to give one.
const PROBE: Duration = Duration::from_millis(250);

/// How long a sign of life is good for, from when it was asked for.
const LEASE: Duration = Duration::from_millis(500);

/// The pause before the link is opened again.
const PAUSE: Duration = Duration::from_millis(100);

/// One link for all that is held of a namespace. Runs in the background from its first use until
/// it is dropped.
pub(crate) struct Link {
    pub lease: Arc<Lease>,
    watch: Watch,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Clone)]
struct Watch {
    redis: ConnectionInfo,
    namespace: Arc<str>,
    /// What the keys of token records begin with.
    prefix: Arc<[u8]>,
    watchers: Arc<Watchers>,
    lease: Arc<Lease>,
}

impl Link {
    pub fn new(
        url: &str,
        namespace: Arc<str>,
        prefix: Vec<u8>,
        watchers: Arc<Watchers>,
    ) -> RedisResult<Self> {
        let redis = url.into_connection_info()?;
        let settings = redis.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let redis = redis.set_redis_settings(settings);
        let lease = Arc::new(Lease::new());
        let prefix = prefix.into();
        let watch = Watch { redis, namespace, prefix, watchers, lease: lease.clone() };
        Ok(Self { lease, watch, task: Mutex::default() })
    }

    /// Sees to it that the link is kept open, on the runtime of the caller if it was on none or on
    /// one that has ended.
    pub fn run(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(tokio::spawn(self.watch.clone().run()));
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Watch {
    async fn run(self) {
        loop {
            let Err(cause) = self.watch().await;
            self.lost();
            tracing::debug!(%cause, "fences cannot be heard: token records are asked for each time");
            sleep(PAUSE).await;
        }
    }

    /// Renews the lease until the link is lost.
    async fn watch(&self) -> RedisResult<std::convert::Infallible> {
        let ended = Arc::new(Notify::new());
        let mut link = self.open(ended.clone()).await?;
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(&*self.prefix);
        ask(&mut link, &tracking).await?;
        loop {
            let asked_at = Instant::now();
            ask(&mut link, &redis::cmd("PING")).await?;
            self.lease.prolong(asked_at + LEASE);
            tokio::select! {
                () = sleep_until(asked_at + PROBE) => {}
                () = ended.notified() => return Err(closed()),
            }
        }
    }

    async fn open(&self, ended: Arc<Notify>) -> RedisResult<MultiplexedConnection> {
        let watch = self.clone();
        let hear = move |push: PushInfo| {
            watch.hear(&push);
            if push.kind == PushKind::Disconnection {
                ended.notify_one();
            }
            RedisResult::Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PROBE))
            .set_response_timeout(Some(PROBE))
            .set_push_sender(hear);
        let client = Client::open(self.redis.clone())?;
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// What is not understood may be a fence.
    fn hear(&self, push: &PushInfo) {
        match push.kind {
            PushKind::Invalidate => match self.tokens(&push.data) {
                Some(tokens) => self.watchers.invalidate(&self.namespace, &tokens),
                None => self.watchers.clear(&self.namespace),
            },
            PushKind::Disconnection => self.lost(),
            _ => {}
        }
    }

    /// The tokens whose records changed; none if Redis forgot all it had.
    fn tokens(&self, data: &[Value]) -> Option<Vec<[u8; 32]>> {
        let [Value::Array(keys)] = data else { return None };
        let token = |key: &Value| {
            let Value::BulkString(key) = key else { return None };
            key.strip_prefix(&*self.prefix)?.try_into().ok()
        };
        keys.iter().map(token).collect()
    }

    fn lost(&self) {
        self.lease.end();
        self.watchers.clear(&self.namespace);
    }
}

async fn ask(link: &mut MultiplexedConnection, command: &redis::Cmd) -> RedisResult<()> {
    timeout(PROBE, command.query_async(link)).await.unwrap_or_else(|_| Err(closed()))
}

fn closed() -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into()
}
