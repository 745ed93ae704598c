//! The fast bus over core NATS.
//!
//! Subjects: `loop.<stage>.<event name>.<brand>` for events, so that permissions can keep brands
//! apart, and `loop.<stage>.wake.<service>`. A consumer is a queue group.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Subscriber};
use bytes::Bytes;
use futures::stream::{SelectAll, select_all};
use futures::{FutureExt, StreamExt};
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::timeout;
use type_contract::v1::Envelope;

use crate::{Error, Result};

const PING_INTERVAL: Duration = Duration::from_secs(2);

/// Longer than a write to a live socket takes; a hint that is later is none.
const PUBLISH_LIMIT: Duration = Duration::from_secs(1);

/// Wake-up calls that wait to be sent; further ones are lost.
const CALLS: usize = 256;

pub(super) type Events = SelectAll<Subscriber>;

#[derive(Clone)]
pub(super) struct Nats {
    client: Client,
    stage: String,
    calls: mpsc::Sender<String>,
}

impl Nats {
    pub async fn connect(url: &str, stage: &str) -> Result<Self> {
        let client = ConnectOptions::new()
            .ping_interval(PING_INTERVAL)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .connect(url)
            .await
            .map_err(Error::Address)?;
        let (calls, waiting) = mpsc::channel(CALLS);
        tokio::spawn(send_calls(client.clone(), waiting));
        Ok(Self { client, stage: stage.to_owned(), calls })
    }

    pub async fn publish(&self, envelopes: &[Envelope]) -> Result<()> {
        // Without a connection the client would keep the events and send them too late.
        if self.client.connection_state() != State::Connected {
            return Err(Error::Unavailable("NATS is not connected".to_owned()));
        }
        let sent = timeout(PUBLISH_LIMIT, self.send(envelopes)).await;
        sent.map_err(|_| Error::Unavailable("NATS takes too long".to_owned()))?
    }

    async fn send(&self, envelopes: &[Envelope]) -> Result<()> {
        for envelope in envelopes {
            let subject = format!("loop.{}.{}.{}", self.stage, envelope.name, envelope.brand_id);
            let payload = Bytes::from(envelope.encode_to_vec());
            if let Err(error) = self.client.publish(subject, payload).await {
                let event_id = &envelope.event_id;
                tracing::warn!(%event_id, %error, "an event stays off the fast bus");
            }
        }
        self.client.flush().await.map_err(unavailable)
    }

    pub async fn subscribe(&self, consumer: &str, aggregates: &[&str]) -> Result<Events> {
        let mut subscribers = Vec::new();
        for aggregate in aggregates {
            let subject = format!("loop.{}.{aggregate}.>", self.stage);
            let group = consumer.to_owned();
            subscribers
                .push(self.client.queue_subscribe(subject, group).await.map_err(unavailable)?);
        }
        // What is published after this returns is received.
        self.settle().await;
        Ok(select_all(subscribers))
    }

    pub fn wake(&self, service: &str) {
        // When that many calls wait, the relay is awake.
        let _ = self.calls.try_send(format!("loop.{}.wake.{service}", self.stage));
    }

    pub async fn woken(&self, service: &str) -> Result<Subscriber> {
        let subject = format!("loop.{}.wake.{service}", self.stage);
        let subscriber = self.client.subscribe(subject).await.map_err(unavailable)?;
        self.settle().await;
        Ok(subscriber)
    }

    /// Hands the subscriptions to the server if there is one. The server reads them before anything
    /// this client sends later; the client repeats them at every reconnect.
    async fn settle(&self) {
        if self.client.connection_state() == State::Connected {
            let _ = timeout(PUBLISH_LIMIT, self.client.flush()).await;
        }
    }
}

/// The next event that decodes; `None` when the client is closed.
pub(super) async fn next(events: &mut Events) -> Option<Envelope> {
    loop {
        let message = events.next().await?;
        match Envelope::decode(message.payload) {
            Ok(envelope) => return Some(envelope),
            Err(error) => {
                let subject = message.subject.as_str();
                tracing::warn!(subject, %error, "a message on the fast bus is no envelope");
            }
        }
    }
}

/// Waits for a call and takes those that came with it; false when the client is closed.
pub(super) async fn called(calls: &mut Subscriber) -> bool {
    let called = calls.next().await.is_some();
    while let Some(Some(_)) = calls.next().now_or_never() {}
    called
}

/// Sends wake-up calls until the last handle is dropped. Many commits at once make one call.
async fn send_calls(client: Client, mut waiting: mpsc::Receiver<String>) {
    let mut subjects = Vec::new();
    while waiting.recv_many(&mut subjects, CALLS).await > 0 {
        let distinct: BTreeSet<String> = subjects.drain(..).collect();
        if client.connection_state() != State::Connected {
            continue;
        }
        for subject in distinct {
            let _ = client.publish(subject, Bytes::new()).await;
        }
        let _ = client.flush().await;
    }
}

fn unavailable(error: impl std::fmt::Display) -> Error {
    Error::Unavailable(error.to_string())
}
